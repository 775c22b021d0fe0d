"""`mailhealth collect`: one pass over the sources, into the store."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import click

from analyzer.cli import Fault, settings
from analyzer.config import Config
from analyzer.sources import SERVERS


def chosen(config: Config, names: tuple[str, ...], path: Path) -> list[str]:
    """The sources that were asked for; all without a wish. Raises Fault."""
    if not config.sources:
        raise Fault(f"{path}: no source is configured; add a table [sources.NAME], as `mailhealth init` shows.")
    for name in names:
        if name not in config.sources:
            raise Fault(f"{path}: there is no source {name!r}; there are {', '.join(config.sources)}.")
    return list(names or config.sources)


@click.command("collect")
@click.argument("sources", nargs=-1)
@click.option("--quiet", "-q", is_flag=True, help="No progress bars.")
@click.pass_obj
def command(path: Path, sources: tuple[str, ...], quiet: bool) -> int:
    """Take what is there now from the configured SOURCES (all without a name), read it and file it.

    Being run twice changes nothing. One source that fails does not hold up the others; the exit code is then 2.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from analyzer.config import ConfigError
    from analyzer.model import KeepFailed
    from analyzer.pipeline import flush
    from analyzer.store import Store
    from collectors import build
    from collectors.base import SourceFailed

    config = settings(path)
    names = chosen(config, sources, path)
    store = Store(config.store)
    store.reconcile()
    failed = 0
    console = Console(stderr=True, quiet=quiet)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=quiet) as progress:
        for name in names:
            if isinstance(config.sources[name], SERVERS):
                click.echo(f"{name}: takes what is sent to it while `mailhealth serve` runs; there is nothing to collect")
                continue
            task = progress.add_task(name, total=None)

            def tell(done: int, total: int | None, note: str = "", task: object = task) -> None:
                if note:
                    progress.console.print(escape(note))
                else:
                    progress.update(task, completed=done, total=total)  # type: ignore[arg-type]

            try:
                tally = build(name, config.sources[name]).collect(store.inbox.keep, partial(store.inbox.cursor, name), tell)
                click.echo(f"{name}: {tally.seen:,} seen, {tally.kept:,} new, {tally.known:,} known, {tally.refused:,} left out")
            except (SourceFailed, KeepFailed, ConfigError) as e:
                failed += 1
                click.echo(click.style(f"{name}: ", fg="red") + str(e), err=True)
        task = progress.add_task("reading", total=None)
        flushed = flush(store, lambda done, total: progress.update(task, completed=done, total=total), processes=os.cpu_count() or 1)
    unreadable = f", {flushed.unreadable:,} of them unreadable" if flushed.unreadable else ""
    click.echo(
        f"{flushed.captures:,} captures filed as {flushed.events:,} events{unreadable}. Next: `mailhealth dash`, or `mailhealth report`."
    )
    return 2 if failed else 0
