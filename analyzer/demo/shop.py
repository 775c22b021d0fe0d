"""The made-up shop: its customers, the hosts that take their mail, what it sends them and through whom.

Domains of the shop, of its SMTP providers and of companies end in .example, IP addresses come from the documentation ranges
(RFC 2606, RFC 5737). Customers of real mailbox providers carry "sim" and a number in their names, so that nobody is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

DAYS = 30
"""Length of the month."""
SHOP = "lindenshop.example"
CURRENCY = "EUR"

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Family(IntEnum):
    """Who runs the mailbox, and so which words a refusal has."""

    GMAIL = 0
    MICROSOFT = 1
    YAHOO = 2
    APPLE = 3
    GMX = 4
    TONLINE = 5
    ORANGE = 6
    MAILRU = 7
    M365 = 8  # from here on: companies
    WORKSPACE = 9
    POSTFIX = 10
    EXCHANGE = 11
    QMAIL = 12
    GONE = 13  # the domain has expired


class MailType(IntEnum):
    """What the shop sends."""

    PROMOTION = 0
    ORDER_CONFIRMATION = 1
    RECEIPT = 2
    DELIVERY_NOTICE = 3
    ABANDONED_CART = 4

    @property
    def word(self) -> str:
        """As the send log names it."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Relay:
    """An SMTP provider of the shop."""

    name: str
    host: str
    ips: tuple[str, ...]


ALDER = Relay("Alder Relay", "alder-relay.example", ("203.0.113.16", "203.0.113.17"))
BIRCH = Relay("Birch SMTP", "birch-smtp.example", ("198.51.100.20", "198.51.100.21"))
CEDAR = Relay("Cedar Mail", "cedar-mail.example", ("192.0.2.44",))
RELAYS = (ALDER, BIRCH, CEDAR)
IPS = tuple(ip for relay in RELAYS for ip in relay.ips)
RELAY_OF_IP = np.array([i for i, relay in enumerate(RELAYS) for _ in relay.ips])

SENDERS = {
    MailType.PROMOTION: f"news@news.{SHOP}",
    MailType.ORDER_CONFIRMATION: f"orders@orders.{SHOP}",
    MailType.RECEIPT: f"billing@orders.{SHOP}",
    MailType.DELIVERY_NOTICE: f"parcel@parcel.{SHOP}",
    MailType.ABANDONED_CART: f"hello@cart.{SHOP}",
}
TITLES = ("warm-knits", "rainy-days", "candle-light", "gift-ideas", "winter-sale")

# domain, family, weight; companies come after these
_MAILBOX_DOMAINS = (
    ("gmail.com", Family.GMAIL, 300), ("googlemail.com", Family.GMAIL, 12),
    ("outlook.com", Family.MICROSOFT, 62), ("hotmail.com", Family.MICROSOFT, 60),
    ("outlook.de", Family.MICROSOFT, 20), ("live.com", Family.MICROSOFT, 18),
    ("yahoo.com", Family.YAHOO, 62), ("yahoo.de", Family.YAHOO, 18), ("aol.com", Family.YAHOO, 12),
    ("icloud.com", Family.APPLE, 58), ("me.com", Family.APPLE, 12),
    ("gmx.de", Family.GMX, 82), ("gmx.net", Family.GMX, 20), ("web.de", Family.GMX, 80),
    ("t-online.de", Family.TONLINE, 48), ("orange.fr", Family.ORANGE, 28), ("mail.ru", Family.MAILRU, 16),
)  # fmt: skip
_COMPANY_WEIGHT = 90
_TRADES = ("logistik", "bau", "druck", "optik", "verlag", "consulting", "foods", "design", "energy", "labs")
_FIRST = (
    "anna", "ben", "carla", "david", "elena", "felix", "greta", "hannes", "ines", "jonas", "katja", "lukas", "marie", "nils", "olga",
    "paul", "rosa", "simon", "tessa", "viktor", "wanda", "yara", "luc", "camille", "chloe", "hugo", "sofia", "mateo", "emily", "jack",
    "grace", "harry",
)  # fmt: skip
_LAST = (
    "schmidt", "weber", "wagner", "becker", "hoffmann", "koch", "richter", "klein", "wolf", "neumann", "schwarz", "braun", "zimmermann",
    "krueger", "lange", "werner", "krause", "lehmann", "martin", "bernard", "petit", "moreau", "garcia", "lopez", "rossi", "novak", "smith",
    "jones", "taylor", "brown", "wilson", "evans", "ivanova", "kuznetsov", "popova", "jansen", "visser", "nowak", "kowalska", "horvat",
)  # fmt: skip
_FAMILIES_OF_COMPANIES = (Family.M365,) * 5 + (Family.WORKSPACE,) * 2 + (Family.POSTFIX,) * 2 + (Family.EXCHANGE, Family.QMAIL)


def rng_for(seed: int, topic: int) -> np.random.Generator:
    """A stream of chance of its own for each topic, so that a change in one leaves the others as they were."""
    return np.random.Generator(np.random.PCG64([seed, topic]))


def pick(rng: np.random.Generator, weights: NDArray[np.float64], n: int) -> Ints:
    """`n` indices into `weights`, each as likely as its weight."""
    edges = np.cumsum(weights)
    places: Ints = np.searchsorted(edges, rng.random(n) * edges[-1], side="right").astype(np.int64)
    return places


@dataclass(frozen=True, slots=True)
class People:
    """The customers. Arrays and lists run over people."""

    address: list[str]
    domain: Ints  # index into `domains`
    family: Ints  # Family
    domains: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.address)


@dataclass(frozen=True, slots=True)
class Sends:
    """What the shop handed to its SMTP providers, in order of time. Arrays and lists run over messages."""

    at: Ints  # seconds since 1970, UTC
    person: Ints
    mail_type: Ints  # MailType
    campaign: Ints  # index into `campaigns`
    ip: Ints  # index into IPS
    message_id: list[str]
    campaigns: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.message_id)

    @property
    def relay(self) -> Ints:
        """Index into RELAYS."""
        return RELAY_OF_IP[self.ip]


def _company_domains(rng: np.random.Generator, count: int) -> list[tuple[str, Family, float]]:
    chosen = []
    for i in range(count):
        name = f"{_LAST[(i * 7) % len(_LAST)]}-{_TRADES[(i * 3 + i // len(_LAST)) % len(_TRADES)]}.example"
        family = Family.GONE if i in {37, 58} else _FAMILIES_OF_COMPANIES[i % len(_FAMILIES_OF_COMPANIES)]
        chosen.append((name, family, _COMPANY_WEIGHT / count * (0.5 + rng.random())))
    return chosen


def people(seed: int, count: int) -> People:
    """`count` customers with different addresses, mixed over mailbox providers as in a European shop."""
    rng = rng_for(seed, 1)
    domains = [*_MAILBOX_DOMAINS, *_company_domains(rng, 120)]
    domain = pick(rng, np.array([weight for _, _, weight in domains], dtype=np.float64), count)
    first = (rng.random(count) * len(_FIRST)).astype(int).tolist()
    last = (rng.random(count) * len(_LAST)).astype(int).tolist()
    style = (rng.random(count) * 100).astype(int).tolist()
    names = [name for name, _, _ in domains]
    address = [
        _address(_FIRST[f], _LAST[s], i, how, names[d])
        for i, (f, s, how, d) in enumerate(zip(first, last, style, domain.tolist(), strict=True))
    ]
    family = np.array([int(f) for _, f, _ in domains])[domain]
    return People(address, domain, family, tuple(names))


def _address(first: str, last: str, number: int, style: int, domain: str) -> str:
    if style < 55:
        return f"{first}.{last}.sim{number}@{domain}"
    if style < 80:
        return f"{first[0]}{last}sim{number}@{domain}"
    if style < 96:
        return f"{last}_sim{number}@{domain}"
    if style < 98:
        return f"{first}.sim{number}+shop@{domain}"
    return f"{first.capitalize()}.{last.capitalize()}.Sim{number}@{domain}"  # as some people type their address


_HOURS = np.array([2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 11, 12, 12, 10, 9, 9, 10, 12, 14, 15, 14, 10, 7, 4], dtype=np.float64)


def _moments(rng: np.random.Generator, n: int, start: int) -> Ints:
    """`n` seconds of the month as shoppers are awake: by hour of the day, with busier week-ends."""
    first_weekday = (start // 86400 + 3) % 7  # 1970-01-01 was a Thursday
    weights = np.concatenate([_HOURS * (1.25 if (first_weekday + d) % 7 >= 5 else 1.0) for d in range(DAYS)])
    hour = pick(rng, weights, n)
    return start + hour * 3600 + (rng.random(n) * 3600).astype(np.int64)


def seconds(day: date) -> int:
    """Midnight UTC of `day` in seconds since 1970."""
    return (day - date(1970, 1, 1)).days * 86400


def promotion_days(until: date) -> tuple[date, ...]:
    """The five days of the weekly promotion; the last is the day before yesterday."""
    return tuple(until - timedelta(days=2 + 7 * k) for k in range(4, -1, -1))


@dataclass(frozen=True, slots=True)
class _Batch:
    at: Ints
    person: Ints
    mail_type: MailType
    campaign: Ints
    ip: Ints


def sends(seed: int, count: int, until: date, customers: People) -> Sends:
    """Exactly `count` messages in the thirty days before `until`: three fifths promotion, the rest as orders and carts call for."""
    rng = rng_for(seed, 2)
    start = seconds(until) - DAYS * 86400
    promos = promotion_days(until)
    campaigns = (
        *(f"weekly-{day:%G-w%V}-{title}" for day, title in zip(promos, TITLES, strict=True)),
        "checkout", "invoice", "shipping", "cart-1h", "cart-24h",
    )  # fmt: skip
    orders = count // 10
    carts = orders
    weekly = (count - 3 * orders - carts) // len(promos)
    extra = count - 3 * orders - carts - weekly * len(promos)
    batches = _promotions(rng, promos, weekly, extra, customers)
    batches += _transactions(rng, orders, carts, start, len(promos), customers)
    at = np.concatenate([b.at for b in batches])
    order = np.argsort(at, kind="stable")
    mail_type = np.concatenate([np.full(len(b.at), int(b.mail_type)) for b in batches])[order]
    hosts = [SENDERS[MailType(t)].partition("@")[2] for t in range(len(MailType))]
    message_id = [
        f"{at_:x}.{(i * 2654435761 + seed * 40503) & 0xFFFFFFFF:08x}.{i:x}@{hosts[t]}"
        for i, (at_, t) in enumerate(zip(at[order].tolist(), mail_type.tolist(), strict=True))
    ]
    return Sends(
        at=at[order],
        person=np.concatenate([b.person for b in batches])[order],
        mail_type=mail_type,
        campaign=np.concatenate([b.campaign for b in batches])[order],
        ip=np.concatenate([b.ip for b in batches])[order],
        message_id=message_id,
        campaigns=campaigns,
    )


def _promotions(rng: np.random.Generator, days: tuple[date, ...], weekly: int, extra: int, customers: People) -> list[_Batch]:
    """Each week to most of the subscribers, between 08:00 and 11:00 UTC; a fifth of it through Cedar."""
    subscribers = np.argsort(rng.random(len(customers)), kind="stable")[: min(len(customers), int(weekly * 1.15) + extra)]
    batches = []
    for k, day in enumerate(days):
        n = weekly + (extra if k == 0 else 0)
        person = subscribers[np.argsort(rng.random(len(subscribers)), kind="stable")[:n]]
        at = seconds(day) + 8 * 3600 + (rng.random(n) * 3 * 3600).astype(np.int64)
        ip = pick(rng, np.array([40.0, 40, 0, 0, 20]), n)
        batches.append(_Batch(at, person, MailType.PROMOTION, np.full(n, k), ip))
    return batches


def _transactions(rng: np.random.Generator, orders: int, carts: int, start: int, first_campaign: int, customers: People) -> list[_Batch]:
    """An order calls for a confirmation at once, a receipt within minutes, a delivery notice in one to four days."""
    ordered = _moments(rng, orders, start)
    buyer = (rng.random(orders) * len(customers)).astype(np.int64)
    lags = {
        MailType.ORDER_CONFIRMATION: 2 + rng.random(orders) * 20,
        MailType.RECEIPT: 120 + rng.random(orders) * 780,
        MailType.DELIVERY_NOTICE: 86400 + rng.random(orders) * 3 * 86400,
    }
    batches = []
    for place, (mail_type, lag) in enumerate(lags.items()):
        at = ordered + lag.astype(np.int64)
        # what would leave after the month stands for the same mail of an order made before it
        at = start + (at - start) % (DAYS * 86400)
        ip = 2 + (rng.random(orders) * 2).astype(np.int64)
        batches.append(_Batch(at, buyer, mail_type, np.full(orders, first_campaign + place), ip))
    left = _moments(rng, carts, start)
    late = rng.random(carts) < 0.35
    at = start + (left + np.where(late, 86400, 3600) - start) % (DAYS * 86400)
    person = (rng.random(carts) * len(customers)).astype(np.int64)
    batches.append(_Batch(at, person, MailType.ABANDONED_CART, np.where(late, first_campaign + 4, first_campaign + 3), np.full(carts, 4)))
    return batches
