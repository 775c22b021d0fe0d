"""The ledger: one row per message and recipient, with its send and what became of it. Every number is a sum over it.

Outcomes belong to their send (`analyzer.join` finds it). Those that find no send stand in rows of their own, with `sent` 0 and the day of the event,
so that they are counted apart, under the campaign that they are known to be of.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from analyzer.join import SEND_FIELDS, Joined
from analyzer.model import Agent, Kind
from analyzer.providers import complaining_providers


def ledger(found: Joined) -> ir.Table:
    """The ledger over outcomes and their sends: columns message_id, recipient_key, day, sent_at, SEND_FIELDS, the flags (0 or 1), and the telling bounce."""
    sends, matched, lost = found
    with_send = _beside(sends, _fates(matched)).mutate(sent=ibis.literal(1), day=_.sent_at.date())
    keys = lost.group_by("message_id", "recipient_key").agg(sent_at=_["at"].min(), **{f: lost[f].max() for f in SEND_FIELDS})
    without = keys.inner_join(_fates(lost), ["message_id", "recipient_key"]).mutate(sent=ibis.literal(0), day=_.sent_at.date())
    names = [c for c in with_send.columns if c in without.columns]
    return _flags(ibis.union(with_send.select(names), without.select(names)))


def attribution(found: Joined) -> ir.Table:
    """By what the outcomes of each source found their sends: columns source, way (of WAYS), events."""
    ways = ibis.union(found.matched.select("source", "way"), found.lost.select("source", "way"))
    return ways.group_by("source", "way").agg(events=_.count())


def observed(events: ir.Table) -> ir.Table:
    """What receivers counted, summed by day: of a report that came more than once, or of a file that was saved anew, the latest counts.

    No rows of these belong to a message, and so none stands in the ledger.
    """
    told = events.filter(_.kind == Kind.OBSERVED.value).drop("day")
    key = ["measure", "reporting_mta", "provider_message_id"]
    named, others = told.filter(_.provider_message_id.notnull()), told.filter(_.provider_message_id.isnull())
    latest = named.group_by(key).agg(capture_id=_.capture_id.argmax(_.received_at))
    rows = ibis.union(named.semi_join(latest, [*key, "capture_id"]), others)
    places = {"measure": _.measure, "reporter": _.reporting_mta, "domain": _.sending_domain, "ip": _.sending_ip, "day": _["at"].date(),
              "result": _.authentication, "colour": _.reason, "host": _.remote_mta}  # fmt: skip
    return rows.group_by(**places).agg(
        messages=_.messages.sum(), value=_.value.max(), said=_.diagnostic.max(), capture_id=_.capture_id.max()
    )


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
