"""What uvicorn leaves open to strangers: heads without end, heads and bodies that never come, trailers, and connections without number."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD = 64 * 1024  # bytes of a request's first line and headers
HEAD_SECONDS = 10.0  # for them to come
LATE = "mailhealth.late"
"""In the scope of a request whose body took too long."""
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_SLOW = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class _Awaited(Enum):
    """What of a request is still to come."""

    NOTHING = 0
    HEAD = 1
    BODY = 2


class Guarded(HttpToolsProtocol):
    """One connection."""

    most_connections = 200
    most_body = 10 * 1024 * 1024  # bytes
    body_seconds = 30.0  # for a body to come

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._awaited, self._taken = _Awaited.HEAD, 0
        self._watched: _Awaited | None = None  # what of this request a time is set for
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            self._end(_BUSY)
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._awaited is _Awaited.NOTHING:
            self._awaited, self._taken = _Awaited.HEAD, 0  # from its first byte, even where that is only the end of an empty line
        super().data_received(data)
        self._taken += len(data)
        if self._awaited is _Awaited.HEAD and self._taken > MOST_HEAD:
            self._end(_LARGE)
        elif self._taken > 16 * self.most_body + MOST_HEAD:  # chunks may be wrapped in much that is not counted as body
            self.transport.abort()
        else:
            self._watch()

    def on_message_begin(self) -> None:
        self._awaited, self._taken = _Awaited.HEAD, 0
        self._watched = None
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._awaited is _Awaited.HEAD:  # else a trailer (RFC 9110 §6.5), and nobody here asks for one
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._awaited = _Awaited.BODY
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._awaited = _Awaited.NOTHING
        super().on_message_complete()

    def _watch(self) -> None:
        """Sets a time for what has begun and not come whole. Most requests come in one piece, and need none."""
        if self._awaited is self._watched:
            return
        self._unwatch()
        self._watched = self._awaited
        if self._awaited is not _Awaited.NOTHING:
            self._timer = self.loop.call_later(HEAD_SECONDS if self._awaited is _Awaited.HEAD else self.body_seconds, self._late)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        if self._awaited is _Awaited.BODY:
            self.scope[LATE] = True  # type: ignore[literal-required]
        self._end(_SLOW)

    def _end(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()


def guarded(connections: int, body: int, body_seconds: float) -> type[Guarded]:
    """A protocol with these limits."""
    return type("Guarded", (Guarded,), {"most_connections": connections, "most_body": body, "body_seconds": body_seconds})
