"""A URL becomes a staged zip: http and https streamed, file copied; redirects are followed by hand."""

from __future__ import annotations

import ipaddress
import math
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx

from antiphon.domain.package import StagedZip
from antiphon.errors import PackageError
from antiphon.package.staging import BLOCK_BYTES, stage, too_large

MAX_REDIRECTS = 5
"""Redirects that are followed before a download is given up."""

_SCHEMES = ("http", "https", "file")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"Accept": "application/zip, */*;q=0.5", "Accept-Encoding": "identity", "User-Agent": "antiphon"}


def fetch_zip(
    url: str, trusted_url_regex: str, folder: Path, *, max_bytes: int, timeout_s: float, within_s: float = math.inf
) -> StagedZip:
    """Stream ``url`` into ``folder``; PackageError naming the URL on any failure, and nothing left behind.

    The URL and every redirect target must contain a match of ``trusted_url_regex``; a redirect keeps its scheme.
    ``timeout_s`` bounds the connect and each silence of the peer, ``within_s`` the whole download. Proxies of the
    environment are used except for this machine's own addresses.
    """
    _check_trusted(url, trusted_url_regex)
    deadline = time.monotonic() + within_s
    if _scheme(url) == "file":
        return stage(_file_blocks(url, max_bytes), folder, max_bytes, f"[{shown(url)}]")
    for _ in range(MAX_REDIRECTS + 1):
        with _answer(url, timeout_s) as response:
            if response.status_code not in _REDIRECTS:
                _check_answer(url, response, max_bytes)
                return stage(_body(url, response, timeout_s, deadline), folder, max_bytes, f"[{shown(url)}]")
            url = _target(url, response, trusted_url_regex)
    raise PackageError(f"[{shown(url)}] is redirect number {MAX_REDIRECTS + 1}; register with the final URL instead")


def shown(url: str) -> str:
    """Return ``url`` for a message: without its password."""
    return re.sub(r"(?<=//)([^/@:]*):[^/@]*@", r"\1:***@", url)


def _check_trusted(url: str, trusted_url_regex: str) -> None:
    try:
        trusted = re.search(trusted_url_regex, url)
    except re.error as error:
        raise PackageError(
            f"plugins.ml_commons.trusted_url_regex [{trusted_url_regex}] is no regular expression: {error}"
        ) from error
    if trusted is None:
        raise PackageError(
            f"URL can't match trusted url regex: [{shown(url)}] against [{trusted_url_regex}]. Register a URL that "
            "matches, or change plugins.ml_commons.trusted_url_regex"
        )


def _scheme(url: str) -> str:
    """Return the scheme, lower-case; PackageError when it is none of those served."""
    try:
        scheme = urlsplit(url).scheme
    except ValueError as error:
        raise PackageError(f"[{shown(url)}] is not a URL: {error}") from error
    if scheme not in _SCHEMES:
        raise PackageError(f"the URL scheme [{scheme}] of [{shown(url)}] is not supported; use http, https or file")
    return scheme


def _file_blocks(url: str, max_bytes: int) -> Iterator[bytes]:
    path = _file_path(url)
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would make us wait for its writer
            raise PackageError(f"[{url}] is not a regular file; name the package's zip")
        if found.st_size > max_bytes:
            raise too_large(f"{found.st_size}", max_bytes, f"[{url}]")
        with path.open("rb", buffering=0) as file:
            while block := file.read(BLOCK_BYTES):
                yield block
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PackageError(f"cannot read [{url}]: {reason}. The file must be readable by this server") from error


def _file_path(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc.lower() not in ("", "localhost"):
        raise PackageError(f"[{url}] names the host [{parts.netloc}]; a file URL reads this machine: file:///path.zip")
    if parts.query or parts.fragment:
        raise PackageError(f"[{url}] has an unencoded '?' or '#'; write %3F or %23 in the path")
    path = unquote(parts.path, errors="surrogateescape")
    if not path.startswith("/"):
        raise PackageError(f"[{url}] has no absolute path; write file:///path/to/package.zip")
    if "\0" in path:
        raise PackageError(f"[{url}] has a null byte (%00) in its path, which no file has")
    return Path(path)


@contextmanager
def _answer(url: str, timeout_s: float) -> Iterator[httpx.Response]:
    """Send a GET and yield the answer with its body unread."""
    try:
        with (
            _client(url, timeout_s) as client,
            client.stream("GET", url, headers=_HEADERS) as response,
        ):
            yield response
    except httpx.InvalidURL as error:
        raise PackageError(f"[{shown(url)}] is not a URL: {error}") from error
    except httpx.TimeoutException as error:
        raise PackageError(
            f"[{shown(url)}] did not answer within {timeout_s:g} s; check that the server is up and not stalled"
        ) from error
    except httpx.HTTPError as error:
        raise PackageError(
            f"[{shown(url)}] cannot be reached: {error or type(error).__name__}. Check host, port and certificate as "
            "seen from this server"
        ) from error


def _client(url: str, timeout_s: float) -> httpx.Client:
    try:
        return httpx.Client(trust_env=not _is_local(url), timeout=timeout_s, follow_redirects=False)
    except (ValueError, ImportError, OSError) as error:  # what a proxy or certificate variable may lead to
        raise PackageError(
            f"[{shown(url)}] cannot be reached with this environment: {error}. Check its HTTP_PROXY, HTTPS_PROXY, "
            "ALL_PROXY and SSL_CERT_FILE"
        ) from error


def _is_local(url: str) -> bool:
    """Whether the host is this machine, where no proxy belongs in between."""
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _check_answer(url: str, response: httpx.Response, max_bytes: int) -> None:
    if response.status_code != httpx.codes.OK:
        raise PackageError(
            f"[{shown(url)}] answered HTTP {response.status_code} {response.reason_phrase}; a GET of it must answer "
            "200 with the zip"
        )
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise too_large(announced, max_bytes, f"[{shown(url)}]")


def _body(url: str, response: httpx.Response, timeout_s: float, deadline: float) -> Iterator[bytes]:
    received = 0
    try:
        for block in response.iter_raw():  # as it comes: a slow peer must not hide behind a block that never fills
            received += len(block)
            yield block
            if time.monotonic() > deadline:
                raise PackageError(
                    f"[{shown(url)}] took too long: {received} bytes had arrived when time was up. Use a nearer or "
                    "faster server, or raise plugins.ml_commons.ml_task_timeout_in_seconds"
                )
    except httpx.TimeoutException as error:
        raise PackageError(
            f"[{shown(url)}] sent nothing for {timeout_s:g} s after {received} bytes; check the server and try again"
        ) from error
    except httpx.HTTPError as error:
        announced = response.headers.get("Content-Length", "an unknown number of")
        raise PackageError(
            f"[{shown(url)}] stopped after about {received} of {announced} bytes: {error}. Try again"
        ) from error


def _target(url: str, response: httpx.Response, trusted_url_regex: str) -> str:
    """Return where a redirect leads; PackageError when it leads to another scheme or out of the trusted URLs."""
    location = response.headers.get("Location", "")
    try:
        target = httpx.URL(url).join(location)
    except httpx.InvalidURL as error:
        raise PackageError(f"[{shown(url)}] redirects to [{location}], which is not a URL") from error
    if not location or target.scheme != httpx.URL(url).scheme:
        raise PackageError(
            f"[{shown(url)}] redirects to [{shown(location)}], not to a URL of its own scheme; "
            "register with the final URL instead"
        )
    _check_trusted(str(target), trusted_url_regex)
    return str(target)
