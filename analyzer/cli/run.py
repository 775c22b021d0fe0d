"""`mailhealth run`: one part of `serve` by itself."""

from __future__ import annotations

import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path

import click

from analyzer.cli import Fault, settings, stopped_by
from analyzer.config import Config
from analyzer.sources import HttpSource

GRACE = 20.0  # seconds to finish in once the supervisor is gone


@click.command("run")
@click.argument("part")
@click.option("--supervised", is_flag=True, hidden=True, help="Stop when standard input ends: its other end is the supervisor's.")
@click.pass_obj
def command(path: Path, part: str, supervised: bool) -> None:
    """Run one part of `serve` by itself until SIGTERM or Ctrl-C.

    PART is "flusher", "dashboard" or the name of a source.
    """
    config = settings(path)
    if supervised:
        threading.Thread(target=_outlive_nobody, daemon=True).start()
    if part == "dashboard":
        _dashboard(config)
    elif part == "flusher" or part in config.sources:
        _work(config, part)
    else:
        raise Fault(f"{path}: there is no source {part!r}; there are: {', '.join(['flusher', 'dashboard', *config.sources])}.")


def _work(config: Config, part: str) -> None:
    from analyzer.store import Store
    from collectors import build

    stop = stopped_by(signal.SIGTERM, signal.SIGINT)
    store = Store(config.store)
    if part == "flusher":
        from analyzer.pipeline import run_flusher

        store.reconcile()
        run_flusher(store, config.flush_seconds, stop, partial(_say, part))
        return
    collector = build(part, config.sources[part])
    if isinstance(config.sources[part], HttpSource):
        from analyzer.parse.webhooks import unknown_events
        from analyzer.tokens import Keys

        # collectors understand nothing: they are told how to count what nobody understands
        collector.unknown = unknown_events  # type: ignore[attr-defined]
        collector.keys = Keys.of(store.key)  # type: ignore[attr-defined]
    collector.watch(store.inbox.keep, partial(store.inbox.cursor, part), stop, _Told(part))


def _dashboard(config: Config) -> None:
    from analyzer.cli.dash import dashboard_environment, dashboard_options
    from dashboards.__main__ import main

    os.environ.update(dashboard_environment(config.store, config))
    main(dashboard_options(config.dashboard.host, config.dashboard.port))


def _say(part: str, sentence: str) -> None:
    click.echo(f"{part}: {sentence}", err=True)


class _Told:
    """The Progress that prints what is amiss, and nothing else; what it has just said it does not say again."""

    def __init__(self, part: str) -> None:
        self._part, self._last = part, ""

    def __call__(self, done: int, total: int | None, note: str = "") -> None:
        if note and note != self._last:
            _say(self._part, note)
            self._last = note


def _outlive_nobody() -> None:
    """Stops this process when the supervisor has died without a word: nobody else would."""
    # not through sys.stdin, whose lock would stand in the way of Python's end
    while os.read(0, 1024):
        pass
    # to the main thread, which wakes from its waiting only for a signal of its own
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    threading.Timer(GRACE, lambda: os._exit(1)).start()
    sys.stderr.flush()
