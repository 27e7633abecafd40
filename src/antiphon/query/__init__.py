"""What is asked? A search body becomes frozen types. Pure."""

from antiphon.query.catalog.parse import parse_search as parse_catalog_search
from antiphon.query.catalog.parse_clause import parse_query as parse_catalog_query
from antiphon.query.catalog.run import run_search as run_catalog_search
from antiphon.query.catalog.schema import Document, Schema
from antiphon.query.catalog.search import CatalogSearch, Found, Hit, Total
from antiphon.query.nodes import Bool, Exists, Fetch, MatchAll, Nested, Query, SourceFilter
from antiphon.query.page import Page, PageHit
from antiphon.query.parse.clause import parse_query
from antiphon.query.parse.fetch import parse_source
from antiphon.query.parse.reasons import is_shard_failure
from antiphon.query.parse.search import parse_search
from antiphon.query.result import Explanation, InnerResult, Leg, SearchHit, ShardResult
from antiphon.query.scope import DefaultModels, Scope
from antiphon.query.search import EmbedText, Search, Slot, Vector

__all__ = [
    "Bool",
    "CatalogSearch",
    "DefaultModels",
    "Document",
    "EmbedText",
    "Exists",
    "Explanation",
    "Fetch",
    "Found",
    "Hit",
    "InnerResult",
    "Leg",
    "MatchAll",
    "Nested",
    "Page",
    "PageHit",
    "Query",
    "Schema",
    "Scope",
    "Search",
    "SearchHit",
    "ShardResult",
    "Slot",
    "SourceFilter",
    "Total",
    "Vector",
    "is_shard_failure",
    "parse_catalog_query",
    "parse_catalog_search",
    "parse_query",
    "parse_search",
    "parse_source",
    "run_catalog_search",
]
