"""Expressions that clients wrote: Java's syntax, and an end to those that try too many ways."""

from __future__ import annotations

import pytest

from antiphon.domain.regular_expression import RegularExpression
from antiphon.errors import IllegalArgument
from tests.domain.test_processors import source_after

SLOW = r"(.*)(.*)(.*)(.*)(.*)\d[zq]"
LONG = "a" * 5000


@pytest.mark.parametrize("expression", [r"\p{Lu}++\d", r"(?>[A-Z]+)\d", r"(?<name>[A-Z]+)\d"])
def test_java_has_more_than_python(expression: str) -> None:
    assert RegularExpression(expression).sub("-", "xABC1y") == "x-y"


def test_one_that_tries_too_many_ways_is_stopped() -> None:
    with pytest.raises(IllegalArgument, match=r"took longer than 1 s on a text of 5000 characters"):
        RegularExpression(SLOW).sub("", LONG)
    with pytest.raises(IllegalArgument, match="took longer"):
        source_after([{"gsub": {"field": "a", "pattern": SLOW, "replacement": ""}}], {"a": LONG})
    with pytest.raises(IllegalArgument, match="took longer"):
        source_after([{"split": {"field": "a", "separator": SLOW}}], {"a": LONG})


def test_what_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="missing"):
        RegularExpression("(a")
