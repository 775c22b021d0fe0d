"""Files that people save from Google's Postmaster Tools and Microsoft's SNDS: each is kept whole, with whose it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from analyzer.model import STATISTICS, Capture
from analyzer.sources import StatisticsSource
from collectors.files import LEFT_OUT, FilesCollector, files


class StatisticsCollector(FilesCollector):
    """Collects the statistics that lie in files."""

    def __init__(self, name: str, source: StatisticsSource) -> None:
        super().__init__(name, source)
        head = {"provider": source.provider, "domain": source.domain, "timezone": source.timezone}
        self._head = json.dumps(head).encode() + b"\n"

    def _files(self) -> Iterator[Path]:
        return files(self._source.path, tuple(s for s in LEFT_OUT if s not in {".csv", ".json", ".jsonl", ".txt"}))

    def _capture(self, file: Path, data: bytes) -> Capture:
        return Capture(self._head + data, STATISTICS, self.name, datetime.now(UTC))
