"""Takes docs/overview.png of a running demo: `mailhealth demo --no-open`, then `.venv/bin/python docs/screenshot.py http://127.0.0.1:8501/`."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

TO = Path(__file__).parent / "overview.png"
DRAWN = """() => document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === 'notRunning' && document.querySelector('.mh-table')
  && [...document.querySelectorAll('[data-testid="stVegaLiteChart"]')].every(c => c.querySelector('canvas, svg'))"""


def main(url: str) -> None:
    """Opens the page in Chromium and keeps what a person sees first, in few colours, so that the file stays small."""
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=shutil.which("chromium"), chromium_sandbox=False)
        page = browser.new_page(viewport={"width": 1360, "height": 1440})
        page.goto(url)
        page.wait_for_function(DRAWN, timeout=60_000)
        page.wait_for_timeout(500)  # the last chart fades in
        shot = page.screenshot()
        browser.close()
    Image.open(io.BytesIO(shot)).convert("RGB").quantize(192).save(TO, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
