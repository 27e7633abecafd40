"""Which names, descriptions and ids are legal: ML Commons' rules since 3.1 (text) and 3.9 (custom ids)."""

from __future__ import annotations

import re

from antiphon.errors import IllegalArgument

_TEXT = re.compile(r"[\w\s.,!?():@\-_/'\"&]*\Z")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")
_MAX_ID = 512


def text_problems(label: str, value: str | None, *, required: bool = False) -> list[str]:
    """Return what is wrong with a name or description, in OpenSearch's words; an empty list when nothing is.

    Letters and digits of any script, white space and ``.,!?():@-_/'"`` are legal; ``&`` too, which OpenSearch
    refuses although its own client writes it.
    """
    if value is None or not value.strip():
        return [f"{label} is required and cannot be null or blank"] if required else []
    if _TEXT.match(value):
        return []
    return [f"{label} can only contain letters, numbers, spaces, and basic punctuation (.,!?():@-_'/\")"]


def check_custom_id(label: str, value: str) -> str:
    """Return a caller-chosen id; IllegalArgument, worded as OpenSearch 3.9 does, when it is not legal."""
    if not value.strip():
        raise IllegalArgument(f"{label} is invalid")
    for first in ("_", "-"):
        if value.startswith(first):
            raise IllegalArgument(f"{label} must not start with '{first}'")
    if len(value) > _MAX_ID:
        raise IllegalArgument(f"{label} is too long, max length is {_MAX_ID}")
    if not _ID.match(value):
        raise IllegalArgument(
            f"{label} must contain only letters, digits, underscores, and hyphens, "
            "and must start with a letter or digit"
        )
    return value
