"""Bodies are read strictly: a key sent twice is found however it is written."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import JsonError
from antiphon.rest.json_body import loads

TEXT = st.text(alphabet=st.sampled_from('ab:"\\\n{}[],é'), max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_what_json_writes_is_read_back(value: Any) -> None:
    assert loads(orjson.dumps(value)) == value
    assert loads(json.dumps(value, indent=1).encode()) == value


@given(JSON, JSON, TEXT)
def test_a_doubled_key_is_named(first: Any, second: Any, key: str) -> None:
    name = json.dumps(key)
    text = f"[[1.5, 2], {{{name}: {json.dumps(first)}, {name}: {json.dumps(second)}}}]"
    with pytest.raises(JsonError, match="Duplicate field"):
        loads(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"\\u0061":2}',
        b'{"a:b":1,"a:b":2}',
        b'{"a":{"b":1,"b":2},"c":"\\":\\""}',
        b'{"a":1,"a":2,"b":"x\\u003ay"}',
        b'{"a":[1,"x:"],"a":[1,"x:"],"b":"\\u003A"}',
        b'{"a":' * 1000 + b'"\\u003a"' + b"}" * 1000,
        b'{"a":NaN}',
        b'{"a":1,}',
        b"",
    ],
)
def test_refused(text: bytes) -> None:
    with pytest.raises(JsonError):
        loads(text)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert loads(b'\xef\xbb\xbf{"size": 0}') == {"size": 0}
    with pytest.raises(JsonError, match="Duplicate field 'a'"):
        loads(b'\xef\xbb\xbf{"a": 0, "a": 1}')
