"""What receivers tell the shop of its mail: DMARC aggregates by the day, TLS reports by the week, SNDS and Postmaster Tools, each as its author writes it.

What they count follows from what happened to the sends; beside it stand a forgotten survey tool and a forger, whom no send log knows.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from analyzer.demo.fates import BLOCKED_IP, NEVER, Fates
from analyzer.demo.letter import stamp
from analyzer.demo.replies import Cause
from analyzer.demo.shop import DAYS, IPS, SENDERS, SHOP, Family, MailType, People, Sends, rng_for

DAY = 86400
TO = f"reports@{SHOP}"
"""The address in the shop's DMARC and TLS records."""
SURVEYS, FORWARDER = "192.0.2.90", "192.0.2.201"
FORGERS = tuple(f"198.51.100.{n}" for n in range(140, 158))
FORGED_DAYS = (17, 18, 19)  # of the month, from 0
EXPIRED_WEEK = 2
_DOMAINS = [sender.partition("@")[2] for sender in SENDERS.values()]


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who reports."""

    family: Family
    name: str  # as it calls itself
    domain: str
    pack: Callable[[str, bytes], tuple[str, str, bytes]]  # name without its ending, and XML -> file name, media type, bytes
    begins: int = 0  # seconds after midnight UTC


@dataclass(frozen=True, slots=True)
class Row:
    """What a receiver counted of one address and domain in a day."""

    ip: str
    domain: str
    count: int
    spf: bool = True  # aligned
    dkim: bool = True
    disposition: str = "none"
    signed: str = ""  # whose signature and return path it has, where they are not the domain's own
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """All that receivers told in the month, and the truth about it."""

    mails: tuple[tuple[int, bytes], ...]  # when each came, and its bytes
    snds: dict[str, str]  # file name -> CSV
    postmaster: str  # JSON
    messages: int  # that DMARC was evaluated for
    passed: int
    strange: int  # failed, and no send log knows them
    sessions: int  # of TLS
    secured: int


def _zip(name: str, xml: bytes) -> tuple[str, str, bytes]:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(f"{name}.xml"), xml, zipfile.ZIP_DEFLATED)
    return f"{name}.zip", "application/zip", target.getvalue()


def _gzip(name: str, xml: bytes) -> tuple[str, str, bytes]:
    return f"{name}.xml.gz", "application/gzip", gzip.compress(xml, mtime=0)


def _octets(name: str, xml: bytes) -> tuple[str, str, bytes]:
    return f"{name}.xml.gz", "application/octet-stream", gzip.compress(xml, mtime=0)


RECEIVERS = (
    Receiver(Family.GMAIL, "google.com", "google.com", _zip),
    Receiver(Family.YAHOO, "Yahoo", "yahoo.com", _gzip),
    Receiver(Family.MICROSOFT, "Outlook.com", "microsoft.com", _octets),
    Receiver(Family.GMX, "GMX", "gmx.net", _gzip),
)


def told(seed: int, sends: Sends, customers: People, fates: Fates, start: int) -> Told:
    """What the receivers tell of the month that begins at `start` (seconds since 1970, midnight UTC). The last day's reports are not there yet."""
    rng = rng_for(seed, 9)
    mails: list[tuple[int, bytes]] = []
    counts: Counter[str] = Counter()
    for receiver in RECEIVERS:
        for day, rows in enumerate(_days(receiver, sends, customers, fates, start, rng)):
            begin = start + day * DAY
            mails.append((begin + DAY + 3 * 3600 + 60 * int(receiver.family), _aggregate(receiver, begin, rows)))
            for row in rows:
                counts["messages"] += row.count
                counts["passed"] += row.count if row.spf or row.dkim else 0
                counts["strange"] += row.count if row.ip not in IPS and not (row.spf or row.dkim) else 0
    for name, domain in (("Google Inc.", "google.com"), ("Microsoft Corporation", "microsoft.com")):
        for week in range((DAYS - 1) // 7):
            well, failed = 400 + int(rng.integers(200)), (int(rng.integers(20, 40)) if week == EXPIRED_WEEK else 0)
            mails.append((start + (7 * week + 7) * DAY + 9 * 3600, _tls(name, domain, start + 7 * week * DAY, well, failed)))
            counts["sessions"] += well + failed
            counts["secured"] += well
    mails.sort(key=lambda mail: mail[0])
    snds = dict(_snds(sends, customers, fates, start, rng))
    return Told(
        tuple(mails),
        snds,
        _postmaster(start, rng),
        counts["messages"],
        counts["passed"],
        counts["strange"],
        counts["sessions"],
        counts["secured"],
    )


def _days(receiver: Receiver, sends: Sends, customers: People, fates: Fates, start: int, rng: np.random.Generator) -> Iterator[list[Row]]:
    """The rows of each day but the last. What was refused before its text came, no receiver can evaluate."""
    broken = fates.cause == Cause.DMARC
    mine = (customers.family[sends.person] == receiver.family) & ((fates.delivered_at < NEVER) | broken)
    day = (np.where(broken, fates.bounced_at, fates.delivered_at)[mine] - start) // DAY
    keys = zip(day.tolist(), sends.ip[mine].tolist(), sends.mail_type[mine].tolist(), broken[mine].tolist(), strict=True)
    seen = Counter((d, IPS[ip], SENDERS[MailType(kind)].partition("@")[2], fails) for d, ip, kind, fails in keys)
    for d in range(DAYS - 1):
        rows = [Row(ip, domain, n, spf=not fails, dkim=not fails, disposition="reject" if fails else "none")
                for (of, ip, domain, fails), n in sorted(seen.items()) if of == d]  # fmt: skip
        if forwarded := sum(r.count for r in rows) // 80:
            rows.append(Row(FORWARDER, _DOMAINS[0], forwarded, spf=False, reason="forwarded"))
        rows.append(Row(SURVEYS, SHOP, 2 + int(rng.integers(5)), spf=False, dkim=False, signed="survey-tool.example"))
        if d in FORGED_DAYS:
            rows += [Row(ip, SHOP, 1 + int(rng.integers(6)), spf=False, dkim=False, signed="bulk-host.example") for ip in FORGERS]
        yield rows


def _aggregate(receiver: Receiver, begin: int, rows: list[Row]) -> bytes:
    """The mail with one day's aggregate."""
    number = f"{begin * 7 + int(receiver.family):016d}"
    xml = (
        f'<?xml version="1.0" encoding="UTF-8" ?>\n<feedback>\n<version>1.0</version>\n<report_metadata>\n<org_name>{receiver.name}</org_name>\n'
        f"<email>noreply-dmarc-support@{receiver.domain}</email>\n<report_id>{number}</report_id>\n"
        f"<date_range><begin>{begin}</begin><end>{begin + DAY - 1}</end></date_range>\n</report_metadata>\n"
        f"<policy_published><domain>{SHOP}</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>reject</sp><pct>100</pct></policy_published>\n"
        + "".join(map(_record, rows))
        + "</feedback>\n"
    )
    name, media_type, data = receiver.pack(f"{receiver.domain}!{SHOP}!{begin}!{begin + DAY - 1}", xml.encode())
    subject = f"Report domain: {SHOP} Submitter: {receiver.domain} Report-ID: <{number}>"
    return _mail(receiver.domain, begin + DAY + 3 * 3600, subject, name, media_type, data)


def _record(row: Row) -> str:
    def said(passes: bool) -> str:
        return "pass" if passes else "fail"

    reason = f"<reason><type>{row.reason}</type><comment>arc=pass</comment></reason>" if row.reason else ""
    signed, sent = row.signed or row.domain, row.signed or f"bounces.{SHOP}"
    # what is not aligned may yet be in order for somebody else's domain
    return (
        f"<record><row><source_ip>{row.ip}</source_ip><count>{row.count}</count><policy_evaluated><disposition>{row.disposition}</disposition>"
        f"<dkim>{said(row.dkim)}</dkim><spf>{said(row.spf)}</spf>{reason}</policy_evaluated></row>"
        f"<identifiers><envelope_from>{sent}</envelope_from><header_from>{row.domain}</header_from></identifiers><auth_results>"
        f"<dkim><domain>{signed}</domain><selector>s2026</selector><result>{said(row.dkim or bool(row.signed))}</result></dkim>"
        f"<spf><domain>{sent}</domain><scope>mfrom</scope><result>{said(row.spf or bool(row.signed))}</result></spf></auth_results></record>\n"
    )


def _mail(domain: str, at: int, subject: str, name: str, media_type: str, data: bytes, more: str = "") -> bytes:
    body = base64.encodebytes(data).decode()
    return (
        f"Return-Path: <noreply-dmarc-support@{domain}>\nDate: {stamp(at)}\nFrom: noreply-dmarc-support@{domain}\nTo: {TO}\nSubject: {subject}\n{more}"
        f'MIME-Version: 1.0\nContent-Type: {media_type};\n\tname="{name}"\nContent-Disposition: attachment;\n\tfilename="{name}"\n'
        f"Content-Transfer-Encoding: base64\n\n{body}"
    ).encode("ascii")


def _tls(name: str, domain: str, begin: int, well: int, failed: int) -> bytes:
    """The mail with a week's TLS report."""
    detail = {"result-type": "certificate-expired", "receiving-mx-hostname": f"mx2.{SHOP}", "failed-session-count": failed}
    moment = [datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for at in (begin, begin + 7 * DAY - 1)]
    report = {
        "organization-name": name,
        "date-range": {"start-datetime": moment[0], "end-datetime": moment[1]},
        "contact-info": f"smtp-tls-reporting@{domain}",
        "report-id": f"{moment[0]}_{SHOP}",
        "policies": [{
            "policy": {"policy-type": "sts", "policy-string": ["version: STSv1", "mode: enforce", f"mx: mx1.{SHOP}", f"mx: mx2.{SHOP}"], "policy-domain": SHOP},
            "summary": {"total-successful-session-count": well, "total-failure-session-count": failed},
            **({"failure-details": [detail]} if failed else {}),
        }],
    }  # fmt: skip
    data = gzip.compress(json.dumps(report).encode(), mtime=0)
    subject = f"Report Domain: {SHOP} Submitter: {domain} Report-ID: <{report['report-id']}>"
    more = f"TLS-Report-Domain: {SHOP}\nTLS-Report-Submitter: {domain}\n"
    return _mail(domain, begin + 7 * DAY + 9 * 3600, subject, f"{domain}!{SHOP}!{begin}!{begin + 7 * DAY - 1}.json.gz", "application/tlsrpt+gzip", data, more)  # fmt: skip


def _snds(sends: Sends, customers: People, fates: Fates, start: int, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """A file a day, as Microsoft's data feed gives it: no header, a row for each address that sent enough."""
    mine = customers.family[sends.person] == Family.MICROSOFT
    seen = Counter(zip(((sends.at[mine] - start) // DAY).tolist(), sends.ip[mine].tolist(), strict=True))
    for d in range(DAYS - 1):
        day = datetime.fromtimestamp(start + d * DAY, UTC)
        blocked = start + (d + 1) * DAY > fates.block_started
        lines = []
        for i, ip in enumerate(IPS):
            count = seen[(d, i)]
            if not count:
                continue
            bad = ip == BLOCKED_IP
            traps = int(rng.integers(1, 5)) if bad and start + (d + 9) * DAY > fates.block_started else 0
            colour = "RED" if bad and blocked else "YELLOW" if traps else "GREEN"
            complaints = "0.7%" if bad and blocked else "< 0.1%"
            period = f"{day:%m/%d/%Y} 6:00 AM,{day:%m/%d/%Y} 6:00 PM" if traps else ","
            lines.append(f"{ip},{day:%m/%d/%Y} 12:00 AM,{day:%m/%d/%Y} 11:59 PM,{count + count // 50},{count},{count},{colour},{complaints},{period},{traps},out.{SHOP},bounces@{SHOP},\r\n")  # fmt: skip
        yield f"{day:%Y-%m-%d}.csv", "".join(lines)


def _postmaster(start: int, rng: np.random.Generator) -> str:
    """An answer of the Postmaster Tools API, for the two domains that send enough."""
    stats = []
    for domain, usual in ((f"news.{SHOP}", 0.0006), (f"orders.{SHOP}", 0.0001)):
        for d in range(DAYS - 2):
            day = datetime.fromtimestamp(start + d * DAY, UTC)
            date = {"year": day.year, "month": day.month, "day": day.day}
            # the promotion of the second week is one that many did not want
            value = 0.0021 if usual > 0.0005 and d == 13 else round(usual * (0.6 + 0.8 * float(rng.random())), 6)
            stats.append(
                {"name": f"domains/{domain}/domainStats/{d:02}", "metric": "spam_rate", "value": {"doubleValue": value}, "date": date}
            )
    return json.dumps({"domainStats": stats}, indent=1) + "\n"
