"""`mailhealth dash`: the dashboard."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyzer.cli import Fault, settings

if TYPE_CHECKING:
    from analyzer.config import Config


PATIENCE = 5  # seconds that the dashboard has to end in


@click.command("dash")
@click.option("--store", type=click.Path(path_type=Path), help="A store other than the configured one.")
@click.option("--host", default=None, help="Where to listen.  [default: as configured, else 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), default=None, help="[default: as configured, else 8501]")
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
@click.pass_obj
def command(config: Path, store: Path | None, host: str | None, port: int | None, no_open: bool) -> None:
    """Open the dashboard over the store. Runs until stopped with Ctrl-C."""
    found = settings(config, store)
    if not found.store.is_dir():
        raise Fault(f"{found.store}: no store here yet. `mailhealth collect` makes it; `mailhealth demo` shows one.")
    host, port = host or found.dashboard.host, port or found.dashboard.port
    attend(start_dashboard(found.store, host, port, found), host, port, open_browser=not no_open)


def dashboard_options(host: str, port: int) -> list[str]:
    """What `streamlit run` is told: the page and the settings."""
    import dashboards

    app = Path(dashboards.__file__).parent / "app.py"
    # headless, for Streamlit would ask a newcomer for his address before it serves anything
    options = {"server.address": host, "server.port": str(port), "server.headless": "true"}
    return [str(app), *(f"--{k}={v}" for k, v in options.items())]


def dashboard_command(host: str, port: int) -> list[str]:
    """The command that serves the dashboard."""
    return [sys.executable, "-m", "dashboards", *dashboard_options(host, port)]


def dashboard_environment(store: Path, config: Config | None = None) -> dict[str, str]:
    """The environment in which it finds the store, the packages, and the configured windows, so that its numbers are those of the report."""
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH")) if p)
    windows = {"MAILHEALTH_WINDOWS": f"{config.bounce_window_days},{config.conversion_window_days}"} if config else {}
    return {**os.environ, "MAILHEALTH_STORE": str(store.resolve()), "PYTHONPATH": path, **windows}


def start_dashboard(store: Path, host: str, port: int, config: Config | None = None) -> subprocess.Popen[bytes]:
    """Starts the dashboard, which takes a few seconds to answer. From now on SIGTERM is as Ctrl-C: who stops us stops it too, whenever."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    dashboard = subprocess.Popen(dashboard_command(host, port), env=dashboard_environment(store, config), stdin=subprocess.DEVNULL)
    atexit.register(_end, dashboard)
    return dashboard


def _end(dashboard: subprocess.Popen[bytes]) -> None:
    if dashboard.poll() is None:
        dashboard.terminate()
        try:
            dashboard.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            dashboard.kill()  # while it is still starting it may miss the signal; it has nothing to lose
            dashboard.wait()


def attend(dashboard: subprocess.Popen[bytes], host: str, port: int, open_browser: bool) -> None:
    """Says where the dashboard is, and waits until it is stopped. Raises Fault when it cannot go on: the port is taken, ..."""
    url = f"http://{host}:{port}"
    click.echo(f"The dashboard: {url}  (stop with Ctrl-C)")
    if open_browser:
        threading.Thread(target=_open_when_ready, args=(url, dashboard), daemon=True).start()
    try:
        code = dashboard.wait()
    except KeyboardInterrupt:
        _end(dashboard)
        return
    if code:
        raise Fault(f"the dashboard ended with code {code}; is port {port} taken? Try --port {port + 1}.")


def _open_when_ready(url: str, dashboard: subprocess.Popen[bytes]) -> None:
    """Opens a browser, where there is one, as soon as the dashboard answers."""
    while dashboard.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):  # noqa: S310 (our own)
            webbrowser.open(url)
            return
        time.sleep(0.2)
