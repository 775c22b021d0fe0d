"""`mailhealth classify`: what each report means."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from itertools import chain, islice
from pathlib import Path
from stat import S_ISREG
from typing import Any, TypeVar

import click

from analyzer.cli import Fault, settings
from analyzer.parallel import ordered

CHUNK = 100  # messages or files handed to a process at once
CHUNK_BYTES = 512 * 1024
WHOLE = 2 * 1024 * 1024  # bytes of a file up to which the process that judges it reads it too
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
        answers: Iterator[Any] = (_judged(name, reply, provider) for name, reply, provider in read_replies(replies))
        answers = answers if form == "table" else map(_line, answers)
    elif paths:
        answers = each(paths, partial(_answer, form), processes or os.cpu_count() or 1)
    else:
        raise Fault("what shall be classified? Name files or folders, or - for standard input; or --replies FILE.")
    if form == "table":
        _table(answers, bool(replies))
        return
    out = sys.stdout.buffer
    for answer in answers:
        out.write(answer)
    out.flush()


def each(paths: Iterable[str], work: Callable[[list[tuple[str, bytes]]], list[T]], processes: int) -> Iterator[T]:
    """What `work` makes of the messages of the paths, in order, by several processes where there is enough to do: they read the files themselves."""
    chunks = _chunks(paths)
    first = list(islice(chunks, 2))
    if not first:
        from collectors.files import LEFT_OUT

        click.echo(
            f"no message found; in a folder, files ending in {' '.join(LEFT_OUT)} are not taken for messages: name one to have it read",
            err=True,
        )
    worked = partial(_worked, work)
    if processes == 1 or len(first) < 2:
        yield from _said(map(worked, chain(first, chunks)))
        return
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(processes) as pool:
        yield from _said(ordered(pool, worked, chain(first, chunks), processes * AHEAD))


def _said(found: Iterable[tuple[list[T], list[str]]]) -> Iterator[T]:
    for items, notes in found:
        for note in notes:
            click.echo(note, err=True)
        yield from items


def _worked(work: Callable[[list[tuple[str, bytes]]], list[T]], chunk: list[Path | tuple[str, bytes] | str]) -> tuple[list[T], list[str]]:
    """What `work` makes of a chunk's messages, and notes on what was left out."""
    from collectors.files import read_file

    notes: list[str] = []
    messages: list[tuple[str, bytes]] = []
    for item in chunk:
        if isinstance(item, str):
            notes.append(item)
        elif isinstance(item, tuple):
            messages.append(item)
        else:
            messages += read_file(item, lambda done, total, note="": notes.append(note))
    return work(messages), [note for note in notes if note]


def _chunks(paths: Iterable[str]) -> Iterator[list[Path | tuple[str, bytes] | str]]:
    """What is handed to a process at once: files that it reads by itself, messages of long files, and notes (str) on what was left out."""
    from collectors.files import each_file

    chunk: list[Path | tuple[str, bytes] | str] = []
    size = 0
    for file in each_file(paths):
        weight = _weight(file)
        for item, more in [(file, weight)] if weight <= WHOLE else _streamed(file):
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
        return 0 if str(file) != "-" else WHOLE + 1  # whoever reads it says what is wrong
    if not S_ISREG(stat.st_mode):
        return WHOLE + 1
    return stat.st_size * (30 if file.suffix in {".gz", ".zst"} else 1)


def _streamed(file: Path) -> Iterator[tuple[tuple[str, bytes] | str, int]]:
    """The messages of a long file or a pipe, one after the other, with their sizes; and what was left out of it."""
    from collectors.files import read_file

    notes: list[str] = []
    for name, data in read_file(file, lambda done, total, note="": notes.append(note)):
        yield (name, data), len(data)
    for note in notes:
        yield note, 0


def _answer(form: str, messages: list[tuple[str, bytes]]) -> list[Any]:
    """The answers to messages: objects, or all of them as one piece of JSON Lines."""
    from datetime import UTC, datetime

    from analyzer.explain import answer
    from analyzer.model import MESSAGE, Capture

    _settle()
    now = datetime.now(UTC)
    lines = [answer(name, Capture(data, MESSAGE, "classify", now)) for name, data in messages]
    # UTF-8 whatever the locale
    return [b"".join(map(_line, lines))] if form == "jsonl" else lines


@lru_cache(maxsize=1)
def _settle() -> None:
    """Loads the rules, and takes them out of the collector's sight: it would look at half a million objects again and again that never go."""
    from analyzer.classify import in_force

    in_force()
    gc.freeze()


_encoder = json.JSONEncoder(ensure_ascii=False)


def _line(answer: dict[str, Any]) -> bytes:
    return _encoder.encode(answer).encode("utf-8", "replace") + b"\n"


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
