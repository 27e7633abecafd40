"""What a search found, as OpenSearch's search response."""

from __future__ import annotations

from typing import Any

from antiphon.query import Found, Hit


def render_found(found: Found, index: str, *, took_ms: int) -> dict[str, Any]:
    """Return the response body; each hit carries its version and sequence number, as ML Commons' searches do."""
    hits: dict[str, Any] = {}
    if found.total is not None:
        hits["total"] = _total(found)
    hits["max_score"] = found.max_score
    hits["hits"] = [_render_hit(index, hit) for hit in found.hits]
    body = {
        "took": took_ms,
        "timed_out": False,
        "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
        "hits": hits,
    }
    return body | ({"aggregations": found.aggregations} if found.aggregations else {})


def _total(found: Found) -> dict[str, Any]:
    """Return ``hits.total`` as an object."""
    total = found.total
    return {} if total is None else {"value": total.value, "relation": total.relation}


def _render_hit(index: str, hit: Hit) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "_index": index,
        "_id": hit.document.id,
        "_version": hit.document.version,
        "_seq_no": hit.document.seq_no,
        "_primary_term": 1,
        "_score": hit.score,
    }
    if hit.source is not None:
        shown["_source"] = hit.source
    return shown | ({"sort": list(hit.sort)} if hit.sort is not None else {})
