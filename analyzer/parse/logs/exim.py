"""Exim's main log, as it writes it itself or through syslog. Source: the Exim specification, chapter "Log files".

    2026-11-01 10:00:03 1t6abc-00000001Xyz-0A2B => a@b.example R=dnslookup T=remote_smtp H=mx.b.example [192.0.2.1] C="250 OK"

`<=` a message arrives, `=>` `->` `>>` it is delivered, `==` put off, `**` given up; `*>` is a delivery that was suppressed. Exim's id of the
message is that of its queue; which host's it is stands in the line where syslog wrote it, else in the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from analyzer.model import FAILURES, Kind, Outcome
from analyzer.parse.logs.lines import BadLine, Head, Message, attempt, moment, numbered, syslog, told, unreadable

KINDS = {"=>": Kind.DELIVERED, "->": Kind.DELIVERED, ">>": Kind.DELIVERED, "==": Kind.DELAYED, "**": Kind.BOUNCED}
_LINE = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d) (?P<time>\d\d:\d\d:\d\d)(?P<part>\.\d{1,9})? (?:(?P<zone>[+-]\d{4}) )?(?:\[\d+\] )?"
)
# up to 4.96, and since 4.97
_FLAGGED = re.compile(
    r"(?P<id>[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})) (?P<flag><=|=>|->|>>|\*>|==|\*\*) (?P<rest>.*)"
)
_WHOM = re.compile(r"(?P<to>\"[^\"]{0,320}\"@\S{1,320}|\S{1,700})(?: \([^()]{0,700}\))?(?: <(?P<mailed>[^<>]{0,700})>)?")
# a host has blanks in it: H=name (name that it said) [address]:port, and a star where the connection was used before
_FIELD = re.compile(
    r" (?:(?P<host>H)=(?P<place>(?:[^\s\[(]\S{0,255} ?)?(?:\([^()]{0,255}\) ?)?\[[0-9A-Fa-f.:]{2,45}\](?::\d{1,5})?)\*?"
    r"|(?P<name>[A-Za-z][A-Za-z0-9]{0,4})\*?=(?P<value>\"(?:[^\"\\]|\\.)*\"|<[^<>]{0,700}>|[^\s\"<]\S*|)"
    r"|(?P<word>\S+))"
)
_SAID = re.compile(
    r"(?P<step>(?:SMTP|LMTP) error from remote (?:mail server|mailer) after .{1,700}?): (?:host (?P<host>\S{1,255}) \[[^\]]{0,45}\]: )?(?=[245]\d\d)"
)
_TOOK = re.compile(r"(?: (?:QT|DT|RT)=[\d.a-z]{1,20})+$")  # log_selector = +deliver_time, +queue_time: they follow the receiver's words
_TIMES_OUT = re.compile(r"(?:host|to|with) (?P<host>[^\s\[]{1,255}) \[")
# in these nothing was tried
_NOT_TRIED = ("retry time not reached", "retry time not yet reached", "remote host address is the local host", "domain is in hold_domains")
_EXPIRED = "retry timeout exceeded"
_HERE = re.compile(r"\[(?:127\.\d+\.\d+\.\d+|::1)\]")
_GIVEN_BACK = re.compile(r"\bqueued as (\S{5,30})|\bid=([0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4})\b")


class _Entry(NamedTuple):
    at: datetime
    host: str | None
    id: str
    flag: str
    rest: str


def read(lines: list[str], head: Head) -> Iterable[Outcome]:
    """The outcomes that the lines tell."""
    messages: dict[str, Message] = {}
    fates: list[Outcome] = []
    for n, text in numbered(lines):
        try:
            if entry := _entry(text, head):
                id = f"{entry.id}@{entry.host}" if entry.host else entry.id
                message = messages.setdefault(id, Message(id))
                if entry.flag == "<=":
                    _arrival(entry, message)
                elif entry.flag in KINDS:
                    fates += _attempt(entry, message, messages)
        except BadLine as e:
            fates.append(unreadable(n, e, text))
    return told(messages, fates)


def _entry(text: str, head: Head) -> _Entry | None:
    """The parts of a line about a message, with a time of its own or syslog's; None for any other line."""
    host, rest, own = head.host, text, _LINE.match(text)
    time = own.groupdict() if own else {}
    if not own:
        line = syslog(text)
        if line is None or not line.program.startswith("exim"):
            return None
        host, rest, own = line.host, line.text, _LINE.match(line.text)
        time = own.groupdict() if own else dict(line.time)  # with syslog_timestamp = no there is just one
    flagged = _FLAGGED.match(rest, own.end() if own else 0)
    return _Entry(moment(head, time), host, flagged["id"], flagged["flag"], flagged["rest"]) if flagged else None


def _fields(rest: str) -> tuple[dict[str, str], str, str]:
    """The fields of a line; what stands after them and a colon; the words among them that are no fields."""
    fields: dict[str, str] = {}
    words: list[str] = []
    at = 0
    while at < len(rest) and not rest.startswith(": ", at):
        field = _FIELD.match(rest, at)
        if not field:  # something is glued to a field: to the next blank, or the end
            at = rest.find(" ", at + 1) % (len(rest) + 1)
            continue
        at = field.end()
        name, value = ("H", field["place"]) if field["host"] else (field["name"], field["value"] or "")
        ends = (field["value"] or field["word"] or "").endswith(":") and (at == len(rest) or rest[at] == " ")
        if name:
            fields.setdefault(name, value.rstrip(":") if ends else value)
        else:
            words.append(field["word"])
        if ends:
            return fields, rest[at:].strip(), " ".join(words)
    return fields, rest[at:].removeprefix(":").strip(), " ".join(words)


def _arrival(entry: _Entry, message: Message) -> None:
    sender, _, rest = entry.rest.partition(" ")
    fields, _, words = _fields(" " + rest)
    message.at = entry.at
    message.sender = sender.strip("<>")
    message.message_id = fields.get("id", "").strip("<>")[:990] or None
    # log_selector = +received_recipients, with +received_sender: "from <sender> for recipient recipient"
    _, named, whom = f" {words} ".partition(" for ")
    if named:
        message.recipients = dict.fromkeys(whom.split()[:1000], entry.at)


def _attempt(entry: _Entry, message: Message, messages: dict[str, Message]) -> Iterator[Outcome]:
    kind = KINDS[entry.flag]
    whom = _WHOM.match(entry.rest)
    if not whom:
        raise BadLine("found no address")
    to, fields, text = whom["to"], dict[str, str](), ""
    if kind in FAILURES and to.endswith(":"):
        to, text = to[:-1], entry.rest[len(to) :].strip()
    else:
        fields, text, _ = _fields(entry.rest[whom.end() :])
    if not _is_for_others(kind, to, fields, text):
        return
    if message.sender is None and (sender := fields.get("F") or fields.get("P")):  # log_selector = +sender_on_delivery
        message.sender = sender.strip("<>")
    outcome = _outcome(kind, entry, to, whom["mailed"], fields, text, message)
    if text.startswith(_EXPIRED) and str(outcome.recipient) in message.put_off:
        yield from message.given_up(entry.at, outcome.recipient)
        return
    message.tried(outcome, None)
    if kind is Kind.DELIVERED and (under := _filtered(fields["H"], outcome.diagnostic or "", entry.host)):
        messages.setdefault(under, Message(under)).again = True
        outcome = outcome._replace(kind=Kind.OTHER_REPORT, prose=f"went through a content filter, and on as {under.partition('@')[0]}")
    yield outcome


def _is_for_others(kind: Kind, to: str, fields: dict[str, str], text: str) -> bool:
    """Whether it is an attempt to give mail to another host, and not to a mailbox or a program here."""
    if kind is Kind.DELIVERED:
        # a delivery that has no host is one to a file or a program; Dovecot's LMTP says "Saved"
        return "H" in fields and "@" in to and not (_HERE.search(fields["H"]) and fields.get("C", "").endswith('Saved"'))
    return "@" in to and not (kind is Kind.DELAYED and text.lower().startswith(_NOT_TRIED))


def _filtered(where: str, reply: str, host: str | None) -> str | None:
    """The id under which mail goes on that a content filter on this host took and gave back."""
    under = _GIVEN_BACK.search(reply) if _HERE.search(where) else None
    id = under and (under[1] or under[2])
    return f"{id}@{host}" if id and host else id


def _outcome(kind: Kind, entry: _Entry, to: str, mailed: str | None, fields: dict[str, str], text: str, message: Message) -> Outcome:
    host = fields.get("H", "").split(" ")[0].strip("[]:")
    text = _TOOK.sub("", text).replace("\\n", " ")  # the lines of a reply of several
    reply, step = None, text
    if kind is Kind.DELIVERED:
        reply = fields.get("C", "").strip('"').replace('\\"', '"').replace("\\n", " ") or None
    elif said := _SAID.search(text):
        reply, step, host = text[said.end() :], said["step"], said["host"] or host
    elif not host and (there := _TIMES_OUT.search(text[:500])):
        host = there["host"]
    return attempt(kind, to, mailed, entry.at, message, text, reply=reply, remote_mta=host or None, step=step)
