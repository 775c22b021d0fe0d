"""One event of a provider's webhook: how its fields are asked for, and what comes of them. Whatever a field holds, asking for it raises nothing but Unreadable."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from analyzer.model import FAILURES, Agent, Kind, Original, Outcome, Report, Stage
from analyzer.parse import address, agents
from analyzer.parse.own import bare as bare_id
from analyzer.parse.own import header_names

MOST_EVENTS = 50_000
MOST_TEXT = 2_000
_MILLISECONDS = 1e11  # a number of seconds above this lies in the year 5138
BY_HAND = frozenset({Kind.OPENED, Kind.CLICKED})
ON_ITS_WAY = frozenset({Kind.DELIVERED, Kind.DELAYED, Kind.BOUNCED})
"""The kinds of which the provider's sending IP and the receiver's host are told."""
# what senders call these in the arguments of their own that providers hand back; the first two are those of our headers
_CAMPAIGN = ("x-mailhealth-campaign", "campaign", "campaign_id", "campaign_name", "x-campaign", "x-campaign-id")
_FEEDBACK = ("feedback-id", "feedback_id")
_TYPE = ("x-mailhealth-type", "mail_type", "mail-type", "mailtype", "x-mail-type")

Fields = Mapping[str, Any]


class Unreadable(ValueError):
    """Something that cannot be read; the message says what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the bodies of one provider. To be called with a body; gives the report."""

    name: str  # in the media type, and as the events' `smtp_provider` and `parser`
    kinds: Mapping[str, Kind]  # the provider's word -> ours; OTHER_REPORT: known, and tells no outcome
    word: Callable[[Fields], object]  # what the provider calls an event
    read: Callable[[Fields, Kind], Iterable[Outcome]]  # an event of such a kind -> its outcomes; may raise Unreadable
    events: Callable[[bytes], list[Any]]  # of a body; may raise Unreadable

    def __call__(self, body: bytes) -> Report:
        """What a body says, event by event."""
        try:
            found = self.events(body)
        except Unreadable as e:
            return Report(Kind.UNREADABLE, self.name, why=str(e))
        outcomes = [o for n, event in enumerate(found[:MOST_EVENTS], 1) for o in self._one(n, event)]
        if not outcomes:
            return Report(Kind.OTHER_REPORT, self.name, why="a request without events, as providers make to try the address")
        return Report(outcomes[0].kind, self.name, tuple(outcomes), truncated=("rows",) if len(found) > MOST_EVENTS else ())

    def _one(self, n: int, event: object) -> list[Outcome]:
        """A bad event is an outcome of its own, and costs none of its neighbours."""
        try:
            if not isinstance(event, dict):
                raise Unreadable(f"found a {type(event).__name__}, expected an object")
            word = text(self.word(event)) or ""
            kind = self.kinds.get(word)
            if kind is None:
                why = f"{self.name} says {word[:60]!r}, an event that we do not know" if word else "it has no name"
                return [Outcome(Kind.OTHER_REPORT, prose=why, smtp_provider=self.name)]
            if kind is Kind.OTHER_REPORT:
                return [Outcome(kind, prose=f"{self.name}: {word}", smtp_provider=self.name)]
            return list(self.read(event, kind))
        except Unreadable as e:
            return [Outcome(Kind.UNREADABLE, diagnostic=f"event {n}: {e}"[:500], smtp_provider=self.name)]

    def unknown(self, body: bytes) -> int:
        """How many events of a body have no name that we know; 1 for a body that cannot be read."""
        try:
            return sum(not isinstance(e, dict) or text(self.word(e)) not in self.kinds for e in self.events(body))
        except Unreadable:
            return 1


def objects(body: bytes) -> list[Any]:
    """The events of a body that is an object, an array of them, or an object a line."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as e:
        lines = body.splitlines()
        if len(lines) < 2:
            raise Unreadable(f"not JSON: {str(e)[:100]}") from None
        return [_line(line) for line in lines if line.strip()]
    return said if isinstance(said, list) else [said]


def _line(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line  # which is no object, and is told so in its place


def text(value: object) -> str | None:
    """A field's text, at most 2,000 characters; numbers are written out. None for what is empty, missing or something else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        value = str(value) if abs(value) < 1e30 else ""
    if not isinstance(value, str):
        return None
    value = value[:MOST_TEXT].strip()
    # JSON can hold half a character, which no table can
    return (value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")) or None


def fields(value: object) -> Fields:
    """A field that is an object; empty for anything else."""
    return value if isinstance(value, dict) else {}


def each(value: object) -> list[Fields]:
    """The objects of a field that is an array."""
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def first(value: object) -> str | None:
    """A field's text, or the first text of a field that is an array."""
    return next((t for t in map(text, value) if t), None) if isinstance(value, list) else text(value)


def within(value: object) -> Fields:
    """A field that is an object, or a text that holds one in JSON."""
    if isinstance(value, str) and value.startswith("{"):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    return fields(value)


def time(value: object) -> datetime | None:
    """A time: seconds or milliseconds since 1970, as number or text, or ISO 8601 (UTC where no offset is given)."""
    if isinstance(value, datetime):
        return value
    said = text(value)
    if not said:
        return None
    with suppress(ValueError, OverflowError, OSError):
        number = float(said)
        return datetime.fromtimestamp(number / 1000 if abs(number) > _MILLISECONDS else number, UTC)
    with suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(said)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    return None


def bare(message_id: object) -> str | None:
    """A Message-ID without its angle brackets."""
    return (text(message_id) or "").strip("<> ")[:990] or None


def mailbox(value: object) -> str | None:
    """The address in a From or To field."""
    return next(iter(address.addresses(text(value) or "", 1)), None)


class Named(NamedTuple):
    """What the sender's own arguments or headers tell of a message."""

    campaign: str | None
    mail_type: str | None
    header_id: str | None  # the sender's own id of it
    feedback_id: str | None


def named(*places: Fields) -> Named:
    """What the sender calls the message, in arguments of his own or in headers; the first place that tells it decides."""
    lows = [{str(k).lower(): v for k, v in place.items()} for place in places]

    def told(names: Iterable[str]) -> str | None:
        return next((found for low in lows for name in names if (found := first(low.get(name)))), None)

    return Named(told(_CAMPAIGN), told(_TYPE), bare_id(told(("header_id", *header_names()))), told(_FEEDBACK))


def outcome(
    kind: Kind,
    provider: str,
    recipient: object,
    at: object,
    original: Original,
    *,
    which: bool = True,  # whether it is known which of several recipients of one message it was
    reply: str | None = None,  # the receiver's words, as the provider passes them on
    own: str | None = None,  # the provider's words
    status: object = None,
    remote_mta: object = None,
    stage: Stage | None = None,
    feedback: str | None = None,
    reply_type: str | None = None,
    user_agent: object = None,
    machine: str | None = None,  # the rule by which the provider holds who opened or clicked to be a machine
) -> Outcome:
    """The outcome of one recipient. Raises Unreadable when there is no address. What holds no code is nobody's reply: it goes to `prose`."""
    said = text(recipient)
    who = address.clean(said) if said else None
    if not who:
        raise Unreadable(f"found {said or type(recipient).__name__!r:.60} as its recipient, expected an address")
    reply = reply.removeprefix("smtp;").strip() if reply else None
    code, found = address.reply(reply) if reply else (None, None)
    told = reply if code or found else None
    prose = "; ".join(dict.fromkeys(words for words in (own, None if told else reply) if words)) if kind in ON_ITS_WAY else ""
    agent, rule = opened_by(user_agent, machine) if kind in BY_HAND else (None, None)
    return Outcome(
        kind, who if which else None, status=found or text(status), reply_code=code, diagnostic=told, prose=prose[:MOST_TEXT] or None,
        remote_mta=text(remote_mta) if kind in ON_ITS_WAY else None, stage=stage if kind in FAILURES else None,
        feedback_type=(feedback or "abuse").lower() if kind is Kind.COMPLAINED else None, reply_type=reply_type, at=time(at), original=original,
        smtp_provider=provider, agent=agent, agent_rule=rule,
    )  # fmt: skip


def opened_by(user_agent: object, machine: str | None = None) -> tuple[Agent, str]:
    """Who opened or clicked, and the rule that says so: the provider's word, else the user agent."""
    return (Agent.MACHINE, machine) if machine else agents.agent((text(user_agent) or "")[:1000])
