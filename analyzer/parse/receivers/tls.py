"""TLS reports (RFC 8460): how TLS went when others delivered mail to us, by policy and kind of failure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from analyzer.model import Kind, Measure, Original, Outcome, Report
from analyzer.parse.receivers.told import MOST_COUNT, MOST_RECORDS, sessions, unreadable, word

MOST_JSON = 4 * 1024 * 1024  # bytes: JSON becomes objects of ten times its size
PARSER = "tls"
WHAT = "a TLS report"
SUCCESS, UNTOLD = "success", "kind-not-told"
"""What stands in the place of a result type: all went well; sessions failed, and no detail says how."""


def parse(data: bytes, cut: str | None = None) -> Report:
    """What a TLS report says: an OBSERVED outcome for the sessions of each policy that went well, and one for each kind of failure. Never raises."""
    if cut or len(data) > MOST_JSON:
        return unreadable(PARSER, WHAT, cut or f"it is longer than {MOST_JSON >> 20} MiB")
    told = sessions(data.decode("utf-8-sig", "replace"))
    if isinstance(told, str):
        return unreadable(PARSER, WHAT, told)
    outcomes: list[Outcome] = []
    bad, more = 0, False
    reporter = word(told["organization_name"])
    report_id = f"{word(told['begin_date'])} {word(told['report_id'])}"[:200]
    for outcome in _outcomes(told, report_id):
        if len(outcomes) >= MOST_RECORDS:
            more = True
            break
        bad += outcome is None
        outcomes += [outcome] if outcome else []
    if bad or not outcomes:
        why = f"{bad:,} of its entries cannot be read" if bad else "there are no policies in it"
        outcomes.append(Outcome(Kind.UNREADABLE, diagnostic=f"{WHAT} of {reporter or 'nobody'}: {why}"))
    return Report(Kind.OTHER_REPORT, PARSER, tuple(outcomes), Original(provider_id=report_id), reporter or None, why=WHAT,
                  truncated=("records",) if more else ())  # fmt: skip


def _outcomes(told: dict[str, Any], report_id: str) -> Iterator[Outcome | None]:
    """The rows of a report; None for each that cannot be read."""
    at = _time(told["begin_date"])
    for policy in told["policies"]:
        domain, kind = word(policy["policy_domain"]).lower().strip("."), word(policy["policy_type"])
        original = Original(sender=f"@{domain}" if domain else None, provider_id=report_id)
        well, failed = _count(policy["successful_session_count"]), _count(policy["failed_session_count"])
        yield _row(SUCCESS, well, at, original, kind)
        rest = failed or 0.0
        for detail in policy.get("failure_details") or ():
            count = _count(detail["failed_session_count"])
            rest -= count or 0.0
            row = _row(_kind(detail["result_type"]), count, at, original, kind, word(detail.get("failure_reason_code")))
            yield row and row._replace(remote_mta=word(detail.get("receiving_mx_hostname")) or None)
        if failed is None or rest > 0:
            yield _row(UNTOLD, None if failed is None else rest, at, original, kind)


def _row(result: str, count: float | None, at: datetime | None, original: Original, policy: str, words: str = "") -> Outcome | None:
    if count is None:
        return None
    return Outcome(
        Kind.OBSERVED, at=at, measure=Measure.TLS, messages=count, authentication=f"tls={result}", original=original,
        diagnostic=f"policy: {policy}" + (f"; {words}" if words else ""),
    )  # fmt: skip


def _kind(result: Any) -> str:
    """A result type (RFC 8460 §4.3), as one word."""
    return "-".join(word(result).lower().split())[:60] or UNTOLD


def _count(value: Any) -> float | None:
    """A number of sessions; None when it can be none. Some reporters write it as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_COUNT:
        return None
    return float(value)


def _time(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(word(value).replace(" ", "T"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
