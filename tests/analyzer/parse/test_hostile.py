"""What every message must stand, whoever wrote it: any ends of lines, any size, any depth."""

from __future__ import annotations

import copy
import pickle
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.explain import judged
from analyzer.model import FAILURES, Kind, Original, Outcome, Report, Verdict
from analyzer.parse import parse_message
from tests.analyzer.parse.letters import LETTERS
from tests.analyzer.parse.test_reports import ARF, EXIM, POSTFIX, QMAIL, SENDMAIL

TOP = b"From: MAILER-DAEMON@mx.example\nTo: bounces@shop.example\nSubject: Undelivered Mail\nMIME-Version: 1.0\n"
TEXT = TOP + b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\nContent-Type: text/plain\n\n'
FIELDS = b"Final-Recipient: rfc822; bo@far.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user bo@far.example here\n"
STATUS = b"\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
END = b"\n--b\nContent-Type: message/rfc822\n\nFrom: news@shop.example\nMessage-ID: <1@shop.example>\n\nhello\n--b--\n"

# name -> message, recipient, the caps that cut
HOSTILE: dict[str, tuple[bytes, str | None, tuple[str, ...]]] = {
    "a million headers": (TOP + b"X: y\n" * 1_000_000 + b"\nbo@far.example: 550 no such user\n", "bo@far.example", ("headers",)),
    "a million folded lines": (TOP + b"X: y\n" + b" z\n" * 1_000_000 + b"\nbo@far.example: 550 no such user\n", "bo@far.example", ("headers",)),
    "a header value of 100 KB": (TOP.replace(b"mx.example", b"mx.example" + b" " * 100_000, 1) + b"\nbo@far.example: 550 5.1.1 no such user\n", "bo@far.example", ("values",)),
    "10,000 parts": (TEXT + STATUS + FIELDS + b"\n--b\n\nx\n" * 10_000 + END, "bo@far.example", ("parts",)),
    "3,000 levels of parts": (TOP + b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(3000)), None, ("depth",)),
    "3,000 messages in messages": (TOP + b"Content-Type: message/rfc822\n\n" * 3000 + b"text\n", None, ("depth",)),
    "100,000 recipients": (TEXT + STATUS + b"".join(FIELDS.replace(b"bo@", b"bo%d@" % n) + b"\n" for n in range(100_000)) + END, "bo0@far.example", ("recipients",)),
    "100,000 recipients in prose": (TOP + b"\nThe following recipients failed:\n" + b"".join(b"<bo%d@far.example>: 550 no such user\n" % n for n in range(100_000)), "bo0@far.example", ("recipients", "texts")),
    "50 MB of text": (TOP + b"\nbo@far.example: 550 5.1.1 no such user\n" + b"not delivered, sorry. " * 2_400_000, "bo@far.example", ("texts",)),
    "a word of 3 MB": (TOP + b"Content-Transfer-Encoding: base64\n\n" + b"ZmFpbGVk\n" * 500_000, None, ("texts",)),
    "a diagnostic of 1 MB": (TEXT + STATUS + FIELDS[:-1] + b" no such user" * 80_000 + b"\n" + END, "bo@far.example", ("values",)),
    "NULs": (TEXT + b"\0" * 1_000_000 + STATUS + FIELDS + END, "bo@far.example", ()),
    "bare CRs": ((TEXT + STATUS + FIELDS + END).replace(b"\n", b"\r") + b"\r" * 1_000_000, "bo@far.example", ()),
    "quotes that nobody closes": (TOP + b'Content-Type: multipart/report; boundary="' + b'"b\\' * 100_000 + b"\n\nbo@far.example: 550 no such user\n", "bo@far.example", ("values",)),
    "a charset that runs wild": (TOP + b"Content-Type: text/plain; charset=utf-7\n\nbo@far.example: 550 no such user\n" + b"+AGE-\n" * 1_000_000, "bo@far.example", ("texts",)),
    "a rule of dashes": (TOP + b"\nbo@far.example: 550 no such user\n" + b"-" * 60_000 + b"\n", "bo@far.example", ()),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(60)
def test_hostile_mail_is_answered_and_what_caps_cut_is_named(name: str) -> None:
    message, recipient, cuts = HOSTILE[name]
    report = parse_message(message)
    assert report.kind is Kind.BOUNCED
    assert report.outcomes[0].recipient == recipient
    assert set(cuts) <= set(report.truncated)
    assert bool(cuts) == bool(report.truncated) or name == "NULs"


REPORTS = [POSTFIX, EXIM, QMAIL, SENDMAIL, ARF, TEXT + STATUS + FIELDS + END, *(letter.raw for letter in LETTERS.values())]


def said(message: bytes) -> tuple[Report, list[tuple[Outcome, Verdict | None]]]:
    report = parse_message(message)
    return report, judged(report)


@given(st.sampled_from(REPORTS), st.integers(0, 5000), st.integers(0, 200), st.sampled_from([b"\r\n", b"\r"]))
def test_ends_of_lines_make_no_difference(message: bytes, at: int, size: int, end: bytes) -> None:
    message = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    message = message[:at] + message[at + size :]
    assert said(message.replace(b"\n", end)) == said(message)


@given(st.sampled_from(REPORTS), st.integers(0, 5000), st.binary(max_size=40))
def test_matched_words_stand_where_the_span_says(message: bytes, at: int, noise: bytes) -> None:
    report = parse_message(message[:at] + noise + message[at:])
    for outcome, verdict in judged(report):
        assert (verdict is not None) == (outcome.kind in FAILURES)
        if verdict is not None and verdict.span is not None:
            text = outcome.prose if verdict.field == "prose" else outcome.diagnostic
            assert text is not None
            assert text[slice(*verdict.span)] == verdict.matched


def test_what_is_read_later_is_a_value_like_others() -> None:
    report = parse_message(POSTFIX)
    about = report.original
    assert pickle.loads(pickle.dumps(about)) == about == copy.deepcopy(about)
    assert about == Original(**{f.name: getattr(about, f.name) for f in fields(Original)})
    assert replace(about, subject="other").message_id == about.message_id
    assert about != replace(about, subject="other")
    with pytest.raises(AttributeError):
        about.nonsense  # type: ignore[attr-defined]  # noqa: B018
