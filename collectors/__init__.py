"""The edge: collectors speak protocols, keep what arrives and understand nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from collectors.base import Collector

if TYPE_CHECKING:
    from analyzer.sources import Source

COLLECTORS = {
    "files": "collectors.files:FilesCollector",
    "table": "collectors.table:TableCollector",
    "receiver-statistics": "collectors.statistics:StatisticsCollector",
    "log": "collectors.logs:LogCollector",
    "imap": "collectors.imap:ImapCollector",
    "smtp-sink": "collectors.smtp_sink:SmtpSinkCollector",
    "http": "collectors.http:HttpCollector",
}
"""The `type` of a source -> its collector. A new collector is a file and a line here."""


def build(name: str, source: Source) -> Collector:
    """The collector of a configured source."""
    module, _, cls = COLLECTORS[source.type].partition(":")
    make: Callable[[str, Any], Collector] = getattr(import_module(module), cls)
    return make(name, source)
