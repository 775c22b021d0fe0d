"""The mail that comes back to the shop: which letter is written in which form, when, and what it truly says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np

from analyzer.demo import answers, bounces, returns
from analyzer.demo.bounces import Form
from analyzer.demo.engagement import Engagement
from analyzer.demo.fates import NEVER, Fates, is_late
from analyzer.demo.letter import Letter
from analyzer.demo.replies import HOSTS, TRUTH, Cause, reply
from analyzer.demo.shop import ALDER, BIRCH, CEDAR, IPS, RELAY_OF_IP, RELAYS, SENDERS, Family, MailType, People, Sends
from analyzer.model import Kind, Severity

_BY_COMPANY = {Family.M365: "microsoft365", Family.EXCHANGE: "exchange", Family.WORKSPACE: "google", Family.QMAIL: "qmail"}
_BY_RELAY = {ALDER.host: ("postfix", "postfix"), BIRCH.host: ("exim", "exim-prose"), CEDAR.host: ("ses", "sendmail")}
_WARNING_AFTER = {ALDER.host: ("postfix-warning", 3600), BIRCH.host: ("exim-warning", 24 * 3600)}
_FORMS = {**bounces.FORMS, **returns.FORMS}
REPEATS = 12
"""So many returned messages lie in the mailbox twice, byte for byte, as after a restored back-up."""
TOLD_TWICE = 10
"""So many failures are reported a second time, a minute later, in a message of its own."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One message in the shop's mailboxes, and the truth about it."""

    form: str  # whose form it has: "postfix", "exim-prose", "arf", ...
    kind: Kind
    at: int  # when it came, seconds since 1970
    data: bytes
    recipient: str | None = None  # as the shop mailed it; None where nothing is said of anybody
    message_id: str | None = None  # of the message it speaks of, where it says so
    reason: str | None = None
    severity: Severity | None = None
    reply_type: str | None = None


@dataclass(frozen=True, slots=True)
class Office:
    """Writes letters about messages."""

    sends: Sends
    customers: People
    cause: list[int]

    def letter(self, i: int, at: int) -> Letter:
        """Something is written at `at` about message `i`."""
        sends, customers = self.sends, self.customers
        person, mail_type = int(sends.person[i]), MailType(int(sends.mail_type[i]))
        family = Family(int(customers.family[person]))
        domain = customers.address[person].partition("@")[2]
        host, host_ip = host_of(family, domain)
        ip = int(sends.ip[i])
        return Letter(
            number=i,
            recipient=customers.address[person],
            sender=SENDERS[mail_type],
            mail_type=mail_type.word,
            campaign=sends.campaigns[int(sends.campaign[i])],
            message_id=sends.message_id[i],
            sent_at=int(sends.at[i]),
            relay=RELAYS[int(RELAY_OF_IP[ip])].host,
            ip=IPS[ip],
            at=at,
            reply=reply(Cause(self.cause[i]), family),
            host=host,
            host_ip=host_ip,
        )


def host_of(family: Family, domain: str) -> tuple[str, str]:
    """Name and address of the host that takes mail for `domain`."""
    if family in HOSTS:
        return HOSTS[family]
    if family == Family.GONE:
        return domain, ""
    if family == Family.M365:
        return f"{domain.replace('.', '-')}.mail.protection.outlook.com", "192.0.2.139"
    return f"mx.{domain}", f"192.0.2.{140 + len(domain) % 60}"


def mails(sends: Sends, customers: People, fates: Fates, engagement: Engagement) -> list[Mail]:
    """All that came in by mail, in order of time."""
    office = Office(sends, customers, fates.cause.tolist())
    every = [*_failures(office, fates), *_warnings(office, fates), *_complaints(office, engagement), *_others(office, engagement)]
    every.sort(key=lambda mail: mail.at)
    failures = [mail for mail in every if mail.kind == Kind.BOUNCED]
    every.extend(failures[:: max(1, len(failures) // REPEATS)][:REPEATS])
    return every


def _failures(office: Office, fates: Fates) -> Iterator[Mail]:
    late = is_late(fates)
    twice = TOLD_TWICE
    for i in np.flatnonzero(fates.bounced_at < NEVER).tolist():
        letter = office.letter(i, int(fates.bounced_at[i]))
        form = _form(letter, Family(int(office.customers.family[office.sends.person[i]])), bool(late[i]))
        yield _failure(form, letter, office, Kind.BOUNCED)
        if late[i] and twice:
            twice -= 1
            yield _failure(form, replace(letter, at=letter.at + 60), office, Kind.BOUNCED)


def _form(letter: Letter, family: Family, late: bool) -> str:
    if late:
        return _BY_COMPANY[family]
    first, second = _BY_RELAY[letter.relay]
    return second if letter.number % 2 or not letter.reply.host else first


def _failure(form: str, letter: Letter, office: Office, kind: Kind) -> Mail:
    reason, severity = TRUTH[Cause(office.cause[letter.number])]
    return Mail(form, kind, letter.at, _FORMS[form](letter), letter.recipient, letter.message_id, reason, severity)


def _warnings(office: Office, fates: Fates) -> Iterator[Mail]:
    """Postfix warns after an hour, Exim after a day; what was delivered by then needs no warning."""
    last = int(office.sends.at[-1])
    settled = np.minimum(fates.delivered_at, fates.bounced_at)
    relays = office.sends.relay.tolist()
    for i in np.flatnonzero(fates.delayed_at < NEVER).tolist():
        relay = RELAYS[relays[i]].host
        if relay not in _WARNING_AFTER:
            continue
        form, wait = _WARNING_AFTER[relay]
        at = int(fates.delayed_at[i]) + wait
        if at < min(int(settled[i]), last):
            yield _failure(form, office.letter(i, at), office, Kind.DELAYED)


def _complaints(office: Office, engagement: Engagement) -> Iterator[Mail]:
    moments = engagement.complaints
    for at, i in zip(moments.at.tolist(), moments.send.tolist(), strict=True):
        family = Family(int(office.customers.family[office.sends.person[i]]))
        form = "jmrp" if family == Family.MICROSOFT else "arf"
        letter = office.letter(i, at)
        yield Mail(form, Kind.COMPLAINED, at, answers.COMPLAINTS[form](letter), letter.recipient, letter.message_id)


def _others(office: Office, engagement: Engagement) -> Iterator[Mail]:
    moments = engagement.answers
    ways: Iterator[tuple[str, tuple[Form, str]]] = cycle(answers.AUTOMATIC.items())
    for place, (at, i) in enumerate(zip(moments.at.tolist(), moments.send.tolist(), strict=True)):
        letter = office.letter(i, at)
        if place % 24 == 4:
            yield Mail("mdn", Kind.OTHER_REPORT, at, answers.read_receipt(letter))
        elif place % 24 == 5:
            yield Mail("person", Kind.NOT_A_REPORT, at, answers.person(letter))
        else:
            form, (write, reply_type) = next(ways)
            yield Mail(form, Kind.AUTOREPLIED, at, write(letter), letter.recipient, letter.message_id, reply_type=reply_type)
    moments = engagement.unsubscribed_by_mail
    for at, i in zip(moments.at.tolist(), moments.send.tolist(), strict=True):
        letter = office.letter(i, at)
        yield Mail("unsubscribe", Kind.UNSUBSCRIBED, at, answers.unsubscription(letter), letter.recipient)
