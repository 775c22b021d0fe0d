"""Reports of receivers, made for tests after the forms of RFC 7489 appendix C, RFC 9990 and RFC 8460."""

from __future__ import annotations

import base64
import gzip
import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
BEGIN = int(datetime(2026, 11, 24, tzinfo=UTC).timestamp())


def record(ip: str = "203.0.113.9", count: object = 400, *, spf: str = "pass", dkim: str = "pass", disposition: str = "none", domain: str = "shop.example", extra: str = "") -> str:  # fmt: skip
    """One record of an aggregate."""
    return f"""  <record>
    <row>
      <source_ip>{ip}</source_ip>
      <count>{count}</count>
      <policy_evaluated><disposition>{disposition}</disposition><dkim>{dkim}</dkim><spf>{spf}</spf>{extra}</policy_evaluated>
    </row>
    <identifiers><header_from>{domain}</header_from></identifiers>
    <auth_results>
      <dkim><domain>{domain}</domain><selector>s2026</selector><result>{dkim}</result></dkim>
      <spf><domain>bounces.{domain}</domain><scope>mfrom</scope><result>{spf}</result></spf>
    </auth_results>
  </record>
"""


def aggregate(*records: str, org: str = "google.com", begin: object = BEGIN, end: object = BEGIN + 86399, rfc9990: bool = False, report_id: str = "4711") -> bytes:  # fmt: skip
    """An aggregate, in the form of RFC 7489 or of RFC 9990."""
    root = '<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">' if rfc9990 else "<feedback>"
    policy = "<np>reject</np><testing>n</testing><discovery_method>treewalk</discovery_method>" if rfc9990 else "<pct>100</pct>"
    return f"""<?xml version="1.0" encoding="UTF-8" ?>
{root}
  <version>1.0</version>
  <report_metadata>
    <org_name>{org}</org_name>
    <email>noreply-dmarc-support@{org}</email>
    <report_id>{report_id}</report_id>
    <date_range><begin>{begin}</begin><end>{end}</end></date_range>
  </report_metadata>
  <policy_published><domain>shop.example</domain><adkim>r</adkim><aspf>r</aspf><p>quarantine</p><sp>none</sp>{policy}</policy_published>
{"".join(records)}</feedback>
""".encode()


def zipped(data: bytes, name: str = "google.com!shop.example!1!2.xml", *, streamed: bool = False, stored: bool = False) -> bytes:
    """As a zip archive; `streamed` as programs write it that cannot go back to fill in the sizes."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return not streamed

    target = Pipe()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return target.getvalue()


def tls_report(*policies: dict[str, Any], org: str = "Company-X", **more: Any) -> bytes:
    """A TLS report."""
    return json.dumps(
        {
            "organization-name": org,
            "date-range": {"start-datetime": "2026-11-24T00:00:00Z", "end-datetime": "2026-11-24T23:59:59Z"},
            "contact-info": "sts-reporting@company-x.example",
            "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
            "policies": list(policies),
            **more,
        }
    ).encode()


def policy(well: object = 5326, failed: object = 303, *details: dict[str, Any]) -> dict[str, Any]:
    """One policy of a TLS report with its sessions."""
    return {
        "policy": {"policy-type": "sts", "policy-string": ["version: STSv1", "mode: testing"], "policy-domain": "shop.example", "mx-host": ["*.mail.shop.example"]},
        "summary": {"total-successful-session-count": well, "total-failure-session-count": failed},
        "failure-details": list(details),
    }  # fmt: skip


def detail(kind: str = "certificate-expired", count: object = 100) -> dict[str, Any]:
    """One kind of failure."""
    return {
        "result-type": kind,
        "sending-mta-ip": "198.51.100.62",
        "receiving-mx-hostname": "mx1.mail.shop.example",
        "failed-session-count": count,
    }


def mailed(data: bytes, disposition: str = 'application/gzip; name="google.com!shop.example!1795478400!1795564799.xml.gz"', *, subject: str = "Report Domain: shop.example Submitter: google.com Report-ID: <4711>") -> bytes:  # fmt: skip
    """A mail with a report attached to it, as base64."""
    lines = base64.encodebytes(data)
    return (
        f"From: noreply-dmarc-support@google.com\r\nTo: dmarc@shop.example\r\nDate: Wed, 25 Nov 2026 03:00:00 +0000\r\nSubject: {subject}\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nThis is a report.\r\n'
        f"--b\r\nContent-Type: {disposition}\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\n\r\n".encode()
        + lines.replace(b"\n", b"\r\n")
        + b"--b--\r\n"
    )


def gzipped(data: bytes) -> bytes:
    """As gzip, the same bytes each time."""
    return gzip.compress(data, mtime=0)


FAILURE = b"""From: <arf-daemon@receiver.example>
To: <dmarc-failures@shop.example>
Date: Wed, 25 Nov 2026 03:00:00 +0000
Subject: FW: You have a new bill
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain; charset="us-ascii"

This is an authentication failure report for an email message received from IP 192.0.2.77.

--b
Content-Type: message/feedback-report

Feedback-Type: auth-failure
User-Agent: Receiver/1.0
Version: 1
Original-Mail-From: <billing@bad.example>
Arrival-Date: Tue, 24 Nov 2026 20:04:05 +0000
Source-IP: 192.0.2.77
Reported-Domain: Shop.example
Auth-Failure: dmarc
Identity-Alignment: none
Delivery-Result: reject
Incidents: 3

--b
Content-Type: message/rfc822

From: Shop <billing@shop.example>
To: someone@receiver.example
Subject: You have a new bill
Message-ID: <bill-1@bad.example>

Pay.

--b--
"""
"""A failure report after RFC 6591 and RFC 9991."""
