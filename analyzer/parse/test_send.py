"""The record of a test send: where each seed's copy landed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from analyzer.model import TEST_PARSER, Capture, Kind, Original, Outcome, Report, Stage
from analyzer.parse import address


def parse_test_send(capture: Capture) -> Report:
    """What became of each copy: BOUNCED when the provider refused it, else PLACED, without a folder where it was not found."""
    try:
        body = json.loads(capture.data)
        at = datetime.fromisoformat(body["at"]).astimezone(UTC)
        original = Original(
            message_id=str(body["message_id"]),
            sender=str(body["sender"]),
            subject=str(body.get("subject") or ""),
            campaign=str(body.get("subject") or "") or None,
            mail_type="test",
        )
        outcomes = tuple(_outcome(p, str(body["via"]), at, original) for p in body["placements"])
    except Exception as e:  # the record is ours, but bytes on a disk may change
        return Report(Kind.UNREADABLE, TEST_PARSER, why=f"the record of a test send is damaged ({type(e).__name__})")
    return Report(outcomes[0].kind if outcomes else Kind.UNREADABLE, TEST_PARSER, outcomes, original, reported_at=at)


def _outcome(p: dict[str, Any], via: str, at: datetime, original: Original) -> Outcome:
    reply = str(p.get("reply") or "")
    code, status = address.reply(reply)
    stage = str(p.get("stage") or "")
    return Outcome(
        Kind.BOUNCED if p.get("failed") and code else Kind.PLACED, str(p["address"]), status=status, reply_code=code, diagnostic=_said(p, reply)[:2000] or None,
        stage=Stage(stage) if stage in set(Stage) else None, at=at, original=original, smtp_provider=via, folder=None if p.get("folder") is None else str(p["folder"]),
        reply_type=_place(p), seconds=None if p.get("seconds") is None else float(p["seconds"]), authentication=p.get("authentication"),
    )  # fmt: skip


def _place(p: dict[str, Any]) -> str:
    """Where it lies, in a word: inbox, junk, folder (any other) or missing."""
    if p.get("folder") is None:
        return "missing"
    return "junk" if p.get("junk") else "inbox" if str(p["folder"]).upper() == "INBOX" else "folder"


def _said(p: dict[str, Any], reply: str) -> str:
    """The words that tell what became of it: the server's, or ours where nobody else speaks."""
    if p.get("failed"):
        return str(p["failed"])
    if p.get("folder") is not None:
        return reply
    if p.get("unseen"):
        return f"taken ({reply}), then it could not be looked for: {p['unseen']}"
    return f"taken ({reply}), and not found within {float(p.get('waited') or 0):.0f} s"
