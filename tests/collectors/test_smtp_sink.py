"""The SMTP server for reports."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest
from aiosmtpd.smtp import SMTP

from analyzer.inbox import Inbox
from analyzer.model import Capture
from analyzer.pipeline import flush
from analyzer.sources import SmtpSinkSource
from analyzer.store import Store
from collectors.base import Keep, SourceFailed
from collectors.smtp_sink import SmtpSinkCollector, _Server
from collectors.testing import LARGE, ReceiverContract
from tests.servers import certificates, free_port, until
from tests.servers.smtp import sink


class TestSink(ReceiverContract):
    type = "smtp-sink"
    large = b"Subject: large\n\n" + (b"x" * 76 + b"\n") * (LARGE // 76)

    def receiver(self, port: int) -> SmtpSinkSource:
        return SmtpSinkSource(type="smtp-sink", port=port, domains=("bounces.example",))

    def acknowledged(self, port: int, entry: bytes) -> bool:
        try:
            with smtplib.SMTP("127.0.0.1", port, timeout=60) as c:
                c.sendmail("", ["v@bounces.example"], entry.replace(b"\n", b"\r\n"))
        except smtplib.SMTPDataError as e:
            assert e.smtp_code == 451
            return False
        return True


@contextmanager
def client(keep: Keep, **more: object) -> Iterator[smtplib.SMTP]:
    """A client that has been greeted by a sink."""
    with sink(keep, **more) as port, smtplib.SMTP("127.0.0.1", port, timeout=10) as connection:
        yield connection


@contextmanager
def spoken(port: int, *lines: bytes) -> Iterator[IO[bytes]]:
    """Greets, and says line after line as it is, each when the one before was answered; gives the answers from that to the last line on."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s, s.makefile("rb") as replies:
        for line in (b"HELO x", *lines):
            replies.readline()
            s.sendall(line + b"\r\n")
        yield replies


def test_250_comes_after_it_is_kept_with_its_envelope(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "i")
    with client(inbox.keep) as c:
        c.sendmail("", ["v+1@bounces.example"], b"Subject: a\r\n\r\n.dot\r\n\xff\r\n")
        ((_, capture),) = inbox.pending()
    assert capture.data == b"Subject: a\r\n\r\n.dot\r\n\xff\r\n"
    assert capture.envelope is not None
    assert (capture.envelope.sender, capture.envelope.recipients) == ("", ("v+1@bounces.example",))


def test_it_is_no_open_relay(tmp_path: Path) -> None:
    with client(Inbox(tmp_path / "i").keep) as c, pytest.raises(smtplib.SMTPRecipientsRefused) as told:
        c.sendmail("", ["victim@elsewhere.example"], b"Subject: a\r\n\r\nx\r\n")
    assert told.value.recipients["victim@elsewhere.example"][0] == 550


def test_the_postmaster_needs_no_domain(tmp_path: Path) -> None:
    """RFC 5321 §4.5.1."""
    inbox = Inbox(tmp_path / "i")
    with client(inbox.keep) as c:
        c.helo("x.example")
        assert c.docmd("MAIL", "FROM:<>")[0] == 250
        assert c.docmd("RCPT", "TO:<Postmaster>")[0] == 250
        assert c.docmd("RCPT", "TO:<anybody>")[0] == 550
        c.data(b"Subject: a\r\n\r\nx\r\n")
        assert [capture.envelope.recipients for _, capture in inbox.pending() if capture.envelope] == [("Postmaster",)]


def test_who_asks_for_reports_without_being_offered_them_is_heard(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "i")
    with client(inbox.keep) as c:
        c.ehlo("x.example")
        assert not c.has_extn("dsn")
        c.sendmail(
            "a@x.example",
            ["v@bounces.example"],
            b"Subject: a\r\n\r\nx\r\n",
            ["RET=HDRS", "ENVID=e-17"],
            ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;o@x.example"],
        )
        assert c.docmd("MAIL", "FROM:<> OTHER=1")[0] == 555
        ((_, capture),) = inbox.pending()
    assert capture.envelope is not None
    assert (capture.envelope.sender, capture.envelope.recipients) == ("a@x.example", ("v@bounces.example",))


def test_a_message_over_the_limit_is_refused(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "i")
    with client(inbox.keep, max_message_bytes=10_000) as c, pytest.raises(smtplib.SMTPException):
        c.sendmail("", ["v@bounces.example"], b"x" * 20_000)
    assert inbox.waiting() == 0


@pytest.mark.parametrize("over", [False, True])
def test_the_limit_is_the_largest_that_is_taken(tmp_path: Path, over: bool) -> None:
    """And of one that is not, none of it is left over for the next message."""
    inbox, large = Inbox(tmp_path / "i"), b"Subject: a\r\n\r\n" + b"x." * 4000 + b"x" * over + b".\r\n"
    with client(inbox.keep, max_message_bytes=len(large) - over) as c:
        c.ehlo("x.example")
        for text in (large, b"b\r\n"):
            c.mail("")
            c.rcpt("v@bounces.example")
            assert c.data(text)[0] == (552 if over and text == large else 250)
    assert [c.data for _, c in inbox.pending()] == ([b"b\r\n"] if over else [large, b"b\r\n"])


@pytest.mark.parametrize("piece", [1, 2, 3, 5, 64, 1_000_000])
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\r\n",
        b"..\r\n",
        b"\r\n..\r\n..\r\n",
        b"Subject: a\r\n\r\nEach line ends in a dot.\r\nThis one, too.\r\n\r\n..and one begins with it.\r\n...\r\n",
        b"\n..\n.\r.\r\n\n.\n\xff\x00.\r\n",
    ],
)
def test_a_message_is_the_same_in_whatever_pieces_it_comes(tmp_path: Path, text: bytes, piece: int) -> None:
    """And what the client has said behind it already is heard."""
    inbox = Inbox(tmp_path / "i")
    with client(inbox.keep) as c:
        for command in ("HELO x", "MAIL FROM:<>", "RCPT TO:<v@bounces.example>", "DATA"):
            c.docmd(command)
        said = text + b".\r\nNOOP\r\nVRFY v@bounces.example\r\n"
        for i in range(0, len(said), piece):
            c.sock.sendall(said[i : i + piece])
        assert [c.getreply()[0] for _ in range(3)] == [250, 250, 252]
    sent = b"\r\n".join(line.removeprefix(b".") for line in text.split(b"\r\n"))
    assert [c.data for _, c in inbox.pending()] == [sent]


@pytest.mark.parametrize(
    "said",
    [
        "<>", "<> SIZE=10", "<a@x.example>", "<bounce+1=b_c@x-y.example> BODY=8BITMIME", "<a.b@x>", '<"a b"@x.example>', '<"a>b"@x.example> SIZE=1', "<a@[127.0.0.1]>",
        "<@relay.example:a@x.example>", "<ü@x.example> SMTPUTF8", "< a@x.example >", "a@x.example", "<postmaster>", "<a..b@x.example>", "<a@x.example", "<a@x@y.example>", "<>>", "",
    ],
)  # fmt: skip
def test_an_address_is_read_as_the_library_reads_it(said: str) -> None:
    """The short way for plain addresses gives what the long way gives for all."""
    server = _Server.__new__(_Server)
    address, options = SMTP._getaddr(server, said)
    assert server._getaddr(said) == (address, options.strip() if options else options)


def test_a_port_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    port = free_port()
    with sink(Inbox(tmp_path / "i").keep, port=port), pytest.raises(SourceFailed, match="cannot listen"):
        source = SmtpSinkSource(type="smtp-sink", port=port, domains=("x.example",))
        SmtpSinkCollector("other", source).watch(Inbox(tmp_path / "j").keep, dict, threading.Event())


def test_lines_longer_than_the_standard_are_taken(tmp_path: Path) -> None:
    """A report refused for a long line in the mail it returns would be lost."""
    inbox, line = Inbox(tmp_path / "i"), b"x" * 300_000 + b"\r\n"
    with client(inbox.keep) as c:
        c.sendmail("", ["v@bounces.example"], b"Subject: a\r\n\r\n" + line)
    assert inbox.pending()[0][1].data.endswith(line)


def test_a_client_that_sends_without_end_is_dropped(tmp_path: Path) -> None:
    """One line that never ends: nothing is kept, and the next client is served."""
    inbox = Inbox(tmp_path / "i")
    with sink(inbox.keep, max_message_bytes=100_000) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
            for line in (b"HELO x", b"MAIL FROM:<>", b"RCPT TO:<v@bounces.example>", b"DATA"):
                s.sendall(line + b"\r\n")
            with pytest.raises(OSError, match=r"reset|pipe"):
                for _ in range(1000):
                    s.sendall(b"x" * 100_000)
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as c:
            c.sendmail("", ["v@bounces.example"], b"Subject: a\r\n\r\nb\r\n")
    assert [c.data for _, c in inbox.pending()] == [b"Subject: a\r\n\r\nb\r\n"]


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\n\x00.\r\n", b"\n\n.\r\n", b"\r\r\n.\r\r\n"]
)
def test_no_second_message_is_smuggled_into_a_first(tmp_path: Path, end: bytes) -> None:
    """Only CRLF.CRLF ends a message (RFC 5321 §4.1.1.4): what looks like another's commands after a bare LF or CR is text of the first."""
    inbox, hidden = Inbox(tmp_path / "i"), b"MAIL FROM:<>\r\nRCPT TO:<v+2@bounces.example>\r\nDATA\r\nSubject: b\r\n\r\nsmuggled"
    text = b"Subject: a\r\n\r\none" + end + hidden + b"\r\n."
    with sink(inbox.keep) as port, spoken(port, b"MAIL FROM:<>", b"RCPT TO:<v+1@bounces.example>", b"DATA", text, b"QUIT") as replies:
        said = replies.readlines()
    kept = [(c.envelope.recipients, c.data) for _, c in inbox.pending() if c.envelope]
    assert len(kept) == 1
    assert all(to == ("v+1@bounces.example",) and b"smuggled" in data for to, data in kept)
    assert said == [b"221 Bye\r\n"], "one answer to the message, and the next to QUIT"


def test_an_envelope_of_any_bytes_is_kept_and_filed(tmp_path: Path) -> None:
    """What is no UTF-8 in an address does not stop the flusher, and comes out as it went in."""
    store = Store(tmp_path / "s")
    lines = (b"MAIL FROM:<j\xf6rg@sender.example>", b"RCPT TO:<v\xff@bounces.example>", b"DATA", b"Subject: a\r\n\r\nb\r\n.")
    with sink(store.inbox.keep) as port, spoken(port, *lines) as replies:
        assert replies.readline().startswith(b"250 2.0.0 Kept")
    ((_, capture),) = store.inbox.pending()
    assert flush(store).captures == 1
    filed = store.lake.get(capture.id)
    assert filed is not None
    assert filed.envelope == capture.envelope
    assert filed.envelope is not None
    assert filed.envelope.recipients[0].encode("utf-8", "surrogateescape") == b"v\xff@bounces.example"


def test_it_speaks_tls_where_it_has_a_certificate(tmp_path: Path) -> None:
    inbox, ca = Inbox(tmp_path / "i"), certificates(tmp_path)
    with client(inbox.keep, cert_file=tmp_path / "server.pem", key_file=tmp_path / "server.key") as c:
        c._host = "localhost"  # type: ignore[attr-defined]  # the name that is checked
        assert c.starttls(context=ssl.create_default_context(cafile=str(ca)))[0] == 220
        c.ehlo()
        assert c.esmtp_features.keys() >= {"size", "8bitmime", "smtputf8"}
        assert "auth" not in c.esmtp_features
        c.sendmail("", ["v@bounces.example"], b"Subject: a\r\n\r\nb\r\n")
    assert inbox.waiting() == 1


def test_a_certificate_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    source = SmtpSinkSource(type="smtp-sink", port=free_port(), domains=("x.example",), cert_file=tmp_path / "none.pem")
    with pytest.raises(SourceFailed, match=r"cert_file .*none\.pem cannot be used \(No such file"):
        SmtpSinkCollector("other", source).watch(Inbox(tmp_path / "j").keep, dict, threading.Event())


def test_more_clients_than_it_serves_are_asked_to_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collectors.smtp_sink.MOST_SESSIONS", 2)
    with client(Inbox(tmp_path / "i").keep) as one:
        port = one.sock.getpeername()[1]  # type: ignore[union-attr]
        with smtplib.SMTP("127.0.0.1", port, timeout=10):
            with pytest.raises(smtplib.SMTPConnectError) as told:
                smtplib.SMTP("127.0.0.1", port, timeout=10)
            assert told.value.smtp_code == 421

        def is_served() -> bool:
            with suppress(smtplib.SMTPConnectError):  # the session that ended may still be counted
                return smtplib.SMTP("127.0.0.1", port, timeout=10).quit()[0] == 221
            return False

        until(is_served, 30, "a place")


def test_what_is_being_kept_when_it_stops_is_kept_and_answered(tmp_path: Path) -> None:
    """And nobody who was not answered is forgotten: 250 means kept, and only that."""
    inbox, began, go_on = Inbox(tmp_path / "i"), threading.Event(), threading.Event()

    def slow(captures: Sequence[Capture], cursor: Mapping[str, str] | None = None) -> int:
        began.set()
        go_on.wait(10)
        return inbox.keep(captures, cursor)

    answered: list[dict[str, tuple[int, bytes]]] = []
    with sink(slow) as port:
        c = smtplib.SMTP("127.0.0.1", port, timeout=10)
        sender = threading.Thread(target=lambda: answered.append(c.sendmail("", ["v@bounces.example"], b"Subject: a\r\n\r\nb\r\n")))
        sender.start()
        assert began.wait(10)
        threading.Timer(0.5, go_on.set).start()
    sender.join(10)
    c.close()
    assert answered == [{}]
    assert inbox.waiting() == 1
