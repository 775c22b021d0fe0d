"""The nouns: Capture, Report, Outcome, Verdict, Event. Frozen values; what each field means stands beside it.

`docs/architecture.md` draws how they follow from one another:
Capture (bytes we keep) -> Report (what the bytes say) -> Verdict (why, per recipient) -> Event (one row in the lake).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class KeepFailed(Exception):
    """Nothing of the batch was kept; the source must not be acknowledged. The message is a sentence for the operator."""


class ConfigError(Exception):
    """The configuration cannot be used; the message is a sentence for the operator."""


class StoreError(Exception):
    """The store cannot be used; the message says which file, what is wrong and the next step."""


class Kind(StrEnum):
    """What an event says. The first nine are what a report can say; the rest come from logs, tables and test sends."""

    BOUNCED = "bounced"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    AUTOREPLIED = "autoreplied"
    OTHER_REPORT = "other-report"
    NOT_A_REPORT = "not-a-report"
    UNREADABLE = "unreadable"
    SENT = "sent"  # handed to the SMTP provider
    OPENED = "opened"
    CLICKED = "clicked"
    CONVERTED = "converted"  # an order
    PLACED = "placed"  # a test send was looked for in a seed mailbox
    OBSERVED = "observed"  # what a receiver counted of our mail: a row of a DMARC aggregate, of a TLS report, of Postmaster Tools, of SNDS


FAILURES = frozenset({Kind.BOUNCED, Kind.DELAYED})
"""The kinds that have a reason and a severity."""


class Severity(StrEnum):
    """What a list owner does about a failure: see the table in `rules/taxonomy.toml`."""

    HARD = "hard"
    SOFT = "soft"
    BLOCK = "block"
    UNDETERMINED = "undetermined"


class Stage(StrEnum):
    """The step of the SMTP dialogue in which the refusal came."""

    CONNECT = "connect"
    EHLO = "ehlo"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"  # DATA or the end of it


class Measure(StrEnum):
    """What a receiver counted. Each receiver divides by something of its own, so that no two of these may be added up."""

    DMARC = "dmarc"  # messages from one address as one domain, by what DMARC made of them (RFC 7489, 9990)
    DMARC_FAILURE = "dmarc-failure"  # messages that failed authentication, one by one (RFC 6591, 9991)
    TLS = "tls"  # sessions with our own mail hosts, by how TLS went (RFC 8460)
    SPAM_RATE = "spam-rate"  # Google: called spam by people, of what reached the inbox of active users
    SPF_RATE = "spf-rate"  # Google: passed SPF, of what tried; likewise the next two
    DKIM_RATE = "dkim-rate"
    DMARC_RATE = "dmarc-rate"
    TLS_RATE = "tls-rate"  # Google: came over TLS
    ERROR_RATE = "error-rate"  # Google: refused or put off, of what was authenticated
    FILTER_RESULT = "filter-result"  # Microsoft: the colour of an address: green, yellow, red
    COMPLAINT_RATE = "complaint-rate"  # Microsoft: called junk by people, of message recipients
    TRAP_HITS = "trap-hits"  # Microsoft: messages to addresses that nobody has


class Agent(StrEnum):
    """Who opened or clicked."""

    HUMAN = "human"
    MACHINE = "machine"
    UNKNOWN = "unknown"


MESSAGE = "message/rfc822"
"""Media type of mail."""
ROWS = "application/vnd.mailhealth.rows+json"
"""Media type of a block of table rows, with the mapping that reads them."""
LOG = "application/vnd.mailhealth.log+json"
"""Media type of a block of lines of a mail server's log, with what is needed to read them."""
TEST_SEND = "application/vnd.mailhealth.test-send+json"
"""Media type of the transcript of a test send and what became of it."""
WEBHOOK = "application/vnd.mailhealth.webhook."
"""Beginning of the media type of a request that an SMTP provider made; its name and "+json" follow."""
HIT = "application/vnd.mailhealth.hit+json"
"""Media type of a hit on a tracking link of one's own: an open, a click, an unsubscription."""
RECEIVER_REPORT = "application/vnd.mailhealth.receiver-report"
"""Media type of a DMARC aggregate or TLS report that came as a file: XML or JSON, plain, gzip or zip."""
STATISTICS = "application/vnd.mailhealth.statistics"
"""Media type of a file of Postmaster Tools or SNDS, after a line of JSON that says whose it is."""
TEST_PARSER = "test-send"
"""Who reads it: the `parser` of its events, by which numbers of real mail leave them out."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The SMTP envelope a capture came in."""

    sender: str  # "" is the null sender
    recipients: tuple[str, ...]
    peer: str = ""  # IP address of the client


@dataclass(frozen=True, slots=True)
class Capture:
    """Whatever arrived, verbatim."""

    data: bytes  # the bytes as they came
    media_type: str  # MESSAGE, ROWS, LOG, TEST_SEND, HIT, RECEIVER_REPORT, STATISTICS, WEBHOOK with a provider
    source: str  # the collector's name in the configuration
    received_at: datetime  # aware UTC: when the collector took it
    envelope: Envelope | None = None

    @property
    def id(self) -> str:
        """SHA-256 (hex, 64 characters) of the media type's family, the envelope's addresses where there are any, and the bytes.

        The same mail taken twice is one capture; the same words sent to two VERP addresses are two.
        """
        import hashlib  # OpenSSL: four megabytes, of which those who only read messages have no need

        digest = hashlib.sha256(self.data)
        if self.envelope is not None:
            addresses = [self.envelope.sender, *self.envelope.recipients]
            digest.update(b"\0" + json.dumps(addresses).encode())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Original:
    """What the report lets us know of the message it speaks of. Every field may be missing."""

    message_id: str | None = None  # without angle brackets
    sender: str | None = None  # From address
    recipient: str | None = None  # the address that the sender mailed, where the returned message shows just one
    subject: str | None = None
    sent_at: datetime | None = None
    envelope_id: str | None = None  # Original-Envelope-Id (RFC 3461)
    feedback_id: str | None = None  # Gmail's Feedback-ID, "a:b:c:sender": names what was mailed, and no message
    campaign: str | None = None
    mail_type: str | None = None
    sending_ip: str | None = None
    envelope_sender: str | None = None  # its Return-Path
    provider_id: str | None = None  # the SMTP provider's own id of the message; of what a receiver counted, the report's
    header_id: str | None = None  # the sender's own id of the message, in a header field that the configuration names


NOTHING_KNOWN = Original()


class Outcome(NamedTuple):
    """What a report says of one recipient."""

    kind: Kind
    recipient: str | None = None  # as the sender mailed it, original spelling, no angle brackets
    final: str | None = None  # the target, where an alias or a forward led elsewhere
    status: str | None = None  # enhanced status code as printed ("5.1.1"): in the reply, else in the Status field
    reply_code: str | None = None  # three-digit SMTP reply code
    diagnostic: str | None = None  # the receiver's own words, at most 2,000 characters
    prose: str | None = None  # the reporting system's words of this recipient, at most 2,000 characters
    remote_mta: str | None = None  # the host that refused
    stage: Stage | None = None
    feedback_type: str | None = None  # ARF, lower case
    reply_type: str | None = (
        None  # of an automatic reply: vacation, ticket, challenge, inbox-retired, other; of a test mail: inbox, junk, folder, missing; of SNDS: green, yellow, red
    )
    # of rows, webhooks, logs, test sends and what receivers counted only
    at: datetime | None = None  # aware UTC; None: the report's own time
    original: Original | None = None  # None: the report's
    smtp_provider: str | None = None
    agent: Agent | None = None
    agent_rule: str | None = None  # why the agent is held to be a machine or a human
    folder: str | None = None  # where the test mail was found; None: not found
    seconds: float | None = None  # from hand-over to being found
    authentication: str | None = None  # "spf=pass dkim=pass dmarc=pass", as the receiver saw it; "tls=certificate-expired"
    value: float | None = None  # of an order, in `currency`; of a rate, 0 to 1
    currency: str | None = None
    measure: Measure | None = None  # of OBSERVED
    messages: float | None = None  # of OBSERVED: how many messages, sessions or incidents the row speaks of; None: not told
    recipient_key: str | None = None  # keyed hash, where a link of ours tells whose it was and no address is known


class Report(NamedTuple):
    """What one capture says. `outcomes` is empty when it says nothing of anybody's mail."""

    kind: Kind  # of the whole: the first outcome's, else OTHER_REPORT, NOT_A_REPORT, UNREADABLE
    parser: str  # who read it: "dsn", "feedback", "autoreply", "other", "unsubscribe", "sns", "prose", "rows", ...
    outcomes: tuple[Outcome, ...] = ()
    original: Original = NOTHING_KNOWN
    reporting_mta: str | None = None
    reported_at: datetime | None = None  # the report's own Date, aware UTC
    why: str | None = None  # why nothing could be said, for people
    truncated: tuple[
        str, ...
    ] = ()  # the caps that cut: "bytes", "parts", "depth", "headers", "values", "texts", "recipients", "rows", "records"


class Verdict(NamedTuple):
    """Why a delivery failed, whose it is to mend, and how we know."""

    reason: str  # a reason of taxonomy.toml
    severity: Severity
    fault: str  # who can mend it: address, recipient, content, network, reputation, sender, rate, unknown
    rule: str  # id of the rule that decided, "provider.name"
    confidence: float  # 0 to 1
    matched: str | None = None  # the words that decided
    span: tuple[int, int] | None = None  # of `matched` in the text it was found in (`field`)
    field: str | None = None  # "diagnostic", "prose", "status", "reply_code", "stage"
    runner_up: str | None = None  # the next best reason
    provider: str | None = None  # the provider whose rules applied
    scope: str | None = None  # what is refused: ip, domain, sender, message, recipient
    retry: bool | None = None  # may trying again help?
    action: str = ""  # what to do, one sentence


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the lake: what happened to one message for one recipient. No address in it, a keyed hash instead."""

    event_id: str  # capture id and place in it: stable over replays
    capture_id: str
    kind: str
    at: datetime  # aware UTC: when it happened, as far as the report tells; else when we got it
    received_at: datetime  # aware UTC: when we got it; its UTC day is the partition
    source: str
    parser: str
    message_id: str | None = None
    envelope_id: str | None = None  # ENVID (RFC 3461), of the sender's choice
    provider_message_id: str | None = None  # the SMTP provider's, or the mail server's, own id of the message; of OBSERVED, the report's
    header_id: str | None = None  # the sender's own, in a header field that the configuration names
    feedback_id: str | None = None  # Gmail's Feedback-ID: of a campaign and its kind of mail, not of one message
    recipient_key: str | None = None  # keyed hash of the normalised address, 32 hex characters
    recipient_domain: str | None = None
    final_key: str | None = None
    provider: str | None = None  # mailbox provider of the recipient's domain
    sending_domain: str | None = None
    campaign: str | None = None
    mail_type: str | None = None
    smtp_provider: str | None = None
    sending_ip: str | None = None
    reason: str | None = None
    severity: str | None = None
    fault: str | None = None
    rule: str | None = None
    confidence: float | None = None
    runner_up: str | None = None
    status: str | None = None
    reply_code: str | None = None
    diagnostic: str | None = None  # the words that people read, at most 2,000 characters
    remote_mta: str | None = None
    reporting_mta: str | None = None
    feedback_type: str | None = None
    agent: str | None = None
    agent_rule: str | None = None
    folder: str | None = None
    seconds: float | None = None
    authentication: str | None = None
    value: float | None = None  # of an order, in `currency`; of a receiver's rate, 0 to 1
    currency: str | None = None
    measure: str | None = None  # of OBSERVED: what was counted; `reporting_mta` counted it, `sending_domain` or `sending_ip` is meant
    messages: float | None = None  # of OBSERVED: how many messages, sessions or incidents
    why: str | None = None  # of NOT_A_REPORT and UNREADABLE
