"""The options that name servers, and the passwords that no command line should hold."""

from __future__ import annotations

from typing import Annotated

import typer

Url = Annotated[str, typer.Option("--url", envvar="ANTIPHON_URL", help="The server, http(s)://[user:password@]host.")]
