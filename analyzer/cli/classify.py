"""`mailhealth classify`: what each report means."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain, islice
from pathlib import Path
from stat import S_ISREG
from typing import Any

import click

from analyzer.cli import Fault, settings
from analyzer.parallel import ordered

CHUNK = 250  # messages or files handed to a process at once
CHUNK_BYTES = 2 * 1024 * 1024
AHEAD = 4  # chunks that wait, per process


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
        answers: Iterator[Any] = _replies(replies)
        answers = answers if form == "table" else map(_line, answers)
    elif paths:
        answers = _messages(paths, processes or os.cpu_count() or 1, form)
        answers = chain.from_iterable(answers) if form == "table" else answers
    else:
        raise Fault("what shall be classified? Name files or folders, or - for standard input; or --replies FILE.")
    if form == "table":
        _table(answers, bool(replies))
        return
    out = sys.stdout.buffer
    for answer in answers:
        out.write(answer)
    out.flush()


def _messages(paths: Iterable[str], processes: int, form: str) -> Iterator[Any]:
    """The answers in order, JSON Lines (bytes) or objects, by several processes where there is enough to do."""
    chunks = _chunks(paths)
    first = list(islice(chunks, 2))
    work = partial(_answer, form)
    if processes == 1 or len(first) < 2:
        yield from _said(map(work, chain(first, chunks)))
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from _said(ordered(pool, work, chain(first, chunks), processes * AHEAD))


def _said(answers: Iterable[tuple[Any, list[str]]]) -> Iterator[Any]:
    for answer, notes in answers:
        for note in notes:
            click.echo(note, err=True)
        yield answer


def _chunks(paths: Iterable[str]) -> Iterator[list[Path | tuple[str, bytes] | str]]:
    """What is handed to a process at once: files that it reads by itself, messages of long files, and notes (str) on what was left out."""
    from collectors.files import each_file

    chunk: list[Path | tuple[str, bytes] | str] = []
    size = 0
    for file in each_file(paths):
        weight = _weight(file)
        for item, more in [(file, weight)] if weight <= CHUNK_BYTES else _streamed(file):
            chunk.append(item)
            size += more
            if len(chunk) >= CHUNK or size >= CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
    if chunk:
        yield chunk


def _weight(file: Path) -> int:
    """Bytes that a file has to be read as, expanded, as far as its name and size tell; a pipe may have any number."""
    try:
        stat = file.stat()
    except OSError:
        return 0 if str(file) != "-" else CHUNK_BYTES + 1  # whoever reads it says what is wrong
    if not S_ISREG(stat.st_mode):
        return CHUNK_BYTES + 1
    return stat.st_size * (30 if file.suffix in {".gz", ".zst"} else 1)


def _streamed(file: Path) -> Iterator[tuple[tuple[str, bytes] | str, int]]:
    """The messages of a long file or a pipe, one after the other, with their sizes; and what was left out of it."""
    from collectors.files import read_file

    notes: list[str] = []
    for name, data in read_file(file, lambda done, total, note="": notes.append(note)):
        yield (name, data), len(data)
    for note in notes:
        yield note, 0


def _answer(form: str, chunk: list[Path | tuple[str, bytes] | str]) -> tuple[Any, list[str]]:
    """The answers to a chunk, and notes on what was left out."""
    from datetime import UTC, datetime

    from analyzer.explain import answer
    from analyzer.model import MESSAGE, Capture
    from collectors.files import read_file

    notes: list[str] = []
    lines: list[dict[str, Any]] = []
    now = datetime.now(UTC)

    def said(done: int, total: int | None, note: str = "") -> None:
        notes.append(note)

    for item in chunk:
        if isinstance(item, str):
            notes.append(item)
            continue
        for name, data in [item] if isinstance(item, tuple) else read_file(item, said):
            lines.append(answer(name, Capture(data, MESSAGE, "classify", now)))
    # UTF-8 whatever the locale
    return (b"".join(map(_line, lines)) if form == "jsonl" else lines), [note for note in notes if note]


_encoder = json.JSONEncoder(ensure_ascii=False)


def _line(answer: dict[str, Any]) -> bytes:
    return _encoder.encode(answer).encode("utf-8", "replace") + b"\n"


def _replies(path: Path) -> Iterator[dict[str, Any]]:
    from analyzer.classify import classify_reply

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
            v = classify_reply(reply, str(provider) if provider else None)
            yield {"id": name, "reason": v.reason, "severity": v.severity.value, "fault": v.fault, "rule": v.rule, "confidence": v.confidence,
                   "scope": v.scope, "retry": v.retry, "action": v.action}  # fmt: skip


COLOURS = {"hard": "red", "soft": "yellow", "block": "magenta", "undetermined": "bright_black"}


def _table(lines: Iterator[dict[str, Any]], replies: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

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
            table.add_row(*(Text(_printable(c), style=COLOURS.get(severity, "") if n == 3 else "") for n, c in enumerate(cells)))
        count += 1
    Console().print(table)
    click.echo(f"{count} {'replies' if replies else 'messages'}. `mailhealth explain FILE` shows how one was read.")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in text)
