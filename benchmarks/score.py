"""How right the answers are, on labelled messages: `make score`.

The messages of tests/corpus (ours: written without knowledge of the rules, and labelled by the taxonomy) are in the project; a folder with
labels.jsonl, messages/ and replies.jsonl in the same form may be named in addition. SCORE.md is written from ours alone.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from analyzer.classify import classify_reply
from analyzer.classify.rules import load
from analyzer.explain import answer
from analyzer.model import MESSAGE, Capture

HERE = Path(__file__).parents[1]
SHELVES = HERE / "tests" / "corpus"
BUCKETS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)
FAILURES = {"bounced", "delayed"}


@dataclass(frozen=True)
class Judged:
    """One answer beside its label."""

    where: str  # message or reply
    what: str  # "recipient", "kind", "reason", "status", "reply code", "false alarm", "extra"
    expected: str
    got: str
    right: bool
    severity_right: bool = True
    confidence: float | None = None
    note: str = ""


def messages(shelf: Path) -> Iterator[Judged]:
    """Every answer about the messages of a shelf, a folder with labels.jsonl."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for line in (shelf / "labels.jsonl").read_text(encoding="utf-8").splitlines():
        label = json.loads(line)
        path = next(p for p in (shelf / label["id"], shelf / "messages" / label["id"]) if p.exists())
        got = answer(label["id"], Capture(path.read_bytes(), MESSAGE, "score", now))
        yield from compare(f"{shelf.name}/{label['id']}", label, got)


def compare(where: str, label: dict[str, Any], got: dict[str, Any]) -> Iterator[Judged]:
    """An answer beside its label, event by event."""
    left = [e for e in got["events"] if e["kind"] not in {"other-report", "not-a-report", "unreadable"}]
    note = str(label.get("note", ""))
    for event in (e for e in label["events"] if e["kind"] != "other-report"):
        found = _take(left, event)
        yield Judged(where, "recipient", str(event["recipient"]), str(found and found["recipient"]), found is not None, note=note)
        if found is None:
            continue
        yield Judged(where, "kind", event["kind"], found["kind"], event["kind"] == found["kind"], note=note)
        if label.get("confidence") == "low":
            continue
        if event["reason"]:
            yield _reason(where, event, found["reason"] or str(found["feedback_type"]), found["severity"], found["confidence"], note)
        for name, key in (("status", "status"), ("reply code", "reply_code")):
            expected = event["reply" if key == "reply_code" else key]
            if expected and event["kind"] in FAILURES:
                yield Judged(where, name, expected, str(found[key]), expected == found[key], note=note)
    alarm = not label["events"] and label["kind"] == "not-a-report"
    for event in left:
        yield Judged(where, "false alarm" if alarm else "extra", "none", f"{event['kind']} {event['recipient']}", False, note=note)
    if alarm and not left:
        yield Judged(where, "false alarm", "none", "none", True, note=note)


def _take(left: list[dict[str, Any]], event: dict[str, Any]) -> dict[str, Any] | None:
    """Takes the answer about an event's recipient out of those that are left."""

    def same(a: object, b: object) -> bool:
        return str(a or "").lower() == str(b or "").lower()

    mine = [e for e in left if same(e["recipient"], event["recipient"])]
    found = next((e for e in mine if same(e["final"], event.get("final"))), mine[0] if mine else None)
    if found is not None:
        left.remove(found)
    return found


def _reason(where: str, event: dict[str, Any], got: str | None, severity: str | None, confidence: float | None, note: str) -> Judged:
    meant = {event["reason"], *event.get("also", ())}
    reasons = load().reasons
    severities = {reasons[r].severity.value for r in meant if r in reasons}
    return Judged(where, "reason", event["reason"], str(got), got in meant, not severities or severity in severities, confidence, note)


def replies(file: Path) -> Iterator[Judged]:
    """Every answer about single replies."""
    for line in file.read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        if told.get("confidence") == "low":
            continue
        verdict = classify_reply(told["reply"], told.get("provider"))
        yield _reason(f"reply {told['reply'][:90]!r}", told, verdict.reason, verdict.severity.value, verdict.confidence, "")


def everything(root: Path) -> list[Judged]:
    """All shelves and replies below a folder."""
    shelves = sorted(p.parent for p in (*root.glob("labels.jsonl"), *root.glob("*/labels.jsonl")))
    found = [j for shelf in shelves for j in messages(shelf)]
    return found + ([*replies(root / "replies.jsonl")] if (root / "replies.jsonl").exists() else [])


def report(judged: list[Judged]) -> str:
    """The score as Markdown."""
    reasons = [j for j in judged if j.what == "reason"]
    lines = ["| what | right | of | |", "|---|---|---|---|"]
    for what in ("recipient", "kind", "reason", "status", "reply code", "false alarm"):
        lines.append(_row({"false alarm": "ordinary mail left alone"}.get(what, what), [j.right for j in judged if j.what == what]))
    lines.append(_row("severity", [j.severity_right for j in reasons]))
    lines.append(f"| events that nobody expected | {sum(j.what == 'extra' for j in judged)} | | |")
    hard = {name for name, r in load().reasons.items() if r.severity.value == "hard"}
    condemned = sum(not j.severity_right and j.got in hard for j in reasons)
    missed = sum(not j.severity_right and j.expected in hard for j in reasons)
    lines += [f"| condemned (called dead, and is not) | {condemned} | | |", f"| dead addresses missed | {missed} | | |"]
    return "\n".join([*lines, "", *_calibration(reasons), "", *_by_reason(reasons), "", *_confusion(reasons), "", *_wrong(judged)])


def _row(name: str, right: Iterable[bool]) -> str:
    all_ = list(right)
    share = f"{100 * sum(all_) / len(all_):.2f} %" if all_ else ""
    return f"| {name} | {sum(all_)} | {len(all_)} | {share} |"


def _calibration(reasons: list[Judged]) -> list[str]:
    """Confidence beside how often such answers are right."""
    lines = ["## Confidence", "", "| said | answers | right |", "|---|---|---|"]
    for low, high in pairwise(BUCKETS):
        here = [j.right for j in reasons if j.confidence is not None and low <= j.confidence < high]
        if here:
            lines.append(f"| {low:.1f} to {min(high, 1):.1f} | {len(here)} | {100 * sum(here) / len(here):.1f} % |")
    return lines


def _by_reason(reasons: list[Judged]) -> list[str]:
    """Per reason: precision and recall. An answer that a label also allows counts as right for the label's reason."""
    expected, got, hit = Counter[str](), Counter[str](), Counter[str]()
    for j in reasons:
        name = j.expected if j.right else j.got
        expected[j.expected] += 1
        got[name] += 1
        hit[j.expected] += j.right
    lines = ["## Reasons", "", "| reason | labels | precision | recall |", "|---|---|---|---|"]
    for name in sorted(expected | got):
        precision = f"{100 * hit[name] / got[name]:.0f} %" if got[name] else ""
        recall = f"{100 * hit[name] / expected[name]:.0f} %" if expected[name] else ""
        lines.append(f"| {name} | {expected[name]} | {precision} | {recall} |")
    return lines


def _confusion(reasons: list[Judged]) -> list[str]:
    found = Counter((j.expected, j.got) for j in reasons if not j.right)
    lines = ["## Confusions", "", "| label | answer | times |", "|---|---|---|"]
    return [*lines, *(f"| {a} | {b} | {n} |" for (a, b), n in found.most_common())]


def _wrong(judged: list[Judged]) -> list[str]:
    by_place = defaultdict[str, list[str]](list)
    for j in judged:
        if not j.right:
            by_place[j.where].append(f"{j.what}: expected {j.expected}, got {j.got}")
    lines = ["## What is wrong", ""]
    return [*lines, *(f"- {where}: {'; '.join(said)}" for where, said in sorted(by_place.items()))]


TITLE = """# Score

Answers beside labels, on the messages and replies of `tests/corpus`, which are our own: written by people who had not seen the rules, labelled by the
taxonomy. The rules have been mended by them since, so unseen mail will score lower; what they scored at first sight stands in the changelog. `make score` writes this.

"""


def main(more: list[str]) -> None:
    """Writes SCORE.md, and prints the same of each folder that is named."""
    text = report(everything(SHELVES))
    (HERE / "SCORE.md").write_text(TITLE + text + "\n", encoding="utf-8")
    print(text.partition("## Reasons")[0])
    for folder in more:
        print(f"\n# {folder}\n\n{report(everything(Path(folder)))}")


if __name__ == "__main__":
    main(sys.argv[1:])
