"""Where a server is, who asks, and which certificates are believed."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from antiphon.errors import IllegalArgument

DEFAULT_URL = "http://127.0.0.1:9200"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to reach one server.

    ``url`` holds neither user nor password, so that messages may show it; the password is in no ``repr``. Certificates
    are checked against those of the system (or of the file that ``SSL_CERT_FILE`` names), with ``ca_cert`` against that
    file's alone, with ``insecure`` not at all.
    """

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_cert: Path | None = None
    insecure: bool = False

    @property
    def auth(self) -> tuple[str, str] | None:
        """User and password of basic authentication; None without a user."""
        return None if self.user is None else (self.user, self.password or "")

    def verify(self) -> ssl.SSLContext | bool:
        """What httpx takes as ``verify``; IllegalArgument when ``ca_cert`` holds no certificates."""
        if not self.url.startswith("https") or self.insecure:
            return False
        if self.ca_cert is None:
            return ssl.create_default_context()
        try:
            return ssl.create_default_context(cafile=self.ca_cert)
        except (OSError, ssl.SSLError) as error:
            raise IllegalArgument(f"[{self.ca_cert}] holds no certificates in PEM form: {error}") from None


def read_endpoint(url: str, option: str = "--url") -> Endpoint:
    """Return what an address says: ``http(s)://[user[:password]@]host[:port][/path]``, ``http://`` when left out.

    IllegalArgument for anything else; its message shows nothing of a URL that holds a password.
    """
    parts = urlsplit(url if "//" in url else f"http://{url}")
    try:
        number = parts.port
    except ValueError:
        number = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or number == -1 or parts.query or parts.fragment:
        shown = f"{option} (not shown, because of its password; write / : @ # in it as %2F %3A %40 %23)"
        raise IllegalArgument(f"{shown if '@' in url else f'[{url}]'} is no address of a server, such as {DEFAULT_URL}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = f":{number}" if number else ""
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password is not None else None
    return Endpoint(f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}", user, password)
