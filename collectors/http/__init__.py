"""An HTTP server for the webhooks of SMTP providers, for rows from systems of one's own, and for tracking links of one's own. It answers 200 when
the body is durable, 503 when it cannot be kept.

It speaks no TLS: a proxy that does stands before it (docs/webhooks.md, docs/tracking.md).
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import uvicorn

from analyzer.model import Capture
from analyzer.sources import HTTP_TABLES, HttpSource, MandrillSigning, Topics
from analyzer.sources import Shown as ShownSecret
from analyzer.sources import Signing as SigningSecret
from analyzer.tokens import Keys
from collectors.base import Cursor, Keep, Progress, SourceFailed, Tally, silent
from collectors.http.app import EVENTS, Receiver
from collectors.http.guard import guarded
from collectors.http.signatures import Mailgun, Mandrill, Scheme, SendGrid, Shown, Svix
from collectors.http.sns import Fetch, Sns

KEEP_ALIVE = 30  # seconds that a connection may wait for its next request
GRACE = 5  # seconds for requests to end in when it is stopped
# at WARNING uvicorn tells of every request that is none
logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


class HttpCollector:
    """Collects the requests that are made to it."""

    def __init__(self, name: str, source: HttpSource, fetch: Fetch | None = None) -> None:
        self.name, self._source, self._fetch = name, source, fetch
        self.unknown: Callable[[Capture], int] = lambda capture: 0  # how many events of a capture nobody knows; for the counters alone
        self.keys: Keys | None = None  # of the tracking links; whoever runs it has the store

    def check(self, offline: bool = False) -> None:
        """Reads its secrets, takes the port for a moment, and looks up the public name of the tracking links."""
        self._schemes()
        if not offline:
            self._listen().close()
            self._resolve()

    def collect(self, keep: Keep, cursor: Cursor, progress: Progress = silent) -> Tally:
        """Nothing waits at a server: requests come while `watch` runs."""
        return Tally()

    def watch(self, keep: Keep, cursor: Cursor, stop: threading.Event, progress: Progress = silent) -> None:
        """Serves until `stop`. Raises SourceFailed when the port cannot be had, ConfigError when a secret is nowhere."""
        s, schemes = self._source, self._schemes()
        if s.tracking and self.keys is None:
            raise SourceFailed(f"sources.{self.name}.tracking: no store is here to give the key; run it with `mailhealth serve` or `run`.")
        receiver = Receiver(self.name, s, schemes, keep, progress, self.unknown, self.keys)
        listening = self._listen()
        config = uvicorn.Config(
            receiver.app(), http=guarded(s.max_connections, s.max_body_bytes, s.body_seconds), ws="none", lifespan="on", log_config=None, access_log=False, server_header=False,
            proxy_headers=False, timeout_keep_alive=KEEP_ALIVE, timeout_graceful_shutdown=GRACE,
        )  # fmt: skip
        progress(0, None, f"listening on {s.host}:{s.port} for {', '.join([*schemes, *(['tracking'] if s.tracking else [])])}")
        _Server(config, stop).run(sockets=[listening])

    def _schemes(self) -> dict[str, Scheme]:
        """How each configured provider shows that a request is its own. Raises ConfigError, SourceFailed."""
        found = {name: getattr(self._source, name.replace("-", "_")) for name in HTTP_TABLES}
        schemes = {name: self._scheme(name, table) for name, table in found.items() if table is not None}
        if not schemes and not self._source.tracking:
            known = ", ".join([*HTTP_TABLES, "tracking"])
            raise SourceFailed(f"sources.{self.name}: nobody is expected; add a table [sources.{self.name}.PROVIDER]: {known}.")
        return schemes

    def _scheme(self, name: str, table: ShownSecret | SigningSecret | MandrillSigning | Topics) -> Scheme:
        if isinstance(table, Topics):
            return Sns(table.topics, self._fetch)
        secret = table.value(f"sources.{self.name}.{name}")
        if isinstance(table, MandrillSigning):
            return Mandrill(secret, table.url)
        if isinstance(table, ShownSecret):
            return Shown(secret, table.user, bearer_only=name == EVENTS)
        signed: dict[str, Callable[[str, float], Scheme]] = {"sendgrid": SendGrid.of, "mailgun": Mailgun, "resend": Svix.of}
        return signed[name](secret, table.max_age_seconds)

    def _resolve(self) -> None:
        """Raises SourceFailed where the host of the tracking links has no address: every link in the mail would be dead."""
        if self._source.tracking is None:
            return
        host = urlsplit(self._source.tracking.url).hostname or ""
        try:
            socket.getaddrinfo(host, None)
        except OSError as e:
            raise SourceFailed(
                f"sources.{self.name}.tracking: {host} is not found in the DNS ({e.strerror}); add a record that leads to your proxy (docs/tracking.md)."
            ) from None

    def _listen(self) -> socket.socket:
        s = self._source
        try:
            return socket.create_server((s.host, s.port), family=socket.AF_INET6 if ":" in s.host else socket.AF_INET, backlog=1024)
        except OSError as e:
            raise SourceFailed(
                f"sources.{self.name}: cannot listen on {s.host}:{s.port} ({e.strerror}); choose another port, or stop what holds it."
            ) from None


class _Server(uvicorn.Server):
    """Ends when it is told to, and leaves signals to whoever runs it."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event) -> None:
        super().__init__(config)
        self._stop = stop

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._stop.is_set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
