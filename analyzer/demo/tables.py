"""The shop's tables, as its SMTP providers, its tracking and its till export them; and the configuration that reads them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from analyzer.demo.engagement import AGENTS, HIDDEN_LINK, USER_AGENTS, Engagement
from analyzer.demo.fates import NEVER, Fates
from analyzer.demo.post import Office, host_of
from analyzer.demo.shop import ALDER, BIRCH, CEDAR, CURRENCY, IPS, RELAYS, SENDERS, SHOP, Family, Ints, MailType, People, Relay, Sends
from analyzer.model import Agent

_TYPES = [t.word for t in MailType]
_FROM = [SENDERS[t] for t in MailType]


def _iso(at: Ints) -> list[str]:
    """Seconds as 2026-11-03T08:00:01, UTC without saying so."""
    words: list[str] = np.datetime_as_string(at.astype("datetime64[s]"), unit="s").tolist()
    return words


def write_tables(folder: Path, sends: Sends, customers: People, fates: Fates, engagement: Engagement) -> None:
    """Writes every table into `folder`."""
    address = [customers.address[p] for p in sends.person.tolist()]
    for name, lines in {
        "alder-sent.csv": _sent_alder(sends, address),
        "birch-sent.csv": _sent_birch(sends, address),
        "cedar-sent.jsonl": _sent_cedar(sends, address),
        "delivered.csv": _delivered(sends, customers, fates, address),
        "opened.jsonl": _opened(sends, engagement, address),
        "clicked.csv": _clicked(sends, engagement, address),
        "unsubscribed.csv": _unsubscribed(sends, engagement, address),
        "orders.csv": _orders(sends, engagement, address),
    }.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="ascii")
    (folder / "deferred.csv").write_text(_deferred(sends, customers, fates), encoding="ascii")


def _rows_of(sends: Sends, relay: Relay) -> zip[tuple[int, str, int, int, int]]:
    chosen = np.flatnonzero(sends.relay == RELAYS.index(relay))
    times = _iso(sends.at[chosen])
    columns = (sends.mail_type[chosen].tolist(), sends.campaign[chosen].tolist(), sends.ip[chosen].tolist())
    return zip(chosen.tolist(), times, *columns, strict=True)


def _sent_alder(sends: Sends, address: list[str]) -> list[str]:
    rows = _rows_of(sends, ALDER)
    ids, campaigns = sends.message_id, sends.campaigns
    return [
        "message_id,recipient,at,campaign,mail_type,sender,sending_ip",
        *(f"{ids[i]},{address[i]},{at}Z,{campaigns[c]},{_TYPES[t]},{_FROM[t]},{IPS[ip]}" for i, at, t, c, ip in rows),
    ]


def _sent_birch(sends: Sends, address: list[str]) -> list[str]:
    """Birch has words of its own for the columns, and times in UTC without an offset."""
    rows = _rows_of(sends, BIRCH)
    ids, campaigns = sends.message_id, sends.campaigns
    return [
        "Date,Message-ID,Envelope-To,Header-From,Stream,Tag,Source-IP",
        *(f"{at.replace('T', ' ')},<{ids[i]}>,{address[i]},{_FROM[t]},{_TYPES[t]},{campaigns[c]},{IPS[ip]}" for i, at, t, c, ip in rows),
    ]


def _sent_cedar(sends: Sends, address: list[str]) -> list[str]:
    rows = _rows_of(sends, CEDAR)
    ids, campaigns = sends.message_id, sends.campaigns
    return [
        f'{{"id":"{ids[i]}","to":"{address[i]}","ts":"{at}+00:00","campaign":"{campaigns[c]}",'
        f'"type":"{_TYPES[t]}","from":"{_FROM[t]}","ip":"{IPS[ip]}"}}'
        for i, at, t, c, ip in rows
    ]


def _delivered(sends: Sends, customers: People, fates: Fates, address: list[str]) -> list[str]:
    chosen = np.flatnonzero(fates.delivered_at < NEVER)
    chosen = chosen[np.argsort(fates.delivered_at[chosen], kind="stable")]
    persons = sends.person[chosen]
    hosts = _host_names(customers)
    rows = zip(chosen.tolist(), _iso(fates.delivered_at[chosen]), customers.domain[persons].tolist(), strict=True)
    ids = sends.message_id
    return ["message_id,recipient,at,remote_mta", *(f"{ids[i]},{address[i]},{at}Z,{hosts[d]}" for i, at, d in rows)]


def _host_names(customers: People) -> list[str]:
    """The mail host of each of the customers' domains."""
    family = dict(zip(customers.domain.tolist(), customers.family.tolist(), strict=True))
    return [host_of(Family(family.get(d, int(Family.POSTFIX))), name)[0] for d, name in enumerate(customers.domains)]


def _deferred(sends: Sends, customers: People, fates: Fates) -> str:
    office = Office(sends, customers, fates.cause.tolist())
    chosen = np.flatnonzero(fates.delayed_at < NEVER)
    chosen = chosen[np.argsort(fates.delayed_at[chosen], kind="stable")]
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["message_id", "recipient", "at", "reply", "remote_mta"])
    for i, at, moment in zip(chosen.tolist(), _iso(fates.delayed_at[chosen]), fates.delayed_at[chosen].tolist(), strict=True):
        letter = office.letter(i, moment)
        writer.writerow([letter.message_id, letter.recipient, f"{at}Z", " ".join(letter.lines()), letter.host])
    return table.getvalue()


def _opened(sends: Sends, engagement: Engagement, address: list[str]) -> list[str]:
    hits = engagement.opens
    ids = sends.message_id
    rows = zip(hits.send.tolist(), _iso(hits.at), hits.user_agent.tolist(), strict=True)
    return [f'{{"message_id":"{ids[i]}","email":"{address[i]}","ts":"{at}Z","user_agent":"{USER_AGENTS[ua]}"}}' for i, at, ua in rows]


def _clicked(sends: Sends, engagement: Engagement, address: list[str]) -> list[str]:
    """The shop's tracking says itself who followed the hidden link."""
    hits = engagement.clicks
    ids = sends.message_id
    machine = AGENTS.index(Agent.MACHINE)
    rows = zip(hits.send.tolist(), _iso(hits.at), hits.user_agent.tolist(), hits.agent.tolist(), strict=True)
    verdict = {
        agent: f"{AGENTS[agent]},{HIDDEN_LINK if agent == machine else 'clicked a link of the text'}" for agent in range(len(AGENTS))
    }
    return [
        "message_id,recipient,at,agent,agent_rule,user_agent",
        *(f'{ids[i]},{address[i]},{at}Z,{verdict[agent]},"{USER_AGENTS[ua]}"' for i, at, ua, agent in rows),
    ]


def _unsubscribed(sends: Sends, engagement: Engagement, address: list[str]) -> list[str]:
    moments = engagement.unsubscribed_by_link
    rows = zip(moments.send.tolist(), _iso(moments.at), strict=True)
    return ["message_id,recipient,at", *(f"{sends.message_id[i]},{address[i]},{at}Z" for i, at in rows)]


def _orders(sends: Sends, engagement: Engagement, address: list[str]) -> list[str]:
    moments = engagement.orders
    rows = zip(moments.send.tolist(), _iso(moments.at), engagement.order_cents.tolist(), strict=True)
    return [
        "order_id,message_id,recipient,at,value,currency",
        *(f"L-{70000 + n},{sends.message_id[i]},{address[i]},{at}Z,{c / 100:.2f},{CURRENCY}" for n, (i, at, c) in enumerate(rows)),
    ]


def _source(name: str, kind: str, path: str, columns: dict[str, str], provider: str = "") -> str:
    table = ", ".join(f'{ours} = "{theirs}"' for ours, theirs in columns.items())
    through = f'smtp_provider = "{provider}"\n' if provider else ""
    return f'[sources.{name}]\ntype = "table"\nkind = "{kind}"\npath = "{path}"\n{through}columns = {{ {table} }}\n'


def configuration() -> str:
    """mailhealth.toml of the shop; paths are relative to it."""

    def same(*columns: str) -> dict[str, str]:
        return {"message_id": "message_id", "recipient": "recipient", "at": "at", **{column: column for column in columns}}

    birch = {
        "message_id": "Message-ID", "recipient": "Envelope-To", "at": "Date", "campaign": "Tag", "mail_type": "Stream",
        "sender": "Header-From", "sending_ip": "Source-IP",
    }  # fmt: skip
    cedar = {
        "message_id": "id", "recipient": "to", "at": "ts", "campaign": "campaign", "mail_type": "type", "sender": "from",
        "sending_ip": "ip",
    }  # fmt: skip
    domains = ", ".join(f'"{domain}"' for domain in dict.fromkeys(sender.partition("@")[2] for sender in _FROM))
    return "\n".join(
        [
            "# A made-up shop: everything named here was written by `mailhealth demo`.\n"
            f'store = "store"\nsending_domains = ["{SHOP}", {domains}]\n',
            "# Returned mail, warnings, automatic replies and unsubscriptions",
            '[sources.returned-mail]\ntype = "files"\npath = "returned.mbox"\n',
            "# What the feedback loops of mailbox providers report",
            '[sources.complaints]\ntype = "files"\npath = "complaints"\n',
            "# What receivers count: DMARC aggregates and TLS reports by mail, Microsoft's SNDS and Google's Postmaster Tools as saved from there",
            '[sources.receivers]\ntype = "files"\npath = "reports.mbox"\n',
            '[sources.snds]\ntype = "receiver-statistics"\nprovider = "microsoft"\npath = "snds"\n',
            '[sources.postmaster-tools]\ntype = "receiver-statistics"\nprovider = "google"\npath = "postmaster.json"\n',
            "# What the three SMTP providers took, each in its own words",
            _source("sent-alder", "sent", "alder-sent.csv", same("campaign", "mail_type", "sender", "sending_ip"), ALDER.name),
            _source("sent-birch", "sent", "birch-sent.csv", birch, BIRCH.name),
            _source("sent-cedar", "sent", "cedar-sent.jsonl", cedar, CEDAR.name),
            "# What became of it",
            _source("delivered", "delivered", "delivered.csv", same("remote_mta")),
            _source("deferred", "delayed", "deferred.csv", same("reply", "remote_mta")),
            "# What readers did with it",
            _source("opened", "opened", "opened.jsonl", {**same("user_agent"), "recipient": "email", "at": "ts"}),
            _source("clicked", "clicked", "clicked.csv", same("agent", "agent_rule", "user_agent")),
            _source("unsubscribed", "unsubscribed", "unsubscribed.csv", same()),
            _source("ordered", "converted", "orders.csv", same("order_id", "value", "currency")),
        ]
    )
