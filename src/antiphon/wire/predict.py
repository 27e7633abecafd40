"""Predict: the request body and ``inference_results``."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.prediction import OUTPUT_NAME, Prediction, PredictRequest, ResultFilter
from antiphon.errors import IllegalArgument
from antiphon.wire.fields import Fields, kind


def read_predict(body: object) -> tuple[PredictRequest, list[str]]:
    """Return the texts and what is wanted of their vectors, and notices about ignored fields.

    Numbers and booleans in ``text_docs`` become their text; null and anything else is an IllegalArgument naming its
    position. A ``result_filter`` object wins over the four top-level keys.
    """
    fields = Fields(body, "predict")
    texts = _read_texts(fields.raw("text_docs"))
    parameters = fields.nested("parameters")
    nested = fields.nested("result_filter")
    wanted = _read_filter(fields)
    if nested is not None:
        wanted = _read_filter(Fields(nested, "result_filter"))
    fields.skip("algorithm")
    return PredictRequest(texts, parameters, wanted), fields.notices()


def render_predict(prediction: Prediction, wanted: ResultFilter) -> dict[str, Any]:
    """Return ``inference_results``, one entry per text; ``data`` stays a float32 array for the JSON writer."""
    if not wanted.keeps(OUTPUT_NAME, 0):
        return {"inference_results": [{} for _ in prediction.rows]}
    return {"inference_results": [{"output": [_render_output(row, wanted)]} for row in prediction.rows]}


def _render_output(row: NDArray[np.float32], wanted: ResultFilter) -> dict[str, Any]:
    output: dict[str, Any] = {"name": OUTPUT_NAME, "data_type": "FLOAT32", "shape": row.shape}
    if wanted.return_number:
        output["data"] = row.ravel()
    if wanted.return_bytes:
        array = base64.b64encode(row.astype("<f4", copy=False).tobytes()).decode("ascii")
        output["byte_buffer"] = {"array": array, "order": "LITTLE_ENDIAN"}
    return output


def _read_texts(value: object) -> tuple[str, ...]:
    if value is None or value == []:
        raise IllegalArgument("Empty text docs")
    if not isinstance(value, list):
        raise IllegalArgument(f"[text_docs] must be an array of strings, but was {kind(value)}")
    if all(isinstance(item, str) for item in value):
        return tuple(value)
    return tuple(_read_text(position, item) for position, item in enumerate(value))


def _read_text(position: int, item: object) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, (bool, int, float)):
        return json.dumps(item)
    raise IllegalArgument(f"[text_docs] must hold strings, but text_docs[{position}] was {kind(item)}")


def _read_filter(fields: Fields) -> ResultFilter:
    number, as_bytes = fields.boolean("return_number"), fields.boolean("return_bytes")
    return ResultFilter(
        return_number=True if number is None else number,
        return_bytes=bool(as_bytes),
        target_response=fields.words("target_response") or (),
        target_response_positions=fields.integers("target_response_positions") or (),
    )
