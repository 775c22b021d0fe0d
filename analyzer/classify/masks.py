"""Addresses, hosts and links within a reply: words that stand in them are a stranger's names, not what a server says."""

from __future__ import annotations

import re
from functools import lru_cache

# where a script without spaces goes on after an address, or leads up to it, those words are the server's: no part has letters of both kinds
_LABEL = r"(?:[\w\u00c0-\u052f-]{1,63}|[^\x00-\u052f]{1,63})"
_MASKED = re.compile(
    r"https?://[^\s<>\"]{1,300}"
    rf"|<?(?:[!#-'*+./0-9=?A-Z\\^-~\u00c0-\u052f-]{{1,128}}|[^\x00-\u052f]{{1,128}})@{_LABEL}(?:\.{_LABEL}){{0,10}}>?"  # addresses
    r"|(?<![\w.-])(?:[a-z0-9_](?:[\w-]{0,62})\.){2,10}[a-z]{2,24}(?![\w-]|\.\w)"  # host names of three labels or more
    r"|(?<![\w.-])[a-z0-9-]{1,63}\.(?:com|net|org|jp|de|fr|example|test|invalid|info|biz|edu|ru|uk|it|es|nl|pl|br|cn|io|eu|local)(?![\w-]|\.\w)",
    re.I | re.A,
)


def is_clear(text: str, start: int, end: int) -> bool:
    """Whether no character from `start` to `end` belongs to an address, a host or a link. `text` is in small letters.

    None of these reaches over a space, so that the words from space to space about the place are all that need be looked at.
    """
    begin = text.rfind(" ", 0, start) + 1
    stop = text.find(" ", end)
    near = text[begin : stop if stop >= 0 else len(text)]
    if "." not in near and "@" not in near and "://" not in near:
        return True
    return all(e <= start - begin or s >= end - begin for s, e in _spans(near))


def masked(text: str) -> str:
    """The text with a NUL for each character of an address, a host or a link."""
    return _MASKED.sub(lambda m: "\x00" * len(m.group(0)), text)


@lru_cache(maxsize=4096)
def _spans(words: str) -> tuple[tuple[int, int], ...]:
    return tuple(m.span() for m in _MASKED.finditer(words))
