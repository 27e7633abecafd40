"""The character map of XLM-R's tokenizer, compiled with the installed ``sentencepiece``.

The weights file holds the map of single characters. The model's own map, ``nmt_nfkc`` as sentencepiece compiled it
with Unicode 11, holds besides it sequences such as ``e`` + U+0301, all of which follow from Unicode's composition
rules; today's ``nmt_nfkc`` has the same ones and those of younger scripts. So: single characters from the file,
sequences from sentencepiece without what is younger than the model, compiled together. The result is, byte for
byte, the map that XLM-R and multilingual-e5 carry.
"""

from __future__ import annotations

import hashlib
import io
import struct
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np

from antiphon.errors import SourceError

ORIGINAL_SHA256 = "0942789e0111452f1cc446f70036e26d24458c3c7858c53cc12ca4d87531279b"
"""Of the 237,539 bytes in the tokenizers of XLM-R and multilingual-e5."""

_YOUNGER_SCRIPTS = (
    range(0x105C0, 0x10600),  # Todhri
    range(0x11380, 0x11400),  # Tulu-Tigalari
    range(0x11900, 0x11960),  # Dives Akuru
    range(0x16100, 0x16140),  # Gurung Khema
    range(0x16D40, 0x16D80),  # Kirat Rai
)
"""Blocks whose characters compose, and which Unicode gained after version 11."""

_ZERO_WIDTH_JOINER = "\u200d"
"""Dropped from ``nmt_nfkc`` since; a single character, so the file has it, but sequences may contain it."""

_CORPUS = ["a b c d e f g h"] * 4
"""Trains a model nobody uses: the trainer is the door to sentencepiece's map compiler."""


def compile_charsmap(characters: Mapping[str, str]) -> bytes:
    """Return the precompiled map of ``characters`` and of the sequences that compose into known characters."""
    now = dict(decode_charsmap(_train(normalization_rule_name="nmt_nfkc")))
    changed = {item for item in now.keys() | characters.keys() if len(item) == 1} - {_ZERO_WIDTH_JOINER}
    unknown = {item for item in changed if now.get(item) != characters.get(item)}
    sequences = {
        sequence: replacement
        for sequence, replacement in now.items()
        if len(sequence) > 1 and not unknown.intersection(sequence) and not _younger(sequence)
    }
    rules = {**characters, **sequences}
    with tempfile.TemporaryDirectory(prefix="antiphon-") as folder:
        table = Path(folder) / "rules.tsv"
        lines = (f"{_hex(source)}\t{_hex(target)}\n" for source, target in sorted(rules.items()))
        table.write_text("".join(lines), encoding="ascii")
        return _train(normalization_rule_tsv=str(table))


def is_original(charsmap: bytes) -> bool:
    """True when ``charsmap`` is the one of XLM-R, byte for byte."""
    return hashlib.sha256(charsmap).hexdigest() == ORIGINAL_SHA256


def decode_charsmap(charsmap: bytes) -> Iterator[tuple[str, str]]:
    """Yield every (sequence, replacement) of a precompiled map.

    It is a u32 length, a double-array trie of u32 units of that length, and NUL-ended replacements that the trie's
    leaves point to. A unit: bits 0-7 the label, bit 8 "has a leaf", bit 9 "offset is shifted by 8", bits 10-30 the
    offset; a leaf's unit is bit 31 and a position. The unit of label c below a unit at place p with offset o is at
    place p ^ o ^ c.
    """
    (length,) = struct.unpack_from("<I", charsmap)
    units: list[int] = np.frombuffer(charsmap, "<u4", length // 4, 4).tolist()
    children: dict[int, list[int]] = {}
    for place, unit in enumerate(units):
        if unit & 0x800000FF == unit & 0xFF != 0:
            children.setdefault(place ^ unit & 0xFF, []).append(place)
    replacements = charsmap[4 + length :]
    waiting = [(_offset(units[0]), b"")]
    while waiting:
        base, key = waiting.pop()
        for place in children.get(base, ()):
            unit = units[place]
            below, sequence = place ^ _offset(unit), key + bytes([unit & 0xFF])
            waiting.append((below, sequence))
            if unit >> 8 & 1:
                start = units[below] & 0x7FFFFFFF
                yield sequence.decode(), replacements[start : replacements.index(b"\0", start)].decode()


def _offset(unit: int) -> int:
    return unit >> 10 << ((unit & 0x200) >> 6)


def _younger(sequence: str) -> bool:
    return any(ord(character) in block for character in sequence for block in _YOUNGER_SCRIPTS)


def _hex(text: str) -> str:
    return " ".join(f"{ord(character):X}" for character in text)


def _train(**normaliser: str) -> bytes:
    """Return the precompiled map of a throw-away model; SourceError when sentencepiece is not installed."""
    spm, proto = load_sentencepiece()
    written = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(_CORPUS),
        model_writer=written,
        vocab_size=12,
        hard_vocab_limit=False,
        minloglevel=3,
        **normaliser,
    )
    model = proto.ModelProto.FromString(written.getvalue())
    return bytes(model.normalizer_spec.precompiled_charsmap)


def load_sentencepiece() -> tuple[ModuleType, ModuleType]:
    """Return the modules ``sentencepiece`` and ``sentencepiece_model_pb2``; SourceError says how to install them."""
    try:
        import sentencepiece
        from sentencepiece import sentencepiece_model_pb2
    except ImportError as error:
        raise SourceError(
            f'The bundled weights need sentencepiece and protobuf ({error}): run `pip install "antiphon[bundled]"`'
        ) from error
    return sentencepiece, sentencepiece_model_pb2
