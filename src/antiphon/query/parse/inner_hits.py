"""Inner hits of a nested query or of a collapsed group."""

from __future__ import annotations

from antiphon.errors import ContentParse, IllegalArgument
from antiphon.query import reading
from antiphon.query.nodes import InnerHits
from antiphon.query.parse import fetch
from antiphon.query.parse.options import Body, Parse
from antiphon.query.parse.reasons import AT, refused
from antiphon.query.parse.sort import parse_sort
from antiphon.query.scope import Scope

_KEYS = fetch.KEYS | reading.words("name size from sort track_scores ignore_unmapped collapse")


def parse_inner_hits(body: Body, name: str, scope: Scope, parse: Parse) -> InnerHits:
    """Return the inner hits, named ``name`` unless the body says otherwise."""
    for key in body:
        if key not in _KEYS:
            raise ContentParse(f"{AT} [inner_hits] unknown field [{key}]{reading.did_you_mean(key, _KEYS)}")
    if body.get("collapse") is not None:
        raise refused("collapse in inner_hits", "collapse at the top of the search")
    size, from_ = reading.integer("size", body.get("size", 3)), reading.integer("from", body.get("from", 0))
    if size < 0 or from_ < 0:
        raise IllegalArgument(
            "illegal size value, at least 0 required" if size < 0 else "illegal from value, at least 0 required"
        )
    if size + from_ > 100:
        raise IllegalArgument(
            f"Inner result window is too large, the inner hit definition's [{name}]'s from + size must be less than or "
            f"equal to: [100] but was [{size + from_}]. This limit can be set by changing the "
            "[index.max_inner_result_window] index level setting."
        )
    return InnerHits(
        str(body.get("name", name)),
        size,
        from_,
        parse_sort(body.get("sort"), scope, parse),
        fetch.parse_fetch(body, scope, parse),
        reading.boolean("track_scores", body.get("track_scores", False)),
    )
