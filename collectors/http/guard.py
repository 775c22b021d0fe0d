"""What uvicorn leaves open to strangers: heads without end, heads that never come, trailers, and connections without number."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD = 64 * 1024  # bytes of a request's first line and headers
HEAD_SECONDS = 10  # for them to come
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_SLOW = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Guarded(HttpToolsProtocol):
    """One connection."""

    most_connections = 200
    most_body = 10 * 1024 * 1024  # bytes

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._in_head, self._taken = True, 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            self._end(_BUSY)
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            self._await_head()  # from its first byte, even where that is only the end of an empty line
        super().data_received(data)
        self._taken += len(data)
        if self._in_head and self._taken > MOST_HEAD:
            self._end(_LARGE)
        elif self._taken > 16 * self.most_body + MOST_HEAD:  # chunks may be wrapped in much that is not counted as body
            self.transport.abort()

    def on_message_begin(self) -> None:
        self._in_head, self._taken = True, 0
        self._await_head()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # else a trailer (RFC 9110 §6.5), and nobody here asks for one
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_came()
        super().on_headers_complete()

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._end, _SLOW)

    def _head_came(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()


def guarded(connections: int, body: int) -> type[Guarded]:
    """A protocol with these limits."""
    return type("Guarded", (Guarded,), {"most_connections": connections, "most_body": body})
