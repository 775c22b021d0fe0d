"""The pages in a real browser: light and dark, down to the raw mail, and the view that a URL names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from tests.dashboards.conftest import PAGES, drawn
from tests.month import NOTICE

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_says_it_is_simulated_shows_no_error_and_asks_nobody_outside(visit: Visit, scheme: Any) -> None:
    asked: list[str] = []
    page = visit("", color_scheme=scheme)
    page.on("request", lambda request: asked.append(request.url))
    for path, title in PAGES.items():
        visit(path, page)
        assert page.get_by_role("heading", name=title, exact=True).is_visible()
        assert page.get_by_text(NOTICE).is_visible()
        assert page.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').count() == 0
    assert [url for url in asked if not url.startswith(("http://127.0.0.1", "data:", "blob:"))] == []


def test_a_finding_leads_to_its_replies_and_to_the_report_as_it_came(visit: Visit) -> None:
    page = visit("?period=30+days")
    page.get_by_role("link", name="Replies").first.click()
    page.get_by_role("heading", name="Bounces", exact=True).wait_for()
    drawn(page)
    assert "severity=dead+address" in page.url
    assert "period=30+days" in page.url
    choose_first_row(page)
    page.get_by_text("The report as it came", exact=True).click()
    page.locator('[data-testid="stCode"]', has_text="Subject: ").wait_for()


def choose_first_row(page: Any) -> None:
    page.locator('[data-testid="stDataFrame"] canvas').first.click(
        position={"x": 16, "y": 52}, force=True
    )  # the grid lies under its scroller
    page.get_by_text("The report as it came", exact=True).wait_for()
    drawn(page)


def test_a_cell_of_the_heat_map_narrows_the_replies_to_it(visit: Visit) -> None:
    page = visit("bounces?period=30+days")
    cell = page.locator('[data-testid="stVegaLiteChart"] [aria-roledescription="rect mark"]').first
    said = cell.get_attribute("aria-label")
    cell.click()
    page.wait_for_function("location.search.includes('reason=') && location.search.includes('at=')")
    reason, at = (parse_qs(urlparse(page.url).query)[name][0] for name in ("reason", "at"))
    assert f"reason: {reason}; at: {at}" in said


def test_a_shared_url_opens_the_same_view(visit: Visit) -> None:
    first = visit("bounces?period=30+days&provider=Gmail&reason=user+unknown")
    cards = first.locator('[data-testid="stMetricValue"]').all_inner_texts()
    second = visit(first.url.partition("/bounces")[2].join(["bounces", ""]))
    assert second.locator('[data-testid="stMetricValue"]').all_inner_texts() == cards
    assert second.get_by_role("button", name="Clear the filters").is_visible()
    second.get_by_role("link", name="Engagement").click()
    second.get_by_role("heading", name="Engagement", exact=True).wait_for()
    drawn(second)
    assert "provider=Gmail" in second.url
    second.get_by_role("button", name="Clear the filters").click()
    second.wait_for_function("!location.search.includes('provider')")
