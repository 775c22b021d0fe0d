"""The shop's test sends: what its seed mailboxes showed on the month's telling days, as `mailhealth test-send` records it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analyzer.demo.shop import ALDER, BIRCH, CEDAR, SENDERS, MailType, Relay
from analyzer.model import TEST_SEND, Capture

SEEDS = {
    "gmail": "linden.seed.sim1@gmail.com",
    "outlook": "linden.seed.sim2@outlook.com",
    "yahoo": "linden.seed.sim3@yahoo.com",
    "gmx": "linden.seed.sim4@gmx.de",
}
WAITED = 120.0  # seconds
PASS, BROKEN = "spf=pass dkim=pass dmarc=pass", "spf=pass dkim=fail dmarc=fail"


@dataclass(frozen=True, slots=True)
class _Errand:
    """One test mail to all seeds."""

    at: datetime
    subject: str
    mail_type: MailType
    via: Relay
    places: dict[str, tuple[str, float] | None]  # seed -> folder and seconds; None: not found
    authentication: str = PASS
    refused: str = ""  # what the SMTP provider said instead of taking it


def test_sends(start: datetime, dmarc_started: datetime, dmarc_ended: datetime, block_started: datetime) -> tuple[Capture, ...]:
    """The captures, in order of time: a good beginning, the break and its mend, the block and the way round it."""
    promotion, order = MailType.PROMOTION, MailType.ORDER_CONFIRMATION
    good: dict[str, tuple[str, float] | None] = {
        "gmail": ("INBOX", 3.6),
        "outlook": ("INBOX", 8.2),
        "yahoo": ("INBOX", 11.9),
        "gmx": ("INBOX", 2.8),
    }
    errands = (
        _Errand(start + timedelta(days=3, hours=8), "Warm knits for cold mornings", promotion, ALDER, good),
        _Errand(dmarc_started + timedelta(hours=2), "Your order L-70412", order, BIRCH,
                {**good, "gmail": None, "yahoo": ("Bulk", 14.1)}, BROKEN),
        _Errand(dmarc_ended + timedelta(hours=1), "Your order L-70412", order, BIRCH, good),
        _Errand(block_started - timedelta(hours=17), "Winter sale", promotion, CEDAR, {}, refused="550 5.7.1 Sender address rejected: news.lindenshop.example is not verified"),
        _Errand(block_started + timedelta(hours=2), "Winter sale", promotion, ALDER, {**good, "outlook": None, "gmx": ("Spamverdacht", 3.3)}),
        _Errand(block_started + timedelta(hours=3), "Winter sale", promotion, BIRCH, {**good, "outlook": ("INBOX", 9.4)}),
    )  # fmt: skip
    return tuple(_capture(n, errand) for n, errand in enumerate(errands, 1))


def _capture(number: int, e: _Errand) -> Capture:
    sender = SENDERS[e.mail_type]
    body = {
        "via": e.via.name, "sender": sender, "message_id": f"seed-test-{number}@{sender.partition('@')[2]}", "at": e.at.isoformat(), "subject": e.subject,
        "placements": [_placement(name, number, sender, e) for name in SEEDS],
    }  # fmt: skip
    return Capture(json.dumps(body).encode(), TEST_SEND, "test-send", e.at + timedelta(seconds=WAITED))


def _placement(name: str, number: int, sender: str, e: _Errand) -> dict[str, Any]:
    address, place = SEEDS[name], e.places.get(name)
    end = e.refused or f"250 2.0.0 Ok: queued as 5EED{number:04}"
    dialogue = ["connected", f"220 {e.via.host} ESMTP", "EHLO shop.lindenshop.example", f"250 {e.via.host}", f"MAIL FROM:<{sender}>"]
    dialogue += (
        [end] if e.refused else ["250 2.1.0 Ok", f"RCPT TO:<{address}>", "250 2.1.5 Ok", "DATA", "354 End data with <CR><LF>.<CR><LF>", end]
    )
    return {
        "seed": name, "address": address, "reply": end, "stage": "mail" if e.refused else None, "failed": e.refused or None, "unseen": None,
        "folder": place[0] if place else None, "junk": place[0] != "INBOX" if place else None, "seconds": place[1] if place else None,
        "waited": None if place or e.refused else WAITED, "authentication": e.authentication if place else None, "dialogue": dialogue,
    }  # fmt: skip
