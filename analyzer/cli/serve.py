"""`mailhealth serve`: collectors, flusher and dashboard under one supervisor."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import click

from analyzer.cli import settings, stopped_by

STEADY = 60.0  # seconds that a part must have run for its next restart to be prompt again
LONGEST_PAUSE = 60.0
GRACE = 20.0  # seconds that parts have to stop


class Part:
    """One process, restarted when it dies, after pauses that grow."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name, self._command = name, command
        self.process: subprocess.Popen[bytes] | None = None
        self._pause, self._again, self._began = 1.0, 0.0, 0.0

    def tend(self) -> None:
        """Starts it when it is due."""
        now = time.monotonic()
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return
            self._forget()
            self._later(now, f"ended with code {code}")
        if now >= self._again:
            self._began = now
            try:
                # a group of its own, so that Ctrl-C reaches the supervisor alone, which then stops the parts in order
                # and a pipe, whose end tells the part that the supervisor is gone, however it went
                self.process = subprocess.Popen(self._command, stdin=subprocess.PIPE, start_new_session=True)
            except OSError as e:  # no memory, no more processes: that may pass
                self._later(now, f"cannot be started ({e.strerror})")

    def _later(self, now: float, why: str) -> None:
        self._pause = 1.0 if now - self._began > STEADY else min(self._pause * 2, LONGEST_PAUSE)
        self._again = now + self._pause
        click.echo(f"{self.name}: {why}; starts again in {self._pause:.0f} s", err=True)

    def _forget(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None

    def terminate(self) -> None:
        """Asks it to stop."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self, until: float) -> None:
        """Waits for its end; kills it when it takes too long."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._forget()


@click.command("serve")
@click.option("--no-dashboard", is_flag=True, help="Collect and file only.")
@click.pass_obj
def command(path: Path, no_dashboard: bool) -> None:
    """Collect from all sources, file what arrives and show the dashboard, until SIGTERM or Ctrl-C.

    Each part is a process of its own; one that dies is started again. A collector acknowledges only what is safe on the disk.
    """
    from analyzer.store import Store

    config = settings(path)
    stop = stopped_by(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    store = Store(config.store)
    with store.served():
        store.reconcile()
        store.inbox.close()
        mailhealth = [sys.executable, "-m", "analyzer", "--config", str(path), "run", "--supervised"]
        shown = [] if no_dashboard else ["dashboard"]
        parts = [Part(name, [*mailhealth, name]) for name in ("flusher", *config.sources, *shown)]
        if not config.sources:
            click.echo(f"{path}: no source is configured; add a table [sources.NAME], as `mailhealth init` shows.", err=True)
        if shown:
            click.echo(f"The dashboard: http://{config.dashboard.host}:{config.dashboard.port}", err=True)
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
