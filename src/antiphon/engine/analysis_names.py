"""What a name means in an index: its own ``index.analysis.*`` definitions first, then the built-in components."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import tantivy

from antiphon.engine.analysis_chain import Chain
from antiphon.engine.analysis_chars import char_filter
from antiphon.engine.analysis_filters import STOP_WORDS, cjk_bigrams, lowercase, token_filter
from antiphon.engine.analysis_standard import standard_type
from antiphon.engine.analysis_tokenizers import standard_words, tokenizer
from antiphon.errors import IllegalArgument

Component = str | Mapping[str, Any]
PREFIX = "index.analysis."
LANGUAGES = frozenset(
    re.findall(
        r"\w+",
        "arabic danish dutch english finnish french german greek hungarian italian norwegian portuguese romanian "
        "russian spanish swedish tamil turkish",
    )
)
WITHOUT_STOP_WORDS = frozenset({"arabic", "greek", "romanian", "tamil", "turkish"})


class Definitions:
    """The analysis settings of one index as a tree: kind -> name -> options."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._tree: dict[str, dict[str, dict[str, Any]]] = {}
        for key, value in settings.items():
            if key.startswith(PREFIX):
                kind, _, rest = key.removeprefix(PREFIX).partition(".")
                name, _, option = rest.partition(".")
                self._tree.setdefault(kind, {}).setdefault(name, {})[option] = value

    def names(self, kind: str) -> list[str]:
        """Return what the settings define of a kind (``analyzer``, ``tokenizer`` ...)."""
        return list(self._tree.get(kind, ()))

    def analyzer(self, name: str) -> Chain:
        """Return the analyzer of this name; IllegalArgument when there is none."""
        options = self._tree.get("analyzer", {}).get(name)
        if options is None:
            return builtin(name, {})
        kind = options.get("type", "custom")
        if kind != "custom":
            return builtin(str(kind), options)
        if "tokenizer" not in options:
            raise IllegalArgument(f"analyzer [{name}] must specify either an analyzer type, or a tokenizer")
        return self.custom(options["tokenizer"], listed(options.get("filter")), listed(options.get("char_filter")))

    def normalizer(self, name: str) -> Chain:
        """Return the normalizer of this name; ``lowercase`` is built in."""
        options = self._tree.get("normalizer", {}).get(name)
        if options is None:
            if name != "lowercase":
                raise IllegalArgument(f"failed to find normalizer under [{name}]")
            options = {"filter": ["lowercase"]}
        return self.custom("keyword", listed(options.get("filter")), listed(options.get("char_filter")))

    def custom(self, words: Component, filters: Sequence[Component], char_filters: Sequence[Component]) -> Chain:
        """Return an analyzer of these parts: names, or definitions of their own."""
        kind, options = self._resolved("tokenizer", words)
        cutter, typed = tokenizer(kind, options)
        return Chain(
            cutter,
            [token_filter(*self._resolved("filter", item)) for item in filters],
            [char_filter(*self._resolved("char_filter", item)) for item in char_filters],
            typed,
        )

    def _resolved(self, kind: str, component: Component) -> tuple[str, Mapping[str, Any]]:
        if isinstance(component, str):
            options = self._tree.get(kind, {}).get(component)
            if options is None:
                return component, {}
        else:
            options = dict(component)
        if "type" not in options:
            label = component if isinstance(component, str) else "anonymous"
            raise IllegalArgument(f"{kind} [{label}] must specify a [type]")
        return str(options["type"]), options


def builtin(name: str, options: Mapping[str, Any]) -> Chain:
    """Return a built-in analyzer; IllegalArgument when there is none of this name."""
    stop_words = listed(options.get("stopwords"))
    stops = [token_filter("stop", {"stopwords": stop_words})] if stop_words else []
    lower = tantivy.Filter.lowercase()
    match name:
        case "standard" | "default":
            return Chain(standard_words(), [lower, *stops], typed=standard_type)
        case "simple":
            return Chain(tokenizer("letter", {})[0], [lower])
        case "whitespace":
            return Chain(tokenizer("whitespace", {})[0])
        case "stop":
            stops = stops or [token_filter("stop", {})]
            return Chain(tokenizer("letter", {})[0], [lower, *stops])
        case "keyword":
            return Chain(tantivy.Tokenizer.raw())
        case "cjk":
            stops = stops or [token_filter("stop", {})]
            return Chain(standard_words(), [lower, cjk_bigrams, *stops], typed=standard_type)
        case "pattern":
            cutter, typed = tokenizer("pattern", options)
            return Chain(cutter, [lower, *stops], typed=typed)
        case language if language in LANGUAGES:
            return _language(language, stops)
    raise IllegalArgument(f"failed to find global analyzer [{name}]")


def _language(language: str, stops: Sequence[Any]) -> Chain:
    if not stops:
        if language == "english":
            stops = [tantivy.Filter.custom_stopword(list(STOP_WORDS))]
        elif language not in WITHOUT_STOP_WORDS:
            stops = [tantivy.Filter.stopword(language)]
    before = [token_filter("apostrophe", {})] if language == "turkish" else []
    own = {"language": language} if language in {"greek", "turkish"} else {}
    filters = [*before, lowercase(own), *stops, tantivy.Filter.stemmer(language)]
    return Chain(standard_words(), filters, typed=standard_type)


def listed(value: Any) -> list[Any]:
    """Return a setting that may be one value, a list or absent, as a list; ``a,b`` is two values."""
    if value is None:
        return []
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [value] if isinstance(value, Mapping) else list(value)
