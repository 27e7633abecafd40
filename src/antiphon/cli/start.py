"""The first step of the command line, before anything large is imported."""

from __future__ import annotations

import os
import signal
import sys

_INTERRUPTED = 130
_COMMANDS = "antiphon.cli.commands"


def main() -> None:
    """Run the command line. Its commands are imported here, and an interrupt meanwhile ends the process at once.

    Some libraries swallow a KeyboardInterrupt that reaches them while they are imported.
    """
    _open_streams()
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


def _open_streams() -> None:
    """Open those of stdin, stdout and stderr that came closed, on nothing.

    A file or a socket would take the number of stderr else, and get what libraries write there.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  for good
