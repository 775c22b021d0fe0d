"""Findings of what receivers say of us: who sends as us and fails DMARC, whose TLS with us fails, what Google and Microsoft think of our mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pandas as pd

from analyzer import observed
from analyzer.explain import MENDS
from analyzer.finding import Finding, percent
from analyzer.metrics import Numbers, Period, records
from analyzer.model import Measure

LEAST_FAILED = 10  # messages or sessions that make a finding
OWN_SHARE = 0.02  # of the messages of an address of ours that may fail: forwarders break a signature now and then
MUCH_TLS = 0.01  # of the sessions
STEPS = {
    "certificate-expired": "Renew the certificate of {hosts}.",
    "certificate-host-mismatch": "Give {hosts} a certificate that names the host as the MX record does.",
    "certificate-not-trusted": "Give {hosts} a certificate of a public authority, with the whole chain.",
    "starttls-not-supported": "Let {hosts} offer STARTTLS, and look for a device in between that takes it out.",
    "tlsa-invalid": "Publish TLSA records that fit the certificate of {hosts}: both, old and new, while it changes.",
    "dnssec-invalid": "Mend the DNSSEC signatures of the domain: some resolvers refuse its answers.",
    "dane-required": "Publish TLSA records for {hosts}, or see why a sender expects them.",
    "sts-policy-fetch-error": "Serve the MTA-STS policy at https://mta-sts.{domain}/.well-known/mta-sts.txt.",
    "sts-policy-invalid": "Mend the MTA-STS policy at https://mta-sts.{domain}/.well-known/mta-sts.txt.",
    "sts-webpki-invalid": "Give mta-sts.{domain} a certificate that names it, of a public authority.",
}
"""Kind of failure (RFC 8460 §4.3) -> what to do."""


def standing(numbers: Numbers, period: Period | None = None, where: Mapping[str, Sequence[str]] | None = None) -> list[Finding]:
    """What receivers tell that somebody should know. Of the filters, only the sending domain can be asked of a receiver."""
    where = {name: list(values) for name, values in (where or {}).items() if values}
    if set(where) - {"sending_domain"}:
        return []
    told = numbers.observed(where, period)
    if told.empty:
        return []
    return [*_senders(told, set(numbers.values("sending_ip"))), *_tls(told), *_spam(told), *_snds(told)]


def _senders(told: pd.DataFrame, ours: set[str]) -> list[Finding]:
    """Addresses that send as us and fail DMARC, for each domain: ours, and those that no send log knows."""
    rows = observed.dmarc(told, ["ip", "domain", "reporter", "day"])
    own, strange = rows[rows["ip"].isin(ours)], rows[~rows["ip"].isin(ours) & (rows["failed"] > 0)]
    found = []
    sums = own.groupby(["ip", "domain"])[["failed", "messages"]].transform("sum")
    for domain, group in own[sums["failed"] > OWN_SHARE * sums["messages"]].groupby("domain"):
        if group["failed"].sum() >= LEAST_FAILED:
            found.append(_own(str(domain), group))
    for domain, group in strange.groupby("domain"):
        if group["failed"].sum() >= LEAST_FAILED:
            found.append(_stranger(str(domain), group, bool(ours)))
    return found


def _own(domain: str, rows: pd.DataFrame) -> Finding:
    failed, total, addresses = int(rows["failed"].sum()), int(rows["messages"].sum()), sorted(rows["ip"].unique())
    who = (
        f"our address {addresses[0]}"
        if len(addresses) == 1
        else f"our addresses {', '.join(addresses[:3])}{' and others' if len(addresses) > 3 else ''}"
    )
    bad = rows[rows["failed"] > 0]
    days, over = _days(bad["day"].min(), bad["day"].max()), _over(rows, bad["day"].max())
    tense = f"failed DMARC as {domain}, {days}, and pass again" if over else f"fail DMARC as {domain}, {days}"
    return Finding(
        "watch" if over else "act", f"{failed:,} of {total:,} messages from {who} {tense}", _evidence(bad, "reporter"),
        f"{'See that it stays so. ' if over else ''}Let whoever sends from there sign with DKIM as {domain}, or use a return path under {domain} whose SPF names the address; then try a test send.",
        MENDS["sender"], failed, receivers=True,
    )  # fmt: skip


def _over(rows: pd.DataFrame, last: date) -> bool:
    """Whether so much was seen after the last failure that it would have shown. Silence alone proves nothing."""
    return bool(rows[rows["day"] > last]["messages"].sum() >= LEAST_FAILED)


def _days(first: date, last: date) -> str:
    return f"on {first:%-d %b}" if first == last else f"{first:%-d %b} to {last:%-d %b}"


def _stranger(domain: str, rows: pd.DataFrame, known: bool) -> Finding:
    failed, let = int(rows["failed"].sum()), int(rows["let_through"].sum())
    addresses = rows["ip"].nunique()
    who = f"{addresses:,} addresses" if addresses > 1 else str(rows["ip"].iloc[0])
    claim = "that no send log of ours knows" if known else "that send as us"
    protects = (
        "The policy keeps the rest out."
        if failed - let
        else f"When nothing of yours fails any more, move the policy of {domain} on to quarantine, so that receivers keep such mail out."
    )
    return Finding(
        "watch" if let else "know", f"{failed:,} messages from {who} {claim} fail DMARC as {domain}; {_outcome(failed, let)}",
        f"{_evidence(rows, 'ip')}; told by {', '.join(rows.groupby('reporter')['failed'].sum().sort_values(ascending=False).index[:4])}",
        f"Is one of them yours (a newsletter tool, a ticket system)? Then sign its mail as {domain}. {protects if let else 'If none is, nothing is to be done: the policy protects you.'}",
        MENDS["sender"], failed, receivers=True,
    )  # fmt: skip


def _outcome(failed: int, let: int) -> str:
    return (
        "none of them was let through"
        if not let
        else f"{'all' if let == failed else f'{let:,}'} of them {'were' if let != 1 else 'was'} let through"
    )


def _evidence(rows: pd.DataFrame, by: str) -> str:
    """The largest, with what was done with their mail."""
    sums = rows.groupby(by)[["failed", "let_through", "quarantined", "rejected"]].sum().sort_values("failed", ascending=False)
    words = {"let_through": "let through", "quarantined": "put into junk", "rejected": "refused"}
    parts = []
    for name, row in list(sums.iterrows())[:5]:
        done = ", ".join(f"{row[c]:,.0f} {said}" for c, said in words.items() if row[c])
        parts.append(f"{name} {row['failed']:,.0f}{f' ({done})' if done else ''}")
    return "; ".join(parts)


def _tls(told: pd.DataFrame) -> list[Finding]:
    sessions = observed.tls(told, ["domain", "day"])
    found = []
    for row in records(observed.tls_failures(told)):
        domain, kind, count = str(row["domain"]), str(row["kind"]), int(row["messages"])
        mine = sessions[sessions["domain"] == domain]
        if count < LEAST_FAILED:
            continue
        over, hosts = _over(mine, row["last"]), row["hosts"] or "the mail host"
        step = STEPS.get(kind, "Ask the reports for the details: `mailhealth explain` shows them.").format(hosts=hosts, domain=domain)
        found.append(Finding(
            "watch" if over or count <= MUCH_TLS * mine["messages"].sum() else "act",
            f"{count:,} of {mine['messages'].sum():,.0f} sessions with the mail hosts of {domain} failed: {kind.replace('-', ' ')}{', and no more since' if over else ''}",
            f"told by {row['reporters']}; {row['hosts'] or 'no host is named'}; in reports that begin {_days(row['first'], row['last'])}",
            f"{'See that it stays so. ' if over else ''}{step} Senders that insist on TLS do not deliver to us until then.",
            MENDS["network"], count, receivers=True,
        ))  # fmt: skip
    return found


def _spam(told: pd.DataFrame) -> list[Finding]:
    rows = observed.rates(told, Measure.SPAM_RATE).dropna(subset=["value"])
    found = []
    for domain, days in rows.groupby("domain"):
        worst = records(days.nlargest(1, "value"))[0]
        if worst["value"] <= observed.SPAM_AIM:
            continue
        never = worst["value"] >= observed.SPAM_NEVER
        over = int((days["value"] > observed.SPAM_AIM).sum())
        limit = (
            f"{percent(observed.SPAM_NEVER)} must never be reached" if never else f"{percent(observed.SPAM_AIM)} is what Google asks for"
        )
        found.append(Finding(
            "act" if never else "watch",
            f"Google's spam rate of {domain} was {percent(worst['value'])} on {worst['day']:%-d %b}; {limit}",
            f"above {percent(observed.SPAM_AIM)} on {over} of {len(days)} days that Google tells of. Divided by {observed.DENOMINATORS[Measure.SPAM_RATE]}",
            "See what was sent that day; mail people who read, and make unsubscribing easier than complaining.",
            MENDS["content"], receivers=True,
        ))  # fmt: skip
    return found


def _snds(told: pd.DataFrame) -> list[Finding]:
    found = []
    for ip, days in observed.snds(told).groupby("ip"):
        last, red, traps = records(days)[-1], int((days["colour"] == "red").sum()), int(days["traps"].fillna(0).sum())
        if red:
            now = last["colour"] == "red"
            since = "" if now else f", though {last['colour']} on the last day"
            found.append(Finding(
                "act" if now else "watch",
                f"Microsoft colours {ip} red{since}: over 90% of its mail looked like spam to the filter",
                f"red on {red} of {len(days)} days, complaints {last['complaints']} on {last['day']:%-d %b}, {last['recipients']:,.0f} recipients",
                "Send less from it and only to people who read, until it is green; ask Microsoft at https://olcsupport.office.com/ if mail is refused.",
                MENDS["reputation"], int(last["recipients"]), receivers=True, page="https://olcsupport.office.com/",
            ))  # fmt: skip
        if traps:
            found.append(Finding(
                "watch", f"{traps:,} messages from {ip} went to addresses that Microsoft keeps as traps",
                f"on {int((days['traps'].fillna(0) > 0).sum())} of {len(days)} days", "Look where the newest addresses of the list come from, and ask them to confirm.",
                MENDS["address"], traps, receivers=True,
            ))  # fmt: skip
    return found
