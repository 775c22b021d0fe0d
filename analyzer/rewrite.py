"""Puts other links into an HTML text, and changes nothing else in it.

The parser is html.parser of Python itself: it ships with the language and is mended with it, and it says where in the text each tag stands. So only the
tags of links are written anew. A tree builder would rewrite the whole text, and mail programs are particular: what Outlook reads in conditional
comments would suffer, and comments are left alone here.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from html.parser import HTMLParser
from itertools import accumulate

LINKS = frozenset({"a", "area"})


def rewritten(html: str, link: Callable[[str], str | None]) -> str:
    """The HTML with each href for which `link` gives another one changed; None: it stays."""
    finder = _Finder(html, link)
    finder.feed(html)
    finder.close()
    done, parts = 0, []
    for start, end, tag in finder.found:
        parts += [html[done:start], tag]
        done = end
    return "".join([*parts, html[done:]])


class _Finder(HTMLParser):
    """Finds the tags to change: where they begin and end, and what they become."""

    def __init__(self, html: str, link: Callable[[str], str | None]) -> None:
        super().__init__()
        self.found: list[tuple[int, int, str]] = []
        self._link = link
        self._lines = [0, *accumulate(len(line) + 1 for line in html.split("\n"))]  # where each begins

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = next((value for name, value in attrs if name == "href"), None)
        other = self._link(href.strip()) if tag in LINKS and href else None
        said = self.get_starttag_text()
        if other is None or said is None:
            return
        line, column = self.getpos()
        start = self._lines[line - 1] + column
        told = "".join(_attribute(name, other if name == "href" else value) for name, value in attrs)
        self.found.append((start, start + len(said), f"<{tag}{told}{' /' if said.endswith('/>') else ''}>"))


def _attribute(name: str, value: str | None) -> str:
    return f" {name}" if value is None else f' {name}="{escape(value)}"'
