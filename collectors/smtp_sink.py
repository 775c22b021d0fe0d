"""An SMTP server that takes reports for our own domains. It answers 250 when the message is durable, 451 when it cannot be kept."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from aiosmtpd.smtp import SMTP
from aiosmtpd.smtp import Envelope as Session

from analyzer import __version__
from analyzer.model import MESSAGE, Capture, Envelope, KeepFailed
from analyzer.sources import SmtpSinkSource
from collectors.base import Cursor, Keep, Progress, SourceFailed, Tally, silent
from collectors.writer import Writer

COMMAND_TIMEOUT = 300  # seconds between two commands (RFC 5321 §4.5.3.2.7)
DATA_TIMEOUT = 900  # seconds for a message from its first byte to our answer
MOST_SESSIONS = 200  # at once; further clients are asked to come again
MOST_BUFFERED = 1024 * 1024  # bytes of a session before they are taken up; lines may be longer, for refusing them would lose the report
_DOT = b".\r\n"
_END = b"\r\n" + _DOT
# an address as most are written: the library's reader of RFC 5322, which takes all others, spends a tenth of a session on each
_ATOM = r"[\w!#$%&'*+/=?^`{|}~-]+"
_PLAIN = re.compile(rf"(<>|<{_ATOM}(?:\.{_ATOM})*@[A-Za-z\d-]+(?:\.[A-Za-z\d-]+)*>)(.*)", re.A)
# DSN is not offered, for this server never sends a report of its own (RFC 3461 §5.2.2 would have it); who asks for one all the same is heard
_DSN = re.compile(r"(?:^|[ \t]+)(?:RET|ENVID|NOTIFY|ORCPT)=[^\s<>]{0,1000}(?=[ \t]|$)", re.I)
log = logging.getLogger(__name__)
# at WARNING aiosmtpd repeats every word of a stranger that is no command
logging.getLogger("mail.log").setLevel(logging.ERROR)


class _Server(SMTP):  # type: ignore[misc]  # aiosmtpd publishes no types
    """One session. Takes lines of any length, and drops a client that sends without end."""

    line_length_limit = MOST_BUFFERED

    def __init__(self, open_: set[_Server], handler: _Handler, most: int, **options: Any) -> None:
        self._open, self._taken = open_, 0
        # four times what is taken: up to there a message that is too large still gets its 552
        self._most = 4 * most + MOST_BUFFERED
        super().__init__(handler, data_size_limit=most, enable_SMTPUTF8=True, ident=f"Mailhealth {__version__}",
                         auth_exclude_mechanism=["LOGIN", "PLAIN"], **options)  # fmt: skip

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._open.discard(self)
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        self._taken += len(data)
        if self._taken > self._most:
            self.transport.abort()
            return
        super().data_received(data)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        """As the library's, which takes the message up line by line."""
        if await self.check_helo_needed():
            return
        if arg or not self.envelope.rcpt_tos:
            await self.push("501 5.5.4 Syntax: DATA" if arg else "503 5.5.1 Who is it for? RCPT comes first")
            return
        self._taken = 0
        self._reset_timeout(DATA_TIMEOUT)
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        content = await self._content()
        if content is None:
            status = "552 5.3.4 Error: Too much mail data"
        else:
            self.envelope.content = self.envelope.original_content = content
            status = await self.event_handler.handle_DATA(self, self.session, self.envelope)
        self._set_post_data_state()
        await self.push(status)

    async def _content(self) -> bytes | None:
        """The message up to the line of a single dot (RFC 5321 §4.1.1.4); None where it is too large. A bare CR or LF ends no line."""
        data, large = bytearray(), False
        while data != _DOT and not data.endswith(_END):
            try:
                data += await self._reader.readuntil(_DOT)
            except asyncio.LimitOverrunError as e:
                data += await self._reader.read(e.consumed)
            if len(data) > self.data_size_limit + len(_DOT):
                large = True
                del data[: -len(_END)]
        if large:
            return None
        content = bytes(data[: -len(_DOT)]).replace(b"\r\n.", b"\r\n")
        return content[1:] if content.startswith(b".") else content

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """The address of MAIL or RCPT, and its options but for those that ask for a report."""
        plain = _PLAIN.fullmatch(arg)
        address, options = (plain[1] if plain[1] == "<>" else plain[1][1:-1], plain[2]) if plain else super()._getaddr(arg)
        return address, _DSN.sub("", options).strip() if options else options


class _Busy(asyncio.Protocol):
    """Asks a client to come again."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        there = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        there.write(b"421 4.3.2 Too many connections, please come again\r\n")
        asyncio.get_running_loop().call_later(0.1, there.close)  # at once, and uvloop may close before it has written


class _Handler:
    """What aiosmtpd asks at each step."""

    def __init__(self, name: str, source: SmtpSinkSource, keep: Keep, progress: Progress) -> None:
        self._name, self._source, self._progress = name, source, progress
        self.writer = Writer(keep)
        self._domains = {d.lower().strip(".") for d in source.domains}
        self._count = 0
        self._stopping = False

    async def handle_EHLO(self, server: Any, session: Any, envelope: Session, hostname: str, responses: list[str]) -> list[str]:  # noqa: N802
        session.host_name = hostname
        return [r for r in responses if not r[4:].startswith("AUTH")]  # nobody logs in here; aiosmtpd offers an empty list

    async def handle_RCPT(self, server: Any, session: Any, envelope: Session, address: str, options: list[str]) -> str:  # noqa: N802
        if len(envelope.rcpt_tos) >= self._source.max_recipients:
            return "452 4.5.3 Too many recipients"
        # without a domain it is ours (RFC 5321 §4.5.1)
        if address.lower() != "postmaster" and address.rpartition("@")[2].lower().strip(".>") not in self._domains:
            return "550 5.7.1 Relaying denied: this server takes reports for its own domains only"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Session) -> str:  # noqa: N802
        if self._stopping:
            return "451 4.3.2 Being stopped, please try again"
        sender = (envelope.mail_from or "").strip("<>")
        peer = str(session.peer[0]) if session.peer else ""
        data = envelope.original_content or b""
        capture = Capture(data, MESSAGE, self._name, datetime.now(UTC), Envelope(sender, tuple(envelope.rcpt_tos), peer))
        try:
            await self.writer.keep(capture)  # many sessions wait for one commit together
        except KeepFailed as e:
            self._progress(self._count, None, str(e))
            return "451 4.3.0 Cannot be kept just now, please try again"
        except Exception:
            log.exception("a message could not be kept")
            return "451 4.3.0 Cannot be kept just now, please try again"
        self._count += 1
        self._progress(self._count, None)
        return "250 2.0.0 Kept"

    async def handle_exception(self, error: Exception) -> str:
        """A fault of ours must not make the sender give up."""
        log.error("a session failed", exc_info=error)
        return "451 4.3.0 Cannot be taken just now, please try again"

    async def close(self) -> None:
        """Takes nothing more, and waits for what is being kept."""
        self._stopping = True
        await self.writer.stop()


class SmtpSinkCollector:
    """Collects the mail that is sent to it."""

    def __init__(self, name: str, source: SmtpSinkSource) -> None:
        self.name, self._source = name, source

    def check(self, offline: bool = False) -> None:
        """Reads its certificate, and takes the port for a moment."""
        s = self._source
        self._tls()
        if not offline:
            try:
                socket.create_server((s.host, s.port), family=socket.AF_INET6 if ":" in s.host else socket.AF_INET).close()
            except OSError as e:
                raise self._taken(e) from None

    def _taken(self, e: OSError) -> SourceFailed:
        s = self._source
        return SourceFailed(
            f"sources.{self.name}: cannot listen on {s.host}:{s.port} ({e.strerror}); choose another port, or stop what holds it."
        )

    def collect(self, keep: Keep, cursor: Cursor, progress: Progress = silent) -> Tally:
        """Nothing waits at a server: mail comes while `watch` runs."""
        return Tally()

    def watch(self, keep: Keep, cursor: Cursor, stop: threading.Event, progress: Progress = silent) -> None:
        """Serves until `stop`. Raises SourceFailed when the port cannot be had."""
        with asyncio.Runner(loop_factory=_loop()) as runner:
            runner.run(self._serve(keep, stop, progress))

    async def _serve(self, keep: Keep, stop: threading.Event, progress: Progress) -> None:
        handler = _Handler(self.name, self._source, keep, progress)
        s = self._source
        loop = asyncio.get_running_loop()
        tls = self._tls()
        open_: set[_Server] = set()

        def session() -> asyncio.BaseProtocol:
            if len(open_) >= MOST_SESSIONS:
                return _Busy()
            return _Server(open_, handler, s.max_message_bytes, hostname="mailhealth", timeout=COMMAND_TIMEOUT, tls_context=tls, loop=loop)

        try:
            server = await loop.create_server(session, s.host, s.port)
        except OSError as e:
            raise self._taken(e) from None
        handler.writer.start()
        progress(0, None, f"listening on {s.host}:{s.port} for {', '.join(s.domains)}")
        async with server:
            while not stop.is_set():
                await asyncio.sleep(0.2)
        # those that wait for our answer get it; what is kept without one comes again, and is recognised
        await handler.close()
        await asyncio.sleep(0.1)

    def _tls(self) -> ssl.SSLContext | None:
        """What STARTTLS is answered with; None where no certificate is configured. Raises SourceFailed."""
        s = self._source
        if s.cert_file is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(s.cert_file, s.key_file)
        except OSError as e:  # ssl.SSLError is one
            raise SourceFailed(
                f"sources.{self.name}: cert_file {s.cert_file} cannot be used ({e.strerror or e}); it must be a certificate in PEM, with its key or `key_file`."
            ) from None
        return context


def _loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The event loop that takes half as much time, where there is one for this system."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
