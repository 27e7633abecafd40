"""The same flows from a shell, one file per command group. Errors are one line and a non-zero exit code."""

import os
import signal
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is imported: searches run beside each other

__all__ = ["main"]

_INTERRUPTED = 130
_COMMANDS = "antiphon.cli.commands"


def main() -> None:
    """Run the command line. Its commands are imported here, and an interrupt meanwhile ends the process at once.

    Some libraries swallow a KeyboardInterrupt that reaches them while they are imported.
    """
    if _COMMANDS not in sys.modules and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
        from antiphon.cli import commands

        signal.signal(signal.SIGINT, signal.default_int_handler)
    else:
        from antiphon.cli import commands
    try:
        commands.main()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
