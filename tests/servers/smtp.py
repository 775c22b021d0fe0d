"""SMTP on the receiving side: our own sink at work, and a mail exchanger that answers as a test wants."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from analyzer.sources import SmtpSinkSource
from collectors.base import Keep
from collectors.smtp_sink import SmtpSinkCollector
from tests.servers import answers, free_port, served, until


@contextmanager
def sink(keep: Keep, **more: object) -> Iterator[int]:
    """Our sink for bounces.example, at work; gives its port."""
    source = SmtpSinkSource.model_validate({"type": "smtp-sink", "port": free_port(), "domains": ["bounces.example"]} | more)
    stop = threading.Event()
    thread = threading.Thread(target=SmtpSinkCollector("sink", source).watch, args=(keep, dict, stop))
    thread.start()
    try:
        until(partial(answers, source.port, source.host), 30, "the sink")
        yield source.port
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


class _Server(SMTP):  # type: ignore[misc]  # aiosmtpd publishes no types
    """Asks the exchanger before it takes the command DATA."""

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if answer := self.event_handler.refusal(self.event_handler.at_command, self.envelope.rcpt_tos):
            await self.push(answer)
        else:
            await super().smtp_DATA(arg)


class _Controller(Controller):  # type: ignore[misc]
    def factory(self) -> _Server:
        return _Server(self.handler, **self.SMTP_kwargs)


@dataclass
class Exchanger:
    """A mail exchanger: what it answers at each step, by the recipient's local part; all else it takes.

    At MAIL, where no recipient is known yet, by what stands behind the + in the sender's local part.
    """

    at_rcpt: Mapping[str, str | bytes]
    at_data: Mapping[str, str | bytes] = field(default_factory=dict)  # at the end of the message
    at_command: Mapping[str, str | bytes] = field(default_factory=dict)  # to the command DATA
    at_mail: Mapping[str, str | bytes] = field(default_factory=dict)
    most: int = 33554432  # bytes of a message
    taken: list[str] = field(default_factory=list)  # recipients
    contents: list[bytes] = field(default_factory=list)  # the messages that were taken

    def refusal(self, answers: Mapping[str, str | bytes], addresses: list[str]) -> str | bytes | None:
        """The answer to the first of these addresses for which there is one."""
        return next((answers[name] for a in addresses if (name := a.partition("@")[0]) in answers), None)

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str | bytes:  # noqa: N802
        answer = self.at_mail.get(address.partition("@")[0].rpartition("+")[2])
        if answer is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer or "250 2.1.0 Ok"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str | bytes:  # noqa: N802
        answer = self.refusal(self.at_rcpt, [address])
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 2.1.5 Ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str | bytes:  # noqa: N802
        if answer := self.refusal(self.at_data, envelope.rcpt_tos):
            return answer
        self.taken += envelope.rcpt_tos
        self.contents.append(envelope.original_content)
        return "250 2.0.0 Ok"

    @contextmanager
    def serving(self, port: int, host: str = "127.0.0.1") -> Iterator[None]:
        """Serves on a port of loopback."""
        controller = _Controller(self, hostname=host, port=port, server_hostname="mx.receiver.example", data_size_limit=self.most)
        controller.start()
        try:
            yield
        finally:
            controller.stop()


class _Turn(socketserver.BaseRequestHandler):
    """Greets, listens to nothing, hangs up."""

    def handle(self) -> None:
        greeting: bytes = self.server.greeting  # type: ignore[attr-defined]
        self.request.settimeout(10)
        with suppress(OSError):
            if greeting:
                self.request.sendall(greeting + b"\r\n")
                self.request.recv(1000)  # QUIT, as a rule


class _Turning(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True


@contextmanager
def turning_away(greeting: str, host: str) -> Iterator[None]:
    """A server on port 25 of an address that greets everybody so and does nothing more; without a greeting it hangs up at once."""
    with _Turning((host, 25), _Turn) as server:
        server.greeting = greeting.encode()  # type: ignore[attr-defined]
        with served(server):
            yield
