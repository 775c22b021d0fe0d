"""Test sends by the command line: real Postfix, real Dovecot, TLS and passwords on the way."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from analyzer.cli import main
from analyzer.config import Seed
from analyzer.metrics import Numbers
from analyzer.model import TEST_SEND, Capture, Kind
from analyzer.parse import parse
from collectors.submit import Submission, submit
from collectors.test_send import Placement, authentication
from collectors.test_send import test_send as send_test
from tests.servers import free_port, until
from tests.servers.dovecot import PASSWORD, Dovecot, Mailbox, running
from tests.servers.postfix import BOUNCES, SEEDS, Postfix, inbox_address, junk_address, refused_address
from tests.servers.smtp import Exchanger

pytestmark = pytest.mark.servers

# line ends of Unix, and results that somebody made up before we sent it
LETTER = b"""From: Linden Shop <orders@shop.example>
Subject: Your order =?utf-8?q?f=C3=BCr_Sie?=
Message-ID: <test-17@shop.example>
Authentication-Results: mx.seeds.example; spf=pass; dkim=pass; dmarc=pass

Thank you.
.
A line that was a dot, and \xc3\xbc.
"""


def configure(folder: Path, postfix: Postfix, seeds: dict[str, tuple[Mailbox, str]], **more: str) -> Path:
    """A mailhealth.toml with this provider and these seeds."""
    password = more.get("password", PASSWORD)
    user = next(iter(seeds.values()))[0].user
    lines = [
        'store = "store"',
        "[smtp.main]",
        f'host = "localhost"\nport = {more.get("port", postfix.port)}\nca_file = "{postfix.ca}"\nuser = "{user}"\npassword = "{password}"',
    ]
    for name, (mailbox, address) in seeds.items():
        given = {
            "host": "localhost",
            "ca_file": str(mailbox.server.ca),
            "user": mailbox.user,
            "password": more.get("imap_password", PASSWORD),
        }
        lines += [f'[seeds.{name}]\naddress = "{address}"', f"[seeds.{name}.imap]", 'type = "imap"', f"port = {mailbox.server.tls}"]
        lines += [f'{k} = "{v}"' for k, v in given.items()]
    (folder / "mailhealth.toml").write_text("\n".join(lines) + "\n")
    (folder / "letter.eml").write_bytes(LETTER)
    return folder / "mailhealth.toml"


@pytest.fixture
def send(tmp_path: Path, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]  # a function
    """`mailhealth test-send letter.eml --to SEED ...`: exit code and what was printed."""

    def run(*seeds: str, timeout: float = 15, more: tuple[str, ...] = ()) -> tuple[int, str]:
        wanted = [word for name in seeds for word in ("--to", name)]
        with pytest.raises(SystemExit) as ended:
            main(["-c", str(tmp_path / "mailhealth.toml"), "test-send", str(tmp_path / "letter.eml"), "--via", "main",
                  "--timeout", str(timeout), *wanted, *more])  # fmt: skip
        out, err = capsys.readouterr()
        assert PASSWORD not in out + err
        assert isinstance(ended.value.code, int)
        return ended.value.code, out + err

    return run


def results(folder: Path) -> pd.DataFrame:
    """What the page of test sends shows."""
    return Numbers.open(folder / "store").test_sends()


def record(folder: Path) -> dict[str, dict[str, object]]:
    """What was kept of each seed, by name."""
    numbers = Numbers.open(folder / "store")
    raw = numbers.raw(str(numbers.test_sends()["capture_id"].iloc[0]))
    assert raw is not None
    assert PASSWORD.encode() not in raw
    return {p["seed"]: p for p in json.loads(raw)["placements"]}


def test_it_is_found_in_inbox_and_in_junk(tmp_path, postfix, dovecot, send) -> None:
    """With the folder, the time, and what the receiver thought of it; not what the message says of itself."""
    one, two = dovecot.mailbox(), dovecot.mailbox()
    configure(tmp_path, postfix, {"good": (one, inbox_address(one)), "bad": (two, junk_address(two))})
    code, said = send("good", "bad")
    assert code == 0
    assert re.search(r"good .*: found in INBOX after \d+\.\d s; spf=pass dkim=pass dmarc=pass", said)
    assert re.search(r"bad .*: found in Junk, the junk folder, after \d+\.\d s; spf=softfail dkim=none dmarc=fail", said)
    shown = results(tmp_path).set_index("folder")
    assert set(shown.index) == {"INBOX", "Junk"}
    assert shown["kind"].tolist() == ["placed", "placed"]
    assert shown.loc["INBOX", "authentication"] == "spf=pass dkim=pass dmarc=pass"
    assert shown.loc["Junk", "authentication"] == "spf=softfail dkim=none dmarc=fail"
    assert shown.loc["INBOX", "smtp_provider"] == "main"
    assert shown.loc["INBOX", "recipient_domain"] == SEEDS
    assert shown.loc["INBOX", "seconds"] >= 0
    assert shown.loc["INBOX", "diagnostic"].startswith("250 2.0.0 Ok: queued as")


def test_the_dialogue_is_kept_with_its_tls_and_without_the_password(tmp_path, postfix, mailbox, send) -> None:
    configure(tmp_path, postfix, {"good": (mailbox, inbox_address(mailbox))})
    _, said = send("good", more=("--dialogue",))
    kept = record(tmp_path)["good"]["dialogue"]
    assert isinstance(kept, list)
    lines = [line.partition(" ")[2] if line[0] != " " else line.split(maxsplit=1)[1] for line in kept]
    assert lines[0] == "S: 220 mx.seeds.example ESMTP Postfix"
    assert any(re.fullmatch(r"-: TLSv1\.[23] \w+", line) for line in lines)
    assert "C: AUTH PLAIN (secret)" in lines
    assert f"C: rcpt TO:<{inbox_address(mailbox)}>" in lines
    assert any(re.fullmatch(r"C: \(\d+ bytes of message\)", line) for line in lines)
    assert lines[-1].startswith("S: 250 2.0.0 Ok: queued as")
    assert all(line in said for line in lines)


def test_the_message_arrives_as_it_was_with_our_mark_on_top(tmp_path, postfix, mailbox, send) -> None:
    """Postfix refuses bare line feeds here, so what we send has the line ends of the standard."""
    configure(tmp_path, postfix, {"good": (mailbox, inbox_address(mailbox))})
    assert send("good")[0] == 0
    with mailbox.client() as client:
        client.select_folder("INBOX", readonly=True)
        ((_, got),) = client.fetch(client.search(), [b"BODY.PEEK[]"]).items()
    arrived = got[b"BODY[]"]
    assert arrived.endswith(LETTER.replace(b"\n", b"\r\n"))
    ours = arrived.removesuffix(LETTER.replace(b"\n", b"\r\n")).splitlines()[-3:]
    assert [line.partition(b":")[0] for line in ours] == [b"X-Mailhealth-Test", b"Date", b"To"]


def test_one_that_never_arrives_is_said_and_kept(tmp_path, postfix, dovecot, send) -> None:
    one, other = dovecot.mailbox(), dovecot.mailbox()
    configure(tmp_path, postfix, {"lost": (one, inbox_address(other))})
    code, said = send("lost", timeout=1)
    assert code == 2
    assert re.search(r"lost .*: taken \(250 .*\), and not found within 1 s", said)
    (shown,) = results(tmp_path).to_dict("records")
    assert shown["kind"] == "placed"
    assert pd.isna(shown["folder"])
    assert re.fullmatch(r"taken \(250 .*\), and not found within 1 s", shown["diagnostic"])


def test_a_refusal_is_kept_with_its_reason_and_the_others_are_sent_all_the_same(tmp_path, postfix, mailbox, send) -> None:
    configure(tmp_path, postfix, {"no": (mailbox, refused_address(mailbox)), "yes": (mailbox, inbox_address(mailbox))})
    code, said = send("no", "yes")
    assert code == 2
    assert re.search(r"no .*: refused: 554 5\.7\.1 .* blocked using bl\.lists\.example\n", said)
    assert re.search(r"yes .*: found in INBOX", said)
    shown = results(tmp_path).set_index("kind")
    refused = shown.loc["bounced"]
    assert refused["reason"] == "blocklisted"
    assert refused["status"] == "5.7.1"
    assert "blocked using bl.lists.example" in refused["diagnostic"]
    assert shown.loc["placed", "folder"] == "INBOX"
    assert record(tmp_path)["no"]["stage"] == "rcpt"


def test_refused_test_mail_counts_in_no_number_of_real_mail(tmp_path, postfix, mailbox, send) -> None:
    configure(tmp_path, postfix, {"no": (mailbox, refused_address(mailbox))})
    send("no")
    numbers = Numbers.open(tmp_path / "store")
    assert len(numbers.test_sends()) == 1
    assert numbers.span() is None


def test_a_wrong_smtp_password_is_a_sentence_without_it(tmp_path, postfix, mailbox, send) -> None:
    configure(tmp_path, postfix, {"good": (mailbox, inbox_address(mailbox))}, password="not the one")
    code, said = send("good", more=("--dialogue",))
    assert code == 2
    assert re.search(r"refused: 535 5\.7\.8 .*authentication fail", said, re.I)
    assert "not the one" not in said
    assert record(tmp_path)["good"]["stage"] == "auth"


def test_a_password_beyond_ascii_is_a_sentence(tmp_path, postfix, mailbox, send) -> None:
    configure(tmp_path, postfix, {"good": (mailbox, inbox_address(mailbox))}, password="päßwort")
    code, said = send("good")
    assert code == 2
    assert "has characters that its SMTP does not take" in said
    assert "ä" not in said


def test_nothing_is_sent_that_nobody_could_look_for(tmp_path, postfix, mailbox, send) -> None:
    configure(tmp_path, postfix, {"good": (mailbox, inbox_address(mailbox))}, imap_password="wrong")
    code, said = send("good")
    assert code == 2
    assert "not sent, since nobody could look for it" in said
    assert "refused the password" in said
    assert mailbox.state() == {}
    (shown,) = results(tmp_path).to_dict("records")
    assert shown["kind"] == "placed"
    assert pd.isna(shown["folder"])


def test_a_provider_that_is_not_there_is_a_sentence(tmp_path, postfix, mailbox, send) -> None:
    port = free_port()
    configure(tmp_path, postfix, {"good": (mailbox, inbox_address(mailbox))}, port=str(port))
    code, said = send("good")
    assert code == 2
    assert re.search(rf"not sent: localhost:{port}: .*refused; check host, port and tls = 'starttls'", said)


def test_a_relay_that_does_not_know_us_refuses(tmp_path, postfix, mailbox, send) -> None:
    """Postfix relays for those who logged in; without a user we are strangers."""
    configuration = configure(tmp_path, postfix, {"good": (mailbox, f"a@{BOUNCES}")})
    text = configuration.read_text()
    configuration.write_text(text.replace(f'user = "{mailbox.user}"\npassword', "#", 1))
    code, said = send("good")
    assert code == 2
    assert "554 5.7.1" in said
    assert "Relay access denied" in said


@pytest.mark.parametrize(
    ("fields", "seen"),
    [
        ("Authentication-Results: mx.x; spf=pass smtp.mailfrom=a.example; dkim=fail header.d=b; dkim=pass header.d=a; dmarc=pass", "spf=pass dkim=pass dmarc=pass"),
        ("Authentication-Results: spf=pass (sender IP is 192.0.2.1)\r\n smtp.mailfrom=a.example; dkim=none (message not; signed)\r\n\theader.d=none;dmarc=bestguesspass action=none;compauth=pass", "spf=pass dkim=none dmarc=bestguesspass"),
        ("Authentication-Results: dmarc.x; dmarc=fail\r\nAuthentication-Results: dkim.x; dkim=pass\r\nAuthentication-Results: spf.x; spf=neutral", "spf=neutral dkim=pass dmarc=fail"),
        ("Authentication-Results: mx.x; dkim=fail\r\nReceived: from a by b\r\nAuthentication-Results: relay.x; spf=pass; dkim=pass", "dkim=fail"),
        ("Received: by inner\r\nAuthentication-Results: mx.x 1; spf/1 = pass\r\n", "spf=pass"),
        ('Authentication-Results: mx.x; none\r\nX-Reason: "; spf=pass"', None),
        ('Authentication-Results: mx.x; dkim=fail reason="bad; spf=pass" (comment (nested; dmarc=pass))', "dkim=fail"),
        ("Subject: x", None),
    ],
)  # fmt: skip
def test_authentication_is_what_the_receiver_wrote_above_our_mark(fields: str, seen: str | None) -> None:
    """In the forms of several receivers; what came with the message is nobody's witness."""
    forged = "Authentication-Results: mx.x; spf=pass; dkim=pass; dmarc=pass"
    assert authentication(f"{fields}\r\nX-Mailhealth-Test: 0123abcd\r\n{forged}\r\n\r\n".encode(), "0123abcd") == seen


def test_interrupted_it_keeps_what_is_known_so_far(postfix: Postfix, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after the first seed was found: the second was sent, and may still arrive."""
    one, two = dovecot.mailbox(), dovecot.mailbox()
    seeds = {
        "found": Seed(address=inbox_address(one), imap=one.source()),
        "late": Seed(address=inbox_address(dovecot.mailbox()), imap=two.source()),
    }
    kept: list[Capture] = []

    def keep(captures: Sequence[Capture], cursor: Mapping[str, str] | None = None) -> int:
        kept.extend(captures)
        return len(captures)

    sent = threading.Semaphore(0)

    def counted(*told: object) -> Submission:
        try:
            return submit(*told)  # type: ignore[arg-type]
        finally:
            sent.release()

    def interrupt(placement: Placement) -> None:
        if placement.seed == "found":
            assert all(sent.acquire(timeout=60) for _ in seeds), "the second was not sent"
            raise KeyboardInterrupt

    monkeypatch.setattr("collectors.test_send.submit", counted)
    with pytest.raises(KeyboardInterrupt):
        send_test(LETTER, "main", postfix.provider(one.user), seeds, "orders@shop.example", keep, 600, interrupt)
    (capture,) = kept
    placements = {p["seed"]: p for p in json.loads(capture.data)["placements"]}
    assert placements["found"]["folder"] == "INBOX"
    assert placements["late"]["folder"] is None
    assert placements["late"]["unseen"] == "interrupted before it was found"
    assert placements["late"]["dialogue"][-1].partition("S: ")[2].startswith("250 2.0.0 Ok")
    assert [o.kind for o in parse(capture).outcomes] == [Kind.PLACED, Kind.PLACED]


def test_a_mailbox_server_that_is_gone_for_a_moment_is_asked_again(tmp_path: Path, postfix: Postfix, mailbox: Mailbox) -> None:
    """It goes after the mail was handed over, and comes back with it."""
    with running() as server:
        seed = server.mailbox()
        exchanger = Exchanger({})
        found: list[Placement] = []
        seeds = {"far": Seed(address="far@receiver.example", imap=seed.source())}
        arguments = (
            LETTER.replace(b"<test-17@", b"<gone-17@"),
            "main",
            postfix.provider(mailbox.user),
            seeds,
            "orders@shop.example",
            lambda *_: 1,
            200,
            found.append,
        )
        with exchanger.serving(postfix.remote):
            thread = threading.Thread(target=send_test, args=arguments)
            thread.start()

            def came() -> bytes | None:
                # what other tests have left in the queue may come here too
                return next((c for c in exchanger.contents if b"<gone-17@" in c), None) or postfix.look_again()

            until(came, 80, "the mail at the receiver")
            server.stop()
            seed.deliver(came() or b"", folder="Junk")
            server.start()
            thread.join(220)
    assert not thread.is_alive()
    assert [(p.folder, p.junk, p.unseen) for p in found] == [("Junk", True, None)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"placements": 3}',
        b"\xff\xfe",
        b'{"via": 1, "sender": 2, "message_id": 3, "at": "yesterday", "placements": []}',
        b'{"via": 1, "sender": 2, "message_id": 3, "at": "2026-11-23T10:00:00+00:00", "placements": [{"address": "a@b.example", "seconds": "soon"}]}',
        b'{"via": "x", "sender": "y", "message_id": "z", "at": "2026-11-23T10:00:00+00:00", "placements": []}',
    ],
)
def test_a_damaged_record_is_unreadable_and_no_traceback(data: bytes) -> None:
    assert parse(Capture(data, TEST_SEND, "test-send", datetime(2026, 11, 23, tzinfo=UTC))).kind is Kind.UNREADABLE
