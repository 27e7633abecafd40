"""Character filters: they change a text before it is cut, and remember where every character came from."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from antiphon.domain.regular_expression import Match, RegularExpression
from antiphon.engine.analysis_chain import CharFilter, Mapped
from antiphon.errors import IllegalArgument

_MARKUP = RegularExpression(
    r"(?is)<!--.*?-->|<(?P<unread>script|style)\b[^>]*>.*?(?:</(?P=unread)\s*>|\Z)"
    r"|</?(?P<tag>[a-z!][^\s/>]*)[^>]*>|&(?:#\d+|#x[0-9a-f]+|\w+);"
)
_BLOCKS = re.compile(r"(?i)</?(?:p|div|br|li|ul|ol|h[1-6]|tr|td|th|table|section|article|hr|pre|blockquote)\b")


def char_filter(kind: str, options: Mapping[str, Any]) -> CharFilter:
    """Return the character filter of a type; IllegalArgument for one that is not there."""
    match kind:
        case "html_strip":
            kept = {str(tag).lower() for tag in options.get("escaped_tags") or ()}
            return lambda text: _substituted(_MARKUP, lambda found: _markup_text(found, kept), text)
        case "mapping":
            return _mapping(options)
        case "pattern_replace":
            return _pattern_replace(options)
    raise IllegalArgument(f"failed to find char_filter under [{kind}]")


def _markup_text(found: Match, kept: Collection[str]) -> str:
    if found[0].startswith("&"):
        return html.unescape(found[0])
    if (found["tag"] or found["unread"] or "").lower() in kept:
        return found[0]
    if found["unread"]:
        return "\n"
    return "\n" if _BLOCKS.match(found[0]) else ""


def _mapping(options: Mapping[str, Any]) -> CharFilter:
    rules = options.get("mappings") or []
    rules = [rules] if isinstance(rules, str) else rules
    pairs: dict[str, str] = {}
    for rule in rules:
        before, arrow, after = str(rule).partition("=>")
        if not arrow or not before.strip():
            raise IllegalArgument(f"Invalid Mapping Rule : [{rule}]")
        pairs[before.strip()] = after.strip()
    if not pairs:
        raise IllegalArgument("mapping requires either `mappings` or `mappings_path` to be configured")
    pattern = RegularExpression("|".join(re.escape(key) for key in sorted(pairs, key=len, reverse=True)))
    return lambda text: _substituted(pattern, lambda found: pairs[found[0]], text)


def _pattern_replace(options: Mapping[str, Any]) -> CharFilter:
    source = str(options.get("pattern", ""))
    replacement = re.sub(r"\$(\d)", r"\\g<\1>", str(options.get("replacement", "")))
    try:
        pattern = RegularExpression(source)
    except ValueError as error:
        raise IllegalArgument(f"cannot read the pattern [{source}]: {error}") from error
    return lambda text: _substituted(pattern, lambda found: found.expand(replacement), text)


def _substituted(pattern: RegularExpression, replacement: Callable[[Match], str], text: str) -> Mapped:
    parts: list[str] = []
    origins: list[int] = []
    last = 0
    for found in pattern.finditer(text):
        parts.append(text[last : found.start()])
        origins.extend(range(last, found.start()))
        new = replacement(found)
        parts.append(new)
        origins.extend(min(found.start() + n, found.end()) for n in range(len(new)))
        last = found.end()
    parts.append(text[last:])
    origins.extend(range(last, len(text) + 1))
    return Mapped("".join(parts), origins)
