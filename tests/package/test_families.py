from __future__ import annotations

import re

import pytest

from antiphon.domain.model import Pooling
from antiphon.package.families import FAMILIES, Family, family_of

SEARCH = "Represent this sentence for searching relevant passages: "


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_row_is_reached_by_the_model_its_source_describes(family: Family) -> None:
    assert re.fullmatch(r"https://huggingface\.co/[\w.-]+/[\w.-]+", family.source)
    assert family_of([family.source.removeprefix("https://huggingface.co/")]) is family
    assert family.source in family.origin
    assert (family.query_prefix is None) == (family.passage_prefix is None)


@pytest.mark.parametrize(
    ("name", "query", "passage", "pooling"),
    [
        ("intfloat/multilingual-e5-small", "query: ", "passage: ", Pooling.MEAN),
        ("intfloat/multilingual-e5-large", "query: ", "passage: ", Pooling.MEAN),
        ("intfloat/e5-small-v2", "query: ", "passage: ", Pooling.MEAN),
        ("E5-Base", "query: ", "passage: ", Pooling.MEAN),
        ("BAAI/bge-small-en-v1.5", SEARCH, "", Pooling.CLS),
        ("BAAI/bge-m3", None, None, Pooling.CLS),
        ("thenlper/gte-small", None, None, Pooling.MEAN),
        ("Alibaba-NLP/gte-large-en-v1.5", None, None, Pooling.CLS),
        ("Snowflake/snowflake-arctic-embed-xs", SEARCH, "", Pooling.CLS),
        ("Snowflake/snowflake-arctic-embed-m-v2.0", "query: ", "", Pooling.CLS),
        ("nomic-ai/nomic-embed-text-v1", "search_query: ", "search_document: ", Pooling.MEAN),
        ("mixedbread-ai/mxbai-embed-large-v1", SEARCH, "", Pooling.CLS),
        ("mixedbread-ai/deepset-mxbai-embed-de-large-v1", "query: ", "passage: ", Pooling.MEAN),
    ],
)
def test_what_the_model_cards_say(name: str, query: str | None, passage: str | None, pooling: Pooling) -> None:
    family = family_of([name])
    assert family is not None
    assert (family.query_prefix, family.passage_prefix, family.pooling) == (query, passage, pooling)


def test_an_instruct_model_gets_an_instruction() -> None:
    family = family_of(["intfloat/multilingual-e5-large-instruct"])
    assert family is not None
    assert family.query_prefix is not None
    assert family.query_prefix.startswith("Instruct: ")
    assert family.query_prefix.endswith("\nQuery: ")
    assert family.passage_prefix == ""


@pytest.mark.parametrize(
    "name", ["sentence-transformers/all-MiniLM-L6-v2", "e5-mistral-7b-instruct", "gte-Qwen2-7B", ""]
)
def test_other_models_belong_to_none(name: str) -> None:
    assert family_of([name]) is None


def test_the_first_name_that_is_known_decides() -> None:
    family = family_of(["my-model", "C:\\models\\bge-m3\\", "intfloat/e5-small"])
    assert family is not None
    assert family.name == "BGE-M3"
