"""The dashboard over a simulated month."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer.cli.dash import dashboard_command, dashboard_environment
from tests.servers import free_port, until

PAGES = {
    "": "Overview",
    "bounces": "Bounces",
    "engagement": "Engagement",
    "receivers": "Receivers",
    "test_sends": "Test sends",
    "sources": "Sources",
    "message": "Message",
}
READY = """() => {
  const app = document.querySelector('[data-testid="stApp"]');
  if (app?.dataset.testScriptState !== 'notRunning' || !document.querySelector('h1')) return false;
  if (document.querySelector('[data-testid="stSkeleton"], [data-testid="stAppSkeleton"]')) return false;
  return [...document.querySelectorAll('[data-testid="stVegaLiteChart"]')].every(c => c.querySelector('canvas, svg'));
}"""


@pytest.fixture(scope="session")
def site(month: Path) -> Iterator[str]:
    """The address of a dashboard over the month."""
    port = free_port()
    process = subprocess.Popen(
        dashboard_command("127.0.0.1", port), env=dashboard_environment(month), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:

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


@pytest.fixture
def visit(site: str, chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page of the dashboard and waits until it is drawn. `page` goes on in the same tab."""
    contexts = []

    def go(path: str, page: Any = None, **options: Any) -> Any:
        if page is None:
            contexts.append(chromium.new_context(viewport={"width": 1400, "height": 1000}, **options))
            page = contexts[-1].new_page()
        page.goto(f"{site}/{path}")
        drawn(page)
        return page

    yield go
    for context in contexts:
        context.close()


def drawn(page: Any) -> None:
    """Waits until the page is neither computing nor drawing."""
    page.wait_for_function(READY, timeout=60_000, polling=50)
