"""What is asked? A search body becomes frozen types. Pure."""

from antiphon.query.aggregations import (
    Aggregation,
    Composite,
    CompositeSource,
    DateHistogram,
    FiltersAggregation,
    GlobalAggregation,
    Histogram,
    Metric,
    MetricKind,
    MissingAggregation,
    NestedAggregation,
    RangeAggregation,
    RangeBucket,
    TermsAggregation,
    TopHits,
)
from antiphon.query.calendar import bucket_start, bucket_starts
from antiphon.query.catalog.parse import parse_search as parse_catalog_search
from antiphon.query.catalog.parse_clause import parse_query as parse_catalog_query
from antiphon.query.catalog.run import run_search as run_catalog_search
from antiphon.query.catalog.schema import Document, Schema
from antiphon.query.catalog.search import CatalogSearch, Found, Hit, Total
from antiphon.query.fusion import Bound, Fused, FusionSpec, RankFusion, ScoreFusion, check_legs, fuse
from antiphon.query.fusion_parse import parse_fusion
from antiphon.query.nodes import Bool, Exists, Fetch, MatchAll, Nested, Query, SourceFilter
from antiphon.query.page import Page, PageHit
from antiphon.query.parse.clause import parse_query
from antiphon.query.parse.fetch import parse_source
from antiphon.query.parse.reasons import is_shard_failure
from antiphon.query.parse.search import parse_search
from antiphon.query.partial import (
    BucketPartial,
    BucketsPartial,
    MetricPartial,
    Partial,
    SinglePartial,
    TopHitsPartial,
)
from antiphon.query.reduce import finish, finish_all, merge, merge_all
from antiphon.query.reduce_order import compare_sort
from antiphon.query.render import render_query
from antiphon.query.result import Explanation, InnerResult, Leg, SearchHit, ShardResult
from antiphon.query.scope import DefaultModels, Scope
from antiphon.query.search import EmbedText, Search, Slot, Vector
from antiphon.query.source_filter import filter_source
from antiphon.query.url import URL_PARAMETERS, merge_url, url_query

__all__ = [
    "URL_PARAMETERS",
    "Aggregation",
    "Bool",
    "Bound",
    "BucketPartial",
    "BucketsPartial",
    "CatalogSearch",
    "Composite",
    "CompositeSource",
    "DateHistogram",
    "DefaultModels",
    "Document",
    "EmbedText",
    "Exists",
    "Explanation",
    "Fetch",
    "FiltersAggregation",
    "Found",
    "Fused",
    "FusionSpec",
    "GlobalAggregation",
    "Histogram",
    "Hit",
    "InnerResult",
    "Leg",
    "MatchAll",
    "Metric",
    "MetricKind",
    "MetricPartial",
    "MissingAggregation",
    "Nested",
    "NestedAggregation",
    "Page",
    "PageHit",
    "Partial",
    "Query",
    "RangeAggregation",
    "RangeBucket",
    "RankFusion",
    "Schema",
    "Scope",
    "ScoreFusion",
    "Search",
    "SearchHit",
    "ShardResult",
    "SinglePartial",
    "Slot",
    "SourceFilter",
    "TermsAggregation",
    "TopHits",
    "TopHitsPartial",
    "Total",
    "Vector",
    "bucket_start",
    "bucket_starts",
    "check_legs",
    "compare_sort",
    "filter_source",
    "finish",
    "finish_all",
    "fuse",
    "is_shard_failure",
    "merge",
    "merge_all",
    "merge_url",
    "parse_catalog_query",
    "parse_catalog_search",
    "parse_fusion",
    "parse_query",
    "parse_search",
    "parse_source",
    "render_query",
    "run_catalog_search",
    "url_query",
]
