"""Complaints in X-ARF, of versions 0.2 to 4, bare and within ARF."""

from __future__ import annotations

import json

import pytest

from analyzer.model import Kind
from analyzer.parse import parse_message

MAIL = """From: desk@far.example
To: abuse@shop.example
Subject: abuse report about 192.0.2.7
Auto-Submitted: auto-generated
{marks}MIME-Version: 1.0
Content-Type: multipart/{kind}; boundary="b"

--b
Content-Type: text/plain

A message from 192.0.2.7 was called spam.

--b
{part}
--b
Content-Type: message/rfc822

Return-Path: <bounces@shop.example>
From: Shop <news@shop.example>
To: otto@far.example
Message-ID: <autumn-7@shop.example>
Subject: Autumn

Leaves fall.
--b--
"""
LINES = "Content-Type: text/plain; name=report.txt\n\n---\nReported-From: desk@far.example\nCategory: abuse\nReport-Type: {what}\nVersion: 0.2\nSource: 192.0.2.7\nDate: Mon, 9 Nov 2026 10:00:00 +0100\n"
JSON = "Content-Type: application/json; name=xarf.json\n\n{body}\n"
THIRD = {
    "Version": "3",
    "Report": {"ReportClass": "Activity", "ReportType": "Spam", "SourceIp": "192.0.2.7", "SmtpRcptToAddress": "jo@far.example"},
}
FOURTH = {"xarf_version": "4.0.0", "category": "messaging", "type": "spam", "source_identifier": "192.0.2.7", "smtp_to": "jo@far.example"}


def mail(part: str, marks: str = "X-XARF: PLAIN\n", kind: str = "mixed") -> bytes:
    return MAIL.format(part=part, marks=marks, kind=kind).encode()


@pytest.mark.parametrize(
    ("letter", "who"),
    [
        (mail(LINES.format(what="spam")), "otto@far.example"),
        (mail(LINES.format(what="'spam'"), "X-ARF: YES\n"), "otto@far.example"),
        (mail(JSON.format(body=json.dumps(THIRD)), "X-XARF: 3\n"), "jo@far.example"),
        (mail(JSON.format(body=json.dumps(FOURTH)), "X-XARF: 4\n"), "jo@far.example"),
        (mail("Content-Type: message/feedback-report\n\nFeedback-Type: xarf\nUser-Agent: desk\nVersion: 1\n\n--b\n" + JSON.format(body=json.dumps(THIRD)), "", "report; report-type=feedback-report"), "jo@far.example"),
    ],
)  # fmt: skip
def test_spam_that_a_desk_reports_is_a_complaint(letter: bytes, who: str) -> None:
    report = parse_message(letter)
    assert [(o.kind, o.recipient) for o in report.outcomes] == [(Kind.COMPLAINED, who)]
    assert report.original.message_id == "autumn-7@shop.example"


@pytest.mark.parametrize("part", [LINES.format(what="login-attack"), JSON.format(body=json.dumps({**FOURTH, "type": "ddos"}))])
def test_other_abuse_is_no_complaint_about_a_message(part: str) -> None:
    report = parse_message(mail(part))
    assert (report.kind, report.outcomes) == (Kind.OTHER_REPORT, ())
    assert report.why.startswith("feedback report of type ")


@pytest.mark.parametrize(
    "body",
    ["", "{", "[" * 20_000, "[1]", '{"Report": 7}', '{"type": 5}', '{"type": "spam", "smtp_to": "a\\nFeedback-Type: x"}', "9" * 9000],
)
def test_hostile_reports_bring_down_nothing(body: str) -> None:
    report = parse_message(mail(JSON.format(body=body)))
    assert report.kind in {Kind.NOT_A_REPORT, Kind.OTHER_REPORT, Kind.COMPLAINED}
    assert all(o.recipient is None or "\n" not in o.recipient for o in report.outcomes)


def test_a_desk_s_header_alone_makes_no_report() -> None:
    assert parse_message(mail("Content-Type: text/plain\n\nSee above.\n")).outcomes == ()
    assert parse_message(mail(JSON.format(body=json.dumps(FOURTH)), "")).outcomes == ()


def test_aol_told_complaints_with_the_message_alone() -> None:
    letter = b"From: scomp@aol.example\nTo: fbl@shop.example\nSubject: Client TOS Notification\nContent-Type: message/rfc822\n\nReturn-Path: <bounces+jo=far.example@shop.example>\nFrom: news@shop.example\nSubject: Autumn\n\nLeaves fall.\n"
    assert [(o.kind, o.recipient) for o in parse_message(letter).outcomes] == [(Kind.COMPLAINED, "jo@far.example")]
