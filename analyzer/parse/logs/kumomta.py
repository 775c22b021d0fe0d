"""KumoMTA's log files: the records that its log hook sends, one a line. Source: KumoMTA's documentation, "Log Record", "Configuring Logging",
"message:import_x_headers"."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from analyzer.model import Outcome
from analyzer.parse.logs.lines import MOST_LINES, Head
from analyzer.parse.webhooks import kumomta
from analyzer.parse.webhooks.event import fields


def read(lines: list[str], head: Head) -> Iterable[Outcome]:
    """The outcomes that the lines tell."""
    return _READER("\n".join(lines[:MOST_LINES]).encode()).outcomes


def _records(body: bytes) -> list[Any]:
    """The records of messages; a line that is none is left as it is, and told in its place."""
    return [r for line in body.split(b"\n") if line.startswith(b"{") and not _is_own(r := _record(line))]


def _record(line: bytes) -> object:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return line
    if isinstance(record, dict) and isinstance(meta := record.get("meta"), dict):
        # "import_x_headers": header fields are in `meta` too, under names with low lines
        names = {str(k).replace("_", "-"): v for k, v in meta.items()}
        record["headers"] = names | dict(fields(record.get("headers")))
    return record


def _is_own(record: object) -> bool:
    """Whether it is about a message of KumoMTA's own: one that a log hook sends, or a report."""
    if not isinstance(record, dict):
        return False
    return record.get("reception_protocol") == "LogRecord" or (record.get("sender") == "" and record.get("type") not in {"OOB", "Feedback"})


_READER = replace(kumomta.READER, events=_records)
