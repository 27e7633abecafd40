"""Makes dataclasses known to msgspec while there is one thread."""

from __future__ import annotations

import msgspec


def prepare(*shapes: type) -> None:
    """Let msgspec look at these dataclasses and at what they hold; for the import of the module that reads them.

    It does so at the first use otherwise, and a second thread that comes meanwhile finds half of it: the process dies.
    """
    for shape in shapes:
        msgspec.json.Decoder(shape)
