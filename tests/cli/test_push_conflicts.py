"""Mappings that cannot become one another, as a dry run tells without asking the server."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.transfer.indexes import conflicts

NESTED = {"type": "nested", "properties": {"n": {"type": "long"}}}
CLASHES: list[tuple[Any, Any, list[str]]] = [
    ({"type": "date", "format": "yyyy"}, {"type": "date", "format": "date"}, ["[format] of [f] is [date] there"]),
    ({"type": "date", "format": "yyyy"}, {"type": "date"}, []),
    ({"properties": {"n": {"type": "long"}}}, NESTED, ["[f] is [nested] there, and here [object]"]),
    (NESTED, {"type": "nested", "properties": {"n": {"type": "text"}}}, ["[f.n] is [text] there, and here [long]"]),
    (NESTED, {"type": "nested", "properties": {"m": {"type": "text"}}}, []),
    (
        {"type": "text", "fields": {"k": {"type": "keyword"}}},
        {"type": "text", "fields": {"k": {"type": "long"}}},
        ["[f.k] is [long] there, and here [keyword]"],
    ),
]


@pytest.mark.parametrize(("one", "other", "says"), CLASHES)
def test_what_surely_conflicts(one: Any, other: Any, says: list[str]) -> None:
    found = list(conflicts({"properties": {"f": one, "new": one}}, {"properties": {"f": other}}))
    assert [text[: len(said)] for text, said in zip(found, says, strict=True)] == says
