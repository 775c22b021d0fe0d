"""Tables of sends, deliveries, opens, clicks, unsubscriptions and orders: CSV or JSON Lines, plain, .gz or .zst.

A table is kept in blocks of whole rows, verbatim, with the mapping that reads them. A file that grows is read on from where
the last block ended; block borders depend on the content before them alone, so that reading again gives the same captures.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

import zstandard

from analyzer.model import ROWS, Capture
from analyzer.sources import TableSource
from collectors.base import Cursor, Keep, Progress, SourceFailed, Tally, look, silent

BLOCK_ROWS = 1000
BLOCK_BYTES = 1024 * 1024
BATCH_BLOCKS = 20
MAX_ROW = 1024 * 1024
# our field -> the names under which most systems have it
USUAL = {
    "kind": ("kind", "event", "event_type"),
    "at": ("at", "timestamp", "time", "date", "datetime", "sent_at", "created_at", "occurred_at", "ts"),
    "message_id": ("message_id", "messageid", "message-id", "msgid", "smtp_id", "smtp-id", "mail_id"),
    "envelope_id": ("envelope_id", "envid"),
    "provider_message_id": ("provider_message_id", "provider_id", "queue_id", "sg_message_id", "ses_message_id"),
    "header_id": ("header_id", "x-mailhealth-id", "x_mailhealth_id"),
    "feedback_id": ("feedback_id", "feedback-id"),
    "recipient": ("recipient", "email", "to", "address", "rcpt", "email_address", "rcpt_to"),
    "campaign": ("campaign", "campaign_id", "campaign_name", "newsletter"),
    "mail_type": ("mail_type", "type", "category", "template", "stream"),
    "sender": ("sender", "from", "from_address", "mail_from", "from_email"),
    "smtp_provider": ("smtp_provider", "provider", "via", "esp"),
    "sending_ip": ("sending_ip", "ip_sent", "source_ip", "outbound_ip"),
    "reply": ("reply", "response", "diagnostic", "smtp_response", "reason"),
    "remote_mta": ("remote_mta", "mx", "relay"),
    "agent": ("agent", "agent_class"),
    "agent_rule": ("agent_rule",),
    "user_agent": ("user_agent", "useragent", "ua"),
    "value": ("value", "amount", "revenue", "total", "order_value"),
    "currency": ("currency",),
}
REQUIRED = ("recipient", "at")


class TableCollector:
    """Collects the rows of one table."""

    def __init__(self, name: str, source: TableSource) -> None:
        self.name, self._source = name, source

    def check(self, offline: bool = False) -> None:
        """Reads the first line and finds the columns in it."""
        with self._opened() as stream:
            self._head(next(_lines(stream), b""))

    def collect(self, keep: Keep, cursor: Cursor, progress: Progress = silent) -> Tally:
        """One pass over the rows that are new since the last."""
        with self._opened() as stream:
            return self._collect(stream, self._source.path.stat().st_size, keep, cursor, progress)

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        """The file, expanded. What is wrong with it becomes SourceFailed."""
        path = self._source.path
        try:
            with _open(path) as stream:
                yield stream
        except FileNotFoundError:
            raise SourceFailed(f"{path}: no such file; check sources.{self.name}.path.") from None
        except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as e:
            raise SourceFailed(
                f"{path}: the archive is damaged or cut off ({e}); what came before is kept. Write it anew and collect again."
            ) from None
        except OSError as e:
            raise SourceFailed(f"{path}: cannot be read ({e.strerror}); check its owner and permissions.") from None

    def _collect(self, stream: IO[bytes], size: int, keep: Keep, cursor: Cursor, progress: Progress) -> Tally:
        lines = _lines(stream)
        first = next(lines, b"")
        head, offset = self._head(first)
        done = cursor()
        second = next(lines, b"")
        # another file under the same name has other first rows, or is shorter than what was read of the old one
        fingerprint = hashlib.sha256(first + second).hexdigest()[:16]
        start = int(done.get("offset", 0)) if done.get("head") == fingerprint else 0
        if start > size and self._source.path.suffix not in {".gz", ".zst"}:
            start = 0
        lines = _again(second, lines)
        if self._format() == "jsonl":
            lines, offset = _again(first, lines), 0
        tally, batch = Tally(), []
        for block, begin, end in _blocks(lines, offset, self._format() == "csv"):
            if end <= start and begin < end:
                continue
            if begin < start:  # the block was kept when it was shorter: what has grown since is a block of its own
                block = block[start - begin :]
            batch.append(Capture(head + block, ROWS, self.name, datetime.now(UTC)))
            if len(batch) >= BATCH_BLOCKS:
                tally += self._keep(keep, batch, fingerprint, end)
                batch = []
                progress(min(end, size), size)
            start = end
        if batch:
            tally += self._keep(keep, batch, fingerprint, start)
        progress(size, size)
        return tally

    def _keep(self, keep: Keep, batch: list[Capture], fingerprint: str, end: int) -> Tally:
        new = keep(batch, {"offset": str(end), "head": fingerprint})
        return Tally(len(batch), new, len(batch) - new)

    def _format(self) -> str:
        if self._source.format:
            return self._source.format
        return "jsonl" if any(s in self._source.path.suffixes for s in (".jsonl", ".ndjson", ".json")) else "csv"

    def _head(self, first: bytes) -> tuple[bytes, int]:
        """The line of JSON that a block begins with, and the length of the header line. Raises SourceFailed for a missing column."""
        form = self._format()
        names: list[str] = []
        delimiter = ","
        if form == "csv":
            text = first.decode("utf-8-sig", "replace").strip("\r\n")
            delimiter = max(",;\t|", key=text.count)
            names = next(csv.reader([text], delimiter=delimiter), [])
        elif first.strip():
            try:
                sample = json.loads(first.decode("utf-8-sig"))
                names = list(sample) if isinstance(sample, dict) else []
            except (ValueError, RecursionError):
                names = []  # a bad first row is counted as unreadable, like any other
        columns = self._columns([n.strip() for n in names], strict=form == "csv")
        head = {"kind": self._source.kind, "format": form, "columns": columns, "header": names, "delimiter": delimiter,
                "smtp_provider": self._source.smtp_provider, "timezone": self._source.timezone}  # fmt: skip
        return json.dumps(head, ensure_ascii=False).encode() + b"\n", len(first)

    def _columns(self, names: list[str], strict: bool) -> dict[str, str]:
        low = {n.lower(): n for n in names}
        columns = {ours: next((low[u] for u in usual if u in low), usual[0]) for ours, usual in USUAL.items()}
        columns |= self._source.columns
        wanted = [*REQUIRED, *self._source.columns, *(["kind"] if self._source.kind is None else [])]
        for ours in wanted if strict else ():
            if columns.get(ours) not in names:
                raise SourceFailed(
                    f"{self._source.path}: there is no column {columns.get(ours, ours)!r} for {ours!r}. Found: {', '.join(names)[:300] or 'nothing'}. "
                    f'Name it in mailhealth.toml: [sources.{self.name}] columns = {{ {ours} = "..." }}.'
                )
        return {ours: theirs for ours, theirs in columns.items() if not strict or theirs in names}

    def watch(self, keep: Keep, cursor: Cursor, stop: threading.Event, progress: Progress = silent) -> None:
        """Looks every ten seconds for rows that are new."""
        look(10.0, self.collect, keep, cursor, stop, progress)


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    raw = path.open("rb")
    if path.suffix == ".zst":
        return io.BufferedReader(zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(raw, closefd=True), 1 << 20)
    return raw


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines with their ends, none longer than MAX_ROW: a longer one comes in pieces, each of which fails as a row and is counted."""
    while line := stream.readline(MAX_ROW):
        yield line


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _blocks(lines: Iterator[bytes], offset: int, quoted: bool) -> Iterator[tuple[bytes, int, int]]:
    """Blocks of whole rows, with where each begins and ends in the file. A last line without its end is left for the next pass.

    In CSV a row may go on over lines within quotes; a block ends only where the quotes are even.
    """
    block: list[bytes] = []
    size, rows, odd, begin = 0, 0, False, offset
    whole = 0  # of the block's bytes, those that are whole rows
    for line in lines:
        block.append(line)
        size += len(line)
        if quoted and line.count(b'"') % 2:
            odd = not odd
        if not odd and line.endswith(b"\n"):
            rows, whole = rows + 1, size
        # a quote that is never closed must not swallow the file, nor a row without end our memory
        endless = size > 4 * BLOCK_BYTES
        if endless or ((rows >= BLOCK_ROWS or size >= BLOCK_BYTES) and whole == size):
            yield b"".join(block), begin, begin + size
            begin, block, size, rows, whole, odd = begin + size, [], 0, 0, 0, False
    data = b"".join(block)
    if whole:
        yield data[:whole], begin, begin + whole
    if size > whole:
        # the last line has no end: a writer may be at it, or it is the end of a file that ends so
        # it is kept, and the cursor stays before it, so that what it becomes is read again
        yield data[whole:] + b"\n", begin + whole, begin + whole
