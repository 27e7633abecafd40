"""The ``antiphon`` command: its groups, and how its errors end."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from antiphon.cli import serve
from antiphon.cli.terminal import say
from antiphon.errors import AntiphonError

app = typer.Typer(
    name="antiphon",
    help="Semantic search with asymmetric embedding models, speaking OpenSearch's REST API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _add_commands(asked: Sequence[str]) -> None:
    """Add every command; ``serve`` alone when it is the one that is asked for, since the others take a while."""
    app.command()(serve.serve)
    if asked[:1] == ["serve"]:
        return
    from antiphon.cli import demo, embed, index, ingest, model, push, search

    app.add_typer(model.group, name="model")
    app.add_typer(index.group, name="index")
    for command in (embed.embed, ingest.ingest, search.search, push.push, push.pull, push.diff, push.connect):
        app.command()(command)
    app.command()(demo.demo)


_add_commands(sys.argv[1:])


@app.callback(invoke_without_command=True)
def root(
    shows_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Semantic search with asymmetric embedding models, speaking OpenSearch's REST API."""
    if shows_version:
        typer.echo(f"antiphon {version('antiphon')}")
        raise typer.Exit


def main() -> None:
    """Run the command line; one clean line on stderr and exit code 1 for whatever goes wrong, 2 for wrong usage."""
    hook = sys.excepthook
    try:
        app()
    except AntiphonError as error:
        _fail(error.reason if error.cause is None else f"{error.reason}: {error.cause.reason}")
    except OSError as error:
        _fail(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
    except UnicodeEncodeError as error:
        if not 0xDC80 <= ord(error.object[error.start]) <= 0xDCFF:  # how Python holds bytes that are not UTF-8
            raise
        _fail(f"{error.object[: error.start][-40:]!r} is followed by what is not UTF-8: check the arguments")
    except Exception as error:
        if os.environ.get("ANTIPHON_LOG_LEVEL") == "debug":
            raise
        _fail(f"{type(error).__name__}: {error} (a bug; ANTIPHON_LOG_LEVEL=debug shows where)")
    finally:
        sys.excepthook = hook


def _fail(reason: str) -> None:
    say(f"antiphon: {' '.join(reason.split())}")
    sys.exit(1)
