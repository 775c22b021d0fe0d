"""`mailhealth serve`: collectors, flusher and dashboard under one supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import click

from analyzer.config import load

STEADY = 60.0  # seconds that a part must have run for its next restart to be prompt again
LONGEST_PAUSE = 60.0
GRACE = 20.0  # seconds that parts have to stop


class Part:
    """One process, restarted when it dies, after pauses that grow."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        self.name, self._command, self._environment = name, command, environment
        self._process: subprocess.Popen[bytes] | None = None
        self._pause, self._again, self._began = 1.0, 0.0, 0.0

    def tend(self) -> None:
        """Starts it when it is due."""
        now = time.monotonic()
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            self._process = None
            self._pause = 1.0 if now - self._began > STEADY else min(self._pause * 2, LONGEST_PAUSE)
            self._again = now + self._pause
            click.echo(f"{self.name}: ended with code {code}; starts again in {self._pause:.0f} s", err=True)
        if now >= self._again:
            self._began = now
            # a group of its own, so that Ctrl-C reaches the supervisor alone, which then stops the parts in order
            self._process = subprocess.Popen(self._command, env=self._environment, start_new_session=True)

    def terminate(self) -> None:
        """Asks it to stop."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, until: float) -> None:
        """Waits for its end; kills it when it takes too long."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@click.command("serve")
@click.option("--no-dashboard", is_flag=True, help="Collect and file only.")
@click.pass_obj
def command(path: Path, no_dashboard: bool) -> None:
    """Collect from all sources, file what arrives and show the dashboard, until SIGTERM or Ctrl-C.

    Each part is a process of its own; one that dies is started again. A collector acknowledges only what is safe on the disk.
    """
    from analyzer.cli.dash import dashboard_command, dashboard_environment
    from analyzer.store import Store

    config = load(path)
    Store(config.store).inbox.close()
    environment = dashboard_environment(config.store)
    mailhealth = [sys.executable, "-m", "analyzer", "--config", str(path), "run", "--parent", str(os.getpid())]
    parts = [Part(name, [*mailhealth, name], environment) for name in ("flusher", *config.sources)]
    if not no_dashboard:
        parts.append(Part("dashboard", dashboard_command(config.dashboard.host, config.dashboard.port), environment))
        click.echo(f"The dashboard: http://{config.dashboard.host}:{config.dashboard.port}", err=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        for part in parts:
            part.tend()
        stop.wait(0.5)
    _stop(parts)


def _stop(parts: list[Part]) -> None:
    """Stops the sources first and the flusher last, so that what came in is filed."""
    until = time.monotonic() + GRACE
    others = parts[1:]
    for part in others:
        part.terminate()
    for part in others:
        part.wait(until)
    parts[0].terminate()
    parts[0].wait(until + GRACE)
    click.echo("stopped", err=True)
