"""What becomes of each message: taken, taken after a wait, refused, returned later, or still under way when the month ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from analyzer.demo.replies import TELL_DISABLED, Cause
from analyzer.demo.shop import ALDER, CEDAR, IPS, RELAYS, Family, Flags, Ints, MailType, People, Sends, promotion_days, rng_for, seconds

BLOCKED_IP = ALDER.ips[1]
NEVER = np.iinfo(np.int64).max
DAY = 86400


@dataclass(frozen=True, slots=True)
class Fates:
    """Arrays run over messages; times in seconds since 1970, NEVER where it did not happen within the month."""

    cause: Ints  # Cause of the failure, or of the wait; NONE
    delayed_at: Ints  # a receiver first put it off
    delivered_at: Ints  # a receiver took it
    bounced_at: Ints  # it was returned to us
    block_started: int
    dmarc_started: int
    dmarc_ended: int

    @property
    def accepted(self) -> Flags:
        """Taken and not returned afterwards."""
        arrived: Flags = (self.delivered_at < NEVER) & (self.bounced_at == NEVER)
        return arrived


def fates(seed: int, sends: Sends, customers: People, until: date) -> Fates:
    """The fate of each message: see the functions below for the stories."""
    rng = rng_for(seed, 3)
    end = seconds(until)
    block_started = seconds(promotion_days(until)[-1]) + 9 * 3600 + 40 * 60
    dmarc_started = end - 14 * DAY + 14 * 3600 + 10 * 60
    dmarc_ended = dmarc_started + 2 * DAY
    family = customers.family[sends.person]
    cause = _of_the_address(seed, sends, customers)
    _of_the_message(rng, cause, sends, family)

    def strike(mask: Flags, why: Cause) -> None:
        cause[mask & ((cause == Cause.NONE) | (cause >= Cause.GREY))] = why

    ip = np.array([name == BLOCKED_IP for name in IPS])[sends.ip]
    strike(ip & (family == Family.MICROSOFT) & (sends.at >= block_started), Cause.LISTED)
    orders = (sends.mail_type == MailType.ORDER_CONFIRMATION) | (sends.mail_type == MailType.RECEIPT)
    strike(orders & (family == Family.GMAIL) & (sends.at >= dmarc_started) & (sends.at < dmarc_ended), Cause.DMARC)

    delayed_at, delivered_at, bounced_at = _times(rng, sends, family, cause)
    for moments in (delayed_at, delivered_at, bounced_at):
        moments[moments >= end] = NEVER
    return Fates(cause, delayed_at, delivered_at, bounced_at, block_started, dmarc_started, dmarc_ended)


def _of_the_address(seed: int, sends: Sends, customers: People) -> Ints:
    """Dead (about 1.5 %), disabled and full mailboxes stay so for the whole month; so do domains that expired."""
    rng = rng_for(seed, 4)
    lot = rng.random(len(customers))
    of_person = np.zeros(len(customers), dtype=np.int64)
    of_person[lot < 0.0237] = Cause.CLOSED
    of_person[lot < 0.0197] = Cause.FULL
    of_person[lot < 0.0160] = Cause.DISABLED
    of_person[lot < 0.0130] = Cause.DEAD
    tells = np.isin(customers.family, [int(family) for family in TELL_DISABLED])
    of_person[(of_person == Cause.DISABLED) & ~tells] = Cause.DEAD
    # groups that are closed to outsiders are a thing of companies
    of_person[(of_person == Cause.CLOSED) & (customers.family < Family.M365)] = Cause.NONE
    of_person[customers.family == Family.GONE] = Cause.GONE
    return of_person[sends.person]


def _of_the_message(rng: np.random.Generator, cause: Ints, sends: Sends, family: Ints) -> None:
    """Now and then a message is taken for spam, or a host cannot be reached; some receivers put strangers and floods off."""
    lot = rng.random(len(sends))
    free = cause == Cause.NONE
    promotion = sends.mail_type == MailType.PROMOTION
    own_host = (family == Family.POSTFIX) | (family == Family.EXCHANGE)
    strict = np.isin(family, (Family.GMX, Family.TONLINE, Family.ORANGE))
    cause[free & promotion & strict & (lot < 0.03)] = Cause.RATE
    cause[free & own_host & (lot < 0.20)] = Cause.GREY
    cause[free & own_host & (lot < 0.02)] = Cause.NETWORK
    cause[free & promotion & (lot < 0.0009)] = Cause.SPAM
    cause[free & (sends.relay != RELAYS.index(CEDAR)) & (lot < 0.00025)] = Cause.UNSAID


def _times(rng: np.random.Generator, sends: Sends, family: Ints, cause: Ints) -> tuple[Ints, Ints, Ints]:
    n = len(sends)
    first_try = sends.at + (1 + rng.exponential(4.0, n) * np.where(sends.mail_type == MailType.PROMOTION, 20.0, 1.0)).astype(np.int64)
    lot = rng.random(n)
    waits = (cause == Cause.GREY) | (cause == Cause.RATE) | (cause == Cause.FULL) | (cause == Cause.NETWORK)
    delayed_at = np.where(waits, first_try, NEVER)
    # a full mailbox is emptied in time in one case of six
    emptied = (cause == Cause.FULL) & (lot < 1 / 6)
    arrives = np.isin(cause, (Cause.NONE, Cause.GREY, Cause.RATE)) | emptied
    wait = np.where(waits, 300 + (lot * 2400).astype(np.int64), 0)
    wait = np.where(emptied, DAY // 2 + (lot * 6 * DAY).astype(np.int64), wait)
    # hosts that take everything and return it afterwards
    late = np.isin(family, (Family.EXCHANGE, Family.QMAIL)) | (np.isin(family, (Family.M365, Family.WORKSPACE)) & (lot < 0.5))
    late &= np.isin(cause, (Cause.DEAD, Cause.DISABLED, Cause.CLOSED))
    delivered_at = np.where(arrives | late, first_try + wait, NEVER)
    gives_up = np.select(
        [arrives, cause == Cause.FULL, cause == Cause.NETWORK, late],
        [
            NEVER - first_try,
            (3 * DAY + lot * 3600).astype(np.int64),
            5 * DAY + (lot * 3600).astype(np.int64),
            (5 + lot * 1800).astype(np.int64),
        ],
        (1 + lot * 15).astype(np.int64),
    )
    return delayed_at, delivered_at, first_try + gives_up


def is_late(fates: Fates) -> Flags:
    """Taken first, returned afterwards."""
    return (fates.delivered_at < NEVER) & (fates.bounced_at < NEVER)
