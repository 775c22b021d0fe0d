"""The record of a test send: where each seed's copy landed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from analyzer.model import Capture, Kind, Original, Outcome, Report
from analyzer.parse import address


def parse_test_send(capture: Capture) -> Report:
    """What became of each copy: PLACED, or BOUNCED when the provider did not take it."""
    try:
        body = json.loads(capture.data)
        at = datetime.fromisoformat(body["at"]).astimezone(UTC)
        original = Original(
            message_id=str(body["message_id"]), sender=str(body["sender"]), subject=str(body.get("subject") or ""), mail_type="test"
        )
        outcomes = tuple(_outcome(p, str(body["via"]), at, original) for p in body["placements"])
    except Exception as e:  # the record is ours, but bytes on a disk may change
        return Report(Kind.UNREADABLE, "test-send", why=f"the record of a test send is damaged ({type(e).__name__})")
    return Report(outcomes[0].kind if outcomes else Kind.UNREADABLE, "test-send", outcomes, original, reported_at=at)


def _outcome(p: dict[str, Any], via: str, at: datetime, original: Original) -> Outcome:
    code, status = address.reply(str(p.get("reply") or ""))
    failed = p.get("failed")
    return Outcome(
        Kind.BOUNCED if failed else Kind.PLACED, str(p["address"]), status=status, reply_code=code, diagnostic=str(failed or p.get("reply") or "")[:2000] or None,
        at=at, original=original, smtp_provider=via, folder=None if p.get("folder") is None else str(p["folder"]),
        seconds=None if p.get("seconds") is None else float(p["seconds"]), authentication=p.get("authentication"),
    )  # fmt: skip
