"""What a call of an encoder returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Encoding:
    """The vectors of one call, in the order of its texts.

    ``rows``: float32 ``[dimension]`` each, ``[tokens, hidden]`` for ``pooling_mode: none``; ``tokens``: how many of
    each text were embedded, special ones included; ``lost``: how many were cut off.
    """

    rows: list[Floats]
    tokens: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()

    def matrix(self) -> Floats:
        """Return the rows as one float32 ``[texts, dimension]``; ValueError when they differ in shape or are none."""
        return np.stack(self.rows)
