"""A hit on a tracking link of our own: an open, a click or an unsubscription. Its token was verified before it was kept."""

from __future__ import annotations

import json

from analyzer.model import HIT, Capture, Kind, Original, Outcome, Report
from analyzer.parse.agents import requester

KINDS = {"open": Kind.OPENED, "click": Kind.CLICKED, "unsubscribe": Kind.UNSUBSCRIBED}


def parse_hit(capture: Capture) -> Report:
    """What a hit says: who by keyed hash, of which message, and for opens and clicks whether it was a machine."""
    try:
        said = json.loads(capture.data)
        kind = KINDS[said["use"]]
        message_id, recipient, method, user_agent = (str(said[name]) for name in ("message_id", "recipient", "method", "user_agent"))
        headers = {str(name): str(value) for name, value in said["headers"].items()}
    except Exception as e:  # the record is ours, but bytes on a disk may change
        return Report(Kind.UNREADABLE, "hits", why=f"the record of a hit ({HIT}) is damaged ({type(e).__name__})")
    agent, rule = (None, None) if kind is Kind.UNSUBSCRIBED else requester(kind, method, user_agent, headers)
    # no time: the capture's own is finer than the second that the record has
    outcome = Outcome(kind, recipient_key=recipient, agent=agent, agent_rule=rule)
    return Report(kind, "hits", (outcome,), Original(message_id=message_id))
