"""Searches on their way to a cluster: texts become vectors here, everything else goes on as it came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.domain.fingerprint import check_queried
from antiphon.domain.processors.embedding import as_json
from antiphon.domain.role import Role
from antiphon.errors import AntiphonError
from antiphon.flows.cluster_book import ClusterBook, Headers, IndexFacts
from antiphon.flows.fingerprint import Fingerprints
from antiphon.flows.pipelines import Embed
from antiphon.query import BindScope, EmbedText, bound_body, wanted_texts


@dataclass(frozen=True, slots=True)
class ClusterSearch:
    """A body with a ``query``, the indices it asks, and the search pipeline that its address names."""

    body: Any
    expression: str = ""
    pipeline: str | None = None


class ClusterSearches:
    """Binds search bodies; one model call per model for all bodies of a request, each text as a query."""

    def __init__(self, book: ClusterBook, embed: Embed, fingerprints: Fingerprints) -> None:
        self._book = book
        self._embed = embed
        self._fingerprints = fingerprints

    def bind(self, searches: Sequence[ClusterSearch], headers: Headers) -> list[Any | AntiphonError]:
        """Return each body ready for the cluster, or what is wrong with it; one without a text is the same object."""
        prepared = [self._prepared(one, headers) for one in searches]
        vectors = self._vectors(
            [texts for found in prepared if not isinstance(found, AntiphonError) for texts in found[1]]
        )
        return [self._bound(one, found, vectors) for one, found in zip(searches, prepared, strict=True)]

    def _prepared(self, search: ClusterSearch, headers: Headers) -> tuple[BindScope, list[EmbedText]] | AntiphonError:
        try:
            if not _names_neural(search.body):
                return BindScope(), []
            inline = search.body.get("search_pipeline") if isinstance(search.body, dict) else None
            view = self._book.seen_by(headers)
            indices = view.held(search.expression)
            scope = view.scope(indices, search.pipeline, inline)
            texts = wanted_texts(search.body, scope)
            self._check(indices, texts)
            return scope, texts
        except AntiphonError as error:
            return error

    def _check(self, indices: Sequence[IndexFacts], texts: Sequence[EmbedText]) -> None:
        """IllegalArgument when a field holds vectors that a query of its model cannot be compared with."""
        for index in indices:
            held = index.fingerprints
            for text in texts if held else ():
                made = held.get(text.field)
                query = None if made is None else self._fingerprints.of(text.model_id, Role.QUERY)
                if made is not None and query is not None:
                    check_queried(index.name, text.field, made, query)

    def _vectors(self, texts: Sequence[EmbedText]) -> dict[tuple[str, str], list[float] | AntiphonError]:
        by_model: dict[str, dict[str, None]] = {}
        for one in texts:
            by_model.setdefault(one.model_id, {})[one.text] = None
        made: dict[tuple[str, str], list[float] | AntiphonError] = {}
        for model_id, wanted in by_model.items():
            try:
                rows = self._embed(model_id, list(wanted), Role.QUERY).rows
                made |= {(model_id, text): as_json(row) for text, row in zip(wanted, rows, strict=True)}
            except AntiphonError as error:
                made |= {(model_id, text): error for text in wanted}
        return made

    def _bound(
        self,
        search: ClusterSearch,
        prepared: tuple[BindScope, list[EmbedText]] | AntiphonError,
        made: dict[tuple[str, str], list[float] | AntiphonError],
    ) -> Any | AntiphonError:
        if isinstance(prepared, AntiphonError):
            return prepared
        scope, texts = prepared
        vectors: dict[EmbedText, list[float]] = {}
        for one in texts:
            vector = made[one.model_id, one.text]
            if isinstance(vector, AntiphonError):
                return vector
            vectors[one] = vector
        return bound_body(search.body, scope, vectors) if texts else search.body


def _names_neural(value: Any) -> bool:
    """True when a key of a body is ``neural`` or ``neural_sparse``: only then is the cluster asked for definitions."""
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            if "neural" in item or "neural_sparse" in item:
                return True
            left.extend(item.values())
        elif isinstance(item, list):
            left.extend(item)
    return False
