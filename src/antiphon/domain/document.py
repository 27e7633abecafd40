"""A document as the engine indexes it: typed values by field path, nested objects as rows of their own."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class TypedRow:
    """The searchable values of one document (``nested`` is ``""``) or of one object of a nested field.

    ``parent`` is the position of the row it lies in, within ``TypedDocument.rows`` (-1 for the document itself), and
    ``offset`` its position in its array, counted from 0, as ``_nested.offset`` shows it. The document comes first and
    every parent before its children.
    """

    nested: str = ""
    parent: int = -1
    offset: int = 0
    texts: dict[str, list[str]] = field(default_factory=dict)
    keywords: dict[str, list[str]] = field(default_factory=dict)
    wholes: dict[str, list[int]] = field(default_factory=dict)
    reals: dict[str, list[float]] = field(default_factory=dict)
    vectors: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    features: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(slots=True)
class TypedDocument:
    """Everything an engine needs to index one document."""

    rows: list[TypedRow]
