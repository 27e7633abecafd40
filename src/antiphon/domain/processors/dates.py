"""``date``: reads a text as a date and writes it in another format."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.domain.dates import date_format
from antiphon.domain.ingest_document import IngestDocument
from antiphon.domain.mustache import Template
from antiphon.domain.processors.text import java_text
from antiphon.domain.time_zone import zone_of
from antiphon.errors import IllegalArgument

OUTPUT_FORMAT = "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"
_NAMES = {"ISO8601": "date_optional_time", "UNIX": "epoch_second", "UNIX_MS": "epoch_millis"}


@dataclass(frozen=True, slots=True)
class Date:
    """The first of ``formats`` that fits counts; ``timezone`` is an offset, for texts that name none."""

    field: str
    target_field: str
    formats: tuple[str, ...]
    timezone: Template | None = None
    output_format: str = OUTPUT_FORMAT

    def change(self, document: IngestDocument) -> None:
        """Write the date; IllegalArgument when no format fits."""
        value = document.get(self.field)
        if value is None:
            raise IllegalArgument(f"field [{self.field}] is null, cannot be parsed as a date")
        text = java_text(value)
        zone = zone_of(None if self.timezone is None else self.timezone.render(document))
        for name in self.formats:
            try:
                instant = date_format(_NAMES.get(name, name)).parse(text, zone=zone)
            except IllegalArgument as error:
                failed = error
                continue
            document.set(self.target_field, date_format(self.output_format).write(instant, zone=zone))
            return
        raise IllegalArgument(f"unable to parse date [{text}]", cause=failed)


def check_formats(formats: tuple[str, ...]) -> None:
    """IllegalArgument when there is no format, or one that cannot be understood."""
    if not formats:
        raise IllegalArgument("date formats cannot be empty")
    for name in formats:
        if name == "TAI64N":
            raise IllegalArgument("[TAI64N] dates are not supported by Antiphon: use [UNIX_MS] or a pattern")
        date_format(_NAMES.get(name, name))
