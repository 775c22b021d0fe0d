"""What parsedmarc tells of a report. No other module knows it; it is told to ask nobody, and what it raises becomes a sentence.

It takes half a second and 50 MB to import, and so is imported only where there is such a report.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from analyzer.model import Kind, Outcome, Report

MOST_RECORDS = 10_000  # of a report
MOST_COUNT = 10**9  # messages or sessions of one row


def aggregate(xml: str) -> dict[str, Any] | str:
    """A DMARC aggregate as parsedmarc tells it, or what it says is wrong."""
    return _asked(lambda library, settings: library.parse_aggregate_report_xml(xml, config=settings))


def sessions(text: str) -> dict[str, Any] | str:
    """A TLS report as parsedmarc tells it, or what it says is wrong."""
    return _asked(lambda library, _: library.parse_smtp_tls_report_json(text))


def _asked(question: Callable[[Any, Any], Any]) -> dict[str, Any] | str:
    library, settings = _library()
    try:
        return dict(question(library, settings))
    except library.ParserError as e:
        return " ".join(str(e).split())[:200]
    except Exception as e:  # a stranger's bytes in somebody else's code
        return type(e).__name__


@cache
def _library() -> tuple[Any, Any]:
    """parsedmarc and its settings: no DNS, no downloads, no splitting of long periods into days that nobody counted."""
    import parsedmarc
    from parsedmarc.config import ParserConfig

    logging.getLogger("parsedmarc").propagate = False  # what it would say of single records is counted by us
    return parsedmarc, ParserConfig(offline=True, always_use_local_files=True, normalize_timespan_threshold_hours=float("inf"))


def word(value: Any) -> str:
    """A value that should be a few words; a stranger may have put a table in its place."""
    return " ".join(value[:1000].split())[:200] if isinstance(value, str) else ""


def unreadable(parser: str, what: str, why: str) -> Report:
    """A report that is known for what it is, and says nothing that can be read; it is counted as unreadable."""
    why = f"{what} that cannot be read: {why}"[:500]
    return Report(Kind.OTHER_REPORT, parser, (Outcome(Kind.UNREADABLE, diagnostic=why),), why=why)
