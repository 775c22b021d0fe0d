"""The SMTP server for reports."""

from __future__ import annotations

import smtplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from analyzer.config import SmtpSinkSource
from analyzer.inbox import GroupKeeper, Inbox
from analyzer.model import KeepFailed
from collectors.base import Keep, SourceFailed
from collectors.smtp_sink import SmtpSinkCollector
from tests.servers import answers, free_port, until


@contextmanager
def sink(keep: Keep, **more: object) -> Iterator[smtplib.SMTP]:
    source = SmtpSinkSource.model_validate({"type": "smtp-sink", "port": free_port(), "domains": ["bounces.example"]} | more)
    stop = threading.Event()
    thread = threading.Thread(target=SmtpSinkCollector("sink", source).watch, args=(keep, dict, stop))
    thread.start()
    try:
        until(partial(answers, source.port), 10, "the sink")
        with smtplib.SMTP("127.0.0.1", source.port, timeout=10) as client:
            yield client
    finally:
        stop.set()
        thread.join(10)


def test_250_comes_after_it_is_kept_with_its_envelope(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "i")
    with GroupKeeper(inbox) as keep, sink(keep) as client:
        client.sendmail("", ["v+1@bounces.example"], b"Subject: a\r\n\r\n.dot\r\n\xff\r\n")
        ((_, capture),) = inbox.pending()
    assert capture.data == b"Subject: a\r\n\r\n.dot\r\n\xff\r\n"
    assert capture.envelope is not None
    assert (capture.envelope.sender, capture.envelope.recipients) == ("", ("v+1@bounces.example",))


def test_451_when_it_cannot_be_kept(tmp_path: Path) -> None:
    def full(*_: object) -> int:
        raise KeepFailed("the disk is full")

    with sink(full) as client, pytest.raises(smtplib.SMTPDataError) as told:
        client.sendmail("", ["v@bounces.example"], b"Subject: a\r\n\r\nx\r\n")
    assert told.value.smtp_code == 451


def test_it_is_no_open_relay(tmp_path: Path) -> None:
    with sink(Inbox(tmp_path / "i").keep) as client, pytest.raises(smtplib.SMTPRecipientsRefused) as told:
        client.sendmail("", ["victim@elsewhere.example"], b"Subject: a\r\n\r\nx\r\n")
    assert told.value.recipients["victim@elsewhere.example"][0] == 550


def test_a_message_over_the_limit_is_refused(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "i")
    with sink(inbox.keep, max_message_bytes=10_000) as client, pytest.raises(smtplib.SMTPException):
        client.sendmail("", ["v@bounces.example"], b"x" * 20_000)
    assert inbox.waiting() == 0


def test_a_port_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    port = free_port()
    with sink(Inbox(tmp_path / "i").keep, port=port), pytest.raises(SourceFailed, match="cannot listen"):
        source = SmtpSinkSource(type="smtp-sink", port=port, domains=("x.example",))
        SmtpSinkCollector("other", source).watch(Inbox(tmp_path / "j").keep, dict, threading.Event())
