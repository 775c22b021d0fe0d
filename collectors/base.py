"""What a collector is, and what it may ask of its surroundings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from analyzer.model import Capture, ConfigError
from analyzer.model import KeepFailed as KeepFailed  # what `keep` raises

if TYPE_CHECKING:
    import ssl


class SourceFailed(Exception):
    """The source cannot be read: wrong password, no such folder, ... The message says what is wrong and the next step."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What one pass over a source came to, in captures."""

    seen: int = 0  # read from the source in this pass
    kept: int = 0  # new to the inbox
    known: int = 0  # kept before, so nothing changed
    refused: int = 0  # not kept: over a limit, not a file, ...; each was reported to `progress`

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.seen + other.seen, self.kept + other.kept, self.known + other.known, self.refused + other.refused)


class Keep(Protocol):
    """Keeps a batch durably. When it returns, the batch has survived a power cut."""

    def __call__(self, captures: Sequence[Capture], cursor: Mapping[str, str] | None = None) -> int:
        """The number of captures that were new. `cursor` is saved in the same transaction. Raises KeepFailed.

        `captures` come from one source; `cursor` replaces the entries of that source that it names.
        """


Cursor = Callable[[], Mapping[str, str]]
"""Reads the source's saved cursor, as last kept."""


class Progress(Protocol):
    """Told how far a pass has come; prints, draws a bar, or does nothing."""

    def __call__(self, done: int, total: int | None, note: str = "") -> None:
        """`done` of `total` (None: unknown), in the source's own unit; `note` is a sentence about something amiss."""


def silent(done: int, total: int | None, note: str = "") -> None:
    """The Progress that tells nobody."""


class Collector(Protocol):
    """One configured source."""

    name: str  # in the configuration, and the `source` of its captures

    def check(self, offline: bool = False) -> Sequence[str] | None:
        """Tries whether the source can be read, changing nothing; `offline`: as far as that goes without connecting. Raises SourceFailed, ConfigError.

        Gives what it found that is worth knowing, a line each, if anything.
        """

    def collect(self, keep: Keep, cursor: Cursor, progress: Progress = silent) -> Tally:
        """One pass over what is there now. Acknowledges nothing before `keep` returned. Raises SourceFailed, KeepFailed."""

    def watch(self, keep: Keep, cursor: Cursor, stop: threading.Event, progress: Progress = silent) -> None:
        """Collects until `stop` is set, and returns within a few seconds of it. A source that cannot be read, and a `keep` that fails, are told and tried again."""


def look(
    every: float, collect: Callable[[Keep, Cursor, Progress], object], keep: Keep, cursor: Cursor, stop: threading.Event, progress: Progress
) -> None:
    """The `watch` of a source that tells nobody when it has news: a pass every so many seconds until `stop`."""
    while True:
        try:
            collect(keep, cursor, progress)
        except (SourceFailed, KeepFailed) as e:
            progress(0, None, str(e))
        if stop.wait(every):
            return


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """TLS that believes the system's authorities, and those in `ca_file` (PEM). Raises ConfigError."""
    import ssl  # OpenSSL: several megabytes, of which who reads files has no need

    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError as e:  # ssl.SSLError is one
            why = "holds no certificate" if isinstance(e, ssl.SSLError) else f"cannot be read ({e.strerror})"
            raise ConfigError(f"ca_file {ca_file}: {why}; it must be a file of certificate authorities in PEM.") from None
    return context
