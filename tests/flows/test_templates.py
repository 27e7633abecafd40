"""Templates: what is laid together when an index is made."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.domain.index import Index
from antiphon.errors import AntiphonError, IllegalArgument
from antiphon.flows.indices import Indices
from antiphon.wire.index import read_create
from antiphon.wire.template import (
    read_component_template,
    read_index_template,
    read_legacy_template,
    write_index_template,
)
from tests.flows.index_bench import IndexBench


class Bench:
    """Indices, and templates as their JSON."""

    def __init__(self) -> None:
        self.bench = IndexBench()
        self.indices: Indices = self.bench.open()

    def index_template(self, name: str, body: dict[str, Any]) -> None:
        self.indices.templates.put_index(name, read_index_template(body), self.indices.check_body)

    def component(self, name: str, body: dict[str, Any]) -> None:
        self.indices.templates.put_component(name, read_component_template(body), self.indices.check_body)

    def legacy(self, name: str, body: dict[str, Any]) -> None:
        self.indices.templates.put_legacy(name, read_legacy_template(body), self.indices.check_body)

    def create(self, name: str, body: dict[str, Any] | None = None) -> Index:
        return self.indices.create(name, read_create(body or {}))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def fields(index: Index) -> dict[str, str]:
    return {path: found.type.value for path, found in index.mapping.fields.items()}


def test_components_then_template_then_request(bench: Bench) -> None:
    bench.component("c1", {"template": {"settings": {"refresh_interval": "1s", "priority": 1}}})
    bench.component(
        "c2", {"template": {"settings": {"priority": 2}, "mappings": {"properties": {"a": {"type": "text"}}}}}
    )
    bench.index_template(
        "t",
        {
            "index_patterns": ["log-*"],
            "composed_of": ["c1", "c2"],
            "template": {
                "settings": {"index": {"max_result_window": 5}},
                "mappings": {"properties": {"b": {"type": "long"}}},
                "aliases": {"{index}-now": {}, "logs": {"filter": {"term": {"b": 1}}}},
            },
        },
    )
    made = bench.create(
        "log-1", {"settings": {"max_result_window": 9}, "mappings": {"properties": {"a": {"type": "keyword"}}}}
    )
    assert fields(made) == {"a": "keyword", "b": "long"}
    chosen = ("index.refresh_interval", "index.priority", "index.max_result_window")
    assert [made.settings[key] for key in chosen] == ["1s", "2", "9"]
    assert sorted(made.aliases) == ["log-1-now", "logs"]
    assert fields(bench.create("other")) == {}


def test_the_highest_priority_alone_applies(bench: Bench) -> None:
    bench.index_template("low", {"index_patterns": ["*"], "template": {"settings": {"priority": 1, "hidden": True}}})
    bench.index_template("high", {"index_patterns": "l*", "priority": 5, "template": {"settings": {"priority": 7}}})
    bench.legacy("old", {"index_patterns": ["*"], "settings": {"gc_deletes": "9s"}})
    made = bench.create("log")
    assert made.settings["index.priority"] == "7"
    assert "index.hidden" not in made.settings
    assert "index.gc_deletes" not in made.settings


def test_legacy_templates_apply_in_order(bench: Bench) -> None:
    bench.legacy("second", {"index_patterns": ["l*"], "order": 2, "settings": {"priority": 2}})
    bench.legacy("first", {"index_patterns": ["*"], "order": 1, "settings": {"priority": 1, "gc_deletes": "9s"}})
    made = bench.create("log")
    assert (made.settings["index.priority"], made.settings["index.gc_deletes"]) == ("2", "9s")


def test_a_write_makes_an_index_from_its_template(bench: Bench) -> None:
    bench.index_template(
        "t", {"index_patterns": ["l*"], "template": {"mappings": {"properties": {"a": {"type": "ip"}}}}}
    )
    assert fields(bench.indices.write_target("log")) == {"a": "ip"}


def test_templates_survive_a_restart_and_show_what_was_sent(bench: Bench) -> None:
    body = {
        "index_patterns": ["l*"],
        "template": {"settings": {"index": {"knn": "true"}}, "aliases": {"z": {"is_write_index": True}}},
        "composed_of": [],
        "priority": 3,
        "version": 2,
        "_meta": {"by": "me"},
    }
    bench.index_template("t", body)
    held = bench.bench.open().templates.indexes("t")["t"]
    assert write_index_template(held) == body


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"index_patterns": ["x"], "composed_of": ["nope"]}, "that do not exist"),
        ({"index_patterns": ["*-1"]}, "have the same priority [0]"),
        ({"index_patterns": ["x"], "template": {"settings": {"nope": 1}}}, "unknown setting [index.nope]"),
        ({"index_patterns": ["x"], "template": {"mappings": {"properties": {"f": {"type": "foo"}}}}}, "No handler"),
        ({"index_patterns": ["x"], "data_stream": {}}, "[data_stream] is not supported by Antiphon"),
        ({"index_patterns": ["x"], "foo": 1}, "unknown field [foo]"),
        ({"index_patterns": []}, "index patterns are missing"),
    ],
)
def test_a_template_that_is_refused(bench: Bench, body: dict[str, Any], reason: str) -> None:
    bench.index_template("held", {"index_patterns": ["log-*"]})
    with pytest.raises(AntiphonError) as raised:
        bench.index_template("t", body)
    assert reason in raised.value.reason
    assert raised.value.status == 400
    assert list(bench.indices.templates.indexes()) == ["held"]


def test_a_component_in_use_stays(bench: Bench) -> None:
    bench.component("c", {"template": {}})
    bench.index_template("t", {"index_patterns": ["l*"], "composed_of": ["c"]})
    with pytest.raises(
        IllegalArgument, match=r"\[c\] cannot be removed as they are .* in use by index templates \[t\]"
    ):
        bench.indices.templates.delete_component("c")
    assert bench.indices.templates.delete_index("t")
    assert bench.indices.templates.delete_component("*")
    assert not bench.indices.templates.delete_component("c")
