"""`mailhealth check`: what is wrong with the configuration, and the next step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import click

from analyzer.cli import settings
from analyzer.config import Config
from analyzer.sources import SERVERS, LogSource


@click.command("check")
@click.option("--offline", is_flag=True, help="Do not connect anywhere.")
@click.pass_obj
def command(path: Path, offline: bool) -> int:
    """Try the configuration: the file, the store, each source, each SMTP host, each seed mailbox.

    Nothing is collected or sent. Each thing that is wrong is named with the next step; the exit code is then 2.
    """
    from analyzer.config import ConfigError
    from analyzer.model import StoreError
    from collectors.base import SourceFailed

    config = settings(path)
    parts = f"{len(config.sources)} sources, {len(config.smtp)} SMTP hosts, {len(config.seeds)} seeds"
    _say(f"{path}: {parts}" + (f", rules of your own in {config.rules}" if config.rules else ""), None)
    wrong = 0
    for name, tried in _checks(config, offline):
        try:
            found = tried()
        except (ConfigError, StoreError, SourceFailed, OSError) as e:
            found = str(e)
        problem = found if isinstance(found, str) else None
        wrong += problem is not None
        _say(name, problem)
        for line in () if isinstance(found, str) else found or ():
            click.echo(f"      {line}")
    if wrong:
        click.echo(f"{wrong} to mend.")
    elif config.sources:
        click.echo("All is well. Next: `mailhealth collect`, or `mailhealth serve` to keep it running.")
    else:
        click.echo(f"All is well, and nothing to collect yet. Next: add a [sources.NAME] table to {path}.")
    return 2 if wrong else 0


def _say(name: str, problem: str | None) -> None:
    mark = click.style("ok", fg="green") if problem is None else click.style("!!", fg="red")
    click.echo(f"{mark}  {name}" + (f": {problem}" if problem else ""))


def _checks(config: Config, offline: bool) -> Iterator[tuple[str, Callable[[], str | Sequence[str] | None]]]:
    """What is tried, and the trial: it returns or raises the sentence that says what is wrong, or gives lines that are worth knowing."""
    from analyzer.store import Store, served_by
    from collectors import build
    from collectors.imap import ImapCollector
    from collectors.submit import submit

    yield f"store {config.store}", lambda: Store(config.store).check()
    serving = config.store.is_dir() and served_by(config.store) is not None
    for name, source in config.sources.items():
        held = serving and isinstance(source, SERVERS)  # its port is taken, by ourselves
        yield (
            f"source {name} ({source.type}){' is being served' if held else ''}",
            lambda n=name, s=source, o=offline or held: build(n, s).check(o),  # type: ignore[misc]
        )
        if isinstance(source, LogSource):
            yield from _last_lines(name, source)
    for name, provider in config.smtp.items():
        yield f"SMTP host {name} ({provider.host})", lambda p=provider: p.secret() and None if offline else submit(p, "", [], b"").failed  # type: ignore[misc]
    for name, seed in config.seeds.items():
        yield f"seed {name} ({seed.address})", lambda n=name, s=seed: ImapCollector(n, s.imap).check(offline)  # type: ignore[misc]
    if (config.report.via or config.report.recipients) and config.report.via not in config.smtp:
        known = ", ".join(config.smtp) or "none: add a table [smtp.NAME]"
        yield "report", lambda: f"report.via: {config.report.via!r} is no SMTP host; there are {known}."


def _last_lines(name: str, source: LogSource) -> Iterator[tuple[str, Callable[[], str | None]]]:
    """What the last lines of a log tell, and whether that can be."""
    from analyzer.parse.logs import others, parse_log
    from collectors.base import SourceFailed
    from collectors.logs import LogCollector

    try:
        sample = LogCollector(name, source).sample()
    except (SourceFailed, OSError):
        return  # which the source's own check has said
    report, count = parse_log(sample), sample.data.count(b"\n") - 1
    kinds = Counter(o.kind.value for o in report.outcomes)
    told = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common()) or "nothing of any message"
    latest = max((o.at for o in report.outcomes if o.at), default=sample.received_at)
    problem = None
    if other := others(sample):
        problem = f"nothing is understood as {source.mta}'s, but it looks like {other}'s: set sources.{name}.mta = \"{other}\"."
    elif latest > sample.received_at + timedelta(minutes=10):
        problem = (
            f"the last is of {latest:%Y-%m-%d %H:%M} UTC, which is yet to come: set sources.{name}.timezone to the zone of the log's times."
        )
    yield f"source {name}: its last {count} lines tell {told}", lambda: problem
