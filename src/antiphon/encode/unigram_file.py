"""Which tokenizer.json is a Unigram one that we can read ourselves, all of it known; any other is left alone."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import orjson
import tokenizers
from numpy.typing import NDArray
from tokenizers import Tokenizer

from antiphon.encode.cache import remembered
from antiphon.encode.unigram import Unigram
from antiphon.encode.unigram_text import Splitter, UnigramTexts, split_at_blanks, split_at_whitespace

_FORMAT = 1
"""Of what is kept in the cache; raised when it changes."""

_SEPARATOR = "\n"
_FIRST_LETTER, _LETTERS = 0x4E00, 16_384
_METASPACE = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
_BLANKS = {"Regex": " {2,}"}
_KEYS = {
    "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder",
    "model",
}  # fmt: skip

_shared: WeakValueDictionary[tuple[int, ...], UnigramTexts] = WeakValueDictionary()
_lock = Lock()


class _Unknown(Exception):
    """Something in the file is not known here; it never leaves this module."""


def read_unigram(file: Path, cache: Path | None) -> UnigramTexts | None:
    """Return what reads texts as ``file`` says; None when any part of it is not known. OSError when it is unreadable.

    What was found is kept in ``cache`` for the next start. Models of one file share one vocabulary.
    """
    stat = file.stat()
    identity = (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)
    with _lock:
        found = _shared.get(identity)
        if found is None:
            key = f"unigram {_FORMAT} {tokenizers.__version__}"
            try:
                found = _texts(remembered(cache, key, lambda: _parts(file.read_bytes()), name="unigram"), file)
            except _Unknown:
                return None
            _shared[identity] = found
        return found


def _parts(content: bytes) -> list[NDArray[Any]]:
    """Return the file as three arrays: the rest of it as JSON, the pieces as text, and their scores in float64."""
    if b'"Unigram"' not in content:
        raise _Unknown
    try:
        document = json.loads(content, parse_float=str)  # as written: see _as_read
    except ValueError as error:
        raise _Unknown from error
    if not isinstance(document, dict) or not document.keys() <= _KEYS:
        raise _Unknown
    pieces, written, unknown = _vocabulary(document.pop("model", None))
    outline = {
        **document,
        "added_tokens": [],
        "model": {"type": "Unigram", "unk_id": 0, "vocab": [[pieces[unknown], 0.0]]},
        "antiphon": {"unknown": unknown, "added": _added(document.get("added_tokens"))},
    }
    _read_outline(outline)
    scores = np.fromiter(_as_read(written), np.float64, len(written))
    if not (np.isfinite(scores) & (scores <= 0)).all():
        raise _Unknown
    texts = (orjson.dumps(outline), _SEPARATOR.join(pieces).encode())
    return [*(np.frombuffer(text, np.uint8) for text in texts), scores]


def _vocabulary(model: Any) -> tuple[list[str], list[str], int]:
    """Return pieces and scores, as written, in id order, and the id of unknowns."""
    if not isinstance(model, dict) or not model.keys() <= {"type", "unk_id", "vocab", "byte_fallback"}:
        raise _Unknown
    vocabulary, unknown = model.get("vocab"), model.get("unk_id")
    if model.get("type") != "Unigram" or model.get("byte_fallback") or not isinstance(vocabulary, list):
        raise _Unknown
    try:
        pieces, scores = (list(column) for column in zip(*vocabulary, strict=True))
    except (TypeError, ValueError) as error:
        raise _Unknown from error
    known = (
        all(type(piece) is str and piece and _SEPARATOR not in piece for piece in pieces)
        and all(type(score) in (str, int) for score in scores)
        and len(set(pieces)) == len(pieces)
    )
    if not known or type(unknown) is not int or not 0 <= unknown < len(pieces):
        raise _Unknown
    return pieces, [str(score) for score in scores], unknown


def _as_read(scores: Sequence[str]) -> Iterator[float]:
    """Yield what ``tokenizers`` makes of decimals: its reader is fast, and one bit off for a quarter of them.

    The bit decides between ways of equal probability, so the library is asked, with a letter for each piece.
    """
    for first in range(0, len(scores), _LETTERS):
        some = scores[first : first + _LETTERS]
        vocabulary = ",".join(f'["{chr(_FIRST_LETTER + number)}",{score}]' for number, score in enumerate(some))
        model = f'{{"type":"Unigram","unk_id":0,"vocab":[{vocabulary}]}}'
        try:
            tokenizer = Tokenizer.from_str(f'{{"version":"1.0","added_tokens":[],"model":{model}}}')
        except Exception as error:  # the library raises bare Exception
            raise _Unknown from error
        yield from (score for _, score in json.loads(tokenizer.to_str())["model"]["vocab"])


def _added(tokens: Any) -> list[str]:
    """Return the added tokens' texts; all must be looked for in the text as written, which is ``normalized: false``."""
    if not isinstance(tokens, list):
        raise _Unknown
    contents = []
    for token in tokens:
        content = token.get("content") if isinstance(token, dict) and token.get("normalized") is False else None
        if not isinstance(content, str) or not content:
            raise _Unknown
        contents.append(content)
    return contents


def _read_outline(outline: dict[str, Any]) -> tuple[Tokenizer, Splitter, tuple[list[int], list[int]]]:
    """Have ``tokenizers`` read it and write it out again, in its one spelling, and look whether all is known."""
    read = {key: value for key, value in outline.items() if key != "antiphon"}
    try:
        tokenizer = Tokenizer.from_str(orjson.dumps(read).decode())
    except Exception as error:  # the library raises bare Exception
        raise _Unknown from error
    spelled = orjson.loads(tokenizer.to_str())
    _check_normalizer(spelled["normalizer"])
    return tokenizer, _splitter(spelled["pre_tokenizer"]), _around(spelled["post_processor"])


def _check_normalizer(normalizer: Any) -> None:
    steps = normalizer.get("normalizers") if isinstance(normalizer, dict) else None
    kinds = [step["type"] for step in (steps or [normalizer]) if isinstance(step, dict)]
    if kinds not in (["Precompiled"], ["Precompiled", "Replace"]):
        raise _Unknown


def _splitter(pre_tokenizer: Any) -> Splitter:
    if pre_tokenizer == _METASPACE:
        return split_at_blanks
    if pre_tokenizer == {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, _METASPACE]}:
        return split_at_whitespace
    raise _Unknown


def _around(processor: Any) -> tuple[list[int], list[int]]:
    """Return the ids that a template of the form ``<s> $A </s>``, all of type 0, puts in front and behind."""
    if not isinstance(processor, dict) or processor.get("type") != "TemplateProcessing":
        raise _Unknown
    single, ids = processor["single"], processor["special_tokens"]
    text = {"Sequence": {"id": "A", "type_id": 0}}
    if len(single) != 3 or single[1] != text:
        raise _Unknown
    front, behind = (part.get("SpecialToken", {}) for part in (single[0], single[2]))
    if front.get("type_id") != 0 or behind.get("type_id") != 0:
        raise _Unknown
    return ids[front["id"]]["ids"], ids[behind["id"]]["ids"]


def _texts(parts: list[NDArray[Any]], file: Path) -> UnigramTexts:
    outline = orjson.loads(parts[0].tobytes())
    pieces = parts[1].tobytes().decode().split(_SEPARATOR)
    ours = outline["antiphon"]
    tokenizer, split, around = _read_outline(outline)
    unigram = Unigram(pieces, array("d", parts[2].tobytes()), ours["unknown"])
    local = _is_local(outline["normalizer"])
    return UnigramTexts(tokenizer, unigram, split, added=ours["added"], around=around, local=local, file=file)


def _is_local(normalizer: Any) -> bool:
    """Whether each step looks at one grapheme, or at one run of blanks."""
    steps = normalizer.get("normalizers", [normalizer])
    return all(
        step["type"] == "Precompiled" or (step["pattern"], step["content"]) in ((_BLANKS, "\u2581"), (_BLANKS, " "))
        for step in steps
    )
