"""``minimum_should_match``: how many of the optional clauses must match."""

from __future__ import annotations


def required_matches(minimum: str | None, optional: int, default: int) -> int:
    """Return how many of ``optional`` clauses must match: ``2``, ``-1``, ``75%``, ``-25%``, ``2<75% 9<-3``.

    Never negative, but may exceed ``optional``.
    """
    if minimum is None:
        return default
    if "<" not in minimum:
        return max(0, _amount(minimum.strip(), optional))
    result = optional
    for part in minimum.split():
        bound, _, amount = part.partition("<")
        if optional <= int(bound):
            break
        result = _amount(amount, optional)
    return max(0, result)


def _amount(text: str, optional: int) -> int:
    amount = int(optional * int(text[:-1]) / 100) if text.endswith("%") else int(text)
    return optional + amount if text.startswith("-") else amount
