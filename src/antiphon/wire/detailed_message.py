"""An error as the text in which OpenSearch tells a Java exception with its causes."""

from __future__ import annotations

import re

from antiphon.errors import AntiphonError

_PACKAGES = {
    "illegal_argument_exception": "java.lang",
    "illegal_state_exception": "java.lang",
    "null_pointer_exception": "java.lang",
    "number_format_exception": "java.lang",
    "date_time_parse_exception": "java.time.format",
    "json_parse_exception": "com.fasterxml.jackson.core",
    "named_object_not_found_exception": "org.opensearch.core.xcontent",
    "x_content_parse_exception": "org.opensearch.core.xcontent",
}
"""The exceptions that are not OpenSearch's own: they are told by their package, and without their causes."""


def detailed_message(error: AntiphonError) -> str:
    """Return ``Name[reason]; nested: Name[reason];; package.Name: reason``."""
    if error.cause is None:
        return _told(error)
    own = error.cause.type not in _PACKAGES
    cause = detailed_message(error.cause) if own else f"{_PACKAGES[error.cause.type]}.{_name(error.cause)}"
    return f"{_told(error)}; {cause}" if own else f"{_told(error)}; {cause}: {error.cause.reason}"


def _told(error: AntiphonError) -> str:
    keys = error.metadata
    where = f"[{keys['index']}/{keys['index_uuid']}] " if keys.keys() >= {"index", "index_uuid"} else ""
    chain: list[str] = []
    one: AntiphonError | None = error
    while one is not None:
        chain.append(f"{_name(one)}[{one.reason}]")
        one = one.cause
    return where + "; nested: ".join(chain) + (";" if len(chain) > 1 else "")


def _name(error: AntiphonError) -> str:
    if error.type == "parse_exception":
        return "OpenSearchParseException"
    return re.sub(r"(?:^|_)(\w)", lambda found: found[1].upper(), error.type)
