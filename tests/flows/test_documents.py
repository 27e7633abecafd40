"""Single writes and reads: results, versions, conflicts, errors."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from antiphon.domain.bulk import Action, Operation
from antiphon.domain.role import Role
from antiphon.domain.store import VersionType
from antiphon.errors import (
    AntiphonError,
    ClusterBlock,
    IndexClosed,
    IndexNotFound,
    MapperParsing,
    ParseError,
    RoutingMissing,
    ValidationError,
    VersionConflict,
)
from antiphon.flows.documents import Refresh
from antiphon.wire.document import render_done
from tests.flows.conftest import Bench
from tests.flows.document_bench import DocumentBench


@pytest.fixture
def docs(bench: Bench) -> DocumentBench:
    return DocumentBench.over(bench)


def action(**options: Any) -> Action:
    return Action(**({"operation": Operation.INDEX, "index": "a", "id": "1", "source": b"{}"} | options))


def test_a_document_is_created_updated_and_deleted(docs: DocumentBench) -> None:
    assert render_done(docs.put("a", "1", {"x": 1})) == {
        "_index": "a", "_id": "1", "_version": 1, "result": "created",
        "_shards": {"total": 2, "successful": 1, "failed": 0}, "_seq_no": 0, "_primary_term": 1,
    }  # fmt: skip
    again = docs.put("a", "1", {"x": 2})
    assert (again.result, again.version, again.seq_no, again.status) == ("updated", 2, 1, 200)
    gone = docs.delete("a", "1")
    assert (gone.result, gone.version, gone.seq_no) == ("deleted", 3, 2)
    assert docs.delete("a", "1").status == 404
    assert docs.source("a", "1") is None


def test_a_get_sees_what_was_just_written_as_it_was_sent(docs: DocumentBench) -> None:
    sent = b'{ "x" : 1.50 }'
    docs.documents.one(Action(Operation.INDEX, "a", "1", sent))
    index, found = docs.documents.get("a", "1")
    assert index.name == "a"
    assert found is not None
    assert found.source == sent


def test_an_id_is_made_where_none_is_given(docs: DocumentBench) -> None:
    made = docs.put("a", None, {"x": 1})
    assert len(made.id) == 20
    assert docs.source("a", made.id) == {"x": 1}


def test_refresh_is_reported_and_shows_the_document(docs: DocumentBench) -> None:
    write = action(source=b'{"x":1}')
    assert render_done(docs.documents.one(write, Refresh.TRUE)[0])["forced_refresh"] is True
    assert "forced_refresh" not in render_done(docs.documents.one(write, Refresh.WAIT_FOR)[0])
    assert docs.indices.store(docs.indices.get("a")).stats().searchable == 1


STALE = (
    "[1]: version conflict, required seqNo [5], primary term [1]. current document has seqNo [0] and primary term [1]"
)
CONFLICTS: list[tuple[dict[str, Any], str]] = [
    ({"operation": Operation.CREATE}, "[1]: version conflict, document already exists (current version [1])"),
    (
        {"if_seq_no": 5, "if_primary_term": 1},
        STALE,
    ),
    (
        {"version": 1, "version_type": VersionType.EXTERNAL},
        "[1]: version conflict, current version [1] is higher or equal to the one provided [1]",
    ),
]


@pytest.mark.parametrize(("options", "reason"), CONFLICTS)
def test_conflicts(docs: DocumentBench, options: dict[str, Any], reason: str) -> None:
    docs.put("a", "1", {"x": 1})
    with pytest.raises(VersionConflict) as caught:
        docs.documents.one(
            Action(**({"operation": Operation.INDEX, "index": "a", "id": "1", "source": b"{}"} | options))
        )
    assert caught.value.reason == reason
    assert caught.value.metadata == {"index": "a", "shard": "0", "index_uuid": docs.indices.get("a").uuid}


def test_external_versions_are_taken_over(docs: DocumentBench) -> None:
    assert docs.put("a", "1", {}, version=7, version_type=VersionType.EXTERNAL).version == 7
    assert docs.put("a", "1", {}, version=7, version_type=VersionType.EXTERNAL_GTE).version == 7


REFUSED: list[tuple[bytes, dict[str, Any], type[AntiphonError], str]] = [
    (b"", {}, ParseError, "request body is required"),
    (b"{", {}, MapperParsing, "failed to parse"),
    (b'{"x":NaN}', {}, MapperParsing, "failed to parse"),
    (b"[1]", {}, MapperParsing, "failed to parse"),
    (b"{}", {"id": "é" * 300}, ValidationError, "must be no longer than 512 bytes but was: 600;"),
    (b"{}", {"require_alias": True}, IndexNotFound, "is not an alias"),
    (b'{"n":"abc"}', {}, MapperParsing, "failed to parse field [n] of type [integer] in document with id '1'."),
]


@pytest.mark.parametrize(("body", "options", "kind", "reason"), REFUSED)
def test_refusals(
    docs: DocumentBench, body: bytes, options: dict[str, Any], kind: type[AntiphonError], reason: str
) -> None:
    docs.create("a", mappings={"properties": {"n": {"type": "integer"}}})
    with pytest.raises(kind) as caught:
        docs.documents.one(
            Action(**({"operation": Operation.INDEX, "index": "a", "id": "1", "source": body} | options))
        )
    assert reason in caught.value.reason


def test_a_delete_makes_no_index(docs: DocumentBench) -> None:
    with pytest.raises(IndexNotFound):
        docs.delete("none", "1")
    assert not docs.indices.exists("none")


def test_a_closed_or_blocked_index_takes_no_writes(docs: DocumentBench) -> None:
    docs.create("closed")
    docs.indices.set_closed("closed", closed=True)
    with pytest.raises(IndexClosed):
        docs.put("closed", "1", {})
    docs.create("blocked", settings={"index.blocks.write": True})
    with pytest.raises(ClusterBlock):
        docs.put("blocked", "1", {})


def test_required_routing(docs: DocumentBench) -> None:
    docs.create("r", mappings={"_routing": {"required": True}})
    with pytest.raises(RoutingMissing, match=r"routing is required for \[r\]/\[1\]"):
        docs.put("r", "1", {})
    docs.put("r", "1", {}, routing="x")
    _, found = docs.documents.get("r", "1")
    assert found is not None
    assert found.routing == "x"


def test_many_gets_keep_their_order_and_their_errors(docs: DocumentBench) -> None:
    docs.put("a", "1", {"x": 1})
    docs.put("b", "2", {"x": 2})
    found = docs.documents.get_many([("b", "2"), ("a", "9"), ("none", "1"), ("a", "1")])
    assert isinstance(found[2], IndexNotFound)
    shown = [None if isinstance(one, AntiphonError) or one[1] is None else orjson.loads(one[1].source) for one in found]
    assert shown == [{"x": 2}, None, None, {"x": 1}]


def test_any_number_of_texts_waits_for_room_in_the_queue(bench: Bench) -> None:
    model_id = bench.deployed()
    texts = [f"text {number}" for number in range(5000)]
    found = bench.node.predictor.embed_texts(model_id, texts, Role.PASSAGE)
    (alone,) = bench.node.predictor.embed_texts(model_id, texts[4321:4322], Role.PASSAGE).rows
    assert len(found.rows) == 5000
    assert (found.rows[4321] == alone).all()
