"""The options that name servers, and the passwords that no command line should hold."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import httpx
import typer

from antiphon.cli.terminal import path_option, say
from antiphon.domain.banner import opensearch_version
from antiphon.errors import IllegalArgument
from antiphon.remote import Endpoint, RestClient, read_endpoint

PASSWORD_VARIABLE = "ANTIPHON_PASSWORD"  # noqa: S105  the name of it
USER_VARIABLE = "ANTIPHON_USER"

Url = Annotated[str, typer.Option("--url", envvar="ANTIPHON_URL", help="The server, http(s)://[user:password@]host.")]
To = Annotated[
    str,
    typer.Option(
        "--to", help=f"The other server, http(s)://[user@]host; its password is asked for, or ${PASSWORD_VARIABLE}."
    ),
]
CaCert = Annotated[
    Path | None,
    path_option("--ca-cert", help="PEM file of the authority that signed the other server's certificate."),
]
Insecure = Annotated[bool, typer.Option("--insecure", help="Do not check the other server's certificate.")]


@contextmanager
def opened(url: str) -> Iterator[RestClient]:
    """Connect to a server; AntiphonError when it is no OpenSearch, or does not let us in."""
    with RestClient(url) as client:
        status, banner, _ = client.send("GET", "/")
        if status != httpx.codes.FORBIDDEN:  # which a user may be who sees indexes only
            opensearch_version(client.url, banner if status < 300 else client.ask("GET", "/"))
        yield client


def other_server(url: str, option: str, ca_cert: Path | None, *, insecure: bool) -> Endpoint:
    """Return how to reach the other server; the password comes with the address, from the environment or a prompt.

    It is never shown and never stored.
    """
    if ca_cert is not None and insecure:
        raise IllegalArgument("--ca-cert and --insecure exclude each other")
    endpoint = read_endpoint(url, option)
    user = endpoint.user or os.environ.get(USER_VARIABLE)
    password = endpoint.password if endpoint.user else None
    if user is not None and password is None:
        password = os.environ.get(PASSWORD_VARIABLE)
        if password is None and not sys.stdin.isatty():
            raise IllegalArgument(f"the password of {user} at {endpoint.url} is missing: set {PASSWORD_VARIABLE}")
        if password is None:
            password = typer.prompt(f"password of {user} at {endpoint.url}", hide_input=True, err=True)
    if insecure and endpoint.url.startswith("https"):
        say(f"note: the certificate of {endpoint.url} is not checked (--insecure)")
    return replace(endpoint, user=user, password=password, ca_cert=ca_cert, insecure=insecure)
