"""Writes XLM-R's tokenizer twice: as a Hugging Face ``tokenizer.json`` and as a ``sentencepiece.bpe.model``.

In both a text becomes the same pieces; the numbers differ by one. sentencepiece counts ``<unk>`` 0, ``<s>`` 1,
``</s>`` 2, first piece 3; Hugging Face, after fairseq, ``<s>`` 0, ``<pad>`` 1, ``</s>`` 2, ``<unk>`` 3, first
piece 4, and ``<mask>`` last.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from antiphon.package.charsmap import load_sentencepiece

_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
_UNKNOWN = 3


def tokenizer_json(pieces: Sequence[tuple[str, float]], charsmap: bytes, max_tokens: int) -> bytes:
    """Return ``tokenizer.json``: Unigram over ``pieces`` (text and score in id order), cut at ``max_tokens``."""
    last = len(pieces) - 1
    document = {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": max_tokens, "strategy": "LongestFirst", "stride": 0},
        "padding": None,
        "added_tokens": [*(_added(number, text) for number, text in enumerate(_SPECIAL)), _added(last, pieces[-1][0])],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, _METASPACE]},
        "post_processor": _template("<s>", "</s>"),
        "decoder": _METASPACE,
        "model": {"type": "Unigram", "unk_id": _UNKNOWN, "vocab": pieces, "byte_fallback": False},
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def sentencepiece_model(pieces: Sequence[tuple[str, float]], charsmap: bytes) -> bytes:
    """Return the same vocabulary as a sentencepiece model."""
    _, proto = load_sentencepiece()
    model = proto.ModelProto()
    kinds = proto.ModelProto.SentencePiece
    for text, kind in (("<unk>", kinds.UNKNOWN), ("<s>", kinds.CONTROL), ("</s>", kinds.CONTROL)):
        model.pieces.add(piece=text, score=0.0, type=kind)
    for text, score in pieces[len(_SPECIAL) : -1]:
        model.pieces.add(piece=text, score=score)
    trainer, normaliser = model.trainer_spec, model.normalizer_spec
    trainer.model_type = proto.TrainerSpec.UNIGRAM
    trainer.vocab_size = len(model.pieces)
    normaliser.name = "nmt_nfkc"
    normaliser.precompiled_charsmap = charsmap
    normaliser.add_dummy_prefix = normaliser.remove_extra_whitespaces = normaliser.escape_whitespaces = True
    return bytes(model.SerializeToString(deterministic=True))


_METASPACE = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}


def _added(number: int, text: str) -> dict[str, Any]:
    mask = text == "<mask>"
    flags = {"single_word": False, "lstrip": mask, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": text, **flags}


def _template(start: str, end: str) -> dict[str, Any]:
    def token(text: str) -> dict[str, Any]:
        return {"SpecialToken": {"id": text, "type_id": 0}}

    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    return {
        "type": "TemplateProcessing",
        "single": [token(start), first, token(end)],
        "pair": [token(start), first, token(end), token(end), second, token(end)],
        "special_tokens": {
            text: {"id": text, "ids": [_SPECIAL.index(text)], "tokens": [text]} for text in (start, end)
        },
    }
