"""Submission: what was said is kept, secrets are not, and nothing that a server answers is a traceback."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from analyzer.config import ConfigError, SmtpProvider
from analyzer.model import Stage
from collectors.submit import Submission, submit
from tests.servers.dovecot import PASSWORD, Mailbox
from tests.servers.postfix import BOUNCES, Postfix, inbox_address, refused_address
from tests.servers.smtp import Exchanger

MESSAGE = b"From: a@shop.example\nSubject: x\n\nhello\n"
SENDER = "a@shop.example"


@contextmanager
def scripted(answer: Callable[[bytes], bytes | None], greeting: bytes = b"220 mx ready\r\n") -> Iterator[SmtpProvider]:
    """A server that answers each line with `answer(line)`, None for nothing, b"" to hang up; as a provider with a user and PASSWORD, without TLS."""

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            try:
                connection.sendall(greeting)
                for line in lines:
                    reply = answer(line)
                    if reply == b"":
                        return
                    connection.sendall(reply or b"")
            except OSError:
                return  # the client had enough

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        given = {"host": "127.0.0.1", "port": listener.getsockname()[1], "tls": "none", "user": "me", "password": PASSWORD}
        yield SmtpProvider.model_validate(given)
        thread.join(10)
    assert not thread.is_alive()


def obliging(**other: bytes) -> Callable[[bytes], bytes | None]:
    """Takes everything, but for the commands named."""
    answers = {
        "EHLO": b"250-mx\r\n250 AUTH PLAIN\r\n",
        "AUTH": b"235 welcome\r\n",
        "DATA": b"354 go on\r\n",
        "QUIT": b"221 bye\r\n",
    } | other
    state = {"data": False}

    def answer(line: bytes) -> bytes | None:
        if state["data"]:
            state["data"] = line != b".\r\n"
            return None if state["data"] else answers.get("DOT", b"250 2.0.0 taken as 17\r\n")
        verb = line[:4].decode("ascii", "replace").upper()
        state["data"] = verb == "DATA" and answers["DATA"].startswith(b"354")
        return answers.get(verb, b"250 ok\r\n")

    return answer


def no_secret(s: Submission) -> bool:
    """Whether the password stands nowhere, in no form."""
    forms = [PASSWORD, *(base64.b64encode(f.encode()).decode().rstrip("=") for f in (PASSWORD, f"\0me\0{PASSWORD}"))]
    text = "\n".join([s.reply, s.failed or "", *s.refused.values(), *s.dialogue])
    return not any(form in text for form in forms)


@pytest.mark.servers
@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_postfix_takes_it_over_tls_of_either_kind(postfix: Postfix, mailbox: Mailbox, tls: str) -> None:
    port = postfix.tls if tls == "tls" else postfix.port
    sent = submit(postfix.provider(mailbox.user, tls=tls, port=port), SENDER, [inbox_address(mailbox)], MESSAGE)
    assert sent.failed is None
    assert sent.reply.startswith("250 2.0.0 Ok: queued as")
    assert any("-: TLSv1." in line for line in sent.dialogue)
    assert no_secret(sent)


@pytest.mark.servers
def test_a_certificate_that_is_not_trusted_sends_nothing_and_no_password(postfix: Postfix, mailbox: Mailbox) -> None:
    sent = submit(postfix.provider(mailbox.user, ca_file=None), SENDER, [inbox_address(mailbox)], MESSAGE)
    assert sent.failed is not None
    assert "is not trusted" in sent.failed
    assert "ca_file" in sent.failed
    assert not any("AUTH" in line.partition(" C: ")[2] for line in sent.dialogue)
    assert mailbox.state() == {}


@pytest.mark.servers
def test_of_several_recipients_those_refused_are_named(postfix: Postfix, mailbox: Mailbox) -> None:
    good, bad = inbox_address(mailbox), refused_address(mailbox)
    sent = submit(postfix.provider(mailbox.user), SENDER, [good, bad], MESSAGE)
    assert sent.failed is None
    assert list(sent.refused) == [bad]
    assert sent.refused[bad].startswith("554 5.7.1")


@pytest.mark.servers
def test_an_address_beyond_ascii_is_sent_as_it_is(postfix: Postfix, mailbox: Mailbox) -> None:
    """SMTPUTF8 (RFC 6531)."""
    exchanger = Exchanger({})
    with exchanger.serving(postfix.remote):
        sent = submit(postfix.provider(mailbox.user), SENDER, ["jörg@receiver.example"], MESSAGE)
    assert sent.failed is None
    assert any("smtputf8" in line.lower() for line in sent.dialogue if " C: mail " in line)


def test_a_server_without_smtputf8_is_a_sentence() -> None:
    with scripted(obliging()) as provider:
        sent = submit(provider, SENDER, ["jörg@receiver.example"], MESSAGE)
    assert sent.failed is not None
    assert "SMTPUTF8" in sent.failed


@pytest.mark.parametrize("login", [b"250-mx\r\n250 AUTH PLAIN\r\n", b"250-mx\r\n250 AUTH LOGIN\r\n", b"250-mx\r\n250 AUTH PLAIN LOGIN\r\n"])
def test_a_server_that_repeats_what_it_was_told_gives_no_secret_away(login: bytes) -> None:
    """Neither to the dialogue nor to the sentence: in plain, or as it was sent."""

    def echo(line: bytes) -> bytes | None:
        words = line.strip()
        if words.upper().startswith(b"EHLO"):
            return login
        if words.upper().startswith(b"AUTH LOGIN"):
            return b"334 UGFzc3dvcmQ6\r\n"
        said = words.split()[-1]
        plain = base64.b64decode(said + b"==", validate=False).replace(b"\0", b" ") if len(said) > 8 else said
        return b"535 5.7.8 cannot log in with %s (%s)\r\n" % (words, plain)

    with scripted(echo) as provider:
        sent = submit(provider, SENDER, ["b@receiver.example"], MESSAGE)
    assert sent.failed is not None
    assert sent.failed.startswith("535 5.7.8 cannot log in with")
    assert "(secret)" in sent.failed
    assert sent.stage is Stage.AUTH
    assert no_secret(sent)


@pytest.mark.parametrize("farewell", [b"421 4.3.2 too late\r\n", b"500 what?\r\n", b""])
def test_what_was_taken_stays_taken_however_the_server_says_goodbye(farewell: bytes) -> None:
    with scripted(obliging(QUIT=farewell)) as provider:
        sent = submit(provider, SENDER, ["b@receiver.example"], MESSAGE)
    assert (sent.failed, sent.reply) == (None, "250 2.0.0 taken as 17")


@pytest.mark.parametrize(
    ("command", "reply", "stage"),
    [
        ("AUTH", b"535 5.7.8 no\r\n", Stage.AUTH),
        ("MAIL", b"550 5.7.1 not from you\r\n", Stage.MAIL),
        ("RCPT", b"451 4.7.1 later\r\n", Stage.RCPT),
        ("DATA", b"554 5.5.1 no\r\n", Stage.DATA),
        ("DOT", b"552 5.3.4 too big\r\n", Stage.DATA),
    ],
)
def test_a_refusal_tells_its_words_and_its_step(command: str, reply: bytes, stage: Stage) -> None:
    with scripted(obliging(**{command: reply})) as provider:
        sent = submit(provider, SENDER, ["b@receiver.example"], MESSAGE)
    assert sent.failed == sent.reply == reply.decode().strip()
    assert sent.stage is stage
    assert any(line.endswith(f"S: {sent.reply}") for line in sent.dialogue)


def test_a_refusal_in_the_greeting_is_kept() -> None:
    with scripted(obliging(), greeting=b"554 5.7.1 [192.0.2.17] is on our block list\r\n") as provider:
        sent = submit(provider, SENDER, ["b@receiver.example"], MESSAGE)
    assert sent.failed == "554 5.7.1 [192.0.2.17] is on our block list"
    assert sent.stage is Stage.CONNECT


def test_a_reply_without_end_is_cut_short() -> None:
    with scripted(obliging(), greeting=b"220-still more\r\n" * 100_000) as provider:
        sent = submit(provider, SENDER, ["b@receiver.example"], MESSAGE)
    assert sent.failed is not None
    assert "longer than 65,536 bytes" in sent.failed
    assert len(sent.dialogue) < 600


def test_a_server_that_hangs_up_is_a_sentence() -> None:
    with scripted(obliging(MAIL=b"")) as provider:
        sent = submit(provider, SENDER, ["b@receiver.example"], MESSAGE)
    assert sent.failed is not None
    assert "Connection unexpectedly closed" in sent.failed
    assert sent.stage is Stage.MAIL


@pytest.mark.parametrize("address", ["a@b.example>\r\nRCPT TO:<victim@c.example", "a\nb@c.example", "A <a@b.example>", "a@b.example\0"])
def test_an_address_smuggles_no_command(address: str) -> None:
    """Nothing is sent at all: nobody listens there."""
    provider = SmtpProvider(host="127.0.0.1", port=1, tls="none")
    for sender, recipient in ((SENDER, address), (address, "b@receiver.example")):
        sent = submit(provider, sender, [recipient], MESSAGE)
        assert sent.failed is not None
        assert sent.failed.endswith("is no mail address")


def test_authorities_that_cannot_be_read_are_the_operators_to_mend(tmp_path: Path) -> None:
    provider = SmtpProvider(host="127.0.0.1", ca_file=tmp_path / "none.pem")
    with pytest.raises(ConfigError, match=r"ca_file .*none\.pem: cannot be read"):
        submit(provider, SENDER, [f"v@{BOUNCES}"], MESSAGE)
