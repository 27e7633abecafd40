"""Talks REST to a server: Antiphon's, or an OpenSearch cluster's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx

from antiphon.errors import AntiphonError, IllegalArgument, Unavailable, reason_of
from antiphon.remote.endpoint import Endpoint, read_endpoint

_TIMEOUTS = httpx.Timeout(600.0, connect=10.0)
_FIRST_S = 60.0
"""A server that has not answered yet may take so long for a GET: it may be stopped, or no server at all."""
_ADVICE = "start a server with `antiphon serve`, or name one with --url"
_CONNECTIONS = httpx.Limits(max_connections=256, max_keepalive_connections=64)


@dataclass(frozen=True, slots=True)
class Exchange:
    """An answer as it came: ``headers`` by lower-case name, in order, ``body`` unpacked."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def warnings(self) -> list[str]:
        """The texts of its Warning headers."""
        return [value for name, value in self.headers if name == "warning"]


class RestClient:
    """Sends requests to one server over connections that are kept. Thread-safe. Use as a context manager.

    ``advice`` is what to do when nothing answers there.
    """

    def __init__(self, endpoint: Endpoint | str, advice: str = _ADVICE) -> None:
        self._endpoint = read_endpoint(endpoint) if isinstance(endpoint, str) else endpoint
        self._advice = advice
        self.url = self._endpoint.url
        self._answered = False
        self._http = httpx.Client(
            base_url=self.url,
            timeout=_TIMEOUTS,
            limits=_CONNECTIONS,
            trust_env=False,
            verify=self._endpoint.verify(),
        )

    @property
    def authenticates(self) -> bool:
        """True when requests carry a user of the endpoint's."""
        return self._endpoint.auth is not None

    def exchange(
        self, method: str, path: str, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Exchange:
        """Send bytes and return the answer as it came; Unavailable when nothing answers.

        ``authorization`` among the headers (lower case) takes the place of the endpoint's user.
        """
        auth = None if headers is not None and "authorization" in headers else self._endpoint.auth
        is_first = not self._answered and method == "GET"
        timeout = httpx.Timeout(_FIRST_S, connect=_TIMEOUTS.connect) if is_first else _TIMEOUTS
        try:
            response = self._http.request(method, path, content=content, headers=headers, auth=auth, timeout=timeout)
        except httpx.HTTPError as error:
            raise Unavailable(self._failure(error)) from error
        self._answered = True
        return Exchange(response.status_code, tuple(response.headers.multi_items()), response.content)

    def download(self, path: str, target: Path, on_bytes: Callable[[int], None]) -> None:
        """Write the body of a GET to a file that is not there yet; ``on_bytes`` gets the number written so far.

        AntiphonError when it is refused, Unavailable when the connection breaks off; then nothing is left behind.
        """
        written = 0
        try:
            with self._http.stream("GET", path) as response, target.open("xb") as file:
                if response.status_code != httpx.codes.OK:
                    response.read()
                    raise AntiphonError(f"GET {path} was answered with {response.status_code}: {response.text[:500]}")
                for block in response.iter_bytes():
                    file.write(block)
                    written += len(block)
                    on_bytes(written)
        except httpx.HTTPError as error:
            target.unlink(missing_ok=True)
            raise Unavailable(self._failure(error)) from error
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any, list[str]]:
        """Return status, parsed answer and the texts of its Warning headers; Unavailable when nothing answers.

        ``body`` is JSON-ready, or bytes of NDJSON.
        """
        media = "application/x-ndjson" if isinstance(body, bytes) else "application/json"
        content = body if body is None or isinstance(body, bytes) else _json(body)
        answer = self.exchange(method, path, content, None if content is None else {"content-type": media})
        try:
            parsed = json.loads(answer.body) if answer.body else None
        except ValueError:
            said = f"{self.url} answered {method} {path} with {answer.status}"
            if answer.status in (401, 403):
                raise AntiphonError(f"{said}, it does not let us in: check user and password") from None
            if answer.status == 413:
                size = len(content or b"")
                raise AntiphonError(f"{said}: a proxy there takes no {size:,} bytes at once, raise its limit") from None
            if answer.status in (502, 503, 504):
                raise Unavailable(f"{said}: a proxy is there, and no server behind it") from None
            raise AntiphonError(f"{said} and no JSON: is it an OpenSearch-compatible server?") from None
        return answer.status, parsed, answer.warnings

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
        if "CERTIFICATE_VERIFY_FAILED" in str(error) and "mismatch" in str(error):
            return f"the certificate of {self.url} is for another name: write that name in the address ({error})"
        if "certificate has expired" in str(error) or "certificate is not yet valid" in str(error):
            return f"the certificate of {self.url} is not valid today: renew it, or set the clock right ({error})"
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            how = "set SSL_CERT_FILE, --ca-cert or --cluster-ca-cert to its authority's"
            return f"the certificate of {self.url} is not trusted: {how} ({error})"
        if "[SSL" in str(error):
            return f"{self.url} does not speak https: try http ({error})"
        if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
            return f"nothing answers at {self.url} ({error}): {self._advice}"
        if isinstance(error, httpx.ReadTimeout) and not self._answered:
            return f"{self.url} takes connections but answers nothing: is it stopped, or busy starting?"
        broken = f"the connection to {self.url} broke off: {str(error) or type(error).__name__}"
        plain = self.url.startswith("http:") and not self._answered
        return f"{broken}; if it speaks https, write that" if plain else broken

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


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
    return b"".join(_json(line) + b"\n" for line in lines)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
