"""The ledger: one row per message and recipient, with its send and what became of it. Every number is a sum over it.

Outcomes belong to their send: by Message-ID (or the envelope's or the provider's id that stands for one) and recipient, else to the recipient's
latest send before them within the window.
Those that find no send stand in rows of their own, with `sent` 0 and the day of the event, so that they are counted apart.
"""

from __future__ import annotations

from typing import NamedTuple

import ibis
import ibis.expr.types as ir
from ibis import _

from analyzer.model import TEST_PARSER, Agent, Kind
from analyzer.providers import complaining_providers

OUTCOMES = [
    k.value
    for k in (Kind.DELIVERED, Kind.BOUNCED, Kind.DELAYED, Kind.COMPLAINED, Kind.UNSUBSCRIBED, Kind.OPENED, Kind.CLICKED, Kind.CONVERTED)
]
SEND_FIELDS = ("campaign", "mail_type", "provider", "sending_domain", "smtp_provider", "sending_ip")


class _Joined(NamedTuple):
    """Sends, and outcomes beside them; `way` is by what an outcome found its send."""

    sends: ir.Table
    matched: ir.Table
    lost: ir.Table  # outcomes without a send


def ledger(events: ir.Table, window_days: int, conversion_days: int) -> ir.Table:
    """The ledger over the events: columns message_id, recipient_key, day, sent_at, SEND_FIELDS, the flags (0 or 1), and the telling bounce."""
    sends, matched, lost = _joined(events, window_days, conversion_days)
    with_send = _beside(sends, _fates(matched)).mutate(sent=ibis.literal(1), day=_.sent_at.date())
    keys = lost.group_by("message_id", "recipient_key").agg(sent_at=_["at"].min(), **{f: lost[f].max() for f in SEND_FIELDS})
    without = keys.inner_join(_fates(lost), ["message_id", "recipient_key"]).mutate(sent=ibis.literal(0), day=_.sent_at.date())
    names = [c for c in with_send.columns if c in without.columns]
    return _flags(ibis.union(with_send.select(names), without.select(names)))


def attribution(events: ir.Table, window_days: int, conversion_days: int) -> ir.Table:
    """By what the outcomes of each source found their sends: columns source, way (of WAYS), events."""
    _sends, matched, lost = _joined(events, window_days, conversion_days)
    ways = ibis.union(matched.select("source", "way"), lost.select("source", "way"))
    return ways.group_by("source", "way").agg(events=_.count())


def _joined(events: ir.Table, window_days: int, conversion_days: int) -> _Joined:
    events = _named(events)
    sends = (
        events.filter(_.kind == Kind.SENT.value, _.message_id.notnull(), _.recipient_key.notnull())
        .group_by("message_id", "recipient_key")
        .agg(sent_at=_["at"].min(), **{f: events[f].max() for f in SEND_FIELDS})
    )
    told = events.filter(_.kind.isin(OUTCOMES), _.parser != TEST_PARSER, _.recipient_key.notnull() | _.message_id.notnull()).drop("day")
    direct = told.semi_join(sends, ["message_id", "recipient_key"])
    # a complaint may have its recipient taken out: the message names it, when it went to one
    single = sends.group_by("message_id").agg(n=_.count(), only=_.recipient_key.max()).filter(_.n == 1)
    redacted = told.filter(_.recipient_key.isnull()).inner_join(single, "message_id").mutate(recipient_key=_.only).drop("n", "only")
    rest = told.filter(_.recipient_key.notnull()).anti_join(sends, ["message_id", "recipient_key"])
    found = _latest(rest, sends, window_days, conversion_days)
    near = rest.inner_join(found, "event_id").mutate(message_id=_.near_id, way=ibis.literal("recipient-and-time")).drop("near_id")
    columns = told.columns
    lost = rest.anti_join(found, "event_id").mutate(message_id=ibis.coalesce(_.message_id, _.event_id), way=ibis.literal("none"))
    return _Joined(sends, ibis.union(direct.select(columns), redacted.select(columns), near.select(columns)), lost)


WAYS = ("message-id", "envelope-id", "provider-id", "recipient-and-time", "none")
"""By what an outcome finds its send, the surest first."""


def _named(events: ir.Table) -> ir.Table:
    """The events, those without a Message-ID with the one that their envelope id or their provider's id stands for, else with that id itself; and `way`."""
    bare = _.message_id.isnull() & (_.envelope_id.notnull() | _.provider_message_id.notnull())
    named = events.filter(~bare).mutate(way=ibis.literal("message-id"))
    others = events.filter(bare)
    for other, known in (("envelope_id", "by_envelope"), ("provider_message_id", "by_provider")):
        ids = events.filter(_.message_id.notnull(), _[other].notnull()).group_by(other)
        # an id of several messages tells none of them
        one = ids.agg(first=_.message_id.min(), last=_.message_id.max()).filter(_.first == _.last).select(other, **{known: _.first})
        others = others.left_join(one, other).drop(f"{other}_right")
    others = others.mutate(
        way=ibis.ifelse(_.by_envelope.notnull() | _.provider_message_id.isnull(), "envelope-id", "provider-id"),
        message_id=ibis.coalesce(_.by_envelope, _.by_provider, _.provider_message_id, _.envelope_id),
    )
    return ibis.union(named, others.select(named.columns))


def _latest(rest: ir.Table, sends: ir.Table, window_days: int, conversion_days: int) -> ir.Table:
    """For outcomes whose message is not named: the recipient's latest send before them."""
    days = ibis.ifelse(rest.kind.isin([Kind.BOUNCED.value, Kind.DELAYED.value, Kind.DELIVERED.value]), window_days, conversion_days)
    outcomes = rest.select("event_id", "recipient_key", told_at=rest["at"], days=days)
    pairs = outcomes.inner_join(sends.select("message_id", "recipient_key", "sent_at"), "recipient_key")
    pairs = pairs.filter(_.sent_at <= _.told_at, _.told_at.epoch_seconds() - _.sent_at.epoch_seconds() <= _.days * 86_400)
    return pairs.group_by("event_id").agg(near_id=_.message_id.argmax(_.sent_at))


TELLING = ("reason", "severity", "fault", "rule", "diagnostic", "capture_id", "remote_mta", "status", "reply_code", "source")
"""What the latest bounce of a message says of it."""


def _fates(told: ir.Table) -> ir.Table:
    """What became of each message and recipient. Failures are few: only they are asked for their words."""
    key = ["message_id", "recipient_key"]

    def happened(*conditions: ir.BooleanValue) -> ir.IntegerValue:
        return ibis.and_(*conditions).cast("int32").max()

    opened, clicked = told.kind == Kind.OPENED.value, told.kind == Kind.CLICKED.value
    flags = told.group_by(key).agg(
        delivered=happened(told.kind == Kind.DELIVERED.value),
        bounced=happened(told.kind == Kind.BOUNCED.value),
        delayed=happened(told.kind == Kind.DELAYED.value),
        complained=happened(told.kind == Kind.COMPLAINED.value),
        unsubscribed=happened(told.kind == Kind.UNSUBSCRIBED.value),
        opened=happened(opened),
        opened_human=happened(opened, told.agent == Agent.HUMAN.value),
        opened_unknown=happened(opened, told.agent == Agent.UNKNOWN.value),
        clicked=happened(clicked),
        clicked_people=happened(clicked, told.agent != Agent.MACHINE.value),
        converted=happened(told.kind == Kind.CONVERTED.value),
        value=told.value.sum(where=told.kind == Kind.CONVERTED.value),
    )
    failed = told.filter(_.kind == Kind.BOUNCED.value)
    words = failed.group_by(key).agg(failed_at=failed["at"].max(), **{f: failed[f].argmax(failed["at"]) for f in TELLING})
    late = told.filter(_.kind == Kind.DELAYED.value)
    waits = late.group_by(key).agg(delay_reason=late.reason.argmax(late["at"]))
    return _beside(_beside(flags, words), waits)


def _beside(rows: ir.Table, more: ir.Table) -> ir.Table:
    """The rows with what is known more of the same message and recipient."""
    joined = rows.left_join(more, ["message_id", "recipient_key"])
    return joined.drop("message_id_right", "recipient_key_right")


def _flags(rows: ir.Table) -> ir.Table:
    """The columns that numbers sum."""
    zero = {c: ibis.coalesce(rows[c], 0) for c in (
        "delivered", "bounced", "delayed", "complained", "unsubscribed", "opened", "opened_human", "opened_unknown", "clicked", "clicked_people", "converted", "value",
    )}  # fmt: skip
    rows = rows.mutate(**zero)
    rows = rows.mutate(
        accepted=((_.delivered == 1) & (_.bounced == 0) & (_.sent == 1)).cast("int32"),
        pending=((_.delivered == 0) & (_.bounced == 0) & (_.sent == 1)).cast("int32"),
        **{s: ibis.coalesce((rows.severity == s), False).cast("int32") * rows.bounced for s in ("hard", "soft", "block", "undetermined")},
        opened_up_to=((_.opened_human == 1) | (_.opened_unknown == 1)).cast("int32"),
        opened_machine=((_.opened == 1) & (_.opened_human == 0) & (_.opened_unknown == 0)).cast("int32"),
        week=_.day.truncate("W"),
    )
    heard = rows.provider.isin(sorted(complaining_providers()))
    template = rows.diagnostic
    for pattern, name in ((r"\b([245]\d\d)-", r"\1 "), (r"<?[^\s<>@:;,\"()]+@[A-Za-z0-9.-]+>?", "<address>"), (r"\[?\d{1,3}(?:\.\d{1,3}){3}\]?", "<ip>"),
                          (r"https?://\S+", "<link>"), (r"[A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]{8,}", "<id>")):  # fmt: skip
        template = template.re_replace(pattern, name)
    return rows.mutate(complaints_heard=ibis.coalesce(heard, False).cast("int32") * rows.accepted, template=template.substr(0, 300),
                       **{f: ibis.coalesce(rows[f], "(not known)") for f in SEND_FIELDS})  # fmt: skip
