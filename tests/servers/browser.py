"""A real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import need


@pytest.fixture(scope="module")  # while it is open, its event loop is everybody's in this thread
def chromium() -> Iterator[Any]:
    """A real browser."""
    need("chromium", "chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=shutil.which("chromium"), chromium_sandbox=False)
        yield browser
        browser.close()
