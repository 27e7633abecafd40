"""What is asked? A search body becomes frozen types, which are then matched against documents. Pure."""

from antiphon.query.parse import parse_search
from antiphon.query.parse_clause import parse_query
from antiphon.query.run import run_search
from antiphon.query.schema import Document, Schema
from antiphon.query.search import CatalogSearch, Found, Hit, Total

__all__ = ["CatalogSearch", "Document", "Found", "Hit", "Schema", "Total", "parse_query", "parse_search", "run_search"]
