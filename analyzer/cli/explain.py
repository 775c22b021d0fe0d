"""`mailhealth explain`: what one report means, and how we know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyzer.cli import Fault, settings

if TYPE_CHECKING:
    from analyzer.explain import Line


@click.command("explain")
@click.argument("file", type=click.Path(path_type=str))
@click.pass_obj
def command(config: Path, file: str) -> None:
    """Say what one report means: who read it, of whom it speaks, the words that decided, the runner-up, what to do.

    FILE is a message (plain, .gz or .zst), or - for standard input; of an mbox or a folder, the first message is explained.
    """
    from rich.console import Console
    from rich.text import Text

    from analyzer.explain import explain, printable
    from collectors.files import read_messages

    if config.exists():
        settings(config)  # rules of the user's own
    notes: list[str] = []
    messages = read_messages([file], lambda done, total, note="": notes.append(note))
    name, data = next(messages, (file, None))
    if data is None:
        raise Fault(notes[0] if notes else f"{file}: there is no message in it.")
    found = explain(data)
    console = Console()
    if next(messages, None):
        console.print(Text(f"{name}, the first of several; `mailhealth classify {file}` reads them all", style="dim"))
    console.print(Text(printable(found.headline), style="bold"))
    report = found.report
    console.print(
        Text(
            printable(f"read by {report.parser}; kind {report.kind.value}; original message {report.original.message_id or 'not named'}"),
            style="dim",
        )
    )
    if report.truncated:
        console.print(Text(f"cut short: {', '.join(report.truncated)}", style="yellow"))
    for line in found.lines:
        _show(console, line)


def _show(console: object, line: Line) -> None:
    from rich.console import Console
    from rich.text import Text

    from analyzer.explain import printable

    assert isinstance(console, Console)  # noqa: S101 - imported late; for the type checker
    v, o = line.verdict, line.outcome
    console.print()
    console.print(Text(printable(line.sentence)))
    for name, value in {
        "forwarded to": o.final,
        "reply": " ".join(x for x in (o.reply_code, o.status) if x) or None,
        "said by": o.remote_mta,
        "reason": f"{v.reason} ({v.severity.value}; {v.fault} can mend it; {v.confidence:.0%} sure)" if v else o.reply_type,
        "rule": f"{v.rule}, by the {v.field}" if v else None,
        "runner-up": v.runner_up if v else None,
        "source": line.source,
    }.items():
        if value:
            console.print(Text(printable(f"  {name:12} {value}")))
    if line.text:
        words = Text(f"  {'words':12} ")
        body = Text(printable(line.text))
        if v and v.span and v.field in {"diagnostic", "prose"}:
            body.stylize("bold black on yellow", *v.span)
        console.print(words + body)
    if v:
        console.print(Text(f"  {'what to do':12} {v.action}", style="green"))
        if line.listing:
            console.print(Text(f"  {'':12} {line.listing.step}", style="green"))
