"""``_analyze``: the request and the tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from antiphon.domain.analysis import AnalyzeRequest, Token
from antiphon.errors import ParsingError, ValidationError
from antiphon.wire.fields import Fields


def read_analyze(body: object) -> tuple[AnalyzeRequest, str | None]:
    """Return the request, and the field whose analyzer is meant; ValidationError without a text."""
    fields = Fields(body, "analyze request")
    if fields.boolean("explain"):
        raise ParsingError("[explain] is not supported by Antiphon: _analyze shows the tokens without it")
    fields.skip("attributes")
    texts = fields.words("text")
    request = AnalyzeRequest(
        texts=texts or (),
        analyzer=fields.text("analyzer"),
        tokenizer=_one(fields.raw("tokenizer")),
        filters=_many(fields.raw("filter")),
        char_filters=_many(fields.raw("char_filter")),
        normalizer=fields.text("normalizer"),
    )
    field = fields.text("field")
    for key in fields.unread():
        raise ParsingError(f"Unknown parameter [{key}] in request body or parameter is of the wrong type")
    if not texts:
        raise ValidationError("text is missing")
    return request, field


def write_tokens(tokens: Sequence[Token]) -> dict[str, Any]:
    """Return the tokens in order."""
    return {
        "tokens": [
            {
                "token": token.token,
                "start_offset": token.start_offset,
                "end_offset": token.end_offset,
                "type": token.type,
                "position": token.position,
            }
            for token in tokens
        ]
    }


def _one(value: Any) -> Any:
    if value is not None and not isinstance(value, (str, dict)):
        raise ParsingError("[tokenizer] must be a name or an object")
    return value


def _many(value: Any) -> tuple[Any, ...]:
    items = [] if value is None else value if isinstance(value, list) else [value]
    return tuple(_one(item) for item in items)
