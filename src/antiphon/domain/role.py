"""The two roles of an asymmetric embedding model, and how a text is put into one of them.

The rules are those of ML Commons' ``content_type`` (asymmetric text embedding parameters): the prefix is
concatenated as is, no blank is inserted, and it counts towards the token limit. What is added here is that a
role is never guessed and that a text which already carries a prefix is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from antiphon.errors import IllegalArgument

_JAVA_ENUM = (
    "org.opensearch.ml.common.input.parameter.textembedding.AsymmetricTextEmbeddingParameters.EmbeddingContentType"
)


class Role(StrEnum):
    """``query`` asks, ``passage`` answers. The value is the word of the API's ``content_type``."""

    QUERY = "query"
    PASSAGE = "passage"


class DoublePrefix(StrEnum):
    """What to do with a text that already starts with a role's prefix (setting ``antiphon.double_prefix``)."""

    WARN = "warn"
    STRIP = "strip"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Prefixed:
    """Texts ready for the tokenizer, and which of the given ones already carried a prefix (0-based)."""

    texts: list[str]
    doubled: tuple[int, ...] = ()


def parse_content_type(word: str) -> Role:
    """Return the role that ``content_type`` names, ignoring case; IllegalArgument for any other word."""
    try:
        return Role(word.lower())
    except ValueError:
        raise IllegalArgument(
            f"No enum constant {_JAVA_ENUM}.{word.upper()}; "
            f"[content_type] must be [query] or [passage], but was [{word}]"
        ) from None


def put_prefix(
    texts: Sequence[str], prefix: str, known: Sequence[str], double: DoublePrefix = DoublePrefix.WARN
) -> Prefixed:
    """Put ``prefix`` in front of every text, watching for texts that already start with one of ``known``.

    ``warn`` leaves such a text as it is under the new prefix, as OpenSearch does, so that its vector stays equal
    to a cluster's; ``strip`` first removes the prefix found; ``reject`` raises IllegalArgument naming the first.
    """
    watched = tuple(item for item in known if item.strip())
    doubled = tuple(i for i, text in enumerate(texts) if watched and text.startswith(watched))
    if doubled and double is DoublePrefix.REJECT:
        raise IllegalArgument(
            f"text_docs[{doubled[0]}] already starts with a role's prefix ({len(doubled)} of {len(texts)} texts do): "
            f"send the bare text, the server adds the prefix; or set antiphon.double_prefix to [warn] or [strip]"
        )
    if doubled and double is DoublePrefix.STRIP:
        marked = set(doubled)
        bare = [_strip(text, watched) if i in marked else text for i, text in enumerate(texts)]
        return Prefixed([prefix + text for text in bare], doubled)
    return Prefixed([prefix + text for text in texts], doubled)


def _strip(text: str, known: Sequence[str]) -> str:
    longest = max((item for item in known if text.startswith(item)), key=len)
    return text[len(longest) :]
