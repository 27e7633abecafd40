"""A model's files become its ``model_config``, each value with its origin.

Order of trust: a flag, the model's own files (sentence-transformers' settings, ``config.json``, the graph), the table
of known families, OpenSearch's default.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from antiphon.domain.model import FrameworkType, ModelConfig, Pooling
from antiphon.domain.package import Overrides
from antiphon.errors import SourceError
from antiphon.package.families import Family
from antiphon.package.graph import GraphFacts

CEILING = 512
"""Tokens at which OpenSearch cuts a text, whatever the files say."""

_POOLING_KEYS = {
    "pooling_mode_cls_token": Pooling.CLS,
    "pooling_mode_mean_tokens": Pooling.MEAN,
    "pooling_mode_max_tokens": Pooling.MAX,
    "pooling_mode_mean_sqrt_len_tokens": Pooling.MEAN_SQRT_LEN,
    "pooling_mode_weightedmean_tokens": Pooling.WEIGHTED_MEAN,
    "pooling_mode_lasttoken": Pooling.LAST_TOKEN,
}
_SPACES = {"cosine": "cosinesimil", "dot": "innerproduct", "euclidean": "l2", "manhattan": "l1"}
_QUERY_PROMPTS, _PASSAGE_PROMPTS = ("query",), ("passage", "document", "corpus")
_FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Settings:
    """The small JSON files of a model folder; an absent one is empty."""

    config: dict[str, Any] = field(default_factory=dict)
    pooling: dict[str, Any] = field(default_factory=dict)
    modules: list[Any] = field(default_factory=list)
    sentence: dict[str, Any] = field(default_factory=dict)
    transformer: dict[str, Any] = field(default_factory=dict)

    @property
    def module_names(self) -> list[str]:
        """The classes of sentence-transformers' pipeline, in its order."""
        return [str(item.get("type", "?")).rsplit(".", 1)[-1] for item in self.modules if isinstance(item, dict)]

    @classmethod
    def read(cls, folder: Path) -> Settings:
        """Read them; SourceError names a file that is not JSON of the right kind."""
        return cls(
            config=_json(folder / "config.json", dict),
            pooling=_json(folder / "1_Pooling" / "config.json", dict),
            modules=_json(folder / "modules.json", list),
            sentence=_json(folder / "config_sentence_transformers.json", dict),
            transformer=_json(folder / "sentence_bert_config.json", dict),
        )


@dataclass(slots=True)
class Derivation:
    """The values found so far and where each came from."""

    settings: Settings
    graph: GraphFacts
    family: Family | None
    overrides: Overrides
    origins: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def config(self) -> ModelConfig:
        """Derive all of ``model_config``; SourceError when the files contradict each other."""
        self._check_modules()
        model_type = self._model_type()
        dimension = self._dimension()
        query, passage = self._prefixes()
        return ModelConfig(
            model_type=model_type,
            embedding_dimension=dimension,
            framework_type=self._framework(),
            all_config=self._all_config(),
            additional_config={"space_type": self._space()},
            pooling_mode=self._pooling(),
            normalize_result=self._normalize(),
            query_prefix=query,
            passage_prefix=passage,
        )

    def _from(self, key: str, origin: str) -> None:
        self.origins[key] = origin

    def _check_modules(self) -> None:
        """Refuse a model whose vectors pass through layers that the graph does not hold."""
        known = {"Transformer", "Pooling", "Normalize"}
        extra = [name for name in self.settings.module_names if name not in known]
        if extra and not self.graph.pooled:
            raise SourceError(
                f"modules.json has a {extra[0]} module after the transformer, which the graph's first output lacks: "
                "its vectors would be wrong. Export the whole pipeline, with the sentence embedding as first output"
            )

    def _model_type(self) -> str:
        typed = "token_type_ids" in self.graph.input_names
        declared = str(self.settings.config.get("model_type") or "")
        chosen = self.overrides.model_type
        if chosen is not None:
            self._from("model_type", _FLAG)
            if token_typed(chosen) != typed:
                self.notes.append(_mismatch(chosen, typed=typed))
            return chosen
        if declared and token_typed(declared) == typed:
            self._from("model_type", "config.json")
            return declared
        asks = "takes token_type_ids, which OpenSearch feeds to [bert] and [albert] only"
        if not typed:
            asks = "takes no token_type_ids, which OpenSearch would feed to [bert] and [albert]"
        self._from("model_type", f"the graph {asks}" + (f" (config.json says [{declared}])" if declared else ""))
        return "bert" if typed else "distilbert"

    def _dimension(self) -> int:
        config = self.settings.config
        declared = config.get("hidden_size") or config.get("dim") or config.get("n_embd")
        if self.graph.dimension is not None:
            self._from("embedding_dimension", f"the graph's output [{self.graph.outputs[0].name}]")
            return self.graph.dimension
        if isinstance(declared, int) and declared > 0:
            self._from("embedding_dimension", "config.json")
            return declared
        raise SourceError(
            "The dimension is unknown: the graph's first output has no fixed width and config.json has no hidden_size. "
            "Export the model again, or add its config.json"
        )

    def _framework(self) -> FrameworkType:
        if self.settings.modules or self.settings.pooling:
            self._from("framework_type", "the files of sentence-transformers")
            return FrameworkType.SENTENCE_TRANSFORMERS
        if self.family:
            self._from("framework_type", self.family.origin)
            return FrameworkType.SENTENCE_TRANSFORMERS
        self._from("framework_type", "no files of sentence-transformers")
        return FrameworkType.HUGGINGFACE_TRANSFORMERS

    def _pooling(self) -> Pooling:
        if self.overrides.pooling_mode is not None:
            self._from("pooling_mode", _FLAG)
            return _parse_pooling(self.overrides.pooling_mode, "--pooling-mode")
        if self.graph.pooled:
            self._from("pooling_mode", "the graph's first output is already pooled")
            return Pooling.NONE
        if found := _pooling_of(self.settings.pooling):
            self._from("pooling_mode", "1_Pooling/config.json")
            return found
        if self.family:
            self._from("pooling_mode", self.family.origin)
            return self.family.pooling
        self._from("pooling_mode", "OpenSearch's default; the files do not say")
        self.notes.append("The model's files do not say how it pools: mean is assumed, --pooling-mode says otherwise.")
        return Pooling.MEAN

    def _normalize(self) -> bool:
        if self.overrides.normalize_result is not None:
            self._from("normalize_result", _FLAG)
            return self.overrides.normalize_result
        has_module = "Normalize" in self.settings.module_names
        if has_module and self.graph.pooled:
            self._from(
                "normalize_result",
                "off although modules.json has a Normalize module: the graph's first output is that of the whole "
                "pipeline, and OpenSearch would turn each of its numbers into 1 or -1",
            )
            return False
        if self.family and self.family.normalize is False:
            self._from(
                "normalize_result",
                "off as in OpenSearch's tutorial for E5"
                + (", although modules.json has a Normalize module" if has_module else "")
                + "; cosinesimil gives the same ranking either way",
            )
            return False
        self._from("normalize_result", f"modules.json has {'a' if has_module else 'no'} Normalize module")
        return has_module

    def _prefixes(self) -> tuple[str | None, str | None]:
        query, passage, origin = self._derived_prefixes()
        given = self.overrides
        pairs = (("query_prefix", given.query_prefix, query), ("passage_prefix", given.passage_prefix, passage))
        for key, flag, derived in pairs:
            self._from(key, _FLAG if flag is not None else origin)
            if flag is None and derived is None:
                self._from(key, "none: " + origin)
        query = query if given.query_prefix is None else given.query_prefix
        passage = passage if given.passage_prefix is None else given.passage_prefix
        return query, passage

    def _derived_prefixes(self) -> tuple[str | None, str | None, str]:
        prompts = self.settings.sentence.get("prompts")
        prompts = prompts if isinstance(prompts, dict) else {}
        query, passage = _prompt(prompts, _QUERY_PROMPTS), _prompt(prompts, _PASSAGE_PROMPTS)
        if query or passage:
            return query or "", passage or "", "config_sentence_transformers.json"
        if self.family:
            return self.family.query_prefix, self.family.passage_prefix, self.family.origin
        return None, None, "no prompts in the model's files, and no known family"

    def _space(self) -> str:
        if self.overrides.space_type is not None:
            self._from("space_type", _FLAG)
            return self.overrides.space_type
        similarity = self.settings.sentence.get("similarity_fn_name")
        if similarity in _SPACES:
            self._from("space_type", "config_sentence_transformers.json")
            return _SPACES[similarity]
        self._from("space_type", "cosine, what embedding models are trained for")
        return _SPACES["cosine"]

    def _all_config(self) -> str | None:
        """config.json on one line, without a key that ``additional_config`` has: OpenSearch refuses a doubled one."""
        config = {key: value for key, value in self.settings.config.items() if key != "space_type"}
        if not config:
            return None
        self._from("all_config", "config.json")
        return json.dumps(config, ensure_ascii=False, separators=(",", ":"))


def token_typed(model_type: str) -> bool:
    """True for the model types to which OpenSearch feeds ``token_type_ids``."""
    return model_type.lower() in ("bert", "albert")


def max_tokens(settings: Settings) -> int | None:
    """Return how many tokens a text may have as the model's files say, special ones included; None when they do not."""
    stated = settings.transformer.get("max_seq_length")
    positions = settings.config.get("max_position_embeddings")
    limits = [value for value in (stated, _usable(settings.config, positions)) if isinstance(value, int) and value > 0]
    return min(limits, default=None)


def _usable(config: dict[str, Any], positions: Any) -> Any:
    """Positions that tokens can take: RoBERTa's kin count them from behind the padding id."""
    kin = ("roberta", "xlm-roberta", "camembert", "mpnet", "xmod")
    if isinstance(positions, int) and config.get("model_type") in kin:
        pad = config.get("pad_token_id", 1)
        return positions - (pad if isinstance(pad, int) else 1) - 1
    return positions


def _mismatch(model_type: str, *, typed: bool) -> str:
    has = "takes" if typed else "does not take"
    return (
        f"model_type [{model_type}] does not fit the graph, which {has} token_type_ids: OpenSearch would answer "
        "[Input mismatch] when it deploys this model."
    )


def _pooling_of(config: dict[str, Any]) -> Pooling | None:
    named = config.get("pooling_mode")
    if isinstance(named, str):
        return _parse_pooling(named, "1_Pooling/config.json")
    chosen = [mode for key, mode in _POOLING_KEYS.items() if config.get(key) is True]
    if len(chosen) > 1:
        raise SourceError(
            f"1_Pooling/config.json joins {[mode.value for mode in chosen]} into one vector, which OpenSearch "
            "cannot do. Export the whole pipeline, so that the first output is the sentence embedding"
        )
    return chosen[0] if chosen else None


def _parse_pooling(word: str, source: str) -> Pooling:
    try:
        return Pooling.parse(word)
    except ValueError:
        modes = ", ".join(mode.value.lower() for mode in Pooling)
        raise SourceError(f"{source} says [{word}], must be one of [{modes}]") from None


def _prompt(prompts: dict[str, Any], names: tuple[str, ...]) -> str | None:
    return next((prompts[name] for name in names if isinstance(prompts.get(name), str)), None)


def _json(path: Path, kind: type) -> Any:
    if not path.is_file():
        return kind()
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"[{path}] is not JSON: {error}. Fetch the model again") from error
    if not isinstance(value, kind):
        raise SourceError(f"[{path}] is not a JSON {'object' if kind is dict else 'array'}. Fetch the model again")
    return value
