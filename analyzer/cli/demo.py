"""`mailhealth demo`: a simulated month of a shop, taken in by the real collectors, read by the real parsers, shown in the dashboard."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyzer.cli import Fault

if TYPE_CHECKING:
    from datetime import date

    from rich.progress import Progress, TaskID

    from analyzer.config import Config
    from analyzer.demo import DemoPlan
    from analyzer.store import Store

VERDICT_LINES = 10


@click.command("demo")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=7, show_default=True, help="Another number, another month.")
@click.option("--sends", type=click.IntRange(min=1000), default=200_000, show_default=True, help="Messages that the shop sends.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("mailhealth-demo"), show_default=True, help="Where it is written.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), default=None, help="The day after the month's last.  [default: today]")
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the dashboard listens.")
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="The dashboard's port.")
@click.option("--check", is_flag=True, help="Compare the numbers with what was made up, and stop there.")
def command(seed: int, sends: int, folder: Path, until: datetime | None, no_open: bool, host: str, port: int, check: bool) -> None:
    """See a simulated month of a shop in the dashboard.

    Five kinds of mail, three SMTP providers and the usual mishaps are made up, written to files as real systems would write them, and then
    collected, read and counted as real mail is. Nothing is sent, and nobody is meant: every page says that the data is simulated.
    """
    started = time.monotonic()
    plan = _make_up(folder, seed, sends, (until or datetime.now(UTC)).date())
    store = _take_in(plan)
    click.echo(f"\n{_size(plan)}, collected, read and counted in {time.monotonic() - started:.0f} s.\n")
    if check:
        _print_verdict(store, plan)
        _check(store, plan)
        return
    from analyzer.cli.dash import attend, start_dashboard

    # it reads the store while the verdict is made up
    dashboard = start_dashboard(store.path, host, port)
    _print_verdict(store, plan)
    attend(dashboard, host, port, open_browser=not no_open)


def _make_up(folder: Path, seed: int, sends: int, until: date) -> DemoPlan:
    from analyzer.demo import DemoError, prepare, write

    try:
        prepare(folder)
        return write(folder, seed, sends, until=until)
    except DemoError as e:
        raise Fault(str(e)) from None


def _take_in(plan: DemoPlan) -> Store:
    """Everything the shop's systems left behind, through the collectors into the inbox, and from there into the lake."""
    from analyzer.config import load
    from analyzer.store import Store

    config = load(plan.config)
    store = Store(config.store)
    store.mark_simulated(f"Simulated data: a made-up shop, seed {plan.seed}")
    with _progress() as progress:
        _collect(config, store, progress)
        store.inbox.keep(plan.test_sends)
        _flush(store, progress)
    return store


def _collect(config: Config, store: Store, progress: Progress) -> None:
    from rich.markup import escape

    from collectors import build

    for name, source in config.sources.items():
        task = progress.add_task(f"Collecting {name}", total=None)

        def tell(done: int, total: int | None, note: str = "", task: TaskID = task) -> None:
            progress.update(task, completed=done, total=total)
            if note:
                progress.console.print(escape(note))

        build(name, source).collect(store.inbox.keep, partial(store.inbox.cursor, name), tell)
        done = progress.tasks[task].completed
        progress.update(task, completed=done, total=done)


def _flush(store: Store, progress: Progress) -> None:
    from analyzer.pipeline import flush

    task = progress.add_task("Reading and judging", total=store.inbox.waiting())
    flush(store, lambda done, total: progress.update(task, completed=done, total=total))


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar per source on a terminal; a line each elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:28}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield progress


def _size(plan: DemoPlan) -> str:
    truth = plan.truth
    rows = sum(truth.rows.values())
    return f"{truth.sent:,} sends, {truth.mails:,} mails that came back and {rows - truth.sent:,} rows of what became of them"


def _print_verdict(store: Store, plan: DemoPlan) -> None:
    """The month in ten lines: the headline, then the findings with what to do."""
    from analyzer.health import findings, headline
    from analyzer.metrics import Numbers, Period

    numbers, month = Numbers(store), Period(plan.start, plan.until)
    lines = [*headline(numbers, month).splitlines()]
    for finding in findings(numbers, month):
        lines += [f"• {finding.title}", f"    {finding.next_step}"]
    for line in lines[:VERDICT_LINES]:
        click.echo(line)


def _check(store: Store, plan: DemoPlan) -> None:
    """Prints what was counted beside what was made up. Raises Fault when they differ."""
    from analyzer.metrics import Numbers

    truth = plan.truth
    expected: dict[str, float] = {
        "sent": truth.sent,
        "accepted": truth.accepted,
        "pending": truth.pending,
        "bounce": truth.bounced,
        **{severity: truth.bounced_by_severity.get(severity, 0) for severity in ("hard", "soft", "block", "undetermined")},
        "delayed": truth.delayed,
        "complaint": truth.complained,
        "open": truth.opened["human"],
        "open_machine": truth.opened["machine"],
        "click": truth.clicked["human"],
        "unsubscribe": truth.unsubscribed_by_link + truth.unsubscribed_by_mail,
        "conversion": truth.converted,
        "value": truth.revenue,
    }
    measured = Numbers(store).measure(list(expected)).set_index("metric")["numerator"].to_dict()
    wrong = [name for name, count in expected.items() if abs(measured[name] - count) > 0.005]
    for name, count in expected.items():
        click.echo(f"{name:14}{measured[name]:>14,.2f}  made up:{count:>14,.2f}{'  DIFFERS' if name in wrong else ''}")
    if wrong:
        raise Fault(
            f"the demo's numbers differ from what was made up: {', '.join(wrong)}. This is a mistake in Mailhealth: please report it."
        )
