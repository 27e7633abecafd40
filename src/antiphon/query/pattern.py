"""What a pattern matches, as a Python expression. The syntax of ``regexp`` is Lucene's (``RegExp``)."""

from __future__ import annotations

import re

from antiphon.domain.regular_expression import RegularExpression
from antiphon.errors import IllegalArgument, QueryShardError
from antiphon.query.leaves import Pattern, PatternKind


def compiled_pattern(node: Pattern) -> RegularExpression:
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
