"""Hits as JSON, in OpenSearch's order of keys."""

from __future__ import annotations

from typing import Any

import numpy as np

from antiphon.query import InnerResult, PageHit, SearchHit
from antiphon.wire.explanation import render_explanation

PRIMARY_TERM = 1
"""A single node never changes its primary."""


def render_hit(found: PageHit, node_id: str, *, bare: bool = False) -> dict[str, Any]:
    """Return one hit; ``bare`` leaves out ``_id`` (``stored_fields: _none_``). Scores are 32-bit floats.

    One that is explained names its shard, and the node that has it.
    """
    return _hit(found.index, found.hit, node_id, bare=bare)


def _hit(index: str, hit: SearchHit, node_id: str, *, bare: bool = False) -> dict[str, Any]:
    shown: dict[str, Any] = {"_index": index}
    if hit.explanation is not None:
        shown = {"_shard": f"[{index}][0]", "_node": node_id, "_index": index}
    if not bare:
        shown["_id"] = hit.id
    if hit.nested is not None:
        shown["_nested"] = _nested(hit.nested)
    if hit.version is not None:
        shown["_version"] = hit.version
    if hit.seq_no is not None:
        shown |= {"_seq_no": hit.seq_no, "_primary_term": PRIMARY_TERM}
    shown["_score"] = _score(hit.score)
    if hit.ignored:
        shown["_ignored"] = list(hit.ignored)
    if hit.routing is not None:
        shown["_routing"] = hit.routing
    if hit.source is not None:
        shown["_source"] = hit.source
    return shown | _extras(index, hit, node_id) if _has_extras(hit) else shown


def _has_extras(hit: SearchHit) -> bool:
    asked = hit.fields or hit.highlight or hit.matched_queries or hit.inner_hits
    return bool(asked) or hit.sort is not None or hit.explanation is not None


def _extras(index: str, hit: SearchHit, node_id: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if hit.fields:
        shown["fields"] = hit.fields
    if hit.highlight:
        shown["highlight"] = hit.highlight
    if hit.sort is not None:
        shown["sort"] = list(hit.sort)
    if hit.matched_queries:
        shown["matched_queries"] = list(hit.matched_queries)
    if hit.explanation is not None:
        shown["_explanation"] = render_explanation(hit.explanation)
    if hit.inner_hits:
        shown["inner_hits"] = {name: _inner(index, inner, node_id) for name, inner in hit.inner_hits.items()}
    return shown


def _inner(index: str, inner: InnerResult, node_id: str) -> dict[str, Any]:
    return {
        "hits": {
            "total": {"value": inner.total, "relation": "eq"},
            "max_score": _score(inner.max_score),
            "hits": [_hit(index, hit, node_id) for hit in inner.hits],
        }
    }


def _nested(nested: Any) -> dict[str, Any]:
    shown = {"field": nested["field"], "offset": nested["offset"]}
    inner = nested.get("_nested", nested.get("inner"))
    return shown if inner is None else shown | {"_nested": _nested(inner)}


def _score(score: float | None) -> np.float32 | None:
    return None if score is None or score != score else np.float32(score)
