"""Talks REST to a server: Antiphon's, or an OpenSearch cluster's."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable
from typing import Annotated, Any, Self
from urllib.parse import quote, unquote, urlsplit

import httpx
import typer

from antiphon.errors import AntiphonError, IllegalArgument, Unavailable

DEFAULT_URL = "http://127.0.0.1:9200"
_TIMEOUTS = httpx.Timeout(600.0, connect=10.0)

Url = Annotated[str, typer.Option("--url", envvar="ANTIPHON_URL", help="The server, http(s)://[user:password@]host.")]


class RestClient:
    """Sends requests to one server. Use as a context manager.

    ``url`` is the server's address without user and password, which no message shows. Certificates are checked against
    those of the system, or of the file that ``SSL_CERT_FILE`` names.
    """

    def __init__(self, url: str) -> None:
        self.url, user, password = _parts(url)
        self._http = httpx.Client(
            base_url=self.url,
            timeout=_TIMEOUTS,
            trust_env=False,
            auth=None if user is None else (user, password),
            verify=ssl.create_default_context() if self.url.startswith("https") else False,
        )

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any, list[str]]:
        """Return status, parsed answer and the texts of its Warning headers; Unavailable when nothing answers.

        ``body`` is JSON-ready, or bytes of NDJSON.
        """
        given: dict[str, Any] = {} if body is None else {"json": body}
        if isinstance(body, bytes):
            given = {"content": body, "headers": {"content-type": "application/x-ndjson"}}
        try:
            response = self._http.request(method, path, **given)
        except httpx.HTTPError as error:
            raise Unavailable(self._failure(error)) from error
        try:
            answer = response.json() if response.content else None
        except ValueError:
            raise AntiphonError(
                f"{self.url} answered {method} {path} with {response.status_code} and no JSON: is it an "
                "OpenSearch-compatible server?"
            ) from None
        return response.status_code, answer, response.headers.get_list("warning")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer; AntiphonError with the server's reason for anything but success."""
        status, answer, _ = self.send(method, path, body)
        if status >= 300:
            raise AntiphonError(f"{method} {path} was answered with {status}: {reason_of(answer)}")
        return answer

    def find(self, path: str) -> Any:
        """Return the answer of a GET, None when it is 404."""
        status, answer, _ = self.send("GET", path)
        if status == 404:
            return None
        if status >= 300:
            raise AntiphonError(f"GET {path} was answered with {status}: {reason_of(answer)}")
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _failure(self, error: httpx.HTTPError) -> str:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return f"the certificate of {self.url} is not trusted: set SSL_CERT_FILE to its authority's ({error})"
        if "[SSL" in str(error):
            return f"{self.url} does not speak https: try http ({error})"
        if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
            how = "start a server with `antiphon serve`, or name one with --url"
            return f"nothing answers at {self.url} ({error}): {how}"
        return f"the connection to {self.url} broke off: {error or type(error).__name__}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def reason_of(answer: Any) -> str:
    """Return the reason within an error answer, with its innermost cause."""
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    if not isinstance(error, dict):
        return str(error)
    reasons = [str(error.get("reason", error))]
    while isinstance(error.get("caused_by"), dict):
        error = error["caused_by"]
        reasons.append(str(error.get("reason")))
    return reasons[0] if reasons[-1] in reasons[0] else f"{reasons[0]}: {reasons[-1]}"


def segment(name: str) -> str:
    """Return a name as one segment of a path."""
    return quote(name, safe="*,-_.")


def one_index(name: str) -> str:
    """Return the name of an index that is written to or removed; IllegalArgument for a pattern or a list."""
    if not name or any(mark in name for mark in "*,?") or name.startswith(("-", "_")):
        raise IllegalArgument(f"[{name}] must be the name of one index")
    return name


def ndjson(lines: Iterable[Any]) -> bytes:
    """Return the body of a bulk request."""
    return b"".join(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n" for line in lines)


def _parts(url: str) -> tuple[str, str | None, str]:
    """Return (address, user or None, password); an error shows nothing of a URL that holds a password."""
    parts = urlsplit(url if "//" in url else f"http://{url}")
    try:
        number = parts.port
    except ValueError:
        number = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or number == -1 or parts.query or parts.fragment:
        shown = "--url (not shown, because of its password; write / : @ # in it as %2F %3A %40 %23)"
        raise IllegalArgument(f"{shown if '@' in url else f'[{url}]'} is no address of a server, such as {DEFAULT_URL}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = f":{number}" if number else ""
    user = unquote(parts.username) if parts.username else None
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}", user, unquote(parts.password or "")
