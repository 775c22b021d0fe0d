"""Sets of UIDs as IMAP writes them: "1:3,7" (RFC 9051 §9, sequence-set)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

LONGEST = 4000  # characters of a set in one command, of which RFC 7162 §4 allows 8192 in all


def written(uids: Iterable[int]) -> str:
    """{1, 2, 3, 7} -> "1:3,7"."""
    return ",".join(_ranges(uids))


def members(text: str) -> Iterator[int]:
    """As `written`, the other way round."""
    for part in filter(None, text.split(",")):
        low, _, high = part.partition(":")
        yield from range(int(low), int(high or low) + 1)


def commands(uids: Iterable[int]) -> Iterator[str]:
    """As `written`, in pieces that are short enough for a command."""
    piece = ""
    for part in _ranges(uids):
        if piece and len(piece) + len(part) >= LONGEST:
            yield piece
            piece = ""
        piece += f",{part}" if piece else part
    if piece:
        yield piece


def _ranges(uids: Iterable[int]) -> Iterator[str]:
    # in a run of numbers without a hole, number and position rise together
    for _, run in groupby(enumerate(sorted(set(uids))), lambda pair: pair[1] - pair[0]):
        numbers = [uid for _, uid in run]
        yield f"{numbers[0]}:{numbers[-1]}" if len(numbers) > 1 else str(numbers[0])
