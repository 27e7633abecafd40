"""Reads JSON bodies strictly, and fast: a key sent twice is refused, as OpenSearch refuses it."""

from __future__ import annotations

import codecs
from typing import Any

import orjson

from antiphon.domain.json_keys import check_keys
from antiphon.errors import JsonError


def loads(text: bytes) -> Any:
    """Return the value of a JSON text; JsonError when it is none, or when an object has a key twice."""
    text = text.removeprefix(codecs.BOM_UTF8)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise JsonError(f"the request body is not valid JSON: {error}") from None
    check_keys(text, value)
    return value
