"""What is asked? A search body becomes frozen types. Pure."""

from antiphon.query.catalog.parse import parse_search as parse_catalog_search
from antiphon.query.catalog.parse_clause import parse_query as parse_catalog_query
from antiphon.query.catalog.run import run_search as run_catalog_search
from antiphon.query.catalog.schema import Document, Schema
from antiphon.query.catalog.search import CatalogSearch, Found, Hit, Total
from antiphon.query.nodes import Fetch, Query
from antiphon.query.result import Explanation, Leg, SearchHit, ShardResult
from antiphon.query.search import Search

__all__ = [
    "CatalogSearch",
    "Document",
    "Explanation",
    "Fetch",
    "Found",
    "Hit",
    "Leg",
    "Query",
    "Schema",
    "Search",
    "SearchHit",
    "ShardResult",
    "Total",
    "parse_catalog_query",
    "parse_catalog_search",
    "run_catalog_search",
]
