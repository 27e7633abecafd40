"""Which terms a pattern means: prefixes, wildcards, Lucene regular expressions, and terms a few edits away."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from antiphon.query import Pattern, PatternKind, compiled_pattern


def matching_terms(node: Pattern, terms: Sequence[str]) -> NDArray[np.bool_]:
    """Return which terms have the shape of a pattern that is not FUZZY, bool ``[terms]``."""
    if node.kind is PatternKind.PREFIX and not node.case_insensitive:
        return np.fromiter((term.startswith(node.value) for term in terms), np.bool_, len(terms))
    shape = compiled_pattern(node)
    return np.fromiter((shape.fullmatch(term) for term in terms), np.bool_, len(terms))


def literal_prefix(node: Pattern) -> str:
    """Return the text that every wanted term begins with; empty when there is none or case does not matter."""
    if node.case_insensitive:
        return ""
    match node.kind:
        case PatternKind.PREFIX | PatternKind.EXACT:
            return node.value
        case PatternKind.WILDCARD:
            return re.split(r"[*?\\]", node.value)[0]
        case PatternKind.FUZZY:
            return node.value[: node.prefix_length]
        case PatternKind.REGEXP:
            return ""


def fuzzy_terms(node: Pattern, terms: Sequence[str]) -> list[tuple[int, float]]:
    """Return (position, score factor) of the at most ``max_expansions`` terms within the allowed edits.

    The factor is ``1 - edits / min(length of term, length of value)``; best factors first, then by term. A term with
    factor 0 or less does not match.
    """
    allowed = node.fuzziness.edits_for(len(node.value))
    prefix = node.value[: node.prefix_length]
    near = [
        position
        for position, term in enumerate(terms)
        if abs(len(term) - len(node.value)) <= allowed and term.startswith(prefix)
    ]
    if not near:
        return []
    chosen = [terms[position] for position in near]
    edits = edit_distances(node.value, chosen, transpositions=node.transpositions)
    found = []
    for position, term, count in zip(near, chosen, edits.tolist(), strict=True):
        factor = 1.0 - count / max(1, min(len(term), len(node.value)))
        if count <= allowed and factor > 0:
            found.append((-factor, term, position))
    found.sort()
    return [(position, -negative) for negative, _, position in found[: node.max_expansions]]


def edit_distances(word: str, terms: Sequence[str], *, transpositions: bool) -> NDArray[np.int64]:
    """Return how many edits make each term of ``word``, int64 ``[terms]``; a swap of neighbours is one edit if wanted.

    All terms advance together, one column of the edit matrix at a time.
    """
    width = max(1, *(len(term) for term in terms))
    letters = np.array(terms, f"<U{width}").view(np.uint32).reshape(len(terms), width)
    lengths = np.fromiter((len(term) for term in terms), np.int64, len(terms))
    above = np.tile(np.arange(width + 1), (len(terms), 1))
    before = above
    for row, letter in enumerate(map(ord, word), 1):
        here = np.empty_like(above)
        here[:, 0] = row
        for column in range(1, width + 1):
            same = letters[:, column - 1] == letter
            best = np.minimum(above[:, column - 1] + ~same, np.minimum(above[:, column], here[:, column - 1]) + 1)
            if transpositions and row > 1 and column > 1:
                swapped = (letters[:, column - 2] == letter) & (letters[:, column - 1] == ord(word[row - 2]))
                best = np.where(swapped, np.minimum(best, before[:, column - 2] + 1), best)
            here[:, column] = best
        before, above = above, here
    return np.asarray(above[np.arange(len(terms)), lengths])
