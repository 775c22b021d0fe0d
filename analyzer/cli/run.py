"""`mailhealth run`: one part of `serve` by itself."""

from __future__ import annotations

import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path

import click

from analyzer.cli import Fault
from analyzer.config import load


@click.command("run")
@click.argument("part")
@click.option("--parent", type=int, default=None, hidden=True)
@click.pass_obj
def command(path: Path, part: str, parent: int | None) -> None:
    """Run one part of `serve` by itself until SIGTERM: "flusher", or the name of a source."""
    from analyzer.inbox import GroupKeeper
    from analyzer.pipeline import run_flusher
    from analyzer.store import Store
    from collectors import build

    config = load(path)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if parent:
        threading.Thread(target=_watch_parent, args=(parent, stop), daemon=True).start()
    store = Store(config.store)
    if part == "flusher":
        run_flusher(store, config.flush_seconds, stop, _say(part))
        return
    if part not in config.sources:
        raise Fault(f"{path}: there is no source {part!r}; there are flusher, {', '.join(config.sources)}.")
    with GroupKeeper(store.inbox) as keep:
        build(part, config.sources[part]).watch(keep, partial(store.inbox.cursor, part), stop, _progress(part))


def _say(part: str) -> partial[None]:
    return partial(_print, part)


def _print(part: str, sentence: str) -> None:
    click.echo(f"{part}: {sentence}", err=True)


def _progress(part: str):  # type: ignore[no-untyped-def]  # a Progress
    def tell(done: int, total: int | None, note: str = "") -> None:
        if note:
            _print(part, note)

    return tell


def _watch_parent(parent: int, stop: threading.Event) -> None:
    """Ends this process when the supervisor has died without a word: nobody would stop it."""
    while not stop.wait(1.0):
        if os.getppid() != parent:
            stop.set()
            threading.Timer(20.0, lambda: os._exit(1)).start()
            sys.stderr.flush()
            return
