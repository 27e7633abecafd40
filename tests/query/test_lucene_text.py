"""A query's text in Lucene; the expected ones are a real node's."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.domain.mapping import IndexMapping
from antiphon.query import Scope, lucene_text, parse_query

MAPPING = IndexMapping.parse({
    "properties": {
        "t": {"type": "text"},
        "u": {"type": "text"},
        "k": {"type": "keyword"},
        "kk": {"type": "keyword", "doc_values": False},
        "n": {"type": "integer"},
        "nn": {"type": "integer", "doc_values": False},
        "l": {"type": "long"},
        "f": {"type": "float"},
        "g": {"type": "double"},
        "d": {"type": "date"},
        "b": {"type": "boolean"},
    }
})  # fmt: skip


def _approximated(text: str, approximate: str) -> str:
    return f"ApproximateScoreQuery(originalQuery={text}, approximationQuery=Approximate({approximate}))"


TEXTS: list[tuple[dict[str, Any], str | None]] = [
    ({"match_all": {"boost": 2}}, f"({_approximated('*:*', '*:*')})^2.0"),
    ({"match_none": {}}, 'MatchNoDocsQuery("User requested "match_none" query.")'),
    ({"match": {"t": {"query": "a b c", "minimum_should_match": 2}}}, "(t:a t:b t:c)~2"),
    ({"match": {"t": {"query": "a b", "boost": 2.5}}}, "(t:a t:b)^2.5"),
    ({"match": {"t": {"query": "ab abcdefgh", "fuzziness": "AUTO"}}}, "t:ab~0 t:abcdefgh~2"),
    ({"match": {"t": ""}}, 'MatchNoDocsQuery("Matching no documents because no terms present")'),
    ({"match_phrase_prefix": {"t": {"query": "a b", "slop": 3}}}, 't:"a b*"~3'),
    ({"match_bool_prefix": {"t": "a b"}}, "t:a t:b*"),
    ({"multi_match": {"query": "a b", "fields": ["t", "u^2"]}}, "((t:a t:b) | (u:a u:b)^2.0)"),
    ({"terms": {"k": ["a", "b"]}}, "k:(a b)"),
    ({"term": {"b": True}}, "b:T"),
    ({"terms": {"nn": [3, 4]}}, "nn:{3 4}"),
    ({"terms": {"f": [1, 2.5]}}, "IndexOrDocValuesQuery(indexQuery=f:{1.0 2.5}, dvQuery=f: [1065353216, 1075838976])"),
    ({"range": {"nn": {"gte": 1}}}, _approximated(*["nn:[1 TO 2147483647]"] * 2)),
    (
        {"range": {"l": {"lt": 3}}},
        _approximated(
            "IndexOrDocValuesQuery(indexQuery=l:[-9223372036854775808 TO 2], dvQuery=l:[-9223372036854775808 TO 2])",
            "l:[-9223372036854775808 TO 2]",
        ),
    ),
    (
        {"range": {"f": {"gt": 1}}},
        _approximated(
            "IndexOrDocValuesQuery(indexQuery=f:[1.0000001 TO Infinity], dvQuery=f:[1065353217 TO 2139095040])",
            "f:[1.0000001 TO Infinity]",
        ),
    ),
    (
        {"range": {"g": {"gt": 1}}},
        _approximated(
            "IndexOrDocValuesQuery(indexQuery=g:[1.0000000000000002 TO Infinity], "
            "dvQuery=g:[4607182418800017409 TO 9218868437227405312])",
            "g:[1.0000000000000002 TO Infinity]",
        ),
    ),
    ({"range": {"k": {"gt": "a"}}}, "IndexOrDocValuesQuery(indexQuery=k:{a TO *], dvQuery=k:{a TO *])"),
    ({"exists": {"field": "t"}}, "ConstantScore(FieldExistsQuery [field=t])"),
    ({"exists": {"field": "kk"}}, "ConstantScore(_field_names:kk)"),
    ({"prefix": {"k": {"value": "a", "boost": 2}}}, "(k:a*)^2.0"),
    ({"regexp": {"k": "a.*"}}, "k:/a.*/"),
    ({"fuzzy": {"k": "abcd"}}, "k:abcd~1"),
    ({"bool": {"must_not": [{"match": {"t": "a"}}]}}, "-t:a #*:*"),
    ({"bool": {"must": [{"bool": {"must": [{"match": {"t": "a"}}], "boost": 2}}]}}, "+(+t:a)^2.0"),
    ({"bool": {"should": [{"term": {"k": "a"}}], "minimum_should_match": 1}}, "(ConstantScore(k:a))~1"),
    ({"constant_score": {"filter": {"term": {"k": "a"}}, "boost": 2}}, "(ConstantScore(ConstantScore(k:a)))^2.0"),
    (
        {"boosting": {"positive": {"match": {"t": "a"}}, "negative": {"match": {"u": "b"}}, "negative_boost": 0.5}},
        "FunctionScoreQuery(t:a, scored by boost(queryboost(score(u:b))^0.5))",
    ),
    ({"query_string": {"query": 't:"a b"~2 AND NOT k:x*'}}, '+t:"a b"~2 -k:x*'),
    ({"term": {"k": {"value": "a", "case_insensitive": True}}}, None),
    ({"bool": {"must": [{"function_score": {"weight": 2}}]}}, None),
]


@pytest.mark.parametrize(("body", "text"), TEXTS, ids=[str(body) for body, _ in TEXTS])
def test_a_query_has_lucenes_text(body: dict[str, Any], text: str | None) -> None:
    query = parse_query(body, Scope(MAPPING, index="x", now_ms=0))
    assert (
        lucene_text(query, MAPPING, lambda _field, words, _: [(at, [w]) for at, w in enumerate(words.split())]) == text
    )


def test_gaps_and_synonyms_of_a_phrase_are_shown() -> None:
    query = parse_query({"match_phrase": {"t": "fox the dog"}}, Scope(MAPPING, index="x", now_ms=0))
    assert lucene_text(query, MAPPING, lambda *_: [(0, ["fox"]), (2, ["dog", "hound"])]) == 't:"fox ? (dog hound)"'
    query = parse_query({"match": {"t": "fox"}}, Scope(MAPPING, index="x", now_ms=0))
    assert lucene_text(query, MAPPING, lambda *_: [(0, ["fox", "vixen"])]) == "Synonym(t:fox t:vixen)"
