"""Postfix. Sources: smtp(8), qmgr(8), cleanup(8), local(8), bounce(8), postconf(5) "enable_long_queue_ids", "syslog_name", Postfix's
"Address Verification Howto", "Configuring Postfix with amavisd", and Postfix itself, whose log the tests read.

A delivery agent writes one line a recipient and attempt:

    postfix/smtp[4711]: 3F5A92C0: to=<a@b.example>, orig_to=<c@d.example>, relay=mx.b.example[192.0.2.1]:25, conn_use=2, delay=1.2,
        delays=0.1/0/0.6/0.5, dsn=5.1.1, status=bounced (host mx.b.example[192.0.2.1] said: 550 ... (in reply to RCPT TO command))
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from analyzer.model import Kind, Outcome
from analyzer.parse.logs.lines import BadLine, Head, Message, attempt, moment, numbered, syslog, told, unreadable

KINDS = {"sent": Kind.DELIVERED, "deferred": Kind.DELAYED, "bounced": Kind.BOUNCED, "expired": Kind.BOUNCED}
PROBES = frozenset({"deliverable", "undeliverable"})  # of an address that is verified: there is no message
OURS = frozenset({"local", "virtual", "pipe", "lmtp", "discard"})  # agents that put mail into mailboxes and programs here
AGENTS = frozenset({"smtp", "error", "retry", *OURS})
DAEMONS = AGENTS | {"qmgr", "nqmgr", "cleanup", "pickup", "smtpd", "bounce", "trace", "defer"}
# short: hexadecimal; long: 52 letters and digits without vowels
_QUEUED = re.compile(r"([0-9A-F]{5,20}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,25}): ")
_ATTEMPT = re.compile(
    r"to=<(?P<to>[^\n]{0,320}?)>, (?:orig_to=<(?P<mailed>[^\n]{0,320}?)>, )?relay=(?P<relay>[^,]*), (?:conn_use=\d+, )?"
    r"delay=(?P<delay>\d{1,9}(?:\.\d{1,9})?), (?:delays=[\d./]+, )?(?:dsn=(?P<dsn>[245]\.\d{1,3}\.\d{1,3}), )?status=(?P<status>[a-z-]+)(?: \((?P<text>.*)\))?\s*$"
)
_RELAY = re.compile(r"(?P<host>[^\[\s]+)\[(?P<ip>[^\]]*)\]")
_SAID = re.compile(
    r"(?:delivery temporarily suspended: )?host (?P<host>\S{1,255})\[[^\]\s]{0,100}\](?::\d+)? (?:said: |(?P<greeting>refused to talk to me): )"
)
_HOST = re.compile(r"(?:connect to|lost connection with|conversation with|offered by host|greeting from) (?P<host>[^\[\s]{1,255})\[")
_STEP = re.compile(r" \((?P<step>in reply to [^()]{1,60})\)$")
_MESSAGE_ID = re.compile(r"(?:resent-)?message-id=\s?<?([^<>\s]{1,990})>?")
_SENDER = re.compile(r"(?:uid=\d+ )?from=<([^\n]{0,320}?)>(?:, status=(?P<status>(?:force-)?expired)|,|$)")
_AS = re.compile(r"\bqueued as ([0-9A-Za-z]{5,25})\b")


class _Entry(NamedTuple):
    daemon: str
    host: str
    at: datetime
    text: str  # what follows the queue id


def read(lines: list[str], head: Head) -> Iterable[Outcome]:
    """The outcomes that the lines tell."""
    messages: dict[str, Message] = {}
    fates: list[Outcome] = []
    for n, text in numbered(lines):
        try:
            line = syslog(text) if "/" in text else None
            if line and (daemon := _daemon(line.program)) and (queued := _QUEUED.match(line.text)):
                entry = _Entry(daemon, line.host, moment(head, line.time), line.text[queued.end() :])
                fates += _line(entry, _message(queued[1], line.host, messages), messages)
        except BadLine as e:
            fates.append(unreadable(n, e, text))
    return told(messages, fates)


def _daemon(program: str) -> str | None:
    """The daemon, whatever the instance is called: "smtp" of "postfix-out/smtp" or "postfix/submission/smtpd"."""
    name, _, daemon = program.rpartition("/")
    return daemon if name and daemon in DAEMONS else None


def _message(id: str, host: str, messages: dict[str, Message]) -> Message:
    return messages.setdefault(f"{id}@{host}", Message(f"{id}@{host}"))


def _line(entry: _Entry, message: Message, messages: dict[str, Message]) -> Iterator[Outcome]:
    if entry.daemon == "cleanup":
        if named := _MESSAGE_ID.match(entry.text):
            message.message_id, message.at = message.message_id or named[1], message.at or entry.at
    elif entry.daemon in AGENTS:
        if "status=" in entry.text:
            yield from _attempt(entry, message, messages)
    elif sender := _SENDER.match(entry.text):
        message.sender = sender[1]
        if sender["status"] and not message.put_off:
            yield Outcome(Kind.BOUNCED, prose="message expired", at=entry.at, original=message.original)
        elif sender["status"]:  # the queue manager names no recipients: they are those that were put off
            yield from message.given_up(entry.at)


def _attempt(entry: _Entry, message: Message, messages: dict[str, Message]) -> Iterator[Outcome]:
    tried = _ATTEMPT.match(entry.text)
    if not tried:
        raise BadLine("found status=, expected to=<...>, relay=..., delay=..., status=... (...)")
    if tried["status"] in PROBES or entry.daemon in OURS or tried["to"].startswith("double-bounce@"):
        return
    kind = KINDS.get(tried["status"])
    if kind is None:
        raise BadLine(f"found status={tried['status']}, expected one of {', '.join(KINDS)}")
    outcome = _outcome(kind, entry, tried, message)
    message.tried(outcome, entry.at - timedelta(seconds=float(tried["delay"])))
    if kind is Kind.DELIVERED and (under := _filtered(tried["relay"], outcome.diagnostic or "")):
        _message(under, entry.host, messages).again = True
        outcome = outcome._replace(kind=Kind.OTHER_REPORT, prose=f"went through a content filter, and on as {under}")
    yield outcome


def _filtered(relay: str, reply: str) -> str | None:
    """The id under which mail goes on that a content filter on this host took and gave back."""
    at = _RELAY.match(relay)
    here = at is not None and (at["ip"].startswith("127.") or at["ip"] in {"::1", "IPv6:::1"})
    under = _AS.search(reply) if here else None
    return under[1] if under else None


def _outcome(kind: Kind, entry: _Entry, tried: re.Match[str], message: Message) -> Outcome:
    text = tried["text"] or ""
    said, relay, host = _SAID.match(text), _RELAY.match(tried["relay"]), _HOST.search(text[:400])
    reply, step = None, text
    if said:
        reply = text[said.end() :]
        stage = _STEP.search(reply)
        reply, step = (reply[: stage.start()], stage["step"]) if stage else (reply, said["greeting"] or "")
    elif kind is Kind.DELIVERED:
        reply = text
    remote = next((match["host"] for match in (said, relay, host) if match), None)
    return attempt(
        kind, tried["to"], tried["mailed"], entry.at, message, text, reply=reply, status=tried["dsn"], remote_mta=remote, step=step
    )
