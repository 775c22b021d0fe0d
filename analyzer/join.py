"""By what an outcome finds its send, the surest way first; and by what at least its campaign, where no message can be told.

An id that could mean two messages means none: it counts where it has one message, or one to that recipient. Feedback-ID is no message's: it chooses
among the recipient's sends, and names the campaign of an outcome whose message and recipient were taken out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import NamedTuple

import ibis
import ibis.expr.types as ir
from ibis import _

from analyzer.model import TEST_PARSER, Kind

OUTCOMES = [
    k.value
    for k in (Kind.DELIVERED, Kind.BOUNCED, Kind.DELAYED, Kind.COMPLAINED, Kind.UNSUBSCRIBED, Kind.OPENED, Kind.CLICKED, Kind.CONVERTED)
]
SEND_FIELDS = ("campaign", "mail_type", "provider", "sending_domain", "smtp_provider", "sending_ip")
WAYS = ("message-id", "envelope-id", "provider-id", "header", "feedback-id", "recipient-and-time", "campaign", "none")
"""By what an outcome finds its send, the surest first; "campaign": no send, and yet what was mailed is known."""
BY_ID = WAYS[:4]
"""The ways that an id of the message leads."""
_IDS = {"envelope_id": "envelope-id", "provider_message_id": "provider-id", "header_id": "header"}
_KEY = ("message_id", "recipient_key")
_OFTEN = [Kind.OPENED.value, Kind.CLICKED.value]  # what one person does many times to one message


class Joined(NamedTuple):
    """Sends, and outcomes beside them; `way` is by what an outcome found its send."""

    sends: ir.Table
    matched: ir.Table  # message_id and recipient_key are those of the send
    lost: ir.Table  # outcomes without a send, with the campaign that they are known to be of


Kept = Callable[[str, ir.Table], ir.Table]
"""Computes a table once, and keeps it under a name."""


def joined(events: ir.Table, window_days: int, conversion_days: int, kept: Kept) -> Joined:
    """The sends, and each outcome with its send; `window_days` after it for deliveries and failures, `conversion_days` for what people do.

    Sends, and the few outcomes that their Message-ID does not lead to, are `kept`: one expression of it all takes longer to compile than to compute.
    """
    events = _named(events.filter(_.kind != Kind.OBSERVED.value))
    fields = (*SEND_FIELDS, *_IDS, "feedback_id")
    sends = kept(
        "sends",
        events.filter(_.kind == Kind.SENT.value, _.message_id.notnull(), _.recipient_key.notnull())
        .group_by(_KEY)
        .agg(sent_at=_["at"].min(), **{f: events[f].max() for f in fields}),
    )
    told = events.filter(_.kind.isin(OUTCOMES), _.parser != TEST_PARSER).drop("day")
    direct = told.semi_join(sends, _KEY)
    # a complaint may have its recipient taken out: the message names it, when it went to one
    single = sends.group_by("message_id").agg(n=_.count(), only=_.recipient_key.max()).filter(_.n == 1)
    nameless = told.filter(_.recipient_key.isnull())
    redacted = nameless.inner_join(single, "message_id").mutate(recipient_key=_.only).drop("n", "only")
    rest = ibis.union(told.filter(_.recipient_key.notnull()).anti_join(sends, _KEY), nameless.anti_join(single, "message_id"))
    rest = kept("rest", rest)
    found = kept("found", _found(rest, sends, window_days, conversion_days))
    lost = kept("lost", _lost(kept("without", rest.anti_join(found, "event_id")), sends).select(told.columns))
    near = rest.drop("way").inner_join(found, "event_id").mutate(message_id=_.near_message, recipient_key=_.near_recipient)
    matched = reduce(ibis.union, (t.select(told.columns) for t in (direct, redacted, near)))
    return Joined(sends, matched, lost)


def _named(events: ir.Table) -> ir.Table:
    """The events, those without a Message-ID with the one that their envelope id or their provider's id stands for, else with an id itself; and `way`."""
    bare = _.message_id.isnull() & ibis.or_(*(_[name].notnull() for name in _IDS))
    named = events.filter(~bare).mutate(way=ibis.literal("message-id"))
    others = events.filter(bare)
    for other, known in (("envelope_id", "by_envelope"), ("provider_message_id", "by_provider")):
        others = others.left_join(_stood_for(events, other, known), other).drop(f"{other}_right")
    others = others.mutate(
        way=ibis.cases(
            (_.by_envelope.notnull(), "envelope-id"),
            (_.provider_message_id.notnull(), "provider-id"),
            (_.envelope_id.notnull(), "envelope-id"),
            else_="header",
        ),
        message_id=ibis.coalesce(_.by_envelope, _.by_provider, _.provider_message_id, _.envelope_id, _.header_id),
    )
    return ibis.union(named, others.select(named.columns))


def _stood_for(events: ir.Table, other: str, known: str) -> ir.Table:
    """The one Message-ID that another id stands for, as `known`: the send's, since a provider may have returned the message under one of its own."""
    ids = events.filter(_.message_id.notnull(), _[other].notnull())
    sent = ids.kind == Kind.SENT.value
    ends = ids.group_by(other).agg(
        first=ids.message_id.min(),
        last=ids.message_id.max(),
        first_sent=ids.message_id.min(where=sent),
        last_sent=ids.message_id.max(where=sent),
    )
    # an id of several messages tells none of them
    one = ibis.cases((_.first_sent == _.last_sent, _.first_sent), (_.first == _.last, _.first))
    return ends.select(other, **{known: one}).filter(_[known].notnull())


def _found(rest: ir.Table, sends: ir.Table, window_days: int, conversion_days: int) -> ir.Table:
    """The sends of outcomes that their Message-ID does not lead to: columns event_id, near_message, near_recipient, way."""
    tried = rest.select("event_id", "recipient_key", *_IDS, whose=ibis.coalesce(rest.recipient_key, ""))
    for name in _IDS:
        tried = tried.left_join(_one(sends, name), [name, "whose"]).drop(f"{name}_right", "whose_right")
    tried = tried.left_join(_latest(rest, sends, window_days, conversion_days), "event_id").drop("event_id_right")
    by_id = [(tried[f"{name}_message"].notnull(), way) for name, way in _IDS.items()]
    return tried.select(
        "event_id",
        near_message=ibis.coalesce(*(tried[f"{name}_message"] for name in _IDS), tried.latest_message),
        near_recipient=ibis.coalesce(*(tried[f"{name}_recipient"] for name in _IDS), tried.recipient_key),
        way=ibis.cases(*by_id, (tried.same_feedback, "feedback-id"), else_="recipient-and-time"),
    ).filter(_.near_message.notnull())


def _one(sends: ir.Table, name: str) -> ir.Table:
    """The one send that an id means for a recipient, and (`whose` is empty) for anybody: columns `name`, whose, and `name`_message and _recipient."""
    ids = sends.filter(_[name].notnull())
    keys = {f"{name}_message": ids.message_id.max(), f"{name}_recipient": ids.recipient_key.max()}
    for_one = ids.group_by(name, whose=ids.recipient_key).agg(n=_.count(), **keys)
    for_any = ids.group_by(name).agg(n=_.count(), **keys).mutate(whose=ibis.literal(""))
    return ibis.union(for_one, for_any.select(for_one.columns)).filter(_.n == 1).drop("n")


def _latest(rest: ir.Table, sends: ir.Table, window_days: int, conversion_days: int) -> ir.Table:
    """For outcomes whose message is not named: the recipient's latest send before them, of the same Feedback-ID if there is one, else of the campaign."""
    days = ibis.ifelse(rest.kind.isin([Kind.BOUNCED.value, Kind.DELAYED.value, Kind.DELIVERED.value]), window_days, conversion_days)
    outcomes = rest.select("event_id", "recipient_key", told_at=rest["at"], days=days, feedback_id=rest.feedback_id, campaign=rest.campaign)
    mine = sends.select("recipient_key", "sent_at", latest_message=_.message_id, its_feedback=_.feedback_id, its_campaign=_.campaign)
    pairs = outcomes.inner_join(mine, "recipient_key")
    pairs = pairs.filter(_.sent_at <= _.told_at, _.told_at.epoch_seconds() - _.sent_at.epoch_seconds() <= _.days * 86_400)
    pairs = pairs.mutate(
        same_feedback=ibis.coalesce(_.feedback_id == _.its_feedback, False),
        same_campaign=ibis.coalesce(_.campaign == _.its_campaign, False),
    )
    order = [pairs[name].desc() for name in ("same_feedback", "same_campaign", "sent_at", "latest_message")]
    ranked = pairs.mutate(place=ibis.row_number().over(ibis.window(group_by=pairs.event_id, order_by=order)))
    return ranked.filter(_.place == 0).select("event_id", "latest_message", "same_feedback")


def _lost(lost: ir.Table, sends: ir.Table) -> ir.Table:
    """Outcomes that found no send, with the campaign and mail type that an id or the Feedback-ID shares with sends, else their own."""
    known: dict[str, list[ir.StringValue]] = {"campaign": [], "mail_type": []}
    rows = lost
    for name in ("message_id", "header_id", "feedback_id"):
        rows = rows.left_join(_shared(lost, sends, name), name).drop(f"{name}_right")
        for field, found in known.items():
            found.append(_[f"{name}_{field}"])
    for field in known:
        rows = rows.left_join(_part(lost, sends, field), "event_id").drop("event_id_right")
    told = {field: ibis.coalesce(*found, _[field], _[f"part_{field}"]) for field, found in known.items()}
    rows = rows.mutate(**told)
    # who is not named counts once for each event; what one does many times, once for each message
    whose = ibis.ifelse(_.kind.isin(_OFTEN) & _.message_id.notnull(), "", _.event_id)
    return rows.mutate(
        way=ibis.ifelse(_.campaign.notnull(), "campaign", "none"),
        recipient_key=ibis.coalesce(_.recipient_key, whose),
        message_id=ibis.coalesce(_.message_id, _.event_id),
    )


def _shared(lost: ir.Table, sends: ir.Table, name: str) -> ir.Table:
    """The campaign and the mail type of the sends with an id, where they are all of one."""
    of = sends.semi_join(lost, name).group_by(name)
    found = of.agg(**{f"{end}_{f}": getattr(sends[f], end)() for f in ("campaign", "mail_type") for end in ("min", "max")})
    return found.select(name, **{f"{name}_{f}": ibis.ifelse(_[f"min_{f}"] == _[f"max_{f}"], _[f"min_{f}"], None) for f in ("campaign", "mail_type")})  # fmt: skip


def _part(lost: ir.Table, sends: ir.Table, field: str) -> ir.Table:
    """The campaign, or mail type, that stands in a Feedback-ID: a, b or c of "a:b:c:sender", in whatever order, that sends are of; of two of them none.

    Google fixes the place of the sender alone ("Feedback Loop", support.google.com/mail/answer/6254652), and providers differ in the rest.
    """
    parts = lost.filter(_.feedback_id.notnull()).select("event_id", part=_.feedback_id.re_replace(":[^:]*$", "").split(":").unnest())
    names = sends.filter(_[field].notnull()).select(part=_[field]).distinct()
    found = parts.inner_join(names, "part").group_by("event_id").agg(first=_.part.min(), last=_.part.max())
    return found.filter(_.first == _.last).select("event_id", **{f"part_{field}": _.first})
