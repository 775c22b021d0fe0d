"""Logs of mail servers: Postfix and Exim."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from analyzer.model import LOG, Capture, Kind, Outcome, Report, Stage
from analyzer.parse import parse

ARRIVED = datetime(2026, 11, 30, 12, tzinfo=UTC)
MX = "relay=mx.b.example[192.0.2.1]:25, delay=1.5, delays=0.1/0/0.6/0.8"


def read(mta: str, lines: str, **head: Any) -> Report:
    return parse(Capture(json.dumps({"mta": mta, **head}).encode() + b"\n" + lines.encode(), LOG, "log", ARRIVED))


def one(mta: str, line: str, **head: Any) -> Outcome:
    outcomes = read(mta, line, **head).outcomes
    assert len(outcomes) == 1, outcomes
    return outcomes[0]


def postfix(text: str, daemon: str = "smtp", id: str = "3F5A92C0") -> str:
    return f"Nov  1 10:00:03 mx postfix/{daemon}[4711]: {id}: {text}\n"


def exim(text: str, id: str = "1t6abc-0001Xy-0A") -> str:
    return f"2026-11-01 10:00:03 {id} {text}\n"


def told(report: Report) -> list[tuple[str, str | None]]:
    return [(o.kind.value, o.recipient) for o in report.outcomes]


# --- Postfix ---------------------------------------------------------------------------------------------------------------


def test_a_refusal_is_the_receivers_words_without_postfixs_own() -> None:
    o = one("postfix", postfix(f"to=<gone@b.example>, orig_to=<Alias@d.example>, {MX}, dsn=5.1.1, status=bounced (host mx.b.example[192.0.2.1] said: 550-5.1.1 No such user 550 5.1.1 see https://b.example/x (in reply to RCPT TO command))"))  # fmt: skip
    assert (o.kind, o.recipient, o.final) == (Kind.BOUNCED, "Alias@d.example", "gone@b.example")
    assert o.diagnostic == "550-5.1.1 No such user 550 5.1.1 see https://b.example/x"
    assert (o.reply_code, o.status, o.remote_mta, o.stage) == ("550", "5.1.1", "mx.b.example", Stage.RCPT)
    assert o.original and o.original.provider_id == "3F5A92C0@mx"
    assert o.at == datetime(2026, 11, 1, 10, 0, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "diagnostic", "remote", "stage"),
    [
        ("host mx.b.example[192.0.2.1] refused to talk to me: 421 4.7.0 try later", "421 4.7.0 try later", "mx.b.example", Stage.CONNECT),
        ("delivery temporarily suspended: host mx.b.example[192.0.2.1] said: 421 busy (in reply to MAIL FROM command)", "421 busy", "mx.b.example", Stage.MAIL),
        ("host mx.b.example[192.0.2.1] said: 452 4.2.2 full (in reply to end of DATA command)", "452 4.2.2 full", "mx.b.example", Stage.DATA),
        ("connect to mx.b.example[192.0.2.1]:25: Connection timed out", "connect to mx.b.example[192.0.2.1]:25: Connection timed out", "mx.b.example", Stage.CONNECT),
        ("lost connection with mx.b.example[192.0.2.1] while receiving the initial server greeting", "lost connection with mx.b.example[192.0.2.1] while receiving the initial server greeting", "mx.b.example", Stage.CONNECT),
        ("Host or domain name not found. Name service error for name=b.example type=MX: Host not found, try again", "Host or domain name not found. Name service error for name=b.example type=MX: Host not found, try again", None, None),
        ("host mx.b.example[2001:db8::1] said: 450 4.2.0 grey (in reply to RCPT TO command)", "450 4.2.0 grey", "mx.b.example", Stage.RCPT),
    ],
)  # fmt: skip
def test_what_postfix_says_of_a_delay(text: str, diagnostic: str, remote: str | None, stage: Stage | None) -> None:
    o = one("postfix", postfix(f"to=<a@b.example>, relay=none, delay=30, delays=0/0/30/0, dsn=4.4.1, status=deferred ({text})"))
    assert (o.kind, o.diagnostic, o.remote_mta, o.stage) == (Kind.DELAYED, diagnostic, remote, stage)


@pytest.mark.parametrize(
    ("begin", "at"),
    [
        ("Nov  1 10:00:03 mx postfix/smtp[1]: ", datetime(2026, 11, 1, 9, 0, 3, tzinfo=UTC)),
        ("<22>Nov  1 10:00:03 mx postfix/smtp[1]: ", datetime(2026, 11, 1, 9, 0, 3, tzinfo=UTC)),
        ("Nov 01 10:00:03.25 mx postfix-out/smtp[1]: ", datetime(2026, 11, 1, 9, 0, 3, 250_000, tzinfo=UTC)),
        ("2026-11-01T10:00:03.123456+02:00 mx postfix/submission/smtp[1]: ", datetime(2026, 11, 1, 8, 0, 3, 123456, tzinfo=UTC)),
        ("2026-11-01T10:00:03-0500 mx out/smtp[1]: ", datetime(2026, 11, 1, 15, 0, 3, tzinfo=UTC)),
        ("Sun 2026-11-01 10:00:03 CET mx postfix/smtp[1]: ", datetime(2026, 11, 1, 9, 0, 3, tzinfo=UTC)),
        ("Sun 2026-11-01 10:00:03 EST mx postfix/smtp[1]: ", datetime(2026, 11, 1, 15, 0, 3, tzinfo=UTC)),
        ("Sun 2026-10-25 02:30:00 CET mx postfix/smtp[1]: ", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("<22>1 2026-11-01T10:00:03Z mx postfix/smtp 1 - - ", datetime(2026, 11, 1, 10, 0, 3, tzinfo=UTC)),
        ('<22>1 2026-11-01T10:00:03Z mx postfix/smtp 1 - [o@1 a="b"] ', datetime(2026, 11, 1, 10, 0, 3, tzinfo=UTC)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("id", ["3F5A92C0", "DEADBEEF01", "4Fq2xN1Zz9z3Jw"])
def test_lines_of_syslog_and_the_journal(begin: str, at: datetime, id: str) -> None:
    line = f"{begin}{id}: to=<a@b.example>, {MX}, dsn=2.0.0, status=sent (250 2.0.0 Ok)"
    o = one("postfix", line, timezone="Europe/Berlin")
    assert (o.kind, o.at, o.diagnostic) == (Kind.DELIVERED, at, "250 2.0.0 Ok")
    assert o.original and o.original.provider_id == f"{id}@mx"


def test_lines_without_a_year_follow_the_first_line_of_their_block_over_new_year() -> None:
    lines = "".join(f"{day} 23:59:59 mx postfix/smtp[1]: 3F5A92C0: to=<a@b.example>, {MX}, dsn=2.0.0, status=sent (250 ok)\n" for day in ("Dec 31", "Jan  1", "Dec 31"))  # fmt: skip
    assert [o.at.year for o in read("postfix", lines, first="2025-12-31").outcomes if o.at] == [2025, 2026, 2025]
    assert [o.at.year for o in read("postfix", lines).outcomes if o.at] == [2025, 2026, 2025]  # not later than a day after it arrived
    leap = postfix(f"to=<a@b.example>, {MX}, dsn=2.0.0, status=sent (250 ok)").replace("Nov  1", "Feb 29")
    assert one("postfix", leap, first="2024-02-28").at == datetime(2024, 2, 29, 10, 0, 3, tzinfo=UTC)


def test_the_message_id_is_joined_to_the_queue_id_by_that_it_was_sent() -> None:
    known = postfix("message-id=<one@shop.example>", "cleanup") + postfix(
        "from=<b+1@bounces.shop.example>, size=812, nrcpt=2 (queue active)", "qmgr"
    )
    tried = postfix(f"to=<a@b.example>, {MX}, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 77AA12345)")
    sent, delivered = read("postfix", known + tried).outcomes
    assert (sent.kind, sent.recipient, delivered.kind) == (Kind.SENT, "a@b.example", Kind.DELIVERED)
    assert sent.at == datetime(2026, 11, 1, 10, 0, 1, 500_000, tzinfo=UTC)  # the attempt's time less its delay
    assert sent.original == delivered.original
    assert sent.original and (sent.original.message_id, sent.original.sender) == ("one@shop.example", "b+1@bounces.shop.example")
    alone = one("postfix", known)
    assert (alone.kind, alone.recipient) == (Kind.OTHER_REPORT, None)
    assert alone.original and (alone.original.message_id, alone.original.provider_id) == ("one@shop.example", "3F5A92C0@mx")
    after = one("postfix", tried)  # in the next block
    assert after.original and (after.original.message_id, after.original.provider_id) == (None, "3F5A92C0@mx")


def test_a_content_filters_taking_is_no_delivery_and_the_message_is_sent_once() -> None:
    report = read(
        "postfix",
        postfix("message-id=<one@shop.example>", "cleanup")
        + postfix("message-id=<one@shop.example>", "cleanup", "4B1C00D1")
        + postfix("to=<a@b.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4B1C00D1)")
        + postfix(f"to=<a@b.example>, {MX}, dsn=2.0.0, status=sent (250 OK)", id="4B1C00D1"),
    )  # fmt: skip
    assert told(report) == [("sent", "a@b.example"), ("other-report", None), ("other-report", "a@b.example"), ("delivered", "a@b.example")]
    assert {o.original.message_id for o in report.outcomes if o.original} == {"one@shop.example"}


def test_postfixs_own_reports_probes_and_local_deliveries_are_no_outcomes_of_mail() -> None:
    lines = [
        postfix("message-id=<20261101100003.4B1C00D1@mx>", "cleanup", "4B1C00D1"),
        postfix("from=<>, size=2812, nrcpt=1 (queue active)", "qmgr", "4B1C00D1"),
        postfix(f"to=<b+1@bounces.shop.example>, {MX}, dsn=2.0.0, status=sent (250 OK)", id="4B1C00D1"),
        postfix(f"to=<a@b.example>, {MX}, dsn=2.1.5, status=deliverable (250 2.1.5 Ok)"),
        postfix(f"to=<x@b.example>, {MX}, dsn=5.1.1, status=undeliverable (host mx.b.example[192.0.2.1] said: 550 no)"),
        postfix("to=<double-bounce@mx.example>, relay=none, delay=0, dsn=2.0.0, status=sent (250 OK)"),
        postfix("to=<jane@mx.example>, relay=local, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (delivered to mailbox)", "local"),
        postfix("to=<jane@mx.example>, relay=virtual, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (delivered to maildir)", "virtual"),
        postfix("to=<jane@mx.example>, relay=mx[private/dovecot-lmtp], delay=0, dsn=2.0.0, status=sent (250 2.0.0 <jane> Saved)", "lmtp"),
        postfix("sender non-delivery notification: 4B1C00D1", "bounce"),
        postfix("removed", "qmgr"),
        "Nov  1 10:00:03 mx dovecot: imap-login: Login: user=<a@b.example>, status=sent\n",
        "Nov  1 10:00:03 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.9]: 554 5.7.1 no; from=<a@b.example> to=<b@c.example>\n",
        "Nov  1 10:00:03 mx postfix/smtp[1]: warning: host mx.b.example[192.0.2.1]:25 greeted me with my own hostname\n",
        "Feb 30 10:00:03 mx kernel: no such day, and none of ours\n",
        "a line of something else\n",
    ]
    assert told(read("postfix", "".join(lines))) == [("other-report", None)]


def test_an_expired_message_bounces_for_those_for_whom_it_was_put_off() -> None:
    put_off = postfix(f"to=<a@b.example>, {MX}, dsn=4.2.2, status=deferred (host mx.b.example[192.0.2.1] said: 452 4.2.2 full (in reply to RCPT TO command))")  # fmt: skip
    expired = postfix("from=<b@bounces.shop.example>, status=expired, returned to sender", "qmgr")
    delayed, bounced = read("postfix", put_off + expired).outcomes
    assert (delayed.kind, bounced.kind, bounced.recipient) == (Kind.DELAYED, Kind.BOUNCED, "a@b.example")
    assert (bounced.diagnostic, bounced.prose) == ("452 4.2.2 full", "message expired")
    alone = one("postfix", expired.replace("expired", "force-expired"))  # the last attempt stands in an earlier block
    assert (alone.kind, alone.recipient, alone.prose) == (Kind.BOUNCED, None, "message expired")


def test_a_postfix_line_that_cannot_be_read_is_counted_and_its_neighbours_stay() -> None:
    good = postfix(f"to=<a@b.example>, {MX}, dsn=2.0.0, status=sent (250 OK)")
    report = read("postfix", good + postfix("to=<a@b.example>, status=deferred") + good.replace("Nov  1", "Feb 30") + good)
    assert [o.kind for o in report.outcomes] == [Kind.DELIVERED, Kind.UNREADABLE, Kind.UNREADABLE, Kind.DELIVERED]
    assert "line 3 of its block: found a time that there is not: Feb 30 10:00:03" in str(report.outcomes[2].diagnostic)


@pytest.mark.parametrize("address", ['"a b"@b.example', "jörg@bücher.example", "a+b=c@b.example", '"x>, relay="@b.example'])
def test_unusual_addresses(address: str) -> None:
    assert one("postfix", postfix(f"to=<{address}>, {MX}, dsn=2.0.0, status=sent (250 OK)")).recipient == address


# --- Exim ------------------------------------------------------------------------------------------------------------------

TLS = 'X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes DN="C=US, O=B: the letters"'


def test_exims_refusal_is_the_receivers_words() -> None:
    o = one("exim", exim(f"** gone@b.example <Alias@d.example> F=<b@bounces.shop.example> R=dnslookup T=remote_smtp H=mx.b.example [192.0.2.1]:25 I=[192.0.2.17] {TLS}: SMTP error from remote mail server after RCPT TO:<gone@b.example>: 550-5.1.1 No such user\\n550 5.1.1 see https://b.example"), host="mx")  # fmt: skip
    assert (o.kind, o.recipient, o.final) == (Kind.BOUNCED, "Alias@d.example", "gone@b.example")
    assert o.diagnostic == "550-5.1.1 No such user 550 5.1.1 see https://b.example"
    assert (o.reply_code, o.status, o.remote_mta, o.stage) == ("550", "5.1.1", "mx.b.example", Stage.RCPT)
    assert o.original and (o.original.provider_id, o.original.sender) == ("1t6abc-0001Xy-0A@mx", "b@bounces.shop.example")


@pytest.mark.parametrize(
    ("text", "diagnostic", "remote", "stage"),
    [
        ("defer (-44) H=mx.b.example [192.0.2.1]: SMTP error from remote mail server after RCPT TO:<a@b.example>: 451 4.7.1 Greylisted", "451 4.7.1 Greylisted", "mx.b.example", Stage.RCPT),
        (f"defer (-46) H=mx.b.example [192.0.2.1] {TLS}: SMTP error from remote mail server after end of data: 452 4.2.2 full: wait", "452 4.2.2 full: wait", "mx.b.example", Stage.DATA),
        ("defer (-45): SMTP error from remote mail server after MAIL FROM:<x@y.example> SIZE=1: host mx.b.example [192.0.2.1]: 450 no", "450 no", "mx.b.example", Stage.MAIL),
        ("defer (-45) H=mx.b.example [2001:db8::1]: SMTP error from remote mail server after pipelined MAIL FROM:<x@y.example>: 450 no", "450 no", "mx.b.example", Stage.MAIL),
        ("defer (0): SMTP error from remote mail server after initial connection: host mx.b.example [192.0.2.1]: 421 busy", "421 busy", "mx.b.example", Stage.CONNECT),
        ("defer (110) H=mx.b.example [192.0.2.1]: Connection timed out", "Connection timed out", "mx.b.example", None),
        ("defer (111): Connection refused", "Connection refused", None, None),
        ("defer (-1): host lookup did not complete", "host lookup did not complete", None, None),
    ],
)  # fmt: skip
def test_what_exim_says_of_a_delay(text: str, diagnostic: str, remote: str | None, stage: Stage | None) -> None:
    o = one("exim", exim(f"== a@b.example R=dnslookup T=remote_smtp {text}"))
    assert (o.kind, o.diagnostic, o.remote_mta, o.stage) == (Kind.DELAYED, diagnostic, remote, stage)


@pytest.mark.parametrize("flag", ["=>", "->", ">>"])
def test_deliveries_by_exim_with_all_that_log_selector_can_add(flag: str) -> None:
    text = f'{flag} a@b.example <a@b.example> F=<s@shop.example> P=<s@shop.example> R=dnslookup T=remote_smtp S=812 H=mx.b.example [192.0.2.1]:25 I=[192.0.2.17]:4711 {TLS} K L C="250- hello\\n250 2.0.0 \\"OK\\" id=x" QT=1.2s DT=0.5s'
    o = one("exim", exim(text))
    assert (o.kind, o.recipient, o.final, o.remote_mta) == (Kind.DELIVERED, "a@b.example", None, "mx.b.example")
    assert (o.diagnostic, o.status) == ('250- hello 250 2.0.0 "OK" id=x', "2.0.0")
    assert one("exim", exim(f"{flag} a@b.example R=r T=t H=mx.b.example [192.0.2.1]")).diagnostic is None


@pytest.mark.parametrize(
    ("begin", "at"),
    [
        ("2026-11-01 10:00:03 ", 9), ("2026-11-01 10:00:03.120 ", 9), ("2026-11-01 10:00:03 +0200 ", 8), ("2026-11-01 10:00:03 [4711] ", 9),
        ("Nov  1 10:00:03 mx exim[1]: 2026-11-01 10:00:03 ", 9), ("Nov  1 10:00:03 mx exim4[1]: ", 9), ("2026-11-01T10:00:03+02:00 mx exim[1]: ", 8),
    ],
)  # fmt: skip
@pytest.mark.parametrize("id", ["1t6abc-0001Xy-0A", "1t6abc-00000001Xyz-0A2B"])
def test_exims_times_and_ids(begin: str, at: int, id: str) -> None:
    o = one("exim", f"{begin}{id} => a@b.example R=r T=t H=mx.b.example [192.0.2.1]\n", timezone="Europe/Berlin")
    assert o.at and (o.at.hour, o.at.second) == (at, 3)
    assert o.original and o.original.provider_id == (f"{id}@mx" if " mx " in begin else id)


def test_times_that_follow_exims_refusal_are_not_the_receivers_words() -> None:
    o = one("exim", exim("** a@b.example R=r T=smtp H=mx.b.example [192.0.2.1]:25* I=[192.0.2.17]:4 DT=1s: SMTP error from remote mail server after end of data: 550 no QT=1m2s DT=0.002s"))  # fmt: skip
    assert (o.diagnostic, o.remote_mta, o.stage) == ("550 no", "mx.b.example", Stage.DATA)
    assert one("exim", exim('=> a@b.example R=r T=t H=mx.b.example [192.0.2.1]:25* K C="250 OK"')).diagnostic == "250 OK"
    assert one("exim", exim("<= s@shop.example U=www P=local S=8 id*=made@mx")).original.message_id == "made@mx"  # type: ignore[union-attr]


def test_exims_arrival_joins_its_id_and_the_message_id() -> None:
    arrival = exim('<= b+1@bounces.shop.example H=app.shop.example (app) [192.0.2.9]:4711 P=esmtpsa A=plain:shop S=812 id=one@shop.example T="Your order for 3 H=x id=7"')  # fmt: skip
    alone = one("exim", arrival)
    assert (alone.kind, alone.original and alone.original.message_id) == (Kind.OTHER_REPORT, "one@shop.example")
    named = read("exim", arrival.rstrip() + " from <b+1@bounces.shop.example> for a@b.example c@d.example\n")
    assert told(named) == [("sent", "a@b.example"), ("sent", "c@d.example")]
    with_fate = read("exim", arrival + exim("=> a@b.example R=r T=t H=mx.b.example [192.0.2.1]"))
    assert told(with_fate) == [("sent", "a@b.example"), ("delivered", "a@b.example")]
    assert with_fate.outcomes[0].original == with_fate.outcomes[1].original


def test_what_exim_did_not_try_and_what_stays_here_is_left_out() -> None:
    lines = [
        exim("== a@b.example R=dnslookup T=remote_smtp defer (-53): retry time not reached for any host for 'b.example'"),
        exim("== a@b.example routing defer (-51): retry time not reached"),
        exim("=> jane <jane@here.example> R=local_user T=local_delivery"),
        exim("=> /var/mail/jane <jane@here.example> R=file T=address_file"),
        exim("=> |/usr/bin/procmail -a b <jane@here.example> R=pipe T=address_pipe"),
        exim('=> jane@here.example R=local T=lmtp H=127.0.0.1 [127.0.0.1] C="250 2.0.0 <jane> x Saved"'),
        exim("*> a@b.example R=r T=t H=mx.b.example [192.0.2.1]"),
        exim("Completed"), exim("Frozen (delivery error message)"), exim("Message is frozen"),
        exim("SMTP error from remote mail server after RCPT TO:<a@b.example>: host mx.b.example [192.0.2.1]: 450 Temporary error"),
        exim("<= <> R=1t6abc-0001Xy-0B U=Debian-exim P=local S=1200", "1t6abd-0001Xy-0A"),
        exim("=> b+1@bounces.shop.example R=r T=t H=mx [192.0.2.1]", "1t6abd-0001Xy-0A"),
        "2026-11-01 10:00:03 Start queue run: pid=7\n",
        "2026-11-01 10:00:03 H=x (y) [192.0.2.9] F=<a@b.example> rejected RCPT <c@d.example>: relay not permitted\n",
    ]  # fmt: skip
    assert told(read("exim", "".join(lines))) == [("other-report", None)]


def test_exim_gives_up_in_the_receivers_last_words() -> None:
    put_off = exim("== a@b.example R=r T=t defer (-44) H=mx.b.example [192.0.2.1]: SMTP error from remote mail server after RCPT TO:<a@b.example>: 452 4.2.2 full")  # fmt: skip
    expired = exim("** a@b.example: retry timeout exceeded")
    delayed, bounced = read("exim", put_off + expired).outcomes
    assert (delayed.kind, bounced.kind, bounced.diagnostic, bounced.prose) == (Kind.DELAYED, Kind.BOUNCED, "452 4.2.2 full", "message expired")  # fmt: skip
    assert one("exim", expired).diagnostic == "retry timeout exceeded"
    assert one("exim", exim("** a@b.example: Unrouteable address")).kind is Kind.BOUNCED
    long = one("exim", exim("** a@b.example R=r T=t: retry time not reached for any host after a long failure period"))
    assert long.kind is Kind.BOUNCED
