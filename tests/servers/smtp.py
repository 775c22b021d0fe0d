"""SMTP on the receiving side: our own sink at work, and a mail exchanger that answers as a test wants."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiosmtpd.controller import Controller

from analyzer.config import SmtpSinkSource
from collectors.base import Keep
from collectors.smtp_sink import SmtpSinkCollector
from tests.servers import answers, free_port, until


@contextmanager
def sink(keep: Keep, **more: object) -> Iterator[int]:
    """Our sink for bounces.example, at work; gives its port."""
    source = SmtpSinkSource.model_validate({"type": "smtp-sink", "port": free_port(), "domains": ["bounces.example"]} | more)
    stop = threading.Event()
    thread = threading.Thread(target=SmtpSinkCollector("sink", source).watch, args=(keep, dict, stop))
    thread.start()
    try:
        until(partial(answers, source.port), 30, "the sink")
        yield source.port
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


@dataclass
class Exchanger:
    """A mail exchanger: what it answers to RCPT or at the end of DATA, by the recipient's local part; all else it takes."""

    at_rcpt: Mapping[str, str]
    at_data: Mapping[str, str] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)  # recipients
    contents: list[bytes] = field(default_factory=list)  # the messages that were taken

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        answer = self.at_rcpt.get(address.partition("@")[0])
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 2.1.5 Ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        for address in envelope.rcpt_tos:
            if answer := self.at_data.get(address.partition("@")[0]):
                return answer
        self.taken += envelope.rcpt_tos
        self.contents.append(envelope.original_content)
        return "250 2.0.0 Ok"

    @contextmanager
    def serving(self, port: int) -> Iterator[None]:
        """Serves on a port of loopback."""
        controller = Controller(self, hostname="127.0.0.1", port=port, server_hostname="mx.receiver.example")
        controller.start()
        try:
            yield
        finally:
            controller.stop()
