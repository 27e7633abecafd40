"""Known families of embedding models: what their model cards say about prefixes and pooling.

Most repositories register no prompts, so what a model expects in front of a text is written in its card only. Each
row is a fact with its source; a model's own files win over it, and flags over both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from antiphon.domain.model import Pooling

_HUB = "https://huggingface.co/"
_SEARCH_SENTENCE = "Represent this sentence for searching relevant passages: "
_WEB_SEARCH = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "


@dataclass(frozen=True, slots=True)
class Family:
    """One row: ``pattern`` matches a model's bare name, lower-case; None for both prefixes is a symmetric model.

    ``normalize`` is False where a Normalize module of the repository is left out on purpose: ML Commons' tutorials
    register E5 without it, and cosine similarity does not see the difference.
    """

    name: str
    pattern: str
    source: str
    pooling: Pooling
    query_prefix: str | None
    passage_prefix: str | None
    normalize: bool | None = None

    @property
    def origin(self) -> str:
        """Where the row's values come from, for a reader."""
        return f"known family {self.name} ({self.source})"


FAMILIES = (
    Family(
        "multilingual-E5 instruct",
        r"multilingual-e5-(small|base|large)-instruct",
        f"{_HUB}intfloat/multilingual-e5-large-instruct",
        Pooling.MEAN,
        _WEB_SEARCH,
        "",
        normalize=False,
    ),
    Family(
        "multilingual-E5",
        r"multilingual-e5-(small|base|large)\b",
        f"{_HUB}intfloat/multilingual-e5-small",
        Pooling.MEAN,
        "query: ",
        "passage: ",
        normalize=False,
    ),
    Family(
        "E5",
        r"e5-(small|base|large)(-v2|-unsupervised|-4k)?\b",
        f"{_HUB}intfloat/e5-base-v2",
        Pooling.MEAN,
        "query: ",
        "passage: ",
        normalize=False,
    ),
    Family("BGE-M3", r"bge-m3\b", f"{_HUB}BAAI/bge-m3", Pooling.CLS, None, None),
    Family(
        "BGE English", r"bge-(small|base|large)-en\b", f"{_HUB}BAAI/bge-base-en-v1.5", Pooling.CLS, _SEARCH_SENTENCE, ""
    ),
    Family(
        "BGE Chinese",
        r"bge-(small|base|large)-zh\b",
        f"{_HUB}BAAI/bge-base-zh-v1.5",
        Pooling.CLS,
        "为这个句子生成表示以用于检索相关文章：",  # noqa: RUF001  the card has the full-width colon
        "",
    ),
    Family("GTE 1.5", r"gte-(base|large)-en-v1\.5\b", f"{_HUB}Alibaba-NLP/gte-base-en-v1.5", Pooling.CLS, None, None),
    Family(
        "GTE multilingual",
        r"gte-multilingual-base\b",
        f"{_HUB}Alibaba-NLP/gte-multilingual-base",
        Pooling.CLS,
        None,
        None,
    ),
    Family(
        "GTE ModernBERT", r"gte-modernbert-base\b", f"{_HUB}Alibaba-NLP/gte-modernbert-base", Pooling.CLS, None, None
    ),
    Family("GTE", r"gte-(tiny|small|base|large)(?!-zh)\b", f"{_HUB}thenlper/gte-base", Pooling.MEAN, None, None),
    Family(
        "Arctic-embed 2.0",
        r"snowflake-arctic-embed-[a-z]+-v2\.0\b",
        f"{_HUB}Snowflake/snowflake-arctic-embed-l-v2.0",
        Pooling.CLS,
        "query: ",
        "",
    ),
    Family(
        "Arctic-embed",
        r"snowflake-arctic-embed-[a-z]+",
        f"{_HUB}Snowflake/snowflake-arctic-embed-m-v1.5",
        Pooling.CLS,
        _SEARCH_SENTENCE,
        "",
    ),
    Family(
        "Nomic-embed",
        r"nomic-embed-text-v[12]",
        f"{_HUB}nomic-ai/nomic-embed-text-v1.5",
        Pooling.MEAN,
        "search_query: ",
        "search_document: ",
    ),
    Family(
        "mxbai German",
        r"deepset-mxbai-embed-de-large-v1\b",
        f"{_HUB}mixedbread-ai/deepset-mxbai-embed-de-large-v1",
        Pooling.MEAN,
        "query: ",
        "passage: ",
    ),
    Family(
        "mxbai",
        r"mxbai-embed-(large|2d-large)-v1\b",
        f"{_HUB}mixedbread-ai/mxbai-embed-large-v1",
        Pooling.CLS,
        _SEARCH_SENTENCE,
        "",
    ),
)
"""First match wins, so the narrower row stands first. Pooling of a repository's own files wins over the row's."""


def family_of(names: Iterable[str]) -> Family | None:
    """Return the family of the first of ``names`` (hub ids, folder names) that belongs to one."""
    for name in names:
        bare = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].lower()
        for family in FAMILIES:
            if re.match(family.pattern, bare):
                return family
    return None
