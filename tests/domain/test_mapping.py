"""Mappings: what is read, refused, merged, and what documents become."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.domain.field import Family
from antiphon.domain.mapping import IndexMapping
from antiphon.errors import AntiphonError, IllegalArgument, MapperParsing, StrictDynamicMapping

STRING = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}


def mapping(knn: bool = True, **properties: Any) -> IndexMapping:
    return IndexMapping.parse({"properties": properties}, knn=knn)


LEAVES = st.sampled_from([
    {"type": "text"}, {"type": "keyword", "ignore_above": 9}, {"type": "long"}, {"type": "boolean"}, STRING,
    {"type": "date", "format": "yyyy-MM-dd"}, {"type": "scaled_float", "scaling_factor": 10},
    {"type": "flat_object"}, {"type": "rank_features"}, {"type": "knn_vector", "dimension": 2, "index": True},
    {"type": "knn_vector", "dimension": 2, "method": {"name": "hnsw", "space_type": "l2", "engine": "nmslib"}},
])  # fmt: skip
NAMES = st.sampled_from(["a", "b", "c", "a.b", "d.e"])
PROPERTIES = st.recursive(
    st.dictionaries(st.sampled_from("abc"), LEAVES, max_size=3),
    lambda inner: st.dictionaries(
        st.sampled_from("xyz"),
        st.one_of(
            LEAVES,
            inner.map(lambda held: {"properties": held}),
            inner.map(lambda held: {"type": "nested", "properties": held}),
        ),
        max_size=3,
    ),
    max_leaves=6,
)


@given(PROPERTIES)
def test_a_mapping_is_rebuilt_from_its_body(properties: dict[str, Any]) -> None:
    first = IndexMapping.parse({"properties": properties}, knn=True)
    again = IndexMapping.parse(first.body, knn=True)
    assert (again.body, again.fields) == (first.body, first.fields)
    assert first.merged(properties and {"properties": properties}) is first


@pytest.mark.parametrize(
    ("document", "properties"),
    [
        ({"a": "x"}, {"a": STRING}),
        ({"a": 1, "b": 1.5, "c": True}, {"a": {"type": "long"}, "b": {"type": "float"}, "c": {"type": "boolean"}}),
        ({"a": "2020-01-01"}, {"a": {"type": "date"}}),
        ({"a": "2020"}, {"a": STRING}),
        ({"a": [None, [], 2], "b": None, "c": []}, {"a": {"type": "long"}}),
        ({"a.b": 1}, {"a": {"properties": {"b": {"type": "long"}}}}),
        ({"a": [{"b": 1}, {"c": 2}]}, {"a": {"properties": {"b": {"type": "long"}, "c": {"type": "long"}}}}),
        ({"a": [0.1, 0.2]}, {"a": {"type": "float"}}),
        ({"a": {}}, {"a": {"type": "object"}}),
    ],
)
def test_dynamic_mapping_follows_the_json(document: dict[str, Any], properties: dict[str, Any]) -> None:
    assert IndexMapping().typed("1", document)[1].body == {"properties": properties}


def test_dynamic_templates_come_before_the_defaults() -> None:
    rules = [{"strings": {"match_mapping_type": "string", "mapping": {"type": "keyword"}}}]
    held = IndexMapping.parse({"dynamic_templates": rules})
    grown = held.typed("1", {"a": "x", "d": "2020-01-01"})[1]
    assert grown.body["properties"] == {"a": {"type": "keyword"}, "d": {"type": "date"}}
    assert grown.typed("2", {"a": "y"})[1] is grown


def test_dynamic_false_ignores_and_strict_refuses() -> None:
    loose = IndexMapping.parse({"dynamic": False})
    assert loose.typed("1", {"a": 1})[1] is loose
    with pytest.raises(StrictDynamicMapping, match=r"dynamic introduction of \[b\] within \[a\] is not allowed"):
        mapping(a={"properties": {"c": {"type": "long"}}, "dynamic": "strict"}).typed("1", {"a": {"b": 1}})


def test_values_become_what_the_engine_keeps() -> None:
    held = mapping(
        t={"type": "text", "fields": {"raw": {"type": "keyword"}}}, i={"type": "integer"}, h={"type": "half_float"},
        s={"type": "scaled_float", "scaling_factor": 10}, d={"type": "date"}, b={"type": "boolean"}, ip={"type": "ip"},
        o={"type": "flat_object"}, n={"type": "nested", "properties": {"v": {"type": "knn_vector", "dimension": 2}}},
        u={"type": "unsigned_long"}, off={"type": "object", "enabled": False}, c={"type": "keyword", "copy_to": "t"},
    )  # fmt: skip
    document, same = held.typed("1", {
        "t": "A b", "i": ["7", 8.9], "h": 0.1, "s": 1.26, "d": "1970-01-01T00:00:01Z", "b": ["", "true"],
        "ip": "::FFFF:10.0.0.1", "o": {"p": {"q": 1}}, "n": [{"v": [1, 2]}, None, {"v": [3, 4]}], "u": 2**63 - 1,
        "off": 5, "c": "k",
    })  # fmt: skip
    root, first, second = document.rows
    assert same is held
    assert root.texts == {"t": ["A b", "k"]}
    assert root.keywords == {"t.raw": ["A b", "k"], "ip": ["10.0.0.1"], "o": ["1"], "o.p.q": ["1"], "c": ["k"]}
    assert root.wholes == {"i": [7, 8], "d": [1000], "b": [0, 1], "u": [2**63 - 1]}
    assert root.reals == {"h": [float(np.float16(0.1))], "s": [1.3]}
    assert (first.nested, first.parent, first.offset, second.offset) == ("n", 0, 0, 2)
    assert second.vectors["n.v"].tolist() == [3, 4]


VECTOR = {"type": "knn_vector", "dimension": 2}


@pytest.mark.parametrize(
    ("options", "value", "reason"),
    [
        ({}, [1], "Vector dimension mismatch. Expected: 2, Given: 1"),
        ({}, [1, float("nan")], "KNN vector values cannot be NaN"),
        ({}, [1, 1e39], "KNN vector values cannot be infinity"),
        ({"space_type": "cosinesimil"}, [0, 0], "zero vector is not supported when space type is [cosinesimil]"),
        ({"data_type": "byte"}, [1, 1.5], ("[data_type] field was set as [byte] in index mapping. But, KNN vector "
         "values are floats instead of byte integers")),
        ({"data_type": "byte"}, [1, 128], ("[data_type] field was set as [byte] in index mapping. But, KNN vector "
         "values are not within in the byte range [-128, 127]")),
        ({"data_type": "binary", "dimension": 16}, [1], ("The dimension of the binary vector must be 8 times the "
         "length of the provided vector. Expected: 16, Given: 8")),
    ],
)  # fmt: skip
def test_a_vector_that_does_not_fit_is_refused(options: dict[str, Any], value: Any, reason: str) -> None:
    with pytest.raises(MapperParsing) as caught:
        mapping(v={**VECTOR, **options}).typed("1", {"v": value})
    assert caught.value.reason == (
        "failed to parse field [v] of type [knn_vector] in document with id '1'. Preview of field's value: 'null'"
    )
    assert caught.value.cause is not None
    assert caught.value.cause.reason == reason


def test_a_data_type_is_read_in_any_case() -> None:
    """A real node takes ``Byte``, and shows ``BYTE`` whatever it was given: what it shows can be put here."""
    held = mapping(v={**VECTOR, "data_type": "BYTE"})
    assert held.body["properties"]["v"]["data_type"] == "byte"
    assert held.merged({"properties": {"v": {**VECTOR, "data_type": "byte"}}}).body == held.body


def test_vectors_may_be_base64() -> None:
    text = base64.b64encode(np.array([1, 2], "<f4").tobytes()).decode()
    assert mapping(v=VECTOR).typed("1", {"v": text})[0].rows[0].vectors["v"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("knn", "field", "reason"),
    [
        (True, {"type": "foo"}, "No handler for type [foo] declared on field [f]"),
        (True, {"type": "text", "p": 1}, "unknown parameter [p] on mapper [f] of type [text]"),
        (True, {"type": "knn_vector"}, "Dimension value missing for vector: f"),
        (True, {**VECTOR, "dimension": 0}, "Dimension value must be greater than 0 for vector: f"),
        (True, {**VECTOR, "dimension": "x"}, "Unable to parse [dimension] from provided value [x] for vector [f]"),
        (True, {**VECTOR, "method": {"name": "hnsw", "engine": "x"}}, "Invalid engine: x"),
        (True, {**VECTOR, "method": {"name": "hnsw", "space_type": "x"}}, "Invalid space_type: x"),
        (True, {**VECTOR, "method": {"engine": "faiss"}}, "name needs to be set"),
        (True, {**VECTOR, "method": {"name": "hnsw", "space_type": "l1"}},
         'Validation Failed: 1: "hnsw" with "faiss" configuration does not support space type: "l1".;'),
        (True, {**VECTOR, "method": {"name": "hnsw", "parameters": {"m": "a"}}},
         "Validation Failed: 1: value is not an instance of Integer for Integer parameter [m].;"),
        (False, {**VECTOR, "method": {"name": "hnsw"}},
         "Cannot set modelId or method parameters when index.knn setting is false"),
    ],
)  # fmt: skip
def test_a_mapping_that_cannot_be_read(knn: bool, field: dict[str, Any], reason: str) -> None:
    with pytest.raises(MapperParsing) as caught:
        mapping(knn, f=field)
    assert caught.value.reason == f"Failed to parse mapping [_doc]: {reason}"


@pytest.mark.parametrize("name", ["geo_point", "join", "wildcard", "sparse_vector"])
def test_types_that_are_not_here_are_refused_by_name(name: str) -> None:
    with pytest.raises(IllegalArgument, match=rf"\[{name}\] is not supported by Antiphon: "):
        mapping(f={"type": name})


@pytest.mark.parametrize(
    ("kind", "value", "cause", "reason"),
    [
        ("integer", "abc", "number_format_exception", 'For input string: "abc"'),
        ("long", "abc", "illegal_argument_exception", 'For input string: "abc"'),
        ("integer", 2**31, "illegal_argument_exception", f"Value [{2**31}] is out of range for an integer"),
        ("boolean", "x", "illegal_argument_exception",
         "Failed to parse value [x] as only [true] or [false] are allowed."),
        ("date", "x", "illegal_argument_exception",
         "failed to parse date field [x] with format [strict_date_optional_time||epoch_millis]"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit(kind: str, value: Any, cause: str, reason: str) -> None:
    with pytest.raises(MapperParsing) as caught:
        mapping(f={"type": kind}).typed("1", {"f": value})
    found = caught.value.cause
    assert found is not None
    assert (found.type, found.reason) == (cause, reason)
    if kind in ("integer", "long", "date"):
        loose = mapping(f={"type": kind, "ignore_malformed": True})
        assert loose.typed("1", {"f": value})[0].rows[0].wholes == {}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"t": {"type": "keyword"}}, "mapper [t] cannot be changed from type [text] to [keyword]"),
        ({"v": {"type": "knn_vector", "dimension": 3}},
         "Mapper for [v] conflicts with existing mapper:\n\tCannot update parameter [dimension] from [2] to [3]"),
        ({"o": {"type": "nested"}}, "cannot change object mapping from non-nested to nested"),
    ],
)  # fmt: skip
def test_what_put_mapping_may_not_change(change: dict[str, Any], reason: str) -> None:
    held = mapping(t={"type": "text"}, v=VECTOR, o={"properties": {"x": {"type": "long"}}})
    with pytest.raises(AntiphonError) as caught:
        held.merged({"properties": change})
    assert caught.value.reason == reason


def test_put_mapping_adds_fields_multi_fields_and_aliases() -> None:
    held = mapping(t={"type": "text"}).merged({"properties": {"t": STRING, "a": {"type": "alias", "path": "t"}}})
    found = held.field("a")
    assert found is not None
    assert (found.path, list(held.fields)) == ("t", ["t", "t.keyword", "a"])


def test_fields_are_found_by_path_and_pattern() -> None:
    held = mapping(
        a=STRING, o={"properties": {"x": {"type": "long"}}}, f={"type": "flat_object"},
        n={"type": "nested", "properties": {"y": {"type": "long"}, "m": {"type": "nested"}}},
    )  # fmt: skip
    assert [field.path for field in held.matching("a*")] == ["a", "a.keyword"]
    assert [field.path for field in held.leaves_below("n")] == ["n.y"]
    assert held.nested_paths == ("n", "n.m")
    inner = held.field("f.p.q")
    assert inner is not None
    assert (inner.path, inner.family) == ("f.p.q", Family.KEYWORD)
    assert held.field("o.z") is None


def test_limits() -> None:
    with pytest.raises(IllegalArgument, match=r"Limit of total fields \[2\] has been exceeded"):
        IndexMapping().typed("1", {"a": "x", "b": 1}, max_fields=2)
    with pytest.raises(IllegalArgument, match=r"Limit of mapping depth \[2\] has been exceeded"):
        IndexMapping().typed("1", {"a": {"b": {"c": 1}}}, max_depth=2)


def test_new_fields_inside_nested_objects_leave_them_nested() -> None:
    mapping = IndexMapping.parse(
        {"properties": {"part": {"type": "nested"}, "o": {"properties": {"in": {"type": "nested"}}}}}
    )
    typed, grown = mapping.typed("1", {"part": [{"x": "y"}], "o": {"in": {"z": 1}}})
    assert [row.nested for row in typed.rows] == ["", "part", "o.in"]
    assert grown.body["properties"]["part"]["type"] == "nested"
    assert grown.body["properties"]["o"]["properties"]["in"] == {
        "type": "nested",
        "properties": {"z": {"type": "long"}},
    }


def test_a_stored_mapping_is_opened_whatever_it_asks_for() -> None:
    body = {"properties": {"t": {"type": "text", "similarity": "boolean", "position_increment_gap": 0}}}
    with pytest.raises(IllegalArgument, match="is not supported by Antiphon"):
        IndexMapping.parse(body)
    stored = IndexMapping.parse(body, stored=True)
    assert stored.merged({"properties": {"k": {"type": "keyword"}}}).fields.keys() == {"t", "k"}
