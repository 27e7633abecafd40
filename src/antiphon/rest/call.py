"""One request and its reply, as handlers see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from antiphon.domain.index_settings import API_VERSION
from antiphon.errors import IllegalArgument, ParseError
from antiphon.flows import ClusterEngine, Node
from antiphon.rest.json_body import loads


@dataclass(frozen=True, slots=True)
class Identity:
    """What the server says it is. ``api_version`` is the OpenSearch version whose API is spoken, ``address`` the
    ``host:port`` that clients reach it at, ``built`` when it was installed (ISO 8601)."""

    version: str
    cluster_name: str
    node_name: str
    api_version: str = API_VERSION
    address: str = "127.0.0.1:9200"
    max_body_bytes: int = 104_857_600
    built: str = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Call:
    """A request: ``params`` from the path, ``query`` from the query string, ``body`` as it came.

    ``host`` is the ``host:port`` that the client asked for, empty when it did not say. ``target`` is path and query as
    they were sent, ``headers`` are by lower-case name; ``cluster`` is where documents live when that is not here.
    """

    node: Node
    identity: Identity
    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    host: str = ""
    target: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    cluster: ClusterEngine | None = None

    def json(self, missing: str = "request body is required") -> Any:
        """Return the parsed body, or the ``source`` query parameter; ParseError ``missing`` when there is neither."""
        if self.body.strip():
            return loads(self.body)
        if self.query.get("source"):
            return loads(self.query["source"].encode())
        raise ParseError(missing)

    def json_or(self, default: Any) -> Any:
        """Return the parsed body, or ``default`` when there is none."""
        return self.json() if self.body.strip() or self.query.get("source") else default

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean query parameter; a bare ``?name`` is true."""
        word = self.query.get(name)
        if word is None:
            return default
        if word in ("", "true", "false"):
            return word != "false"
        raise IllegalArgument(f"Failed to parse value [{word}] as only [true] or [false] are allowed.")

    def number(self, name: str, default: int) -> int:
        """Return an integer query parameter."""
        word = self.query.get(name, str(default))
        try:
            return int(word)
        except ValueError:
            raise IllegalArgument(f"Failed to parse int parameter [{name}] with value [{word}]") from None

    def words(self, name: str) -> list[str]:
        """Return a comma-separated path parameter as a list; empty when absent."""
        return [word for word in self.params.get(name, "").split(",") if word]


@dataclass(frozen=True, slots=True)
class Reply:
    """``body`` is JSON-ready (numpy arrays allowed), or text with ``media_type``; ``notices`` become Warnings.

    ``file`` is sent in place of ``body``, as ``media_type``.
    Bytes are sent as they are; ``warnings`` are Warning headers that somebody else has written.
    """

    body: Any
    status: int = 200
    notices: list[str] = field(default_factory=list)
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    file: Path | None = None
    warnings: tuple[str, ...] = ()


Handler = Callable[[Call], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table; ``methods`` are separated by blanks.

    ``query`` names the parameters that the handler reads besides the common ones; a ``heavy`` handler waits for a
    model or a disk and runs on a pool of its own, a ``far`` one, which waits for a cluster, on another; a ``text`` one
    answers plain text as well; an ``any_media`` one takes a body of any content type, an ``any_query`` one any
    parameter (it refuses them all, or sends them on); a ``first`` one goes before the loops of bulks.
    """

    methods: str
    path: str
    handler: Handler
    query: frozenset[str] = frozenset()
    heavy: bool = False
    text: bool = False
    any_media: bool = False
    any_query: bool = False
    far: bool = False
    first: bool = False
