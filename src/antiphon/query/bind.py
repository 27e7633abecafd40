"""Search bodies for an engine that has no models: every ``neural`` clause becomes the equal ``knn`` clause.

A body is rewritten only where a query clause may stand, so that a field, a term or a document of the name ``neural``
stays what it is. A clause that nobody gives a model stays too: it may ask a semantic field that the engine embeds.
``wanted_texts`` says what must be embedded; ``bound_body`` takes the vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from antiphon.errors import IllegalArgument
from antiphon.query.parse.reasons import refused
from antiphon.query.parse.vector import NEURAL_K, check_neural, neural_model, one_vector_field
from antiphon.query.scope import DefaultModels
from antiphon.query.search import EmbedText

Json = dict[str, Any]
Answer = Callable[[EmbedText], Sequence[float]]
"""The vector of a text."""

_CLAUSES: Mapping[str, tuple[str, ...]] = {
    "bool": ("must", "filter", "should", "must_not"),
    "boosting": ("positive", "negative"),
    "constant_score": ("filter",),
    "dis_max": ("queries",),
    "function_score": ("query",),
    "has_child": ("query",),
    "has_parent": ("query",),
    "hybrid": ("queries", "filter"),
    "nested": ("query",),
    "pinned": ("organic",),
    "script_score": ("query",),
}
"""Clauses by the options that hold a clause, or a list of them."""
_KEPT = (
    "k", "max_distance", "min_score", "method_parameters", "rescore", "expand_nested_docs", "boost", "_name",
)  # fmt: skip
"""Options that a ``knn`` clause takes over from a ``neural`` one as they are."""
_MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class EmbeddedField:
    """Where a semantic field's embeddings are: the vector field, its nested path when the text is cut into chunks, and
    the model of queries."""

    vector: str
    model_id: str
    nested: str | None = None


@dataclass(frozen=True, slots=True)
class BindScope:
    """What is known of the indices that are asked: the default models, the semantic fields by path, and those that the
    indices embed in different ways (``mixed``). With ``others`` the engine may embed semantic fields of its own."""

    models: DefaultModels = field(default_factory=DefaultModels)
    semantic: Mapping[str, EmbeddedField] = field(default_factory=dict)
    mixed: frozenset[str] = frozenset()
    others: bool = True


def wanted_texts(body: Any, scope: BindScope) -> list[EmbedText]:
    """Return the texts to embed for a search body, each once; empty when it has no ``neural`` clause.

    IllegalArgument and ParsingError, in OpenSearch's words, for a ``neural`` clause that cannot be answered.
    """
    found: dict[EmbedText, None] = {}

    def note(text: EmbedText) -> Sequence[float]:
        found[text] = None
        return ()

    _Binder(scope, note).search(body)
    return list(found)


def bound_body(body: Any, scope: BindScope, vectors: Mapping[EmbedText, Sequence[float]]) -> Any:
    """Return the body with a vector in place of each wanted text; parts without one are shared with ``body``."""
    return _Binder(scope, vectors.__getitem__).search(body)


class _Binder:
    """Copies what it changes; what holds no ``neural`` clause is returned as it is."""

    def __init__(self, scope: BindScope, answer: Answer) -> None:
        self._scope = scope
        self._answer = answer
        self._depth = 0

    def search(self, body: Any) -> Any:
        """Rewrite a search body, or another one with a ``query``."""
        steps: Mapping[str, Callable[[Any], Any]] = {
            "query": self.clause,
            "post_filter": self.clause,
            "rescore": self._each(self._rescore),
            "aggs": self._aggregations,
            "aggregations": self._aggregations,
            "sort": self._each(self._sort),
            "highlight": self._highlight,
        }
        return _changed(body, steps)

    def clause(self, body: Any) -> Any:
        """Rewrite one clause; what is none is left to the engine to refuse."""
        if not isinstance(body, dict) or not any(isinstance(options, dict) for options in body.values()):
            return body
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise IllegalArgument(f"the query is nested more than {_MAX_DEPTH} levels deep: flatten it")
        try:
            renamed = [self._one(name, options) for name, options in body.items()]
        finally:
            self._depth -= 1
        same = all(new is options for (_, new), options in zip(renamed, body.values(), strict=True))
        return body if same else dict(renamed)

    def _one(self, name: str, options: Any) -> tuple[str, Any]:
        if not isinstance(options, dict):
            return name, options
        match name:
            case "neural":
                return self._neural(options)
            case "neural_sparse":
                _refuse_sparse_text(options)
                return name, options
            case "knn":
                inner = _changed(options, dict.fromkeys(options, self._nearest))
                return name, inner
            case "function_score":
                return name, _changed(options, {"query": self.clause, "functions": self._each(self._filtered)})
            case _:
                return name, _changed(options, dict.fromkeys(_CLAUSES.get(name, ()), self._each(self.clause)))

    def _neural(self, options: Json) -> tuple[str, Json]:
        name, inner = one_vector_field("neural", options)
        if name in self._scope.mixed:
            raise IllegalArgument(
                f"the semantic field [{name}] is embedded in different ways by the indices that are asked: search them "
                "one by one"
            )
        target = self._scope.semantic.get(name)
        path = name if target is None else target.vector
        own, default = None if target is None else target.model_id, self._scope.models.model_for(name)
        if self._scope.others and inner.get("model_id") is None and own is None and default is None:
            return "neural", _changed(options, {name: self._nearest})
        check_neural(inner, semantic=target is not None)
        vector = self._answer(EmbedText(neural_model(inner, own, default), str(inner["query_text"]), path))
        asked: Json = {"vector": vector, **{key: inner[key] for key in _KEPT if inner.get(key) is not None}}
        if not asked.keys() & {"k", "max_distance", "min_score"}:
            asked["k"] = NEURAL_K
        if inner.get("filter") is not None:
            asked["filter"] = self.clause(inner["filter"])
        if target is None or target.nested is None:
            return "knn", {path: asked}
        outer: Json = {key: asked.pop(key) for key in ("boost", "_name") if key in asked}
        return "nested", {"path": target.nested, "query": {"knn": {path: asked}}, "score_mode": "max", **outer}

    def _nearest(self, options: Any) -> Any:
        return _changed(options, {"filter": self.clause})

    def _filtered(self, entry: Any) -> Any:
        return _changed(entry, {"filter": self.clause})

    def _rescore(self, entry: Any) -> Any:
        return _changed(entry, {"query": lambda query: _changed(query, {"rescore_query": self.clause})})

    def _sort(self, entry: Any) -> Any:
        if not isinstance(entry, dict):
            return entry
        return _changed(entry, dict.fromkeys(entry, lambda key: _changed(key, {"nested": self._nested_sort})))

    def _nested_sort(self, nested: Any) -> Any:
        return _changed(nested, {"filter": self.clause, "nested": self._nested_sort})

    def _highlight(self, body: Any) -> Any:
        marked = {"highlight_query": self.clause}

        def by_name(fields: Any) -> Any:
            if not isinstance(fields, dict):
                return fields
            return _changed(fields, dict.fromkeys(fields, lambda one: _changed(one, marked)))

        return _changed(body, {**marked, "fields": self._each(by_name)})

    def _aggregations(self, body: Any) -> Any:
        return _changed(body, dict.fromkeys(body, self._aggregation)) if isinstance(body, dict) else body

    def _aggregation(self, body: Any) -> Any:
        background = {"background_filter": self.clause}
        named = {"filters": self._named}
        return _changed(
            body,
            {
                "aggs": self._aggregations,
                "aggregations": self._aggregations,
                "filter": self.clause,
                "filters": lambda options: _changed(options, named),
                "adjacency_matrix": lambda options: _changed(options, named),
                "significant_terms": lambda options: _changed(options, background),
                "significant_text": lambda options: _changed(options, background),
            },
        )

    def _named(self, filters: Any) -> Any:
        if isinstance(filters, list):
            return self._each(self.clause)(filters)
        return _changed(filters, dict.fromkeys(filters, self.clause)) if isinstance(filters, dict) else filters

    def _each(self, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def apply(value: Any) -> Any:
            if not isinstance(value, list):
                return step(value)
            items = [step(item) for item in value]
            return value if all(map(_same, items, value)) else items

        return apply


def _changed(body: Any, steps: Mapping[str, Callable[[Any], Any]]) -> Any:
    """Return an object with each step applied to the value of its key; the object itself when nothing changes."""
    if not isinstance(body, dict):
        return body
    fresh = {key: steps[key](value) for key, value in body.items() if key in steps}
    if all(fresh[key] is body[key] for key in fresh):
        return body
    return {key: fresh.get(key, value) for key, value in body.items()}


def _same(one: Any, other: Any) -> bool:
    return one is other


def _refuse_sparse_text(options: Json) -> None:
    for inner in options.values():
        if isinstance(inner, dict) and inner.get("query_text") is not None and inner.get("query_tokens") is None:
            raise refused("neural_sparse with query_text", "give the token weights as [query_tokens]")
