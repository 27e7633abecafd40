"""Filters as typed in a shell become the query that the index's mapping makes exact, or say why they cannot."""

from __future__ import annotations

import re
from typing import Any

import pytest

from antiphon.cli.filters import parse_filter
from antiphon.errors import IllegalArgument
from antiphon.wire.mapping_fields import known, read_fields, text_fields, vector_fields

MAPPINGS = {
    "books": {
        "mappings": {
            "properties": {
                "title": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}},
                "body": {"type": "text"},
                "lang": {"type": "keyword"},
                "year": {"type": "integer"},
                "price": {"type": "scaled_float", "scaling_factor": 100},
                "day": {"type": "date"},
                "draft": {"type": "boolean"},
                "author": {"properties": {"name": {"type": "keyword"}}},
                "reviews": {"type": "nested", "properties": {"embedding": {"type": "knn_vector"}}},
                "embedding": {"type": "knn_vector", "dimension": 8},
                "note": {"type": "semantic"},
                "note_semantic_info": {"properties": {"embedding": {"type": "knn_vector"}}},
                "hash": {"type": "keyword", "index": False},
            }
        }
    }
}
FIELDS = read_fields(MAPPINGS)

MEANT: list[tuple[str, dict[str, Any]]] = [
    ("lang=de", {"terms": {"lang": ["de"]}}),
    ("lang = de, fr", {"terms": {"lang": ["de", "fr"]}}),
    ('title="Elbe, die",Main', {"terms": {"title.keyword": ["Elbe, die", "Main"]}}),
    ("lang=7", {"terms": {"lang": ["7"]}}),
    ("lang!=de", {"bool": {"must_not": [{"terms": {"lang": ["de"]}}]}}),
    ("author.name=Kant", {"terms": {"author.name": ["Kant"]}}),
    ("body=giant mountains", {"match_phrase": {"body": "giant mountains"}}),
    ("body=a,b", {"bool": {"should": [{"match_phrase": {"body": "a"}}, {"match_phrase": {"body": "b"}}]}}),
    ("year=1999,2020", {"terms": {"year": [1999, 2020]}}),
    ("year>=2020", {"range": {"year": {"gte": 2020}}}),
    ("year > 2020", {"range": {"year": {"gt": 2020}}}),
    ("price<9.5", {"range": {"price": {"lt": 9.5}}}),
    ("price<=-1e3", {"range": {"price": {"lte": -1000.0}}}),
    ("day>=2020", {"range": {"day": {"gte": "2020"}}}),
    ("day=2020-01-01", {"terms": {"day": ["2020-01-01"]}}),
    ("day>now-7d/d", {"range": {"day": {"gt": "now-7d/d"}}}),
    ("draft!=true", {"bool": {"must_not": [{"terms": {"draft": [True]}}]}}),
    ("title>M", {"range": {"title.keyword": {"gt": "M"}}}),
    ("lang<e", {"range": {"lang": {"lt": "e"}}}),
    ("_id=a,b", {"ids": {"values": ["a", "b"]}}),
    ("lang=a=b", {"terms": {"lang": ["a=b"]}}),
    ('{"exists": {"field": "year"}}', {"exists": {"field": "year"}}),
]


@pytest.mark.parametrize(("text", "query"), MEANT, ids=[text for text, _ in MEANT])
def test_a_filter_means_a_query(text: str, query: dict[str, Any]) -> None:
    assert parse_filter(text, FIELDS) == query


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("lang", "must be field=value"),
        ("=de", "must be field=value"),
        ("lang=", "must be field=value"),
        ("", "must be field=value"),
        ("{lang: de}", "is not JSON"),
        ("lnag=de", "there is no field [lnag] to filter by; there are: lang, "),
        ("year=soon", "[year] holds numbers, and [soon] is none"),
        ("year>=soon", "[year] holds numbers, and [soon] is none"),
        ("draft=yes", "[draft] is true or false, not [yes]"),
        ("draft>true", "is of type boolean, which does not compare so"),
        ("title>=2020", "`antiphon index create --field title=integer`"),
        ("lang>=2020", "is of type keyword, which does not compare so"),
        ("body>M", "is of type text, which does not compare so"),
        ("embedding=1", "[embedding] is a knn_vector"),
        ("hash=x", "there is no field [hash]"),
        ("_id>5", "there is no field [_id]"),
    ],
)
def test_a_filter_that_would_match_nothing_says_why(text: str, reason: str) -> None:
    with pytest.raises(IllegalArgument, match=re.escape(reason)):
        parse_filter(text, FIELDS)


def test_fields_are_those_that_can_be_searched() -> None:
    assert text_fields(FIELDS) == ["title", "body", "note"]
    assert vector_fields(MAPPINGS) == ["reviews.embedding", "embedding", "note_semantic_info.embedding"]
    assert "title.keyword" not in known(FIELDS, "title")
    assert known({}, "x") == "none"
    assert known({f"f{number}": "long" for number in range(20)}, "zz").endswith("f11, ...")
