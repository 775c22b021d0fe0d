"""What people, and machines in their place, do with what arrived: open, click, unsubscribe, complain, order, answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from analyzer.demo.fates import Fates
from analyzer.demo.shop import Family, Flags, Ints, MailType, People, Sends, rng_for, seconds
from analyzer.model import Agent

APPLE_PRIVACY = "Mozilla/5.0"
"""All that Apple Mail Privacy Protection says of itself when it fetches a message's pictures, read or not."""
GMAIL_PROXY = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
YAHOO_PROXY = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"
READERS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Thunderbird/140.4.0",
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Win64; x64; Trident/7.0; Microsoft Outlook 16.0.18925; ms-office; MSOffice 16)",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
)
USER_AGENTS = (APPLE_PRIVACY, GMAIL_PROXY, YAHOO_PROXY, *READERS)
AGENT_OF = (Agent.MACHINE, Agent.UNKNOWN, Agent.UNKNOWN, *(Agent.HUMAN for _ in READERS))
"""What can be known of an open by each of USER_AGENTS: a proxy that fetches when somebody reads hides who reads."""
HIDDEN_LINK = "followed a link that people cannot see"

# by mail type: how many of those who got it read it, and of the readers how many click
_READ = np.array([0.24, 0.68, 0.44, 0.62, 0.41])
_CLICK = np.array([0.11, 0.16, 0.06, 0.38, 0.21])
_BUY = np.array([0.12, 0.0, 0.0, 0.0, 0.35])
_PRICE = np.array([58.0, 0, 0, 0, 74.0])


@dataclass(frozen=True, slots=True)
class Hits:
    """Opens or clicks, in order of time. Arrays run over hits."""

    at: Ints
    send: Ints  # index into the sends
    user_agent: Ints  # index into USER_AGENTS
    agent: NDArray[np.int8]  # 0 human, 1 machine, 2 unknown

    def messages(self, agent: Agent) -> int:
        """Number of different messages that such an agent opened or clicked."""
        return len(np.unique(self.send[self.agent == AGENTS.index(agent)]))


AGENTS = (Agent.HUMAN, Agent.MACHINE, Agent.UNKNOWN)
_AGENT_INDEX = np.array([AGENTS.index(agent) for agent in AGENT_OF], dtype=np.int8)


@dataclass(frozen=True, slots=True)
class Moments:
    """Things done to messages, in order of time: arrays of seconds and of indices into the sends."""

    at: Ints
    send: Ints

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, slots=True)
class Engagement:
    """All that came back from readers."""

    opens: Hits
    clicks: Hits
    unsubscribed_by_link: Moments
    unsubscribed_by_mail: Moments
    complaints: Moments
    orders: Moments
    order_cents: Ints
    answers: Moments  # automatic replies


def engagement(seed: int, sends: Sends, fates: Fates, customers: People, until: date) -> Engagement:
    """What happened to the messages that arrived and stayed, before the month ended."""
    rng = rng_for(seed, 5)
    end = seconds(until)
    n = len(sends)
    accepted = fates.accepted
    arrived = np.where(accepted, fates.delivered_at, 0)
    keen = (0.4 + 1.2 * rng.random(len(customers)))[sends.person]
    reads = accepted & (rng.random(n) < _READ[sends.mail_type] * keen)
    read_at = arrived + 30 + (-np.log1p(-rng.random(n)) * 4 * 3600).astype(np.int64)
    clicks = reads & (rng.random(n) < _CLICK[sends.mail_type] * keen)
    click_at = read_at + 5 + (rng.random(n) * 120).astype(np.int64)
    buys = clicks & (rng.random(n) < _BUY[sends.mail_type])
    buy_at = click_at + 60 + (rng.random(n) * 3 * 3600).astype(np.int64)
    cents = (_PRICE[sends.mail_type] * 100 * np.exp(0.55 * rng.standard_normal(n))).astype(np.int64)
    bought = _moments(buys, buy_at, end)
    by_link, by_mail, complaints, answers = _answers(rng, sends, customers, reads, accepted, arrived, read_at, end)
    return Engagement(
        opens=_opens(rng, sends, customers, reads, accepted, arrived, read_at, end),
        clicks=_clicks(rng, customers.family[sends.person], clicks, accepted, arrived, click_at, end),
        unsubscribed_by_link=by_link,
        unsubscribed_by_mail=by_mail,
        complaints=complaints,
        orders=bought,
        order_cents=cents[bought.send],
        answers=answers,
    )


def _moments(mask: Flags, at: Ints, end: int) -> Moments:
    chosen = np.flatnonzero(mask & (at < end))
    chosen = chosen[np.argsort(at[chosen], kind="stable")]
    return Moments(at[chosen], chosen)


def _some(rng: np.random.Generator, mask: Flags, share: float, at: Ints, end: int, at_least: int) -> Moments:
    """A share of the messages in `mask`; at least a few, so that even a small month shows every kind of answer."""
    candidates = np.flatnonzero(mask & (at < end))
    count = min(len(candidates), max(at_least, round(share * len(candidates))))
    chosen = candidates[np.argsort(rng.random(len(candidates)), kind="stable")[:count]]
    chosen = chosen[np.argsort(at[chosen], kind="stable")]
    return Moments(at[chosen], chosen)


def _answers(
    rng: np.random.Generator, sends: Sends, customers: People, reads: Flags, accepted: Flags, arrived: Ints, read_at: Ints, end: int
) -> tuple[Moments, Moments, Moments, Moments]:
    promotion = sends.mail_type == MailType.PROMOTION
    family = customers.family[sends.person]
    leave = rng.random(len(sends))
    readers = reads & promotion
    by_link = _some(rng, readers & (leave < 0.8), 0.010, read_at + 40, end, 3)
    by_mail = _some(rng, readers & (leave >= 0.8), 0.014, read_at + 40, end, 3)
    tells = np.isin(family, (Family.YAHOO, Family.MICROSOFT))  # providers that return complaints
    complaints = _some(rng, accepted & promotion & tells, 0.0014, arrived + 7200, end, 4)
    away = np.flatnonzero(family >= Family.M365)
    company = np.zeros(len(sends), dtype=bool)
    company[away] = True
    answers = _some(rng, company & accepted, 0.012, arrived + 3, end, 6)
    return by_link, by_mail, complaints, answers


def _client(rng: np.random.Generator, customers: People) -> Ints:
    """Index into USER_AGENTS of each customer's way of reading mail."""
    n = len(customers)
    own = len(USER_AGENTS) - len(READERS) + (rng.random(n) * len(READERS)).astype(np.int64)
    own[customers.family == Family.GMAIL] = 1
    own[customers.family == Family.WORKSPACE] = 1
    own[customers.family == Family.YAHOO] = 2
    apple_mail = np.where(customers.family == Family.APPLE, 0.8, 0.16)
    apple_mail[customers.family >= Family.M365] = 0.06
    own[rng.random(n) < apple_mail] = 0
    return own


def _opens(
    rng: np.random.Generator, sends: Sends, customers: People, reads: Flags, accepted: Flags, arrived: Ints, read_at: Ints, end: int
) -> Hits:
    """With Apple Mail the picture is fetched soon after delivery, read or not; else when somebody reads, and sometimes again."""
    n = len(sends)
    client = _client(rng, customers)[sends.person]
    private = client == 0
    fetched = accepted & private & (rng.random(n) < 0.92)
    fetched_at = arrived + 20 + (rng.random(n) * 3 * 3600).astype(np.int64)
    first = reads & ~private
    again = first & (rng.random(n) < 0.3)
    again_at = read_at + 600 + (rng.random(n) * 2 * 86400).astype(np.int64)
    parts = [_moments(fetched, fetched_at, end), _moments(first, read_at, end), _moments(again, again_at, end)]
    send = np.concatenate([p.send for p in parts])
    return _hits(np.concatenate([p.at for p in parts]), send, client[send], _AGENT_INDEX[client[send]])


def _clicks(rng: np.random.Generator, family: Ints, clicks: Flags, accepted: Flags, arrived: Ints, click_at: Ints, end: int) -> Hits:
    """People's clicks, and those of the scanners of companies, which follow every link within a minute of delivery."""
    n = len(family)
    scanned = accepted & np.isin(family, (Family.M365, Family.EXCHANGE)) & (rng.random(n) < 0.35)
    by_people = _moments(clicks, click_at, end)
    by_scanners = _moments(scanned, arrived + 4 + (rng.random(n) * 40).astype(np.int64), end)
    at = np.concatenate([by_people.at, by_scanners.at])
    send = np.concatenate([by_people.send, by_scanners.send])
    browser = 3 + (rng.random(len(at)) * len(READERS)).astype(np.int64)
    agent = np.repeat(np.array([0, 1], dtype=np.int8), [len(by_people), len(by_scanners)])
    return _hits(at, send, browser, agent)


def _hits(at: Ints, send: Ints, user_agent: Ints, agent: NDArray[np.int8]) -> Hits:
    order = np.argsort(at, kind="stable")
    return Hits(at[order], send[order], user_agent[order], agent[order])
