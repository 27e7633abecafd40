"""``_cat`` tables: columns with aliases, as aligned text or as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.domain.pattern import star_pattern
from antiphon.errors import IllegalArgument

Row = Mapping[str, Any]
_UNITS = ("b", "kb", "mb", "gb", "tb", "pb")


@dataclass(frozen=True, slots=True)
class Column:
    """One column; ``extra`` ones are shown only when ``h`` names them. ``size`` ones hold bytes."""

    name: str
    aliases: tuple[str, ...] = ()
    description: str = ""
    extra: bool = False
    size: bool = False

    def answers_to(self, word: str) -> bool:
        """True when ``word`` (a name, an alias or a pattern) means this column."""
        return any(star_pattern(word).fullmatch(name) for name in (self.name, *self.aliases))


@dataclass(frozen=True, slots=True)
class TableOptions:
    """``h`` picks and orders columns, ``s`` sorts, ``v`` adds the header; ``bytes`` is a unit or empty for human."""

    h: str = ""
    s: str = ""
    v: bool = False
    bytes: str = ""


def columns(text: str, *, extra: bool = False, size: bool = False) -> list[Column]:
    """Return columns spelled ``name,alias,alias`` and separated by blanks."""
    spelled = (word.split(",") for word in text.split())
    return [Column(name, tuple(aliases), name.replace(".", " "), extra, size) for name, *aliases in spelled]


def write_rows(table: Sequence[Column], rows: Sequence[Row], options: TableOptions) -> list[dict[str, str | None]]:
    """Return the rows for ``format=json``: every value a string or null."""
    shown = _shown(table, options.h)
    return [
        {name: _cell(column, row.get(column.name), options.bytes) for name, column in shown}
        for row in _sorted(table, rows, options.s)
    ]


def write_text(table: Sequence[Column], rows: Sequence[Row], options: TableOptions) -> str:
    """Return the rows as text: words to the left, numbers to the right, no trailing blanks."""
    shown = _shown(table, options.h)
    ordered = _sorted(table, rows, options.s)
    lines = [[_cell(column, row.get(column.name), options.bytes) or "" for _, column in shown] for row in ordered]
    right = [
        column.size or (bool(ordered) and all(isinstance(row.get(column.name), (int, float)) for row in ordered))
        for _, column in shown
    ]
    if options.v:
        lines.insert(0, [name for name, _ in shown])
    widths = [max((len(line[place]) for line in lines), default=0) for place in range(len(shown))]
    aligned = (
        [
            word.rjust(width) if to_right else word.ljust(width)
            for word, width, to_right in zip(line, widths, right, strict=True)
        ]
        for line in lines
    )
    return "".join(" ".join(words).rstrip() + "\n" for words in aligned)


def write_help(table: Sequence[Column]) -> str:
    """Return the columns there are: name, aliases, description."""
    lines = [(column.name, ",".join(column.aliases) or "-", column.description or "-") for column in table]
    widths = [max(len(line[place]) for line in lines) for place in range(2)]
    return "".join(f"{a.ljust(widths[0])} | {b.ljust(widths[1])} | {c}\n" for a, b, c in lines)


def size_text(count: int, unit: str = "") -> str:
    """Return bytes in a unit (whole), or as OpenSearch shows them to people: ``4.5kb``."""
    if unit:
        if unit not in (*_UNITS, "k", "m", "g", "t", "p"):
            raise IllegalArgument(f"[bytes] must be one of {list(_UNITS)}, but was [{unit}]")
        return str(count // 1024 ** "bkmgtp".index(unit[0]))
    power, value = 0, float(count)
    while value >= 1024 and power < len(_UNITS) - 1:
        power, value = power + 1, value / 1024
    text = f"{int(value * 10) / 10:.1f}".removesuffix(".0")
    return f"{text}{_UNITS[power]}"


def _cell(column: Column, value: Any, unit: str) -> str | None:
    if value is None:
        return None
    if column.size:
        return size_text(int(value), unit)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(table: Sequence[Column], picked: str) -> list[tuple[str, Column]]:
    """Return the columns to show with the word they go by: what ``h`` says, or the usual ones."""
    if not picked:
        return [(column.name, column) for column in table if not column.extra]
    shown: list[tuple[str, Column]] = []
    for word in (part.strip() for part in picked.split(",") if part.strip()):
        found = [column for column in table if column.answers_to(word)]
        if not found:
            raise IllegalArgument(f"[h] names the unknown column [{word}]; there are {[item.name for item in table]}")
        shown += [(column.name if "*" in word else word, column) for column in found]
    return list(dict(shown).items())


def _sorted(table: Sequence[Column], rows: Sequence[Row], order: str) -> list[Row]:
    ordered = list(rows)
    for word in reversed([part.strip() for part in order.split(",") if part.strip()]):
        name, _, direction = word.partition(":")
        found = next((column.name for column in table if column.answers_to(name)), None)
        if found is None or direction not in ("", "asc", "desc"):
            raise IllegalArgument(f"Unable to sort by unknown sort key `{word}`")
        values = [row.get(found) for row in ordered]
        numeric = all(isinstance(value, (int, float)) or value is None for value in values)
        ordered.sort(key=_key(found, numeric), reverse=direction == "desc")
    return ordered


def _key(name: str, numeric: bool) -> Any:
    def key(row: Row) -> tuple[bool, Any]:
        value = row.get(name)
        return value is not None, (value or 0) if numeric else str(value or "")

    return key
