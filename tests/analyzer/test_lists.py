"""Whose list a refusal names, and where to turn."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest

from analyzer.classify.lists import listing
from analyzer.explain import explain


@pytest.mark.parametrize(
    ("words", "reason", "name"),
    [
        ("554 5.7.1 Client host [192.0.2.9] blocked using zen.spamhaus.org", "blocklisted", "Spamhaus"),
        ("550 5.7.1 [192.0.2.9] listed at zen.spamhaus.org. gsmtp", "blocklisted", "Spamhaus"),
        ("550 SC-001 messages from [192.0.2.9] weren't sent, part of their network is on our block list (S3150)", "blocklisted", "Outlook.com"),
        ("550 5.7.606 Access denied, banned sending IP [192.0.2.9]", "blocklisted", "Microsoft 365"),
        ("421 4.7.0 [TSS04] Messages temporarily deferred due to user complaints", "poor-reputation", "Yahoo"),
        ("554 blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.9", "blocklisted", "Proofpoint"),
        ("550 a link in the message is listed by multi.surbl.org", "content-rejected", "SURBL"),
    ],
)  # fmt: skip
def test_a_refusal_names_whose_list_it_is_on(words: str, reason: str, name: str) -> None:
    found = listing(words, reason)
    assert found and found.name == name
    assert found.step


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("550 5.1.1 user unknown. https://support.google.com/mail/?p=NoSuchUser gsmtp", "user-unknown"),
        ("550 blocked for a reason of our own", "policy"),
        ("550 mailspikers.example is refused", "blocklisted"),
        ("", "blocklisted"),
        (None, "blocklisted"),
    ],
)
def test_other_refusals_name_none(words: str | None, reason: str) -> None:
    assert listing(words, reason) is None


def test_a_list_that_is_no_more_is_said_so() -> None:
    found = listing("550 listed at dnsbl.sorbs.net", "blocklisted")
    assert found and found.page is None
    assert "shut down" in found.step


def test_each_list_has_words_and_a_page_or_a_reason_for_none() -> None:
    table = tomllib.loads(resources.files("analyzer").joinpath("rules", "lists.toml").read_text(encoding="utf-8"))
    for name, block in table.items():
        assert block["words"] == [w.lower() for w in block["words"]], name
        assert str(block.get("page", "")).startswith("https://") != bool(block.get("note")), name


def test_an_explanation_says_where_to_turn() -> None:
    bounce = (
        b"From: MAILER-DAEMON@mx.example\nSubject: Undelivered Mail\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n"
        b"Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.7.1\n"
        b"Diagnostic-Code: smtp; 554 5.7.1 Client host [192.0.2.9] blocked using bl.spamcop.net\n\n--b--\n"
    )
    line = explain(bounce).lines[0]
    assert line.listing and "https://www.spamcop.net/bl.shtml" in line.listing.step
