"""The lines of a bulk body, and what is refused as a whole."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.domain.bulk import Action, Operation
from antiphon.domain.source import SourceFilter
from antiphon.domain.store import VersionType
from antiphon.errors import AntiphonError, ContentParse, IllegalArgument, ParseError, ValidationError
from antiphon.wire.bulk import BulkDefaults, read_bulk


def read(body: bytes, **defaults: Any) -> list[Action]:
    return read_bulk(body, BulkDefaults(**defaults))


REFUSED: list[tuple[bytes, type[AntiphonError], str]] = [
    (b"", ParseError, "request body is required"),
    (b"\n\n", ValidationError, "Validation Failed: 1: no requests added;"),
    (b'{"delete":{"_index":"a","_id":"1"}}', IllegalArgument, "must be terminated by a newline [\\n]"),
    (b'"x"\n', IllegalArgument, "Malformed action/metadata line [1], expected START_OBJECT but found [VALUE_STRING]"),
    (b'{"foo":{}}\n', IllegalArgument, "expected one of [create, delete, index, update] but found [foo]"),
    (b'{"index":1}\n{}\n', IllegalArgument, "expected START_OBJECT or END_OBJECT but found [VALUE_NUMBER_INT]"),
    (b"{}\n", IllegalArgument, "Malformed action/metadata line [1], expected FIELD_NAME but found [END_OBJECT]"),
    (b'{"index":{"x":1}}\n{}\n', IllegalArgument, "Action/metadata line [1] contains an unknown parameter [x]"),
    (
        b'{"delete":{"_id":"1"}}\n{"index":{"_id":{}}}\n{}\n',
        IllegalArgument,
        "Malformed action/metadata line [2], expected a simple value for field [_id] but found [START_OBJECT]",
    ),
    (b'{"index":{"_index":"a"}}\n', IllegalArgument, "expected a document after it but the body ends"),
    (b'{"index":{"_id":"1"}}\n{}\n', ValidationError, "Validation Failed: 1: index is missing;"),
    (b'{"index":{"_index":"a"}}\n{}\n{"delete":{"_index":"a"}}\n', ValidationError, "Failed: 1: id is missing;"),
    (b'{"update":{"_index":"a","_id":"1"}}\n{"x":1}\n', ContentParse, "[UpdateRequest] unknown field [x]"),
]


@pytest.mark.parametrize(("body", "kind", "reason"), REFUSED)
def test_refusals(body: bytes, kind: type[AntiphonError], reason: str) -> None:
    with pytest.raises(kind) as caught:
        read(body)
    assert reason in caught.value.reason


def test_metadata_and_defaults() -> None:
    body = (
        b'{"index":{"_id":7,"routing":null,"if_seq_no":3,"if_primary_term":1}}\r\n{"x":1}\r\n\r\n'
        b'{"index":{"_index":"b","op_type":"create","pipeline":"p"}}\n{"y":2}\n'
        b'{"update":{"_id":"9","retry_on_conflict":3,"_source":["a*"]}}\n{"doc":{"z":1}}\n'
        b'{"delete":{"_id":"8","version":"2","version_type":"external"}}\n'
    )
    first, second, third, fourth = read(body, index="a", pipeline="d", routing="r")
    assert (first.index, first.id, first.routing, first.pipeline, bytes(first.source)) == (
        "a",
        "7",
        "r",
        "d",
        b'{"x":1}',
    )
    assert (first.if_seq_no, first.if_primary_term) == (3, 1)
    assert (second.operation, second.index, second.id, second.pipeline) == (Operation.CREATE, "b", None, "p")
    assert (fourth.version, fourth.version_type) == (2, VersionType.EXTERNAL)
    assert (third.retry_on_conflict, third.fetch) == (3, SourceFilter(includes=("a*",)))
    assert third.update is not None
    assert third.update.doc == {"z": 1}


IDS = st.one_of(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), st.integers(-(2**60), 2**60))
DOCUMENTS = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 9) | st.text("a\n"))


@given(st.lists(st.tuples(st.sampled_from(["index", "create", "delete"]), IDS, DOCUMENTS), min_size=1))
def test_what_is_written_is_read(actions: list[tuple[str, str | int, dict[str, Any]]]) -> None:
    lines = []
    for word, doc_id, document in actions:
        lines.append(orjson.dumps({word: {"_index": "a", "_id": doc_id}}))
        if word != "delete":
            lines.append(orjson.dumps(document))
    found = read(b"\n".join(lines) + b"\n")
    assert [(one.operation.value, one.id) for one in found] == [(word, str(doc_id)) for word, doc_id, _ in actions]
    sent = [document for word, _, document in actions if word != "delete"]
    assert [orjson.loads(one.source) for one in found if one.operation is not Operation.DELETE] == sent


CHOICES: list[tuple[SourceFilter, dict[str, Any]]] = [
    (SourceFilter(), {"a": {"b": 1, "c": 2}, "d": [{"e": 1, "f": 2}], "v": [0.1]}),
    (SourceFilter(includes=("a",)), {"a": {"b": 1, "c": 2}}),
    (SourceFilter(includes=("a.b", "d.e")), {"a": {"b": 1}, "d": [{"e": 1}]}),
    (SourceFilter(excludes=("v", "*.c")), {"a": {"b": 1}, "d": [{"e": 1, "f": 2}]}),
    (SourceFilter(includes=("a",), excludes=("a.b",)), {"a": {"c": 2}}),
]


@pytest.mark.parametrize(("choice", "kept"), CHOICES)
def test_part_of_a_source(choice: SourceFilter, kept: dict[str, Any]) -> None:
    assert choice.of({"a": {"b": 1, "c": 2}, "d": [{"e": 1, "f": 2}], "v": [0.1]}) == kept
