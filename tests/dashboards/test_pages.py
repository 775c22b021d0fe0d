"""Each page, over an empty store and over a simulated month; in a real browser too."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import dashboards
from analyzer.cli.dash import dashboard_command, dashboard_environment
from analyzer.config import load
from analyzer.demo import write
from analyzer.pipeline import flush
from analyzer.store import Store
from collectors import build
from tests.conftest import need
from tests.servers import free_port, until

PAGES = {"": "Overview", "bounces": "Bounces", "engagement": "Engagement", "test_sends": "Test sends", "message": "Message"}


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = write(tmp_path_factory.mktemp("month"), 7, 3000, until=date(2026, 11, 23))
    config = load(plan.config)
    store = Store(config.store)
    for name, source in config.sources.items():
        build(name, source).collect(store.inbox.keep, partial(store.inbox.cursor, name))
    flush(store)
    store.mark_simulated("Simulated data: a made-up shop, seed 7")
    return store.path


def run(page: str, store: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from streamlit.testing.v1 import AppTest

    monkeypatch.setenv("MAILHEALTH_STORE", str(store))
    app = AppTest.from_file(str(Path(dashboards.__file__).parent / "views" / f"{page or 'overview'}.py"), default_timeout=30).run()
    assert not app.exception, app.exception
    return app


@pytest.mark.parametrize("page", PAGES)
def test_a_page_over_an_empty_store_says_what_is_missing(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = run(page, tmp_path, monkeypatch)
    assert app.title[0].value == PAGES[page]


def test_the_overview_shows_each_rate_with_its_n(month: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = run("", month, monkeypatch)
    cards = {m.label: m.value for m in app.metric}
    assert cards["Sent"] == "3,000"
    assert any("of 3,000" in c.value for c in app.caption)


@pytest.fixture(scope="session")
def site(month: Path) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        dashboard_command("127.0.0.1", port), env=dashboard_environment(month), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        import urllib.request

        def healthy() -> bool:
            try:
                return bool(urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).status == 200)
            except OSError:
                return False

        until(healthy, 30, "the dashboard")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_opens_in_a_browser_says_it_is_simulated_and_shows_no_error(site: str, scheme: Any, tmp_path: Path) -> None:
    need("chromium", "chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=shutil.which("chromium"), chromium_sandbox=False)
        page = browser.new_context(viewport={"width": 1400, "height": 1000}, color_scheme=scheme).new_page()
        for path, title in PAGES.items():
            page.goto(f"{site}/{path}")
            page.get_by_role("heading", name=title, exact=True).wait_for(timeout=30_000)
            page.get_by_text("Simulated data: a made-up shop").wait_for()
            time.sleep(0.5)
            assert page.locator('[data-testid="stException"]').count() == 0
            page.screenshot(path=tmp_path / f"{title}.png")
        page.goto(f"{site}/bounces?provider=Gmail")
        page.get_by_role("heading", name="Bounces", exact=True).wait_for(timeout=30_000)
        page.get_by_text("Clear filters").wait_for()
        browser.close()
