"""Hits on tracking links: what they say, and whether a machine made them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.model import HIT, Agent, Capture, Kind
from analyzer.parse import parse

AT = datetime(2026, 11, 2, 9, 0, 0, 250_000, tzinfo=UTC)
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
HUMAN, MACHINE, UNKNOWN = Agent.HUMAN, Agent.MACHINE, Agent.UNKNOWN
HIT_SAID: dict[str, Any] = {
    "use": "open", "message_id": "n-1@shop.example", "recipient": "ab" * 16, "at": "2026-11-02T09:00:00+00:00", "method": "GET", "user_agent": CHROME,
    "headers": {"accept": "image/avif,*/*"},
}  # fmt: skip


def capture(**more: object) -> Capture:
    return Capture(json.dumps(HIT_SAID | more).encode(), HIT, "hooks", AT)


@pytest.mark.parametrize(("use", "kind"), [("open", Kind.OPENED), ("click", Kind.CLICKED), ("unsubscribe", Kind.UNSUBSCRIBED)])
def test_a_hit_tells_what_of_which_message_and_whose(use: str, kind: Kind) -> None:
    report = parse(capture(use=use))
    (outcome,) = report.outcomes
    assert (report.kind, report.parser, report.original.message_id) == (kind, "hits", "n-1@shop.example")
    assert (outcome.kind, outcome.recipient, outcome.recipient_key) == (kind, None, "ab" * 16)
    assert (outcome.agent is None) == (kind is Kind.UNSUBSCRIBED)


@pytest.mark.parametrize(
    ("more", "who", "rule"),
    [
        ({}, HUMAN, "mail-program"),
        ({"user_agent": "Mozilla/5.0"}, MACHINE, "apple-mail-privacy"),
        ({"user_agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"}, HUMAN, "mail-program"),
        ({"user_agent": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"}, UNKNOWN, "google-image-proxy"),
        ({"user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"}, MACHINE, "gmail-prefetch"),
        ({"user_agent": "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"}, UNKNOWN, "yahoo-image-proxy"),
        ({"use": "click", "user_agent": "Microsoft Office Existence Discovery"}, MACHINE, "microsoft-check"),
        ({"use": "click", "user_agent": "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com"}, MACHINE, "microsoft-check"),
        ({"use": "click", "user_agent": "Mozilla/5.0 (compatible; Barracuda Sentinel)"}, MACHINE, "scanner"),
        ({"use": "click", "method": "HEAD"}, MACHINE, "head-request"),
        ({"use": "open", "method": "HEAD"}, MACHINE, "head-request"),
        ({"use": "click", "headers": {"sec-purpose": "prefetch;prerender"}}, MACHINE, "prefetch"),
        ({"use": "click", "headers": {"purpose": "Prefetch"}}, MACHINE, "prefetch"),
        ({"use": "click", "headers": {"x-purpose": "preview"}}, MACHINE, "prefetch"),
        ({"use": "click", "headers": {"x-moz": "prefetch"}}, MACHINE, "prefetch"),
        ({"use": "click", "user_agent": ""}, MACHINE, "click-without-user-agent"),
        ({"use": "open", "user_agent": " "}, UNKNOWN, "no-user-agent"),
        ({"use": "open", "user_agent": "Whatever/1"}, UNKNOWN, "unfamiliar"),
    ],
)  # fmt: skip
def test_machines_are_told_from_people_where_that_can_be(more: dict[str, Any], who: Agent, rule: str) -> None:
    (outcome,) = parse(capture(**more)).outcomes
    assert (outcome.agent, outcome.agent_rule) == (who, rule)


@given(
    st.binary(max_size=200)
    | st.sampled_from([b"", b"[]", b"{}", b'{"use": []}', b'{"use": "open"}', json.dumps(HIT_SAID | {"headers": 1}).encode()])
)
def test_bytes_that_changed_on_the_disk_are_unreadable_and_no_error(data: bytes) -> None:
    report = parse(Capture(data, HIT, "hooks", AT))
    assert (report.kind, report.parser, report.outcomes) == (Kind.UNREADABLE, "hits", ())
