"""Patterns with ``*``: compiled so that no pattern, however many stars it has, takes more than linear retries."""

from __future__ import annotations

import re
from collections.abc import Sequence


def star_pattern(pattern: str) -> re.Pattern[str]:
    """Return the expression for OpenSearch's simple match, ``*`` standing for any text; use it with ``fullmatch``."""
    return between_stars([re.escape(part) for part in pattern.split("*")])


def between_stars(parts: Sequence[str]) -> re.Pattern[str]:
    """Return the expression for ``parts`` (expressions of fixed length) with any text between each two.

    The first place where a part between two stars fits is always good enough, so it is never given up again: the
    atomic groups keep ``*a*a*a*b`` from trying every combination.
    """
    first, *rest = parts
    if not rest:
        return re.compile(first, re.DOTALL)
    *middle, last = rest
    return re.compile(first + "".join(f"(?>.*?{part})" for part in middle) + f".*{last}", re.DOTALL)
