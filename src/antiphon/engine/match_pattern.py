"""Which terms a pattern means: prefixes, wildcards, Lucene regular expressions, and terms a few edits away."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from antiphon.domain.regular_expression import RegularExpression
from antiphon.errors import IllegalArgument, QueryShardError
from antiphon.query import Pattern, PatternKind


def matching_terms(node: Pattern, terms: Sequence[str]) -> NDArray[np.bool_]:
    """Return which terms have the shape of a pattern that is not FUZZY, bool ``[terms]``."""
    if node.kind is PatternKind.PREFIX and not node.case_insensitive:
        return np.fromiter((term.startswith(node.value) for term in terms), np.bool_, len(terms))
    shape = compiled(node)
    return np.fromiter((shape.fullmatch(term) for term in terms), np.bool_, len(terms))


def compiled(node: Pattern) -> RegularExpression:
    """Return an expression that matches exactly the wanted terms; QueryShardError when it cannot be read."""
    match node.kind:
        case PatternKind.PREFIX:
            source = re.escape(node.value) + ".*"
        case PatternKind.WILDCARD:
            source = _wildcard(node.value)
        case PatternKind.REGEXP:
            source = lucene_regexp(node.value)
        case PatternKind.EXACT | PatternKind.FUZZY:
            source = re.escape(node.value)
    try:
        return RegularExpression(source, ignore_case=node.case_insensitive, dot_all=True)
    except ValueError as error:
        reason = f"invalid regular expression [{node.value}]: {error}"
        raise QueryShardError(f"failed to create query: {reason}", cause=IllegalArgument(reason)) from error


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


def lucene_regexp(source: str) -> str:
    """Return a Python expression for Lucene's syntax: ``@`` any text, ``#`` nothing, ``<1-9>`` numbers, ``"quoted"``.

    IllegalArgument for the complement (``~``) and intersection (``&``), which have no equivalent.
    """
    parts: list[str] = []
    position = 0
    while position < len(source):
        piece, position = _regexp_piece(source, position)
        parts.append(piece)
    return "".join(parts)


def _regexp_piece(source: str, position: int) -> tuple[str, int]:
    character = source[position]
    if character == "\\" and position + 1 < len(source):
        following = source[position + 1]
        kept = following in "dDwWsS"
        return ("\\" + following if kept else re.escape(following)), position + 2
    if character == '"' and (end := source.find('"', position + 1)) > 0:
        return f"(?:{re.escape(source[position + 1 : end])})", end + 1
    if character == "[":
        end = _class_end(source, position)
        return source[position:end].replace("[[", "[\\["), end
    if character == "<" and (numbers := re.match(r"<(\d+)-(\d+)>", source[position:])):
        return _number_interval(int(numbers[1]), int(numbers[2])), position + numbers.end()
    if character in "~&":
        reason = f"[regexp operator {character}] is not supported by Antiphon: use bool with must_not or must instead"
        raise IllegalArgument(reason)
    special = {"@": ".*", "#": "(?!)", "^": "\\^", "$": "\\$"}
    return special.get(character, character), position + 1


def _class_end(source: str, position: int) -> int:
    position += 2 if source[position + 1 : position + 2] == "^" else 1
    while position < len(source) and source[position] != "]":
        position += 2 if source[position] == "\\" else 1
    return min(position + 1, len(source))


def _number_interval(low: int, high: int) -> str:
    if high - low > 10_000:
        raise IllegalArgument(f"numeric interval <{low}-{high}> of a regexp spans more than 10000 numbers; use a range")
    return "(?:0*(?:" + "|".join(str(number) for number in range(low, high + 1)) + "))"


def _wildcard(value: str) -> str:
    parts = []
    characters = iter(value)
    for character in characters:
        if character == "\\":
            parts.append(re.escape(next(characters, "\\")))
        else:
            parts.append({"*": ".*", "?": "."}.get(character) or re.escape(character))
    return "".join(parts)


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
