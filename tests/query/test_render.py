"""render, parsed again, is the same query: over bodies made at random."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.query import parse_query, render_query
from tests.query.world import MAPPING, scope

Body = dict[str, Any]

WORDS = st.text("abc xé*?'\"", min_size=1, max_size=6)
NAMES = st.fixed_dictionaries(
    {}, optional={"_name": st.sampled_from(["one", "two"]), "boost": st.sampled_from([0.5, 2])}
)
STRINGS = st.sampled_from(["title", "body", "tag", "title.keyword", "other", "object.a", "nowhere"])
NUMBERS = st.one_of(st.integers(-1000, 1000), st.floats(-10, 10).map(lambda value: round(value, 3)))
DATES = st.sampled_from(["2024-01-01", "2024-02-03T04:05:06.789Z", "now", "now-1d/d", 1_600_000_000_000])
VECTORS = st.lists(st.integers(1, 9), min_size=2, max_size=2)


def on(field: st.SearchStrategy[str], options: st.SearchStrategy[Body]) -> st.SearchStrategy[Body]:
    """``{"field": options}`` with a name and a boost now and then."""
    return st.builds(lambda name, inner, extra: {name: inner | extra}, field, options, NAMES)


def clause(kind: str, body: st.SearchStrategy[Body]) -> st.SearchStrategy[Body]:
    return body.map(lambda inner: {kind: inner})


def options(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[Body]:
    return st.fixed_dictionaries(required, optional=optional)


def bounds(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Body]:
    return options({}, gt=values, lte=values)


FUZZY = st.sampled_from([0, 1, 2, "AUTO", "AUTO:2,5"])
MATCH = options(
    {"query": WORDS}, operator=st.sampled_from(["or", "AND"]), fuzziness=FUZZY, zero_terms_query=st.just("all"),
    minimum_should_match=st.sampled_from(["75%", 2, "2<-25%"]), prefix_length=st.integers(0, 2),
)  # fmt: skip
LEAVES = st.one_of(
    clause("match_all", NAMES),
    clause("match_none", NAMES),
    clause("match", on(STRINGS, MATCH)),
    clause("match_bool_prefix", on(STRINGS, options({"query": WORDS}))),
    clause("match_phrase", on(STRINGS, options({"query": WORDS}, slop=st.integers(0, 3)))),
    clause("match_phrase_prefix", on(STRINGS.filter(lambda field: field in ("title", "body")),
                                     options({"query": WORDS}, max_expansions=st.integers(1, 9)))),
    clause("multi_match", options({"query": WORDS, "lenient": st.just(True)}, type=st.sampled_from(
        ["best_fields", "most_fields", "cross_fields", "phrase", "bool_prefix"]), tie_breaker=st.just(0.3),
        fields=st.lists(st.sampled_from(["title^2", "tag", "obj*", "count", "day", "flag"]), max_size=3),
        operator=st.just("and"), boost=st.just(2))),
    clause("term", on(STRINGS, options({"value": WORDS}, case_insensitive=st.booleans()))),
    clause("term", on(st.just("flag"), options({"value": st.booleans()}))),
    clause("term", on(st.sampled_from(["count", "price"]), options({"value": NUMBERS}))),
    clause("term", on(st.sampled_from(["day"]), options({"value": DATES}))),
    clause("term", on(st.just("stamp"), options({"value": st.sampled_from(["2024-01-01", "2020-02-29"])}))),
    clause("terms", st.builds(lambda name, values, extra: {name: values} | extra, STRINGS,
                              st.lists(WORDS, max_size=4), NAMES)),
    clause("terms", st.builds(lambda values, extra: {"day": values} | extra, st.lists(DATES, max_size=3), NAMES)),
    clause("terms", st.builds(lambda values, extra: {"count": values} | extra, st.lists(NUMBERS, max_size=3), NAMES)),
    clause("terms", st.builds(lambda values: {"_id": values}, st.lists(WORDS, max_size=3))),
    clause("terms_set", on(st.sampled_from(["tag", "title", "count"]), st.one_of(
        options({"terms": st.lists(st.integers(1, 9), min_size=1, max_size=3),
                 "minimum_should_match_field": st.just("count")}),
        options({"terms": st.lists(st.integers(1, 9), min_size=1, max_size=3), "minimum_should_match_script": st.just(
            {"source": "Math.max(params.num_terms, doc['tag'].size())"})})))),
    clause("range", on(st.sampled_from(["tag", "title"]), bounds(WORDS))),
    clause("range", on(st.sampled_from(["count", "price"]), bounds(NUMBERS))),
    clause("range", on(st.sampled_from(["day"]), bounds(DATES))),
    clause("range", on(st.just("stamp"), bounds(st.sampled_from(["2024-01-01", "2020-02-29"])))),
    clause("exists", options({"field": st.sampled_from(["title", "object", "vec", "nowhere", "part"])}).flatmap(
        lambda body: NAMES.map(lambda extra: body | extra))),
    clause("ids", options({"values": st.lists(WORDS, max_size=3)}, _name=st.just("ids"))),
    clause("prefix", on(STRINGS, options({"value": WORDS}))),
    clause("wildcard", on(STRINGS, options({"value": WORDS}, case_insensitive=st.booleans()))),
    clause("regexp", on(STRINGS, options({"value": st.text("abc xé.'", min_size=1, max_size=6)}))),
    clause("fuzzy", on(STRINGS, options({"value": WORDS}, fuzziness=FUZZY, transpositions=st.booleans()))),
    clause("neural_sparse", on(st.just("weights"), options({"query_tokens": st.just({"a": 1.5, "b": 2})}))),
    clause("query_string", options({"query": st.lists(st.sampled_from(
        ["foo", "AND", "OR", "-bar", "+baz^2", "count:[1 TO 5}", "price:>3", '"a b"~2', "tag:x*", "fo~1", "(a b)^3",
         "_exists_:title", "count:7"]), min_size=1, max_size=5).map(lambda words: "x " + " foo ".join(words) + " y")},
        default_operator=st.just("and"), boost=st.just(2), fields=st.just(["title^2", "tag"]))),
    clause("simple_query_string", options({"query": st.text('ab1 +|-"*~()', max_size=12)},
                                          fields=st.just(["title", "tag"]), default_operator=st.just("and"))),
)  # fmt: skip

SCRIPTS = st.sampled_from([
    "_score * 2 - 1", "(1.0 + cosineSimilarity(params.q, doc['vec']))", "1/(1.0 + l2Squared(params.q, doc['l2'])) - 3",
    "doc['l2'].size() == 0 ? 0 : 1 - -doc['count'].value / (2 - (3 - 4))",
    "Math.min(_score, 3) > 2 ? 1 : (1 < 2 ? 3 : 4)",
])  # fmt: skip


def compounds(inner: st.SearchStrategy[Body]) -> st.SearchStrategy[Body]:
    several = st.lists(inner, max_size=3)
    script = SCRIPTS.map(lambda source: {"source": source, "params": {"q": [1, 2]}})
    knn = st.one_of(
        options({"vector": VECTORS, "k": st.integers(1, 9)}, filter=inner, _name=st.just("near")),
        options({"vector": VECTORS, "max_distance": st.just(1.5)}, boost=st.just(3)),
        options({"vector": VECTORS, "min_score": st.just(0.5)}, method_parameters=st.just({"ef_search": 50})),
    )
    functions = st.one_of(
        options({"weight": st.integers(1, 3)}, filter=inner),
        options({"field_value_factor": st.just({"field": "count", "modifier": "log1p", "missing": 1})}),
        options({"random_score": st.just({"seed": 7})}),
        options({"gauss": st.just({"day": {"origin": "2024-01-01", "scale": "10d", "offset": "1h"}})}),
        options(
            {"linear": st.just({"count": {"origin": 1, "scale": 2}, "multi_value_mode": "max"})}, weight=st.just(2)
        ),
        options({"script_score": script.map(lambda found: {"script": found})}),
    )
    return st.one_of(
        clause("bool", options({}, must=several, filter=st.one_of(inner, several), should=several, must_not=several,
                               minimum_should_match=st.sampled_from([1, "50%"]), _name=st.just("bool"))),
        clause("dis_max", options({"queries": st.lists(inner, min_size=1, max_size=3)}, tie_breaker=st.just(0.4))),
        clause("constant_score", options({"filter": inner}, boost=st.just(3), _name=st.just("constant"))),
        clause("boosting", options({"positive": inner, "negative": inner, "negative_boost": st.just(0.2)})),
        clause("function_score", options({"query": inner, "functions": st.lists(functions, max_size=3)},
                                         score_mode=st.sampled_from(["sum", "first"]), boost_mode=st.just("replace"),
                                         min_score=st.just(1), max_boost=st.just(9))),
        clause("script_score", options({"query": inner, "script": script}, min_score=st.just(0.1))),
        clause("script", options({"script": script})),
        clause("nested", options({"path": st.just("part"), "query": st.sampled_from([
            {"term": {"part.name": "x"}}, {"knn": {"part.vec": {"vector": [1, 2], "k": 3, "expand_nested_docs": True,
                                                                "filter": {"term": {"tag": "y"}}}}}])},
            score_mode=st.sampled_from(["max", "none"]), inner_hits=st.just(
                {"name": "n", "size": 2, "sort": [{"part.name": "desc"}], "_source": ["a*"],
                 "highlight": {"fields": {"title": {"number_of_fragments": 0}}}}))),
        clause("knn", st.builds(lambda field, inner: {field: inner}, st.sampled_from(["vec", "l2"]), knn)),
        clause("neural", on(st.sampled_from(["vec", "l2"]), options({"query_text": WORDS.filter(str.strip), "model_id":
               st.sampled_from(["m", "n"])}, k=st.integers(1, 9), filter=inner))),
    )  # fmt: skip


@given(st.recursive(LEAVES, compounds, max_leaves=6))
def test_a_rendered_query_parses_to_the_same_query(body: Body) -> None:
    first = scope()
    query = parse_query(body, first)
    again = scope()
    rendered = render_query(query, MAPPING, first.slots)
    assert parse_query(rendered, again) == query
    assert again.slots == first.slots


@pytest.mark.parametrize(
    ("source", "params"),
    [
        ("knn_score", {"field": "vec", "query_value": [1, 2], "space_type": "cosinesimil"}),
        ("knn_score", {"field": "bytes", "query_value": [1, 2], "space_type": "cosinesimil"}),
        (
            "def v = doc[params.field]; return v.value.toString().toLowerCase().contains(params.term)",
            {"field": "tag", "term": "x"},
        ),
        ("... new HashSet() ... substring(i, i + n) ...", {"field": "tag", "q": "abc", "n": 3}),
    ],
)
def test_recognised_scripts_keep_their_meaning(source: str, params: Body) -> None:
    script = {"source": source, "params": params} | ({"lang": "knn"} if source == "knn_score" else {})
    query = parse_query({"script_score": {"query": {"match_all": {}}, "script": script}}, scope())
    assert parse_query(render_query(query, MAPPING, []), scope()) == query
