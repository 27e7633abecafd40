"""Token filters by OpenSearch's names: tantivy's where it has them, Python's for the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import tantivy

from antiphon.engine.analysis_chain import Piece, TokenFilter
from antiphon.engine.analysis_tokenizers import gram_sizes
from antiphon.errors import IllegalArgument

STOP_WORDS = tuple(
    re.findall(
        r"\w+",
        "a an and are as at be but by for if in into is it no not of on or such that the their then there these they "
        "this to was will with",
    )
)
_STEMMERS = {"porter": "english", "porter2": "english", "light_french": "french"}
_STEMMERS |= {"light_german": "german", "german2": "german", "light_italian": "italian", "light_spanish": "spanish"}
_STEMMERS |= {"light_english": "english", "light_portuguese": "portuguese", "light_russian": "russian"}
_OTHER_STEMMERS = frozenset(
    re.findall(
        r"\w+",
        "armenian basque bengali brazilian bulgarian catalan czech dutch_kp estonian galician german2 hindi indonesian "
        "irish kp latvian light_finnish light_hungarian light_norwegian light_nynorsk light_swedish lithuanian lovins "
        "minimal_french minimal_galician minimal_german minimal_norwegian minimal_nynorsk minimal_portuguese persian "
        "portuguese_rslp sorani",
    )
)
_GREEK = str.maketrans("ςάέήίϊΐύϋΰόώ", "σαεηιιιυυυοω")
_IDEOGRAPHIC = frozenset({"<IDEOGRAPHIC>", "<HIRAGANA>", "<KATAKANA>", "<HANGUL>"})


def token_filter(kind: str, options: Mapping[str, Any]) -> tantivy.Filter | TokenFilter:
    """Return the token filter of a type; IllegalArgument for one that is not there."""
    match kind:
        case "lowercase":
            return lowercase(options)
        case "asciifolding" if not _flag(options, "preserve_original"):
            return tantivy.Filter.ascii_fold()
        case "stop":
            return _stop(options)
        case "stemmer" | "snowball" | "porter_stem" | "kstem":
            return _stemmer(kind, options)
    if (build := _PYTHON.get(kind)) is not None:
        return build(options)
    raise IllegalArgument(f"failed to find filter under [{kind}]")


def _flag(options: Mapping[str, Any], name: str) -> bool:
    return str(options.get(name, "false")).lower() == "true"


def _words(value: Any) -> list[str]:
    if value is None:
        return []
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else [str(item) for item in value]


def _stop(options: Mapping[str, Any]) -> tantivy.Filter | TokenFilter:
    words: list[str] = []
    for word in _words(options.get("stopwords")) or ["_english_"]:
        if word == "_english_":
            words += STOP_WORDS
        elif word.startswith("_") and word.endswith("_") and word != "_none_":
            language = word.strip("_")
            try:
                return _usable(tantivy.Filter.stopword(language))
            except ValueError as error:
                raise IllegalArgument(f"no stop words are known for [{word}]; list the words themselves") from error
        elif word != "_none_":
            words.append(word)
    if _flag(options, "ignore_case"):
        lowered = {word.lower() for word in words}
        return lambda pieces: [piece for piece in pieces if piece.text.lower() not in lowered]
    return tantivy.Filter.custom_stopword(words)


def _stemmer(kind: str, options: Mapping[str, Any]) -> tantivy.Filter | TokenFilter:
    named = str(options.get("language", options.get("name", "english")))
    language = named.lower()
    if kind in {"porter_stem", "kstem"}:
        language = "english"
    if language == "possessive_english":
        return _each(lambda text: text[:-2] if text.endswith(("'s", "'S", "\u2019s")) else text)
    if language == "minimal_english":
        return _each(_singular)
    try:
        return _usable(tantivy.Filter.stemmer(_STEMMERS.get(language, language)))
    except ValueError as error:
        if language in _OTHER_STEMMERS:
            reason = f"[stemmer: {named}] is not supported by Antiphon: use one of Snowball's languages, or none"
            raise IllegalArgument(reason) from error
        raise IllegalArgument(f"Invalid stemmer class specified: {named[:1].upper()}{named[1:]}") from error


def _usable(step: tantivy.Filter) -> tantivy.Filter:
    """Return the filter; tantivy only says when an analyzer is built that it knows no such language (ValueError)."""
    tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw()).filter(step).build()
    return step


def _singular(text: str) -> str:
    """Return an English word without the s of its plural (Lucene's ``EnglishMinimalStemmer``)."""
    if len(text) < 3 or text[-1] != "s" or text[-2] in "us":
        return text
    if text[-2] == "e":
        if len(text) > 3 and text[-3] == "i" and text[-4] not in "ae":
            return text[:-3] + "y"
        if text[-3] in "iaoe":
            return text
    return text[:-1]


def _small(text: str) -> str:
    """Return the text in small letters, one for each letter, wherever it stands (as Java's ``Character`` does)."""
    return "".join(letter.lower()[0] for letter in text)


def lowercase(options: Mapping[str, Any]) -> tantivy.Filter | TokenFilter:
    """Return the filter that makes small letters, as a language does that has a way of its own."""
    match str(options.get("language", "")).lower():
        case "":
            return tantivy.Filter.lowercase()
        case "greek":
            return _each(lambda text: _small(text).translate(_GREEK))
        case "irish":
            return _each(lambda text: _small(re.sub("^[nt](?=[AEIOUÁÉÍÓÚ])", r"\g<0>-", text)))
        case "turkish":
            return _each(lambda text: _small(text.replace("I\u0307", "i").replace("I", "\u0131")))
    raise IllegalArgument(f"language [{options['language']}] not support for lower case")


def _each(change: Callable[[str], str]) -> TokenFilter:
    return lambda pieces: [replace(piece, text=text) for piece in pieces if (text := change(piece.text))]


def _length(options: Mapping[str, Any]) -> TokenFilter:
    low, high = int(options.get("min", 0)), int(options.get("max", 2**31 - 1))
    return lambda pieces: [piece for piece in pieces if low <= len(piece.text) <= high]


def _truncate(options: Mapping[str, Any]) -> TokenFilter:
    length = int(options.get("length", 10))
    return _each(lambda text: text[:length])


def _limit(options: Mapping[str, Any]) -> TokenFilter:
    count = int(options.get("max_token_count", 1))
    return lambda pieces: pieces[:count]


def _elision(options: Mapping[str, Any]) -> TokenFilter:
    default = "l,m,t,qu,n,s,j,d,c,jusqu,quoiqu,lorsqu,puisqu"
    articles = {word.lower() for word in _words(options.get("articles", default))}

    def change(text: str) -> str:
        for mark in "'\u2019":
            before, found, after = text.partition(mark)
            if found and before.lower() in articles:
                return after
        return text

    return _each(change)


def _unique(options: Mapping[str, Any]) -> TokenFilter:
    same_position = _flag(options, "only_on_same_position")

    def apply(pieces: list[Piece]) -> list[Piece]:
        seen: set[tuple[str, int]] = set()
        kept = []
        for piece in pieces:
            key = (piece.text, piece.position if same_position else -1)
            if key not in seen:
                seen.add(key)
                kept.append(piece)
        return kept

    return apply


def _grams(options: Mapping[str, Any], *, edge: bool) -> TokenFilter:
    low, high = gram_sizes(options)
    keep = _flag(options, "preserve_original")
    side = str(options.get("side", "front")).lower() if edge else ""
    if edge and side not in ("front", "back"):
        raise IllegalArgument(f"invalid side: {side}")

    def apply(pieces: list[Piece]) -> list[Piece]:
        made = []
        for piece in pieces:
            text = piece.text
            starts = range(1) if edge else range(len(text))
            grams = [text[s : s + n] for s in starts for n in range(low, high + 1) if s + n <= len(text)]
            if side == "back":
                grams = [text[-len(gram) :] for gram in grams]
            if keep and text not in grams:
                grams.append(text)
            made += [replace(piece, text=gram) for gram in grams]
        return made

    return apply


def _ascii_folding(options: Mapping[str, Any]) -> TokenFilter:
    del options  # only reached with preserve_original
    fold = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw()).filter(tantivy.Filter.ascii_fold()).build()

    def apply(pieces: list[Piece]) -> list[Piece]:
        made = []
        for piece in pieces:
            folded = fold.analyze(piece.text)
            made += [replace(piece, text=text) for text in folded if text != piece.text]
            made.append(piece)
        return made

    return apply


def _synonyms(options: Mapping[str, Any]) -> TokenFilter:
    rules = options.get("synonyms") or []
    if not rules:
        raise IllegalArgument("synonym requires either `synonyms` or `synonyms_path` to be configured")
    table: dict[str, list[str]] = {}
    for rule in [rules] if isinstance(rules, str) else rules:
        left, arrow, right = str(rule).partition("=>")
        sources = [word.strip() for word in left.split(",") if word.strip()]
        targets = [word.strip() for word in right.split(",") if word.strip()] if arrow else sources
        if any(" " in word for word in (*sources, *targets)):
            reason = "[synonym of several words] is not supported by Antiphon: use single words, or expand the query"
            raise IllegalArgument(reason)
        for source in sources:
            table[source] = list(dict.fromkeys([*table.get(source, ()), *([] if arrow else [source]), *targets]))

    def apply(pieces: list[Piece]) -> list[Piece]:
        return [
            replace(piece, text=text, type="SYNONYM" if text != piece.text else piece.type)
            for piece in pieces
            for text in table.get(piece.text, (piece.text,))
        ]

    return apply


def cjk_bigrams(pieces: list[Piece]) -> list[Piece]:
    """Return the tokens with neighbouring CJK characters as overlapping pairs, a lonely one as it is."""
    made: list[Piece] = []
    run: list[Piece] = []
    for piece in pieces:
        characters = _cjk_characters(piece)
        if run and (not characters or characters[0].start != run[-1].end):
            made += _pairs(run, len(made))
            run = []
        if characters:
            run += characters
        else:
            made.append(replace(piece, position=len(made)))
    return made + _pairs(run, len(made))


def _cjk_characters(piece: Piece) -> list[Piece]:
    if piece.type not in _IDEOGRAPHIC or piece.end - piece.start != len(piece.text):
        return []
    return [Piece(c, piece.start + n, piece.start + n + 1, 0, piece.type) for n, c in enumerate(piece.text)]


def _pairs(run: list[Piece], position: int) -> list[Piece]:
    if len(run) == 1:
        return [replace(run[0], position=position)]
    return [Piece(a.text + b.text, a.start, b.end, position + n, "<DOUBLE>") for n, (a, b) in enumerate(pairwise(run))]


_PYTHON: Mapping[str, Callable[[Mapping[str, Any]], TokenFilter]] = {
    "asciifolding": _ascii_folding,
    "uppercase": lambda _: _each(str.upper),
    "trim": lambda _: _each(str.strip),
    "reverse": lambda _: _each(lambda text: text[::-1]),
    "apostrophe": lambda _: _each(lambda text: text.replace("\u2019", "'").partition("'")[0]),
    "length": _length,
    "truncate": _truncate,
    "limit": _limit,
    "elision": _elision,
    "unique": _unique,
    "edge_ngram": lambda options: _grams(options, edge=True),
    "ngram": lambda options: _grams(options, edge=False),
    "synonym": _synonyms,
    "synonym_graph": _synonyms,
    "cjk_bigram": lambda _: cjk_bigrams,
}
