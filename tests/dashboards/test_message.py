"""The page that explains a report: whatever is pasted or opened is shown, and stays text."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.dashboards.conftest import drawn

REFUSAL = """From: MAILER-DAEMON@mail.shop.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.shop.example

Final-Recipient: rfc822; {who}
Action: failed
Status: 5.2.2
Diagnostic-Code: smtp; 552 5.2.2 {said}

--b--
"""
HOSTILE = "mailbox full <img src=x onerror=\"document.title='owned'\"> **bold** [a](https://evil.example) https://evil.example/auto $x$ :red[r] <script>1</script>"
pytestmark = pytest.mark.browser


def paste(page: Any, text: str) -> None:
    area = page.get_by_role("textbox", name="Paste a report with its headers")
    area.fill(text)
    area.press("Control+Enter")
    page.get_by_text("An example, until you paste a report:").wait_for(state="hidden")
    drawn(page)


def test_a_pasted_report_is_explained_with_the_words_that_decided(visit: Callable[..., Any]) -> None:
    page = visit("message")
    paste(page, REFUSAL.format(who="carla@customer.example", said="The mailbox is full, over quota"))
    assert "carla@customer.example" in page.locator(".mh-lead").inner_text()
    assert "full" in page.locator("mark").inner_text()
    assert "mailbox full" in page.locator(".mh-facts").inner_text()


def test_hostile_words_stay_text(visit: Callable[..., Any]) -> None:
    page = visit("message")
    paste(page, REFUSAL.format(who='"<img/src=x>"@customer.example', said=HOSTILE))
    main = page.locator('[data-testid="stMain"]')
    assert "<img src=x" in page.locator(".mh-words").inner_text()
    assert "**bold** [a](https://evil.example)" in page.locator(".mh-words").inner_text()
    assert main.locator('a[href*="evil"], img[src="x"], script').count() == 0
    assert page.title() != "owned"


def test_twenty_megabytes_of_anything_are_answered(visit: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "binary.eml"
    path.write_bytes(os.urandom(1 << 20) * 19)
    page = visit("message")
    page.locator('input[type="file"]').set_input_files(path)
    page.get_by_text("An example, until you paste a report:").wait_for(state="hidden", timeout=60_000)
    drawn(page)
    assert page.locator(".mh-lead").inner_text().startswith(("not-a-report", "unreadable"))
    assert page.locator('[data-testid="stException"]').count() == 0
