"""Indices: names, creation, expressions, mappings and settings, and what a restart finds."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from antiphon.domain.index import Alias, Index, IndexBody
from antiphon.domain.mapping import IndexMapping
from antiphon.domain.model import Model, ModelConfig, ModelFormat, ModelState
from antiphon.domain.space import Space
from antiphon.errors import (
    AntiphonError,
    ClusterBlock,
    IllegalArgument,
    IndexClosed,
    IndexExists,
    IndexNotFound,
    InvalidIndexName,
)
from antiphon.flows.indices import Indices
from tests.flows.index_bench import IndexBench

TEXT = {"properties": {"t": {"type": "text"}}}


@pytest.fixture
def bench() -> IndexBench:
    return IndexBench()


def body(
    settings: dict[str, Any] | None = None,
    mappings: dict[str, Any] | None = None,
    aliases: dict[str, Alias] | None = None,
) -> IndexBody:
    return IndexBody(settings or {}, mappings or {}, aliases or {})


def names(indices: Indices, expression: str, **options: Any) -> list[str]:
    return [target.index.name for target in indices.resolve(expression, **options)]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Big", "must be lowercase"),
        ("_x", "must not start with '_', '-', or '+'"),
        ("-x", "must not start with '_', '-', or '+'"),
        ("a b", 'must not contain the following characters [ , ", *, \\, <, |, ,, >, /, ?]'),
        ("a/b", 'must not contain the following characters [ , ", *, \\, <, |, ,, >, /, ?]'),
        ("a#b", "must not contain '#'"),
        ("a:b", "must not contain ':'"),
        ("..", "must not be '.' or '..'"),
        ("é" * 128, "index name is too long, (256 > 255)"),
    ],
)
def test_a_name_that_no_index_may_have(bench: IndexBench, name: str, why: str) -> None:
    with pytest.raises(InvalidIndexName) as raised:
        bench.open().create(name)
    assert raised.value.reason == f"Invalid index name [{name}], {why}"
    assert bench.engine.known() == []


def test_everything_survives_a_restart(bench: IndexBench) -> None:
    indices = bench.open()
    indices.create("a", body({"index.knn": "true"}, TEXT, {"z": Alias({"term": {"x": 1}})}))
    indices.create("b")
    indices.put_mapping("a", {"properties": {"n": {"type": "long"}}})
    indices.put_settings("a", {"index.refresh_interval": "5s"})
    indices.set_closed("b", closed=True)
    before = indices.all()
    again = bench.open()
    assert again.all() == before
    assert again.get("z").mapping.field("n") is not None
    assert again.get("b").closed


def test_data_without_a_definition_is_dropped_at_start(bench: IndexBench) -> None:
    kept = bench.open().create("a")
    bench.engine.create("orphan", IndexMapping(), {})
    bench.open()
    assert bench.engine.known() == [kept.uuid]


@pytest.mark.parametrize(
    "wrong",
    [
        body({"index.nope": "1"}),
        body({"index.number_of_shards": "0"}),
        body({"index.uuid": "mine"}),
        body(mappings={"properties": {"f": {"type": "foo"}}}),
        body(mappings={"properties": {"f": {"type": "text", "analyzer": "nope"}}}),
        body({"index.mapping.total_fields.limit": "1"}, {"properties": {"a": {"type": "long"}, "b": {"type": "long"}}}),
        body(aliases={"a": Alias()}),
        body(aliases={"b d": Alias()}),
    ],
)
def test_a_refused_creation_leaves_nothing(bench: IndexBench, wrong: IndexBody) -> None:
    indices = bench.open()
    with pytest.raises(AntiphonError) as raised:
        indices.create("a", wrong)
    assert raised.value.status == 400
    assert indices.all() == []
    assert bench.engine.known() == []


def test_an_index_or_alias_exists_once(bench: IndexBench) -> None:
    indices = bench.open()
    made = indices.create("a", body(aliases={"z": Alias()}))
    with pytest.raises(IndexExists, match=rf"index \[a/{made.uuid}\] already exists"):
        indices.create("a")
    with pytest.raises(InvalidIndexName, match="already exists as alias"):
        indices.create("z")


@pytest.fixture
def many(bench: IndexBench) -> Indices:
    indices = bench.open()
    for name in ("log-2", "log-1", "other"):
        indices.create(name)
    indices.create("shut", body(aliases={"logs": Alias()}))
    indices.set_closed("shut", closed=True)
    indices.create("secret", body({"index.hidden": "true"}))
    indices.create("narrow", body(aliases={"few": Alias({"term": {"a": 1}}), "less": Alias({"term": {"b": 1}})}))
    return indices


@pytest.mark.parametrize(
    ("expression", "options", "expected"),
    [
        ("", {}, ["log-1", "log-2", "narrow", "other"]),
        ("_all", {"expand_wildcards": "open,closed"}, ["log-1", "log-2", "narrow", "other", "shut"]),
        ("*", {"expand_wildcards": "all"}, ["log-1", "log-2", "narrow", "other", "secret", "shut"]),
        ("*", {"expand_wildcards": "none"}, []),
        ("other,log-*", {}, ["other", "log-1", "log-2"]),
        ("log-*,-log-1", {}, ["log-2"]),
        ("log-*,-log-*", {}, []),
        ("secret", {}, ["secret"]),
        ("shut", {}, ["shut"]),
        ("shut,other", {"ignore_unavailable": True}, ["other"]),
        ("nope,other", {"ignore_unavailable": True}, ["other"]),
        ("fe*", {}, ["narrow"]),
        ("fe*", {"aliases": False}, []),
        ("nope*", {}, []),
    ],
)
def test_expressions(many: Indices, expression: str, options: dict[str, Any], expected: list[str]) -> None:
    assert names(many, expression, **options) == expected


@pytest.mark.parametrize(
    ("expression", "options"),
    [("nope", {}), ("other,nope", {}), ("nope*", {"allow_no_indices": False}), ("-log-1", {})],
)
def test_what_is_missing(many: Indices, expression: str, options: dict[str, Any]) -> None:
    with pytest.raises(IndexNotFound) as raised:
        many.resolve(expression, **options)
    missing = expression.rpartition(",")[2]
    assert raised.value.reason == f"no such index [{missing}]"
    assert raised.value.metadata["resource.id"] == missing


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("few", {"term": {"a": 1}}),
        ("narrow", None),
        ("few,narrow", None),
        ("nar*,few", None),
        ("few,less", {"bool": {"should": [{"term": {"a": 1}}, {"term": {"b": 1}}], "minimum_should_match": 1}}),
    ],
)
def test_the_filter_of_an_alias(many: Indices, expression: str, expected: Any) -> None:
    assert [target.filter for target in many.resolve(expression)] == [expected]


def test_deleting_is_all_or_nothing(many: Indices, bench: IndexBench) -> None:
    with pytest.raises(IndexNotFound):
        many.delete("log-1,nope")
    with pytest.raises(IllegalArgument, match="matches an alias"):
        many.delete("few")
    assert many.exists("log-1")
    held = many.get("log-1")
    many.delete("log-*")
    assert not many.exists("log-1")
    assert held.uuid not in bench.engine.known()
    with pytest.raises(IndexNotFound):
        many.store(held)


def test_dynamic_updates_of_many_threads_lose_no_field(bench: IndexBench) -> None:
    indices = bench.open()
    start = indices.create("a", body(mappings=TEXT))
    ready = threading.Barrier(8)

    def add(number: int) -> None:
        ready.wait()
        for step in range(5):
            grown = start.mapping.merged({"properties": {f"f{number}_{step}": {"type": "long"}}})
            indices.update_mapping("a", grown.with_meta({f"m{number}": step}))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    mapping = indices.get("a").mapping
    assert len(mapping.fields) == 1 + 8 * 5
    assert len(mapping.body["_meta"]) == 8
    assert indices.store(indices.get("a")).mapping == mapping  # type: ignore[attr-defined]
    assert bench.open().get("a").mapping.body == mapping.body


def test_two_types_for_one_new_field(bench: IndexBench) -> None:
    indices = bench.open()
    start = indices.create("a").mapping
    indices.update_mapping("a", start.merged({"properties": {"f": {"type": "long"}}}))
    with pytest.raises(IllegalArgument, match=r"mapper \[f\] cannot be changed from type \[long\] to \[text\]"):
        indices.update_mapping("a", start.merged({"properties": {"f": {"type": "text"}}}))


def test_a_mapping_goes_to_all_indices_or_none(bench: IndexBench) -> None:
    indices = bench.open()
    indices.create("a", body(mappings=TEXT))
    indices.create("b", body(mappings={"properties": {"t": {"type": "long"}}}))
    with pytest.raises(IllegalArgument):
        indices.put_mapping("*", {"properties": {"n": {"type": "long"}, "t": {"type": "text"}}})
    assert indices.get("a").mapping.field("n") is None
    indices.put_mapping("*", {"properties": {"n": {"type": "long"}}})
    assert all(index.mapping.field("n") for index in indices.all())


def test_a_semantic_field_gets_its_sibling(bench: IndexBench) -> None:
    config = ModelConfig("bert", 8, additional_config={"space_type": "l2"})
    bench.catalog.put_model(Model("m", "tiny", "g", "1", ModelFormat.ONNX, ModelState.DEPLOYED, 1, model_config=config))
    indices = bench.open()
    semantic = {"properties": {"t": {"type": "semantic", "model_id": "m"}}}
    made = indices.create("a", body({"index.knn": "true"}, semantic))
    indices.create("b", body({"index.knn": "true"}))
    indices.put_mapping("b", semantic)
    assert indices.get("b").mapping.body == made.mapping.body
    field = made.mapping.field("t_semantic_info.embedding")
    assert field is not None
    assert field.vector is not None
    assert (field.vector.dimension, field.vector.space) == (8, Space.L2)
    with pytest.raises(IllegalArgument, match=r"Failed to fetch model \[nope\]: "):
        indices.put_mapping("a", {"properties": {"u": {"type": "semantic", "model_id": "nope"}}})


def test_settings_reach_the_store_and_keep_their_rules(bench: IndexBench) -> None:
    indices = bench.open()
    index = indices.create("a", body({"index.max_result_window": "7"}))
    indices.put_settings("a", {"index.refresh_interval": "-1", "index.max_result_window": None})
    settings = indices.get("a").settings
    assert settings["index.refresh_interval"] == "-1"
    assert "index.max_result_window" not in settings
    assert bench.engine.stores[index.uuid].settings == settings
    indices.put_settings("a", {"index.refresh_interval": "9s", "index.priority": "3"}, preserve_existing=True)
    assert indices.get("a").settings["index.refresh_interval"] == "-1"
    assert indices.get("a").settings["index.priority"] == "3"
    with pytest.raises(IllegalArgument, match="Can't update non dynamic settings"):
        indices.put_settings("a", {"index.analysis.analyzer.x.type": "standard"})
    indices.set_closed("a", closed=True)
    indices.put_settings("a", {"index.analysis.analyzer.x.type": "standard"})


def test_blocks_and_closed_indices(bench: IndexBench) -> None:
    indices = bench.open()
    indices.create("a")
    indices.put_settings("a", {"index.blocks.write": "true"})
    with pytest.raises(ClusterBlock) as raised:
        indices.check_blocks(indices.get("a"), "write")
    assert raised.value.reason == "index [a] blocked by: [FORBIDDEN/8/index write (api)];"
    indices.check_blocks(indices.get("a"), "read")
    indices.put_settings("a", {"index.blocks.write": None, "index.blocks.read_only": "true"})
    with pytest.raises(ClusterBlock):
        indices.put_mapping("a", TEXT)
    indices.put_settings("a", {"index.blocks.read_only": "false"})
    indices.put_mapping("a", TEXT)
    indices.set_closed("a", closed=True)
    with pytest.raises(IndexClosed, match="closed"):
        indices.check_open(indices.get("a"))
    indices.set_closed("a", closed=False)
    indices.check_open(indices.get("a"))


@pytest.mark.parametrize(
    ("aliases", "expected"),
    [
        ({"a": Alias()}, "a"),
        ({"a": Alias(is_write_index=True), "b": Alias()}, "a"),
        ({"a": Alias(is_write_index=False)}, None),
        ({"a": Alias(), "b": Alias()}, None),
    ],
)
def test_the_write_index_of_an_alias(bench: IndexBench, aliases: dict[str, Alias], expected: str | None) -> None:
    indices = bench.open()
    for name, alias in aliases.items():
        indices.create(name, body(aliases={"w": alias}))
    if expected is None:
        with pytest.raises(IllegalArgument, match=r"^no write index is defined for alias \[w\]\."):
            indices.write_target("w")
    else:
        assert indices.write_target("w").name == expected


@pytest.mark.parametrize(
    ("rule", "name", "made"),
    [
        ("true", "a", True),
        ("false", "a", False),
        ("log-*", "log-1", True),
        ("log-*", "a", False),
        ("-log-x*,log-*", "log-x1", False),
        ("+log-*,-*", "log-1", True),
    ],
)
def test_an_index_that_a_write_makes(bench: IndexBench, rule: str, name: str, made: bool) -> None:
    indices = bench.open(rule)
    if made:
        assert indices.write_target(name) == indices.write_target(name)
    else:
        with pytest.raises(IndexNotFound):
            indices.write_target(name)


def test_require_alias(bench: IndexBench) -> None:
    indices = bench.open()
    indices.create("a")
    with pytest.raises(IndexNotFound, match=r"\[require_alias\] request flag is \[true\] and \[a\] is not an alias"):
        indices.write_target("a", require_alias=True)
    with pytest.raises(IndexNotFound):
        indices.write_target("new", create=False)


def test_many_writers_make_one_index(bench: IndexBench) -> None:
    indices = bench.open()
    made: list[Index] = []
    threads = [threading.Thread(target=lambda: made.append(indices.write_target("new"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({index.uuid for index in made}) == 1
    assert len(bench.engine.known()) == 1
