"""`mailhealth demo` and `dash`, as a newcomer runs them: nothing set up, nobody at the keyboard."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from analyzer.cli.dash import dashboard_environment
from analyzer.config import Config
from analyzer.store import Store
from tests.servers import free_port, until


def healthy(port: int) -> bool:
    try:
        return bool(urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).status == 200)
    except OSError:
        return False


def test_the_dashboard_counts_with_the_configured_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboards import data

    config = Config(store=tmp_path, bounce_window_days=9, conversion_window_days=2)
    Store(tmp_path)
    told = dashboard_environment(tmp_path, config)
    monkeypatch.setenv(data.STORE, told[data.STORE])
    monkeypatch.setenv(data.WINDOWS, told[data.WINDOWS])
    numbers = data.numbers()
    assert (numbers.window_days, numbers.conversion_days) == (9, 2)


def test_the_demo_asks_nothing_serves_the_dashboard_and_stops_when_told(tmp_path: Path) -> None:
    port = free_port()
    said = tmp_path / "said"
    home = {
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        "BROWSER": f"{sys.executable} -c pass %s",
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    with said.open("wb") as out:
        demo = subprocess.Popen(
            [sys.executable, "-m", "analyzer", "demo", "--sends", "1000", "--folder", str(tmp_path / "month"), "--port", str(port)],
            cwd=tmp_path, env=home, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
        try:
            until(lambda: healthy(port) or demo.poll() is not None, 120, "the dashboard")
            assert demo.poll() is None, said.read_text()
            until(lambda: "The dashboard: http://" in said.read_text(), 60, "the verdict")
            assert "mail" in said.read_text().lower()
            assert "Email:" not in said.read_text()
        finally:
            demo.send_signal(signal.SIGTERM)
            demo.wait(30)
    until(lambda: not healthy(port), 60, "the end of the dashboard")
