"""The same flows from a shell, one file per command group. Errors are one line and a non-zero exit code."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is imported: searches run beside each other

from antiphon.cli.start import main

__all__ = ["main"]
