"""What a benchmark found: tables of figures, as JSON and for comparison with an earlier run."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

WORSE = 0.9
"""A ratio that falls below this share of what it was is a regression."""


@dataclass(frozen=True, slots=True)
class Column:
    """A figure that is measured: ``unit`` such as ``ms`` or ``docs/s``, and whether less of it is better.

    ``compared`` is False for figures that are shown without a ratio, such as a cosine.
    """

    name: str
    unit: str
    less_is_better: bool = True
    compared: bool = True


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of a row in a column; ``ratio`` says how many times better than the table's baseline it is.

    ``low`` and ``high`` are the quartiles of the ratios, round by round; None where there is nothing to compare with.
    """

    median: float
    ratio: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(slots=True)
class Table:
    """Rows of figures with the row ``baseline``, whose ratios are 1; ``about`` says how they were taken."""

    name: str
    title: str
    about: str
    columns: list[Column]
    baseline: str | None = None
    rows: dict[str, dict[str, Figure]] = field(default_factory=dict)
    after: str = ""

    @classmethod
    def of(cls, name: str, title: str, about: str, columns: list[Column], rounds: Rounds, baseline: str | None) -> Self:
        """Make a table of what was measured round by round."""
        table = cls(name, title, about, columns, baseline)
        for row, measured in rounds.values.items():
            table.rows[row] = {
                column.name: _figure(column, measured[column.name], rounds.values.get(baseline or "", {}))
                for column in columns
                if column.name in measured
            }
        return table

    def put(self, row: str, **figures: float) -> None:
        """Set figures of a row that were measured once; names have ``_`` where columns have blanks."""
        known = {column.name.replace(" ", "_"): column.name for column in self.columns}
        self.rows.setdefault(row, {}).update({known[name]: Figure(value) for name, value in figures.items()})

    def json(self) -> dict[str, Any]:
        """Return it for ``json.dumps``."""
        return asdict(self)

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Self:
        """The inverse of ``json``."""
        rows = {row: {name: Figure(**figure) for name, figure in cells.items()} for row, cells in body["rows"].items()}
        return cls(**{**body, "columns": [Column(**column) for column in body["columns"]], "rows": rows})


@dataclass(slots=True)
class Rounds:
    """Values by row and column, one for each round."""

    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, row: str, column: str, value: float) -> None:
        """Keep the value of one round."""
        self.values.setdefault(row, {}).setdefault(column, []).append(value)

    def times_better(self, row: str, other: str, column: Column) -> float:
        """Return the median of how many times better ``row`` was than ``other``, round by round."""
        return statistics.median(_ratios(column, self.values[row][column.name], self.values[other][column.name]))


def _figure(column: Column, values: Sequence[float], base: Mapping[str, Sequence[float]]) -> Figure:
    median = statistics.median(values)
    others = base.get(column.name)
    if not column.compared or others is None:
        return Figure(median)
    ratios = _ratios(column, values, others)
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return Figure(median, middle, low, high)


def _ratios(column: Column, values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Return how many times better ``values`` are, round by round; whoever left out rounds did the first ones."""
    pairs = zip(values, others, strict=False)
    return [other / one if column.less_is_better else one / other for one, other in pairs]


def compare(before: Sequence[Table], now: Sequence[Table]) -> Iterator[str]:
    """Yield a line for each ratio that fell by a tenth or more, and outside of the quartiles of its former run."""
    known = {table.name: table for table in before}
    for table in now:
        if table.name not in known:
            continue
        for row, figures in table.rows.items():
            for name, figure in figures.items():
                was = known[table.name].rows.get(row, {}).get(name)
                if was is None or was.ratio is None or was.low is None or figure.ratio is None:
                    continue
                if figure.ratio < min(was.low, WORSE * was.ratio):
                    yield f"{table.name}: {row}, {name}: {figure.ratio:.2f} times {table.baseline}, was {was.ratio:.2f}"
