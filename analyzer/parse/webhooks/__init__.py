"""The bodies of SMTP providers' webhooks -> Report. One file a provider, each a file of tables from its words to ours.

A provider's own class of a bounce is not believed: the receiver's words go to `diagnostic`, and are judged as those of any report.
"""

from __future__ import annotations

from analyzer.model import WEBHOOK, Capture, Kind, Report
from analyzer.parse import sns
from analyzer.parse.webhooks import brevo, kumomta, mailgun, mailjet, mandrill, postmark, resend, sendgrid, sparkpost

READERS = {m.NAME: m.READER for m in (brevo, kumomta, mailgun, mailjet, mandrill, postmark, resend, sendgrid, sparkpost)}
"""The name of a provider -> who reads its bodies. Of Amazon SES see `analyzer.parse.sns`."""


def parse_webhook(capture: Capture) -> Report:
    """What a provider's request says, event by event. No bytes raise; a bad event is told in its place, and costs none of its neighbours."""
    name = _provider(capture)
    if name == sns.NAME:
        return sns.parse_body(capture.data)
    reader = READERS.get(name)
    return reader(capture.data) if reader else Report(Kind.UNREADABLE, "none", why=f"nothing here reads webhooks of {name[:60]!r}")


def unknown_events(capture: Capture) -> int:
    """How many events of a provider's request have no name that we know; 1 for a body that cannot be read."""
    name = _provider(capture)
    if name == sns.NAME:
        return sns.unknown(capture.data)
    return READERS[name].unknown(capture.data) if name in READERS else 0


def _provider(capture: Capture) -> str:
    return capture.media_type.removeprefix(WEBHOOK).removesuffix("+json")
