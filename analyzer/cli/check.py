"""`mailhealth check`: what is wrong with the configuration, and the next step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from analyzer.config import Config, FilesSource, ImapSource, SmtpSinkSource, TableSource, load


@click.command("check")
@click.option("--offline", is_flag=True, help="Do not connect anywhere.")
@click.pass_obj
def command(path: Path, offline: bool) -> int:
    """Try the configuration: the file, the store, each source, each SMTP host. Exit code 2 when something is wrong."""
    config = load(path)
    click.echo(
        f"{click.style('ok', fg='green')}  {path}: {len(config.sources)} sources, {len(config.smtp)} SMTP hosts, {len(config.seeds)} seeds"
    )
    wrong = 0
    for name, problem in _checks(config, offline):
        wrong += problem is not None
        mark = click.style("ok", fg="green") if problem is None else click.style("!!", fg="red")
        click.echo(f"{mark}  {name}" + (f": {problem}" if problem else ""))
    click.echo("All is well. Next: `mailhealth collect`." if not wrong else f"{wrong} to mend.")
    return 2 if wrong else 0


def _checks(config: Config, offline: bool) -> Iterator[tuple[str, str | None]]:
    """What was tried, and the sentence that says what is wrong with it."""
    from analyzer.model import StoreError
    from analyzer.store import Store

    try:
        store = Store(config.store)
        store.inbox.waiting()
        store.lake.version()
        yield f"store {config.store}", None if store.key else "no key"
    except StoreError as e:
        yield f"store {config.store}", str(e)
    for name, source in config.sources.items():
        yield f"source {name} ({source.type})", _source(name, source, offline)
    for name, seed in config.seeds.items():
        yield f"seed {name} ({seed.address})", _source(name, seed.imap, offline)


def _source(name: str, source: FilesSource | TableSource | ImapSource | SmtpSinkSource, offline: bool) -> str | None:
    from analyzer.config import ConfigError
    from collectors.base import SourceFailed

    try:
        if isinstance(source, FilesSource | TableSource):
            return None if source.path.exists() else f"{source.path}: is not there; check sources.{name}.path."
        if isinstance(source, SmtpSinkSource):
            return None if source.domains else f"sources.{name}.domains: is empty; name the domains that bounces come back to."
        source.secret()
        if offline:
            return None
        from collectors.imap import ImapCollector

        there = ImapCollector(name, source).folders()
        lost = [f for f in source.folders if f not in there]
        return f"folder {lost[0]!r} is not there; there are {', '.join(there)[:300]}." if lost else None
    except (ConfigError, SourceFailed) as e:
        return str(e)
