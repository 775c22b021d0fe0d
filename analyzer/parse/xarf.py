"""X-ARF, by which desks against abuse report all kinds of it: told in the fields of the Abuse Reporting Format, so that one parser reads both.

Sources: x-arf.org, specification 0.2 (a text of fields, header X-XARF or X-ARF); xarf.org, schemas of versions 3 and 4 (JSON).
"""

from __future__ import annotations

import json
from typing import Any

from analyzer.parse.headers import Headers
from analyzer.parse.mime import Message

_MARKS = ("x-xarf", "x-arf")
_ABOUT_MAIL = {"spam", "bulk_messaging"}
"""Types of reports that are a complaint about a message."""
_FIELDS = {
    "Original-Rcpt-To": ("smtp_to", "SmtpRcptToAddress"),
    "Original-Mail-From": ("smtp_from", "SmtpMailFromAddress"),
    "Source-IP": ("source_identifier", "SourceIp", "Source"),
    "Arrival-Date": ("timestamp", "Date"),
}  # fmt: skip
"""A field of ARF -> what it is called in X-ARF."""
MOST = 256 * 1024  # bytes of a report


def fields(message: Message, kind: str = "") -> Headers | None:
    """What a report in X-ARF says, in the fields of ARF; None for other mail. `kind` is the Feedback-Type where ARF wraps it."""
    if kind != "xarf" and not message.top.headers.any(_MARKS):
        return None
    said = next((found for p in message.parts[:20] if not p.inside and (found := _read(p.type, p.content(MOST)))), None)
    if said is None:
        return None
    what = _text(said, "type", "ReportType", "Report-Type").lower() or "xarf"
    lines = [f"Feedback-Type: {'abuse' if what in _ABOUT_MAIL else what}"]
    lines += [f"{name}: {value}" for name, names in _FIELDS.items() if (value := _text(said, *names))]
    return Headers("\n".join([*lines, ""]).encode("utf-8", "replace"))


def _read(media_type: str, body: bytes) -> dict[str, Any] | None:
    """The fields of a part that holds a report: JSON, or lines of names and values."""
    if media_type == "application/json":
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            return None
        inner = said.get("Report", said) if isinstance(said, dict) else None
        return inner if isinstance(inner, dict) else None
    if media_type not in {"text/plain", "text/yaml", "application/yaml"} or b"Report-Type:" not in body:
        return None
    lines = body.decode("utf-8", "replace").split("\n")[:200]
    pairs = (line.partition(":") for line in lines if ":" in line and line[:1].strip())
    return {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}


def _text(said: dict[str, Any], *names: str) -> str:
    """The first of these fields that holds a text, in one line."""
    return next((" ".join(v.split())[:500] for name in names if isinstance(v := said.get(name), str) and v.strip()), "")
