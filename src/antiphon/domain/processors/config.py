"""Reads the configuration of one processor; errors are OpenSearch's, with the processor's type and tag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.domain.ingest_document import java_type
from antiphon.domain.mustache import Template, read_template
from antiphon.domain.regular_expression import RegularExpression
from antiphon.errors import ParseError


class Config:
    """Every getter takes its key away; ``end`` complains of those that are left."""

    def __init__(self, processor: str, body: Mapping[str, Any]) -> None:
        self.processor = processor
        self._body = dict(body)
        tag = body.get("tag")
        self._tag = tag if isinstance(tag, str) else None

    def metadata(self, key: str | None = None) -> dict[str, Any]:
        """Return what an error says beside its reason."""
        values = {"processor_type": self.processor, "processor_tag": self._tag, "property_name": key}
        return {name: value for name, value in values.items() if value is not None}

    def error(self, key: str, reason: str) -> ParseError:
        """Return the error about one property."""
        return ParseError(f"[{key}] {reason}", metadata=self.metadata(key))

    def raw(self, key: str) -> Any:
        """Return the value, None when absent."""
        return self._body.pop(key, None)

    def has(self, key: str) -> bool:
        """True when the key is there."""
        return key in self._body

    def required(self, key: str) -> Any:
        """Return the value; ParseError when it is absent or null."""
        value = self.raw(key)
        if value is None:
            raise self.error(key, "required property is missing")
        return value

    def text_or_none(self, key: str) -> str | None:
        """Return a string, None when absent."""
        value = self.raw(key)
        if value is None or isinstance(value, str):
            return value
        raise self.error(key, f"property isn't a string, but of type [{java_type(value)}]")

    def pattern(self, key: str) -> RegularExpression:
        """Return a regular expression; ParseError when it cannot be read."""
        source = self.text(key)
        try:
            return RegularExpression(source)
        except ValueError as error:
            raise self.error(key, f"Invalid regex pattern. {error}") from None

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string, or ``default``; ParseError when there is neither."""
        value = self.text_or_none(key)
        if value is None and default is None:
            raise self.error(key, "required property is missing")
        return default or "" if value is None else value

    def template(self, key: str, default: str | None = None) -> Template:
        """Return a string with ``{{holes}}``."""
        return read_template(self.text(key, default))

    def template_or_none(self, key: str) -> Template | None:
        """Return a string with ``{{holes}}``, None when absent."""
        value = self.text_or_none(key)
        return None if value is None else read_template(value)

    def boolean(self, key: str, *, default: bool) -> bool:
        """Return a boolean."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        raise self.error(key, f"property isn't a boolean, but of type [{java_type(value)}]")

    def integer(self, key: str, default: int) -> int:
        """Return an integer; a string of digits passes."""
        value = self.raw(key)
        try:
            return default if value is None else int(str(value))
        except ValueError:
            raise self.error(key, f"property cannot be converted to an int [{value}]") from None

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings; empty when absent."""
        value = self.raw(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self.error(key, f"property isn't a list, but of type [{java_type(value)}]")
        for item in value:
            if not isinstance(item, str):
                raise self.error(key, f"property isn't a list of strings, but has a [{java_type(item)}]")
        return tuple(value)

    def text_or_texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings; a lone one is a list of one; empty when absent."""
        value = self._body.get(key)
        return (self.text(key),) if isinstance(value, str) else self.texts(key)

    def mapping(self, key: str) -> dict[str, Any]:
        """Return an object; ParseError when it is absent."""
        value = self.required(key)
        if not isinstance(value, dict):
            raise self.error(key, f"property isn't a map, but of type [{java_type(value)}]")
        return value

    def end(self, mark: str = "") -> None:
        """ParseError when keys are left; search pipelines put the ``mark`` ``:`` before them."""
        if self._body:
            raise ParseError(
                f"processor [{self.processor}] doesn't support one or more provided configuration parameters{mark} "
                f"[{', '.join(self._body)}]",
                metadata=self.metadata(),
            )
