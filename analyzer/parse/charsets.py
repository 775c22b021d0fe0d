"""The charset of text that names none, or a wrong one: old systems of Russia and East Asia write so.

Each script's bytes lie where they lie: Cyrillic in runs of bytes from 0xC0 on, whose case tells KOI8-R from Windows-1251; what remains in runs is
Chinese, Japanese or Korean, which charset-normalizer tells apart (it is of no use for a few words in Cyrillic, or for Latin ones).
"""

from __future__ import annotations

import re

MOST = 4096  # bytes that are looked at
LATIN = "latin-1"
_RUN = re.compile(rb"[\x80-\xff]+")
_EAST_ASIAN = ["cp932", "euc_jp", "gb18030", "big5", "cp949"]


def guessed(raw: bytes) -> str:
    """The name of a codec for bytes that are no UTF-8; Latin-1 where nothing tells another."""
    runs = _RUN.findall(raw[:MOST])
    high = b"".join(runs)
    lines = b"".join(line for line in raw[:MOST].split(b"\n") if _RUN.search(line))
    # the second byte of Big5 and Shift JIS may be a letter of ASCII: then nearly every other byte is a high one
    dense = len(high) > 0.35 * len(lines)
    if len(high) < 6 or (not dense and sum(len(run) > 1 for run in runs) < 0.3 * len(runs)):
        return LATIN  # single letters within words: é, ü
    low, up = (sum(a <= byte <= b for byte in high) for a, b in ((0xE0, 0xFF), (0xC0, 0xDF)))
    if low + up > 0.97 * len(high):
        return "cp1251" if low > up else "koi8-r"  # most letters are small ones
    from charset_normalizer import from_bytes

    best = from_bytes(raw[:MOST], cp_isolation=_EAST_ASIAN, enable_fallback=False).best()
    return best.encoding if best else LATIN
