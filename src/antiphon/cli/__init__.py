"""The same flows from a shell, one file per command group. Errors are one line and a non-zero exit code."""

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is imported: searches run beside each other

_INTERRUPTED = 130


def main() -> None:
    """Run the command line. Its commands are imported here, so that an interrupt meanwhile ends without a word."""
    try:
        from antiphon.cli import commands
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    commands.main()
