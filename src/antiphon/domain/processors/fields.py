"""Processors that move whole fields: set, rename, remove, copy, append."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from antiphon.domain.ingest_document import IngestDocument
from antiphon.domain.mustache import Template, ValueTemplate
from antiphon.errors import IllegalArgument

_METADATA = frozenset({"_index", "_id", "_routing", "_version", "_version_type"})
_KEPT_METADATA = frozenset({"_index", "_version", "_version_type"})


@dataclass(frozen=True, slots=True)
class Set:
    """``value``, or what ``copy_from`` names, is written; without ``override`` only where there is nothing yet."""

    field: Template
    value: ValueTemplate | None
    copy_from: Template | None
    override: bool = True
    ignore_empty_value: bool = False

    def change(self, document: IngestDocument) -> None:
        """See ``Change``."""
        field = self.field.render(document)
        if not self.override and document.get_or(field) is not None:
            return
        if self.copy_from is not None:
            value = deepcopy(document.get(_named(self.copy_from.render(document))))
        else:
            value = None if self.value is None else self.value.render(document)
        if not (self.ignore_empty_value and value in (None, "")):
            document.set(field, value)


@dataclass(frozen=True, slots=True)
class Rename:
    """Moves a field; IllegalArgument when it is missing or the target is taken."""

    field: Template
    target_field: Template
    ignore_missing: bool = False
    override_target: bool = False

    def change(self, document: IngestDocument) -> None:
        """See ``Change``."""
        field, target = _named(self.field.render(document)), self.target_field.render(document)
        if not document.has(field):
            if self.ignore_missing:
                return
            raise IllegalArgument(f"field [{field}] doesn't exist")
        if document.has(target) and not self.override_target:
            raise IllegalArgument(f"field [{target}] already exists")
        value = document.get(field)
        document.remove(field)
        document.set(target, value)


@dataclass(frozen=True, slots=True)
class Remove:
    """Removes ``fields``, or, when ``exclude`` is given, everything at the top but those."""

    fields: tuple[Template, ...]
    exclude: tuple[Template, ...] = ()
    ignore_missing: bool = False

    def change(self, document: IngestDocument) -> None:
        """See ``Change``."""
        if self.exclude:
            kept = {template.render(document) for template in self.exclude}
            _keep_only(document.source, kept)
            return
        for template in self.fields:
            field = template.render(document)
            if field in _KEPT_METADATA:
                raise IllegalArgument(f"cannot remove metadata field [{field}]")
            if field and document.has(field):
                document.remove(field)
            elif not self.ignore_missing:
                raise IllegalArgument(f"field [{_named(field)}] doesn't exist")


@dataclass(frozen=True, slots=True)
class Copy:
    """Copies a field; IllegalArgument when it is missing or the target is taken."""

    source_field: Template
    target_field: Template
    override_target: bool = False
    remove_source: bool = False
    ignore_missing: bool = False

    def change(self, document: IngestDocument) -> None:
        """See ``Change``."""
        source, target = self.source_field.render(document), self.target_field.render(document)
        if not (source and document.has(source)):
            if self.ignore_missing:
                return
            raise IllegalArgument(f"source field [{_named(source)}] doesn't exist")
        if target == source:
            raise IllegalArgument("source field path and target field path cannot be same")
        if document.has(target) and not self.override_target:
            raise IllegalArgument(f"target field [{target}] already exists")
        document.set(target, deepcopy(document.get(source)))
        if self.remove_source:
            document.remove(source)


@dataclass(frozen=True, slots=True)
class Append:
    """Adds one value or several to the end of a list, which a lone value becomes and a missing field is."""

    field: Template
    value: ValueTemplate
    allow_duplicates: bool = True

    def change(self, document: IngestDocument) -> None:
        """See ``Change``."""
        field, value = self.field.render(document), self.value.render(document)
        added: list[Any] = value if isinstance(value, list) else [value]
        present = document.get_or(field)
        items = list(present) if isinstance(present, list) else [] if present is None else [present]
        items += [item for item in added if self.allow_duplicates or item not in items]
        document.set(field, items)


def _named(field: str) -> str:
    if not field.strip():
        raise IllegalArgument("field path cannot be null nor empty")
    return field


def _keep_only(source: dict[str, Any], kept: set[str], at: str = "") -> None:
    for key in list(source):
        path = f"{at}{key}"
        if path in kept:
            continue
        value = source[key]
        if isinstance(value, dict) and any(name.startswith(f"{path}.") for name in kept):
            _keep_only(value, kept, f"{path}.")
        else:
            del source[key]
