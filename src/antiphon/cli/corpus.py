"""The demo's small multilingual corpus: passages that answer, and texts that merely look like the questions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Passage:
    """A text, and a short name for tables."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Query:
    """A question, its language, and the name of the passage that answers it."""

    language: str
    text: str
    answer: str


PASSAGES: tuple[Passage, ...] = (
    Passage(
        "protein (en)", "Adult women need about 46 grams of protein a day, and more while pregnant or in training."
    ),
    Passage(
        "Berlin (de)", "Berlin ist seit 1990 die Hauptstadt der Bundesrepublik Deutschland und ihre groesste Stadt."
    ),
)
QUERIES: tuple[Query, ...] = (Query("English", "how much protein should a woman eat", "protein (en)"),)
