"""A field of an index: its type, its options, and how a JSON value of it becomes a typed one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from antiphon.domain.space import Space


class FieldType(StrEnum):
    """The field types this server knows; the words are OpenSearch's."""

    TEXT = "text"
    MATCH_ONLY_TEXT = "match_only_text"
    KEYWORD = "keyword"
    LONG = "long"
    INTEGER = "integer"
    SHORT = "short"
    BYTE = "byte"
    UNSIGNED_LONG = "unsigned_long"
    DOUBLE = "double"
    FLOAT = "float"
    HALF_FLOAT = "half_float"
    SCALED_FLOAT = "scaled_float"
    BOOLEAN = "boolean"
    DATE = "date"
    IP = "ip"
    BINARY = "binary"
    OBJECT = "object"
    NESTED = "nested"
    FLAT_OBJECT = "flat_object"
    ALIAS = "alias"
    KNN_VECTOR = "knn_vector"
    SEMANTIC = "semantic"
    RANK_FEATURE = "rank_feature"
    RANK_FEATURES = "rank_features"


class Family(StrEnum):
    """How the engine keeps the values of a field, and so which queries fit it."""

    TEXT = "text"
    """Analysed terms with positions: ``list[str]`` of whole texts."""
    KEYWORD = "keyword"
    """Exact strings: keyword, ip (canonical text), flat_object (also one column per inner path)."""
    WHOLE = "whole"
    """int64: long, integer, short, byte, unsigned_long (63 bits), boolean (0/1), date (epoch milliseconds)."""
    REAL = "real"
    """float64: double, float (rounded to float32), half_float, scaled_float, rank_feature."""
    VECTOR = "vector"
    """float32 ``[dimension]``."""
    FEATURES = "features"
    """Token -> weight: rank_features."""
    NONE = "none"
    """Nothing to search: object, nested, alias, binary."""


FAMILIES: Mapping[FieldType, Family] = {
    FieldType.TEXT: Family.TEXT,
    FieldType.MATCH_ONLY_TEXT: Family.TEXT,
    FieldType.KEYWORD: Family.KEYWORD,
    FieldType.IP: Family.KEYWORD,
    FieldType.FLAT_OBJECT: Family.KEYWORD,
    FieldType.LONG: Family.WHOLE,
    FieldType.INTEGER: Family.WHOLE,
    FieldType.SHORT: Family.WHOLE,
    FieldType.BYTE: Family.WHOLE,
    FieldType.UNSIGNED_LONG: Family.WHOLE,
    FieldType.BOOLEAN: Family.WHOLE,
    FieldType.DATE: Family.WHOLE,
    FieldType.DOUBLE: Family.REAL,
    FieldType.FLOAT: Family.REAL,
    FieldType.HALF_FLOAT: Family.REAL,
    FieldType.SCALED_FLOAT: Family.REAL,
    FieldType.RANK_FEATURE: Family.REAL,
    FieldType.KNN_VECTOR: Family.VECTOR,
    FieldType.RANK_FEATURES: Family.FEATURES,
    FieldType.OBJECT: Family.NONE,
    FieldType.NESTED: Family.NONE,
    FieldType.ALIAS: Family.NONE,
    FieldType.BINARY: Family.NONE,
}
"""``semantic`` has the family of its ``raw_field_type``: ask ``Field.family``."""


class DataType(StrEnum):
    """What one component of a stored vector is."""

    FLOAT = "float"
    BYTE = "byte"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class VectorSpec:
    """What a ``knn_vector`` field holds. ``ann`` is False when ``index.knn`` was off: only exact scripts may search.

    ``dimension`` counts components (bits for BINARY, whose value is ``dimension / 8`` signed bytes). ``m``,
    ``ef_construction`` tune the graph; ``graph`` is False when the method is ``flat`` or the space has no graph.
    """

    dimension: int
    space: Space
    data_type: DataType = DataType.FLOAT
    engine: str = "faiss"
    ann: bool = True
    graph: bool = True
    m: int = 16
    ef_construction: int = 100


@dataclass(frozen=True, slots=True)
class FieldDefaults:
    """What an index's settings say of values that do not fit, where their field says nothing: ignored, or made to fit.

    ``index.mapping.ignore_malformed`` and ``index.mapping.coerce``.
    """

    ignore_malformed: bool = False
    coerce: bool = True


@dataclass(frozen=True, slots=True)
class Field:
    """One leaf or object of a mapping, addressed by its dotted ``path`` (multi-fields: ``f.sub``).

    ``options`` is the mapping's own JSON for it, as GET shows it, without ``properties`` and ``fields``. ``nested`` is
    the nearest enclosing nested path, ``""`` for none (a nested field itself: the one around it). ``source`` is the
    path in ``_source`` that feeds it (of a multi-field its parent's). ``target`` is what an alias stands for.
    """

    path: str
    type: FieldType
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    nested: str = ""
    source: str = ""
    indexed: bool = True
    doc_values: bool = True
    family: Family = Family.NONE
    analyzer: str = "standard"
    search_analyzer: str = "standard"
    norms: bool = True
    ignore_above: int | None = None
    vector: VectorSpec | None = None
    target: str | None = None


IGNORED = Field("_ignored", FieldType.KEYWORD, family=Family.KEYWORD)
"""The paths of the fields whose values ``ignore_malformed`` kept out of a document; in no mapping."""
