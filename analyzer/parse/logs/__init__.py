"""Blocks of a mail server's log -> Report. One file a mail server.

Each attempt is an outcome. So is each message whose Message-ID is told: it was sent to those recipients whom the block names, or else it is
known to be there, with both ids, since the attempts that follow may stand in other blocks and name the server's own id alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace

from analyzer.model import Capture, Kind, Outcome, Report
from analyzer.parse.logs import exim, kumomta, postfix, powermta
from analyzer.parse.logs.lines import MOST_LINES, Head

READERS: dict[str, Callable[[list[str], Head], Iterable[Outcome]]] = {
    "postfix": postfix.read,
    "exim": exim.read,
    "kumomta": kumomta.read,
    "powermta": powermta.read,
}
"""The name of a mail server -> who reads its lines."""


def others(capture: Capture) -> str | None:
    """Another mail server whose log the block looks like, where it tells nothing read as what it is said to be."""
    head, _, lines = capture.data.partition(b"\n")
    said = json.loads(head)
    found = {mta: parse_log(replace(capture, data=json.dumps(said | {"mta": mta}).encode() + b"\n" + lines)) for mta in READERS}
    told = {mta: sum(o.kind is not Kind.UNREADABLE for o in report.outcomes) for mta, report in found.items()}
    best = max(told, key=lambda mta: told[mta])
    return best if told[best] and not told.get(said["mta"]) else None


def parse_log(capture: Capture) -> Report:
    """What a block of lines says. No bytes raise; a line of something else is passed over, one that cannot be read is told in its place."""
    first, _, rest = capture.data.partition(b"\n")
    try:
        mta, head = Head.read(first, capture.received_at)
    except Exception as e:  # the head is ours, but bytes on a disk may change
        return Report(Kind.UNREADABLE, "logs", why=f"the block's first line is damaged ({type(e).__name__})")
    if mta not in READERS:
        return Report(Kind.UNREADABLE, "logs", why=f"nothing here reads logs of {mta[:60]!r}")
    lines = rest.decode("utf-8", "replace").split("\n")
    if not lines[-1]:
        lines.pop()
    outcomes = tuple(READERS[mta](lines, head))
    if not outcomes:
        return Report(Kind.OTHER_REPORT, mta, why=f"{len(lines)} lines that tell the fate of no message")
    return Report(outcomes[0].kind, mta, outcomes, truncated=("rows",) if len(lines) > MOST_LINES else ())
