"""The same flows from a shell, one file per command group. Errors are one line and a non-zero exit code."""

from antiphon.cli.main import app, main

__all__ = ["app", "main"]
