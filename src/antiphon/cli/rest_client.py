"""Talks REST to a server: Antiphon's, or an OpenSearch cluster's."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any, Self
from urllib.parse import quote, urlsplit

import httpx
import typer

from antiphon.errors import AntiphonError, Unavailable

DEFAULT_URL = "http://127.0.0.1:9200"
_TIMEOUT_S = 600.0

Url = Annotated[str, typer.Option("--url", envvar="ANTIPHON_URL", help="The server, http(s)://[user:password@]host.")]


class RestClient:
    """Sends requests to one server. Use as a context manager."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise AntiphonError(f"[{url}] is no address of a server, such as {DEFAULT_URL}")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = f":{parts.port}" if parts.port else ""
        self.url = f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"
        auth = (parts.username, parts.password or "") if parts.username else None
        self._http = httpx.Client(base_url=self.url, timeout=_TIMEOUT_S, trust_env=False, auth=auth)

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
            raise Unavailable(
                f"nothing answers at {self.url} ({error}): start a server with `antiphon serve`, or name one with --url"
            ) from error
        try:
            answer = response.json() if response.content else None
        except ValueError:
            raise AntiphonError(f"{self.url} does not answer in JSON: is it an OpenSearch-compatible server?") from None
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


def ndjson(lines: Iterable[Any]) -> bytes:
    """Return the body of a bulk request."""
    return b"".join(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n" for line in lines)
