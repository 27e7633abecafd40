"""What the response processors of search pipelines do to a page of hits: one frozen value per processor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from antiphon.domain.ingest_document import IngestDocument, java_type
from antiphon.domain.regular_expression import RegularExpression
from antiphon.errors import IllegalArgument, IllegalState


@dataclass(slots=True)
class RankedHit:
    """One hit of the page. ``source`` and ``fields`` may be changed in place (they are copies); ``place`` is its
    position in the page as it was found."""

    id: str
    score: float | None
    source: dict[str, Any] | None
    fields: dict[str, list[Any]]
    place: int


@dataclass(slots=True)
class RankedPage:
    """What response processors change. ``context`` is what request processors remembered."""

    hits: list[RankedHit]
    max_score: float | None
    context: Mapping[str, Any] = field(default_factory=dict)


class ResponseWork(Protocol):
    """What a response processor does."""

    def change(self, page: RankedPage) -> None:
        """Change ``page``; AntiphonError when it cannot."""


@dataclass(frozen=True, slots=True)
class TruncateHits:
    """Keeps the first ``target_size`` hits; by default as many as were asked for before ``oversample``."""

    target_size: int | None = None
    context_prefix: str = ""

    def change(self, page: RankedPage) -> None:
        """See ``ResponseWork``."""
        size = self.target_size
        if size is None:
            key = context_key(self.context_prefix, "original_size")
            size = page.context.get(key)
            if size is None:
                raise IllegalState("Must specify target_size unless an earlier processor set original_size")
        del page.hits[size:]


@dataclass(frozen=True, slots=True)
class RenameField:
    """Moves a field to another name."""

    field: str
    target_field: str

    def change(self, page: RankedPage) -> None:
        """See ``ResponseWork``."""
        for hit in page.hits:
            found = False
            if self.field in hit.fields:
                hit.fields[self.target_field] = hit.fields.pop(self.field)
                found = True
            if hit.source is not None and _in_source(hit.source, self.field):
                value = _get(hit.source, self.field)
                _document(hit.source).remove(self.field)
                _document(hit.source).set(self.target_field, value)
                found = True
            if not found:
                raise IllegalArgument(f"Document with id {hit.id} is missing field {self.field}")


@dataclass(frozen=True, slots=True)
class SortField:
    """Sorts the items of a list."""

    field: str
    descending: bool
    target_field: str

    def change(self, page: RankedPage) -> None:
        """See ``ResponseWork``."""
        for hit in page.hits:
            if self.field in hit.fields:
                hit.fields[self.target_field] = self._sorted(hit.fields[self.field])
            if hit.source is not None and _in_source(hit.source, self.field):
                _document(hit.source).set(self.target_field, self._sorted(_get(hit.source, self.field)))

    def _sorted(self, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise IllegalArgument(
                f"field [{self.field}] of type [{java_type(value)}] cannot be cast to [java.util.List]"
            )
        try:
            return sorted(value, reverse=self.descending)
        except TypeError:
            raise IllegalArgument(
                f"field [{self.field}] contains an array with values that cannot be compared"
            ) from None


@dataclass(frozen=True, slots=True)
class SplitField:
    """Cuts a text into a list, at a regular expression."""

    field: str
    separator: RegularExpression
    target_field: str
    preserve_trailing: bool = False

    def change(self, page: RankedPage) -> None:
        """See ``ResponseWork``."""
        for hit in page.hits:
            if self.field in hit.fields:
                hit.fields[self.target_field] = self._split(hit.fields[self.field][0])
            if hit.source is not None and _in_source(hit.source, self.field):
                _document(hit.source).set(self.target_field, self._split(_get(hit.source, self.field)))

    def _split(self, value: Any) -> list[str]:
        if not isinstance(value, str):
            raise IllegalArgument(
                f"field [{self.field}] is not a string, cannot split: it is of type [{java_type(value)}]"
            )
        return self.separator.split(value, keep_empty_ends=self.preserve_trailing)


@dataclass(frozen=True, slots=True)
class CollapseHits:
    """Keeps the first hit of every value of a field."""

    field: str

    def change(self, page: RankedPage) -> None:
        """See ``ResponseWork``."""
        seen: set[str] = set()
        kept = []
        for hit in page.hits:
            value = self._value(hit)
            if value not in seen:
                seen.add(value)
                kept.append(hit)
        page.hits[:] = kept

    def _value(self, hit: RankedHit) -> str:
        if self.field in hit.fields:
            values = hit.fields[self.field]
            if len(values) != 1:
                raise IllegalArgument(
                    f"Failed to extract {self.field} from hit {hit.id}: it has {len(values)} values, not one"
                )
            return repr(values[0])
        if hit.source is not None:
            return repr(_get(hit.source, self.field) if _in_source(hit.source, self.field) else None)
        raise IllegalArgument(f"Document {hit.id} doesn't have field value for collapse field [{self.field}]")


@dataclass(frozen=True, slots=True)
class HybridScoreExplanation:
    """Asks for the tree of a hybrid's score; the search itself sees to it."""

    def change(self, page: RankedPage) -> None:
        """Change nothing: see ``ResponseWork``."""


@dataclass(frozen=True, slots=True)
class RerankByField:
    """Orders the page anew by the number at ``target_field`` of each hit's source."""

    target_field: str
    remove_target_field: bool = False
    keep_previous_score: bool = False

    def change(self, page: RankedPage) -> None:
        """See ``ResponseWork``."""
        for hit in page.hits:
            score = self._number(hit)
            if hit.source is not None:
                if self.remove_target_field:
                    _document(hit.source).remove(self.target_field)
                if self.keep_previous_score:
                    hit.source["previous_score"] = hit.score
            hit.score = score
        page.hits.sort(key=lambda hit: -(hit.score or 0.0))
        page.max_score = page.hits[0].score if page.hits else None

    def _number(self, hit: RankedHit) -> float:
        if hit.source is None:
            raise IllegalArgument(f"There is no source field to be able to perform rerank on hit [{hit.id}]")
        if not _in_source(hit.source, self.target_field):
            raise IllegalArgument(f"The field to rerank by is not found at hit [{hit.id}]")
        value = _get(hit.source, self.target_field)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            kind = java_type(value).rpartition(".")[2]
            raise IllegalArgument(
                f"The field mapping to rerank by [{value}] is not Numerical, instead of type [{kind}]"
            )
        return float(value)


def context_key(prefix: str, name: str) -> str:
    """Return the name under which a request processor remembers a value."""
    return f"{prefix}.{name}" if prefix else name


def _document(source: dict[str, Any]) -> IngestDocument:
    return IngestDocument("", source)


def _in_source(source: dict[str, Any], path: str) -> bool:
    return _document(source).has(path)


def _get(source: dict[str, Any], path: str) -> Any:
    return _document(source).get(path)
