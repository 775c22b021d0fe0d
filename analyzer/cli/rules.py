"""`mailhealth rules`: rules of one's own."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analyzer.cli import settings
from analyzer.cli.classify import each, read_replies

if TYPE_CHECKING:
    from datetime import datetime

    from analyzer.suggest import Suggestion
    from analyzer.suggest.clusters import Failure, Gathered

MOST_LINES = 3  # of an example on the terminal


@click.group("rules")
def command() -> None:
    """Check rules of your own, or have some suggested.

    They are TOML files in the folder that `rules` in mailhealth.toml names, and are heard before those that come with Mailhealth:

    \b
    [our-relay-asleep]
    reason = "greylisted"
    phrases = ["relay is asleep"]
    source = "what our relay says at night"
    examples = ["451 4.3.2 The relay is asleep"]
    counter = ["550 5.1.1 asleep@customer.example: no such user"]
    """


@command.command("check")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.pass_obj
def check(config: Path, paths: tuple[Path, ...]) -> int:
    """Read rule files (or folders of them) and try their examples.

    Without PATHS, the configured folder, and the rules that come with Mailhealth. Exit code 2 when something is wrong.
    """
    from analyzer.classify.rules import check_examples
    from analyzer.config import load

    wrong = check_examples(paths) if paths else check_examples()
    if not paths and config.exists() and (mine := load(config).rules):
        wrong += check_examples([mine])
    for sentence in wrong:
        click.echo(click.style("!! ", fg="red") + sentence)
    click.echo(f"{len(wrong)} to mend." if wrong else "All examples hold. Next: `mailhealth replay --dry-run` shows what they change.")
    return 2 if wrong else 0


@command.command("suggest")
@click.argument("paths", nargs=-1, type=click.Path(path_type=str))
@click.option(
    "--replies",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read single SMTP replies: JSON Lines with id, reply and, where known, provider.",
)
@click.option("--least", type=click.IntRange(min=1), default=2, show_default=True, help="Failures that make a kind worth showing.")
@click.option("--most", type=click.IntRange(min=1), default=10, show_default=True, help="Kinds to show.")
@click.option(
    "--format", "form", type=click.Choice(["table", "toml", "json"]), default="table", show_default=True, help="table: for people."
)
@click.option("--store", type=click.Path(path_type=Path), help="A store other than the configured one.")
@click.pass_obj
def suggest(config: Path, paths: tuple[str, ...], replies: Path | None, least: int, most: int, form: str, store: Path | None) -> None:
    """See what no specific rule matches, alike ones together, with a rule drafted for each kind.

    Without PATHS, the failures in the store are read; a PATH is a message, a folder, a Maildir or an mbox. These are shown: replies of which
    nothing is made, and those of which only a wide rule (`sure = false`), a bare code or the stage of the dialogue tells.

    \b
    mailhealth rules suggest --format toml > new.toml
    $EDITOR new.toml                   decide on each reason; delete the rest
    mailhealth rules check new.toml    names what is still to be decided
    mv new.toml my-rules/              the folder that mailhealth.toml names
    mailhealth replay --dry-run        shows what it changes
    """
    from analyzer.suggest import suggest as suggested

    where = settings(config, store).store if not (paths or replies) else None
    if where is None and config.exists():
        settings(config)  # rules of the user's own
    said = _kept(where) if where else _read(paths, replies)
    found, gathered = suggested(_watched(said), least, most)
    summary = _summary(found, gathered, least)
    if form == "json":
        click.echo(json.dumps(_plain(found, gathered), indent=1))  # in ASCII: nothing in it is alive on a terminal
    elif form == "toml":
        text = "".join([f"# {line}\n" for line in summary] + [f"\n{s.draft.about}{s.draft.block}" for s in found])
        click.echo(text.encode(), nl=False)  # UTF-8 whatever the locale, as TOML is
    else:
        _show(found)
    if form != "toml":
        click.echo("\n".join(summary), err=form == "json")


def _read(paths: tuple[str, ...], replies: Path | None) -> Iterator[list[Failure]]:
    """The failures of each message and each reply."""
    from analyzer.suggest import of_reply

    yield from each(paths, _failures, os.cpu_count() or 1)
    for _, reply, provider in read_replies(replies) if replies else ():
        yield [of_reply(reply, provider)]


def _failures(messages: list[tuple[str, bytes]]) -> list[list[Failure]]:
    from datetime import UTC, datetime

    from analyzer.model import MESSAGE, Capture
    from analyzer.suggest import of_message

    now = datetime.now(UTC)
    return [of_message(Capture(data, MESSAGE, "suggest", now)) for _, data in messages]


def _kept(path: Path) -> Iterator[list[Failure]]:
    """The failures in a store, those that were said alike together."""
    from analyzer.store import Store
    from analyzer.suggest import MOST_KEPT, of_store

    store = Store(path, create=False)
    if store.simulated:
        click.echo(store.simulated, err=True)
    rows, more = of_store(store.lake)
    if more:
        click.echo(f"Of replies that no specific rule told of, the latest {MOST_KEPT:,} are read.", err=True)
    for row in rows:
        yield [row]


def _watched(said: Iterable[list[Failure]]) -> Iterator[Failure]:
    """The failures one by one, with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        for failures in progress.track(said, description="reading"):
            yield from failures


def _summary(found: list[Suggestion], gathered: Gathered, least: int) -> list[str]:
    """What was read and what is shown of it; and the next step."""
    from analyzer.suggest.draft import many

    kinds = len(gathered.clusters)
    small = sum(cluster.count < least for cluster in gathered.clusters)
    lines = [
        f"{many(gathered.failures, 'failure', 'failures')} read; specific rules tell of {gathered.understood:,}, and {gathered.silent:,} came without words."
    ]
    if gathered.left:
        lines.append(f"{gathered.left:,} were left out: there were too many kinds already. Name fewer PATHS.")
    if not kinds:
        return [*lines, "There is nothing to suggest."]
    shown = f"The others are of {many(kinds, 'kind', 'kinds')}; shown: {len(found):,}"
    if kinds - small > len(found):
        shown += f"; with a larger --most: {kinds - small - len(found):,} more"
    if small:
        shown += f"; of fewer than {least:,}, so with a smaller --least: {small:,} more"
    lines.append(shown + ".")
    if found:
        lines.append(
            "Next: put a rule into a file, decide on its reason (analyzer/rules/taxonomy.toml has them), and try it: `mailhealth rules check FILE`."
        )
    return lines


def _show(found: list[Suggestion]) -> None:
    """The suggestions, for people. All of it is Text, never markup, and made printable: strangers wrote it."""
    from rich.console import Console
    from rich.text import Text

    from analyzer.explain import printable
    from analyzer.suggest.draft import many, named, shown

    console = Console()
    for n, suggestion in enumerate(found, 1):
        c = suggestion.cluster
        console.print(Text(f"{n}. {many(c.count, 'reply', 'replies')}{_days(c.first, c.last)}", style="bold"))
        example = printable(" ".join(c.example.split()))
        now = Counter({f"{reason} ({rule})" if rule != "none" else reason: count for (reason, rule), count in c.verdicts.items()})
        for title, value in {
            "of": named(c.providers),
            "codes": named(c.codes),
            "we say": named(now),
            "template": shown(c.template),
            "example": example,
        }.items():
            lines = Text(printable(value)).wrap(console, max(20, console.width - 13))
            for m, line in enumerate(lines[:MOST_LINES]):
                console.print(Text.assemble((f"   {'' if m else title:9}", "dim"), line))
        console.print()
        # not wrapped by us: a line that a terminal folds is still one line when it is copied
        console.print(Text(suggestion.draft.block, style="cyan"), soft_wrap=True)


def _days(first: datetime | None, last: datetime | None) -> str:
    """From when to when, in the reader's zone."""
    if first is None or last is None:
        return ""
    days = sorted({f"{at.astimezone():%Y-%m-%d}" for at in (first, last)})
    return f", {' to '.join(days)}"


def _plain(found: list[Suggestion], gathered: Gathered) -> dict[str, Any]:
    """The suggestions as JSON."""
    from analyzer.suggest.draft import CHOOSE

    return {
        "failures": gathered.failures, "understood": gathered.understood, "silent": gathered.silent, "left": gathered.left,
        "kinds": len(gathered.clusters),
        "suggestions": [
            {
                "count": c.count, "providers": dict(c.providers), "hosts": dict(c.hosts), "codes": dict(c.codes),
                "verdicts": [{"reason": reason, "rule": rule, "count": n} for (reason, rule), n in c.verdicts.most_common()],
                "first": c.first.isoformat() if c.first else None, "last": c.last.isoformat() if c.last else None,
                "template": " ".join(c.template), "example": c.example, "name": d.name, "reason": None if d.reason == CHOOSE else d.reason,
                "phrases": list(d.phrases), "rule": d.block,
            }
            for c, d in ((s.cluster, s.draft) for s in found)
        ],
    }  # fmt: skip
