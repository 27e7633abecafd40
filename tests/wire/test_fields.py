"""Scalars are lenient as in OpenSearch, everything else names the field, and nothing is dropped unnoticed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import IllegalArgument, ParsingError
from antiphon.wire.fields import Fields

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
json = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))
GETTERS = ("text", "boolean", "integer", "number", "words", "integers", "nested")


@pytest.mark.parametrize(
    ("getter", "value", "read"),
    [
        ("text", 1, "1"), ("text", True, "true"), ("text", 1.5, "1.5"), ("text", "x", "x"), ("text", None, None),
        ("boolean", "true", True), ("boolean", "false", False), ("boolean", True, True),
        ("integer", "384", 384), ("integer", 384.0, 384), ("integer", 384, 384),
        ("number", "4", 4.0), ("number", 4, 4.0),
        ("words", "a", ("a",)), ("words", ["a", 1], ("a", "1")), ("integers", ["0", 1], (0, 1)),
        ("nested", {"a": 1}, {"a": 1}),
    ],
)  # fmt: skip
def test_lenient_reading(getter: str, value: Any, read: Any) -> None:
    assert getattr(Fields({"k": value}, "body"), getter)("k") == read


@pytest.mark.parametrize(
    ("getter", "value"),
    [
        ("text", {}), ("text", ["a"]), ("boolean", 1), ("boolean", "yes"), ("integer", "ten"), ("integer", 1.5),
        ("integer", True), ("number", "much"), ("number", True), ("words", 3), ("words", [None]), ("words", [["a"]]),
        ("integers", ["a"]), ("nested", "a"), ("nested", []),
    ],
)  # fmt: skip
def test_wrong_types_name_field_and_place(getter: str, value: Any) -> None:
    with pytest.raises(IllegalArgument, match=r"\[k.*\] in \[body\] must be .*, but was"):
        getattr(Fields({"k": value}, "body"), getter)("k")


@given(getter=st.sampled_from(GETTERS), value=json)
def test_a_getter_returns_or_refuses_and_nothing_else(getter: str, value: Any) -> None:
    fields = Fields({"k": value}, "body")
    reason = ""
    try:
        read = getattr(fields, getter)("k")
        assert (read is None) == (value is None)
    except IllegalArgument as error:
        reason = error.reason
    assert reason == "" or "[k" in reason
    assert len(reason) < 300
    assert fields.unread() == []


@given(body=st.dictionaries(st.text(min_size=1, max_size=4), scalars), seen=st.sets(st.text(min_size=1, max_size=4)))
def test_every_key_nobody_asked_for_is_noticed(body: dict[str, Any], seen: set[str]) -> None:
    fields = Fields(body, "body")
    for key in seen:
        fields.raw(key)
    assert fields.unread() == [key for key in body if key not in seen]
    assert len(fields.notices()) == len(fields.unread())


@pytest.mark.parametrize("body", [[], "text", 3, None, True])
def test_a_body_that_is_no_object(body: object) -> None:
    with pytest.raises(ParsingError, match=r"\[body\] must be a JSON object"):
        Fields(body, "body")
