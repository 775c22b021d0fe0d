"""An SMTP server that takes reports for our own domains. It answers 250 when the message is durable, 451 when it cannot be kept."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from datetime import UTC, datetime
from typing import Any

from aiosmtpd.smtp import SMTP
from aiosmtpd.smtp import Envelope as Session

from analyzer import __version__
from analyzer.config import SmtpSinkSource
from analyzer.model import MESSAGE, Capture, Envelope, KeepFailed
from collectors.base import Cursor, Keep, Progress, SourceFailed, Tally, silent

COMMAND_TIMEOUT = 120  # seconds between two commands
log = logging.getLogger(__name__)


class _Handler:
    """What aiosmtpd asks at each step."""

    def __init__(self, name: str, source: SmtpSinkSource, keep: Keep, progress: Progress) -> None:
        self._name, self._source, self._keep, self._progress = name, source, keep, progress
        self._domains = {d.lower().strip(".") for d in source.domains}
        self._count = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Session, address: str, options: list[str]) -> str:  # noqa: N802
        if len(envelope.rcpt_tos) >= self._source.max_recipients:
            return "452 4.5.3 Too many recipients"
        if address.rpartition("@")[2].lower().strip(".>") not in self._domains:
            return "550 5.7.1 Relaying denied: this server takes reports for its own domains only"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Session) -> str:  # noqa: N802
        sender = (envelope.mail_from or "").strip("<>")
        peer = str(session.peer[0]) if session.peer else ""
        data = envelope.original_content or b""
        capture = Capture(data, MESSAGE, self._name, datetime.now(UTC), Envelope(sender, tuple(envelope.rcpt_tos), peer))
        try:
            # in a thread of its own, so that many sessions wait for one commit together
            await asyncio.get_running_loop().run_in_executor(None, self._keep, [capture])
        except KeepFailed as e:
            self._progress(self._count, None, str(e))
            return "451 4.3.0 Cannot be kept just now, please try again"
        except Exception:
            log.exception("a message could not be kept")
            return "451 4.3.0 Cannot be kept just now, please try again"
        self._count += 1
        self._progress(self._count, None)
        return "250 2.0.0 Kept"


class SmtpSinkCollector:
    """Collects the mail that is sent to it."""

    def __init__(self, name: str, source: SmtpSinkSource) -> None:
        self.name, self._source = name, source

    def check(self, offline: bool = False) -> None:
        """Takes the port for a moment."""
        s = self._source
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
        asyncio.run(self._serve(keep, stop, progress))

    async def _serve(self, keep: Keep, stop: threading.Event, progress: Progress) -> None:
        handler = _Handler(self.name, self._source, keep, progress)
        s = self._source
        loop = asyncio.get_running_loop()

        def session() -> SMTP:
            return SMTP(handler, data_size_limit=s.max_message_bytes, enable_SMTPUTF8=True, hostname="mailhealth",
                        ident=f"Mailhealth {__version__}", timeout=COMMAND_TIMEOUT, loop=loop)  # fmt: skip

        try:
            server = await loop.create_server(session, s.host, s.port)
        except OSError as e:
            raise self._taken(e) from None
        progress(0, None, f"listening on {s.host}:{s.port} for {', '.join(s.domains)}")
        async with server:
            while not stop.is_set():
                await asyncio.sleep(0.2)
