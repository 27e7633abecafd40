"""HTTP/1.1 for uvicorn with a bound on what comes before a body: request line and headers."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 65_536
_REFUSED = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json; charset=UTF-8\r\n"
    b'content-length: 61\r\nconnection: close\r\n\r\n{"error":"the request head exceeds 65536 bytes","status":431}'
)


class BoundedHttp(HttpToolsProtocol):
    """Answers 431 and hangs up when a request's head does not end within ``MAX_HEAD_BYTES`` (and one read)."""

    _head_open = True
    _head_bytes = 0
    _ends = 0

    def data_received(self, data: bytes) -> None:
        """Count what arrives while one head stays incomplete; data in which a head or a body ends is no such thing."""
        open_before, ends_before = self._head_open, self._ends
        super().data_received(data)
        if not (open_before and self._head_open and ends_before == self._ends):
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_REFUSED)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """A head has ended."""
        self._head_open, self._head_bytes = False, 0
        self._ends += 1
        super().on_headers_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: who asks for a web socket is answered as if it had not."""

    def on_message_complete(self) -> None:
        """A body has ended: the next byte belongs to a head."""
        self._head_open = True
        super().on_message_complete()
