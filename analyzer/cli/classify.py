"""`mailhealth classify`: what each report means."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

import click

from analyzer.cli import Fault, settings
from analyzer.parallel import ordered

CHUNK = 100  # messages handed to a process at once
CHUNK_BYTES = 8 * 1024 * 1024
AHEAD = 4  # chunks that wait, per process
T = TypeVar("T")


@click.command("classify")
@click.argument("paths", nargs=-1, type=click.Path(path_type=str))
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "table"]),
    help="jsonl: one object a message; table: for people.  [default: table on a terminal]",
)
@click.option(
    "--replies",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Classify single SMTP replies instead: JSON Lines with id, reply and, where known, provider.",
)
@click.option("--processes", type=click.IntRange(1, 256), default=None, help="How many at once.  [default: one a core]")
@click.pass_obj
def command(config: Path, paths: tuple[str, ...], form: str | None, replies: Path | None, processes: int | None) -> None:
    """Say what each report means.

    PATH is a message, a folder of messages, a Maildir or an mbox (plain, .gz or .zst); - is standard input. Nothing is stored or changed.

    \b
    mailhealth classify bounces.mbox
    mailhealth classify Maildir/ --format jsonl > answers.jsonl
    """
    if config.exists():
        settings(config)  # rules of the user's own
    form = form or ("table" if sys.stdout.isatty() else "jsonl")
    if replies:
        lines: Iterator[dict[str, Any]] = (_judged(name, reply, provider) for name, reply, provider in read_replies(replies))
    elif paths:
        lines = each(paths, _answer, processes or os.cpu_count() or 1)
    else:
        raise Fault("what shall be classified? Name files or folders, or - for standard input; or --replies FILE.")
    if form == "table":
        _table(lines, bool(replies))
        return
    out = sys.stdout.buffer  # UTF-8 whatever the locale
    for line in lines:
        out.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    out.flush()


def each(paths: Iterable[str], work: Callable[[list[tuple[str, bytes]]], list[T]], processes: int) -> Iterator[T]:
    """What `work` makes of each message of the paths, in order, by several processes where there is enough to do."""
    from collectors.files import read_messages

    def said(done: int, total: int | None, note: str = "") -> None:
        if note:
            click.echo(note, err=True)

    chunks = _chunks(read_messages(paths, said))
    first = list(islice(chunks, 2))
    if processes == 1 or len(first) < 2:
        for chunk in chain(first, chunks):
            yield from work(chunk)
        return
    with ProcessPoolExecutor(processes) as pool:
        for answers in ordered(pool, work, chain(first, chunks), processes * AHEAD):
            yield from answers


def _chunks(messages: Iterator[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    chunk: list[tuple[str, bytes]] = []
    size = 0
    for name, data in messages:
        chunk.append((name, data))
        size += len(data)
        if len(chunk) >= CHUNK or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _answer(chunk: list[tuple[str, bytes]]) -> list[dict[str, Any]]:
    from datetime import UTC, datetime

    from analyzer.explain import answer
    from analyzer.model import MESSAGE, Capture

    now = datetime.now(UTC)
    return [answer(name, Capture(data, MESSAGE, "classify", now)) for name, data in chunk]


def read_replies(path: Path) -> Iterator[tuple[Any, str, str | None]]:
    """Id, reply and provider of each line of a file of replies. Raises Fault, naming the line that is none."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for n, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                name, reply, provider = row["id"], str(row["reply"])[:10_000], row.get("provider")
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
                raise Fault(
                    f'{path}: line {n}: expected an object with "id" and "reply", found {line.strip()[:60]!r} ({type(e).__name__}).'
                ) from None
            yield name, reply, str(provider) if provider else None


def _judged(name: Any, reply: str, provider: str | None) -> dict[str, Any]:
    from analyzer.classify import classify_reply

    v = classify_reply(reply, provider)
    return {"id": name, "reason": v.reason, "severity": v.severity.value, "fault": v.fault, "rule": v.rule, "confidence": v.confidence,
            "scope": v.scope, "retry": v.retry, "action": v.action}  # fmt: skip


COLOURS = {"hard": "red", "soft": "yellow", "block": "magenta", "undetermined": "bright_black"}


def _table(lines: Iterator[dict[str, Any]], replies: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from analyzer.explain import printable

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("reply" if replies else "message", "recipient", "kind", "severity", "reason", "sure", "the receiver's words"):
        table.add_column(title, overflow="fold" if title == "message" else "ellipsis", no_wrap=title != "message")
    count = 0
    for line in lines:
        events = line.get("events", [line] if replies else [])
        for e in events or [{"kind": line["kind"], "diagnostic": line.get("why")}]:
            severity = e.get("severity") or ""
            sure = f"{e['confidence']:.0%}" if e.get("confidence") is not None else ""
            cells = [Path(str(line["id"])).name, e.get("recipient") or "", e.get("kind") or "", severity, e.get("reason") or "", sure,
                     " ".join((e.get("diagnostic") or "").split())[:200]]  # fmt: skip
            # Text, not markup: a stranger wrote these words
            table.add_row(*(Text(printable(c), style=COLOURS.get(severity, "") if n == 3 else "") for n, c in enumerate(cells)))
        count += 1
    Console().print(table)
    click.echo(f"{count} {'replies' if replies else 'messages'}. `mailhealth explain FILE` shows how one was read.")
