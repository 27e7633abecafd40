"""Query parameters: which ones a route knows, and what is said about the others. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from antiphon.errors import IllegalArgument

COMMON_PARAMETERS = frozenset(
    {"pretty", "human", "error_trace", "filter_path", "format", "source", "source_content_type"}
)
"""Parameters that every route takes."""
_ALIKE = 0.5


def check_parameters(path: str, given: Iterable[str], known: frozenset[str]) -> None:
    """Raise IllegalArgument, as OpenSearch words it, when a route does not know a parameter of ``given``."""
    strange = sorted(name for name in given if name not in known and name not in COMMON_PARAMETERS)
    if strange:
        known = known | COMMON_PARAMETERS
        named = ", ".join(f"[{name}]{_suggestion(name, known)}" for name in strange)
        parameters = "parameter" if len(strange) == 1 else "parameters"
        raise IllegalArgument(f"request [{path}] contains unrecognized {parameters}: {named}")


def _suggestion(name: str, known: frozenset[str]) -> str:
    """Return what else may be meant, the likest first: names that share more than half of their letters' places."""
    likeness = {other: 1 - _edits(name, other) / max(len(name), len(other)) for other in known}
    meant = sorted((other for other in known if likeness[other] > _ALIKE), key=lambda other: (-likeness[other], other))
    if not meant:
        return ""
    return f" -> did you mean [{meant[0]}]?" if len(meant) == 1 else f" -> did you mean any of [{', '.join(meant)}]?"


def _edits(one: str, other: str) -> int:
    """Return the number of letters to change, add or leave out that make ``other`` of ``one``."""
    above = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        here = [row]
        for column, wanted in enumerate(other, 1):
            here.append(min(above[column] + 1, here[-1] + 1, above[column - 1] + (letter != wanted)))
        above = here
    return above[-1]
