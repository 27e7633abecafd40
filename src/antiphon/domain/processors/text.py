"""Processors of texts: lowercase, uppercase, trim, html_strip, split, join, gsub."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from antiphon.domain.ingest_document import IngestDocument, java_type
from antiphon.domain.regular_expression import RegularExpression
from antiphon.errors import IllegalArgument

_BLOCKS = (
    "address|article|aside|blockquote|br|center|dd|dir|div|dl|dt|fieldset|footer|form|frameset|h[1-6]|header|hr|li|"
    "main|menu|nav|noframes|noscript|ol|p|pre|section|table|tbody|td|tfoot|th|thead|tr|ul"
)
_HIDDEN = re.compile(r"<(script|style)\b[^>]*>.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->|<![^>]*>|<\?[^>]*>", re.DOTALL)
_BLOCK = re.compile(rf"</?(?:{_BLOCKS})\b(?:\"[^\"]*\"|'[^']*'|[^>\"'])*>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z](?:\"[^\"]*\"|'[^']*'|[^>\"'])*>")


@dataclass(frozen=True, slots=True)
class EachText:
    """Applies a function to a text, or to every text of a list."""

    field: str
    target_field: str
    ignore_missing: bool
    function: Callable[[str], Any]

    def change(self, document: IngestDocument) -> None:
        """See ``Change``."""
        value = document.get_or(self.field) if self.ignore_missing else document.get(self.field)
        if value is None:
            if self.ignore_missing:
                return
            raise IllegalArgument(f"field [{self.field}] is null, cannot process it.")
        if isinstance(value, list):
            changed: Any = [self.function(self._text(item)) for item in value]
        else:
            changed = self.function(self._text(value))
        document.set(self.target_field, changed)

    def _text(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        raise IllegalArgument(cannot_cast(self.field, value, "java.lang.String"))


@dataclass(frozen=True, slots=True)
class Split:
    """Cuts a text at a regular expression; empty parts at the end are dropped unless ``preserve_trailing``."""

    field: str
    target_field: str
    separator: RegularExpression
    preserve_trailing: bool = False
    ignore_missing: bool = False

    def change(self, document: IngestDocument) -> None:
        """See ``Change``."""
        value = document.get_or(self.field) if self.ignore_missing else document.get(self.field)
        if value is None and self.ignore_missing:
            return
        if value is None:
            raise IllegalArgument(f"field [{self.field}] is null, cannot split.")
        if not isinstance(value, str):
            raise IllegalArgument(cannot_cast(self.field, value, "java.lang.String"))
        document.set(self.target_field, self.separator.split(value, keep_empty_ends=self.preserve_trailing))


@dataclass(frozen=True, slots=True)
class Join:
    """Joins the items of a list with a separator."""

    field: str
    target_field: str
    separator: str

    def change(self, document: IngestDocument) -> None:
        """See ``Change``."""
        value = document.get(self.field)
        if value is None:
            raise IllegalArgument(f"field [{self.field}] is null, cannot join.")
        if not isinstance(value, list):
            raise IllegalArgument(cannot_cast(self.field, value, "java.util.List"))
        document.set(self.target_field, self.separator.join(java_text(item) for item in value))


def cannot_cast(field: str, value: Any, wanted: str) -> str:
    """Return OpenSearch's sentence about a value of another type."""
    return f"field [{field}] of type [{java_type(value)}] cannot be cast to [{wanted}]"


def java_text(value: Any) -> str:
    """Return a scalar as Java prints it."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def strip_html(text: str) -> str:
    """Return the text without tags: block tags become line breaks, entities their characters."""
    bare = _COMMENT.sub("", _HIDDEN.sub("\n", text))
    return html.unescape(_TAG.sub("", _BLOCK.sub("\n", bare)))


def trim(text: str) -> str:
    """Return the text without the blanks and control characters at its ends, as Java's ``trim``."""
    return text.strip("".join(map(chr, range(33))))
