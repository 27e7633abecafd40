from __future__ import annotations

from typing import Any

import pytest

from tests.contract.matching import BadPattern, differences, matches

NOW_MS = 1_790_000_000_000


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": {"b": "<absent>"}}, {"a": {}}),
        ({"<keys>": ["a", "b"], "a": 1}, {"a": 1, "b": 2}),
        ({}, {"anything": 1}),
        ([1, "<any>"], [1, None]),
        ([1, "<...>"], [1, 2, 3]),
        ([], []),
        ("a", "a"),
        ("/^a.c$/", "abc"),
        ("/a.*z/", "a\nz"),
        ("/", "/"),
        (None, None),
        (True, True),
        ("<int>", 3),
        ("<number>", 3.5),
        ("<ms>", NOW_MS),
        ("<id>", "AbC_-4567890123456789"),
        ("<sha256>", "0" * 64),
        ("<null>", None),
        ({"<each>": "<int>", "<length>": 2}, [1, 2]),
        ({"<length>": {"<at least>": 1}}, "ab"),
        ({"<contains>": {"a": 1}}, [{"a": 0}, {"a": 1, "b": 2}]),
        ({"<contains>": "ell"}, "hello"),
        ({"<any of>": ["A", "B"]}, "B"),
        ({"<all of>": ["/a/", "/b/"]}, "ab"),
        ({"<not>": "A"}, "B"),
        ({"<near>": 0.5, "<within>": 0.1}, 0.55),
        ({"<near>": [0.1, 0.2]}, [0.1, 0.2 + 1e-8]),
        ({"<not>": {"<near>": [0.1, 0.2]}}, [0.1, 0.3]),
    ],
)
def test_matches(pattern: Any, value: Any) -> None:
    assert differences(pattern, value) == []


@pytest.mark.parametrize(
    ("pattern", "value", "line"),
    [
        ({"a": 1}, {"a": 2}, "$.a: expected 1, got 2"),
        ({"a": {"b": 1}}, {"a": {}}, "$.a.b: missing, expected 1; there are []"),
        ({"a": "<absent>"}, {"a": None}, "$.a: expected to be absent, got null"),
        ({"a": 1}, [1], "$: expected an object, got [1]"),
        ({"a b": 1}, {"a b": 2}, '$["a b"]: expected 1, got 2'),
        ({"<keys>": ["a"]}, {"a": 1, "b": 2}, "$: expected exactly the keys ['a'], got ['a', 'b']"),
        ({"<keys>": ["b", "a"]}, {"a": 1, "b": 2}, "$: expected exactly the keys ['b', 'a'], got ['a', 'b']"),
        ([1, 2], [1], "$: expected 2 elements, got 1: [1]"),
        ([1], [1, 2], "$: expected 1 elements, got 2: [1, 2]"),
        ([1, "<...>"], [], "$: expected at least 1 elements, got 0: []"),
        ([1, 2], [1, 3], "$[1]: expected 2, got 3"),
        ([1], "1", '$: expected an array, got "1"'),
        ("a", "b", '$: expected "a", got "b"'),
        ("1", 1, '$: expected "1", got 1'),
        (1, True, "$: expected 1, got true"),
        (1, 1.0, "$: expected 1, got 1.0"),
        (False, 0, "$: expected false, got 0"),
        (None, "null", '$: expected null, got "null"'),
        ("/^b/", "abc", '$: expected a match of /^b/, got "abc"'),
        ("/1/", 1, "$: expected a match of /1/, got 1"),
        ("<int>", True, "$: expected <int>, got true"),
        ("<int>", 1.5, "$: expected <int>, got 1.5"),
        ("<ms>", 1_790_000_000, "$: expected <ms>, got 1790000000"),
        ("<str>", 1, "$: expected <str>, got 1"),
        ("<id>", "short", '$: expected <id>, got "short"'),
        ("<sha256>", "F" * 64, f'$: expected <sha256>, got "{"F" * 64}"'),
        ({"<each>": "<int>"}, [1, "2"], '$[1]: expected <int>, got "2"'),
        ({"<each>": "<int>"}, {}, "$: expected an array, got {}"),
        ({"<length>": 2}, [1], "$.length: expected 2, got 1"),
        ({"<length>": 2}, 12, "$: expected something of length 2, got 12"),
        ({"<contains>": {"a": 1}}, [{"a": 2}], '$: expected an element that matches {"a": 1}, got [{"a": 2}]'),
        ({"<contains>": "x"}, "abc", "$: expected a text with 'x' in it, got \"abc\""),
        ({"<contains>": 1}, {"a": 1}, '$: expected an array or a string, got {"a": 1}'),
        ({"<any of>": [1, 2]}, 3, "$: expected one of [1, 2], got 3"),
        ({"<all of>": ["/a/", "/b/"]}, "a", '$: expected a match of /b/, got "a"'),
        ({"<not>": 1}, 1, "$: expected anything but 1, got 1"),
        ({"<at least>": 2}, 1, "$: expected at least 2, got 1"),
        ({"<at least>": 0}, True, "$: expected at least 0, got true"),
        ({"<near>": 0.5}, 0.51, "$: expected 0.5 within 1e-06, got 0.51"),
        ({"<near>": 0.5, "<within>": 1}, "0.5", '$: expected 0.5 within 1, got "0.5"'),
        ({"<near>": [1.0, 2.0]}, [1.0, 2.5], "$[1]: expected 2.0 within 1e-06, got 2.5"),
        ({"<near>": [1.0]}, [1.0, 2.0], "$: expected 1 numbers, got [1.0, 2.0]"),
        ({"<near>": 0.0, "<within>": 1e9}, float("nan"), "$: expected 0.0 within 1000000000.0, got NaN"),
    ],
)
def test_differs(pattern: Any, value: Any, line: str) -> None:
    assert differences(pattern, value) == [line]
    assert not matches(pattern, value)


def test_names_every_difference_with_its_path() -> None:
    value = {"hits": [{"id": "a"}, {"id": 2, "x": 1}]}
    assert differences({"hits": [{"id": "b"}, {"id": "<str>", "x": "<absent>"}], "took": "<int>"}, value) == [
        '$.hits[0].id: expected "b", got "a"',
        "$.hits[1].id: expected <str>, got 2",
        "$.hits[1].x: expected to be absent, got 1",
        "$.took: missing, expected \"<int>\"; there are ['hits']",
    ]


@pytest.mark.parametrize(
    "pattern",
    [{"a": "<integer>"}, {"a": {"<ech>": 1}}, {"a": {"<not>": 1, "b": 2}}, {"a": {"<near>": "x"}}],
)
def test_a_pattern_with_a_slip_is_refused(pattern: Any) -> None:
    with pytest.raises(BadPattern):
        differences(pattern, {"a": 1})


def test_long_values_are_cut() -> None:
    (line,) = differences("a", "b" * 1000)
    assert len(line) < 300
