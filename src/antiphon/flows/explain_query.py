"""What a query means on an index, in Lucene's words."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from antiphon.domain.analysis import AnalyzeRequest
from antiphon.domain.index import Index
from antiphon.errors import AntiphonError
from antiphon.flows.ports import Engine
from antiphon.query import Search, lucene_text


@dataclass(frozen=True, slots=True)
class Checked:
    """A query on one index: its text in Lucene (None: it has none), or what is wrong with it."""

    index: str
    text: str | None = None
    error: AntiphonError | None = None


def explained(engine: Engine, index: Index, search: Search) -> str | None:
    """Return the text of a search's query; None for a hybrid, and for what has no text."""

    def analyse(field: str, text: str, analyzer: str | None) -> list[tuple[int, list[str]]]:
        known = index.mapping.fields.get(field)
        name = analyzer or (known.search_analyzer if known else "standard")
        tokens = engine.analyze(index.settings, AnalyzeRequest((text,), analyzer=name))
        return [
            (position, list(dict.fromkeys(token.token for token in group)))
            for position, group in groupby(tokens, lambda token: token.position)
        ]

    return lucene_text(search.legs[0], index.mapping, analyse) if len(search.legs) == 1 else None
