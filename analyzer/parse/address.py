"""Addresses and codes as they stand in reports."""

from __future__ import annotations

import re
from ipaddress import ip_address

ADDRESS = re.compile(
    r"""(?<![\w.!#$%&'*+/=?^`{|}~-])("[^"\n@<>]{1,64}"|[\w.!#$%&'*+/=?^`{|}~-]{1,128})@((?:[\w-]{1,63}\.){1,10}[\w-]{1,63}|\[[0-9a-fA-F.:]{3,45}\])"""
)
_ATOM = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]*")
_QUOTED = re.compile(r"""(?<![\w.!#$%&'*+/=?^`{|}~-])"[^"\n@<>]{1,64}"\Z""")
_DOMAIN = re.compile(r"(?:[\w-]{1,63}\.){1,10}[\w-]{1,63}|\[[0-9a-fA-F.:]{3,45}\]")
_ANGLED = re.compile(r"<\s*([^<>\s]{1,320}@[^<>\s]{1,255})\s*>")
_REFUSAL = re.compile(
    r"([45]\d\d)(?=[\s:,\]-]|\)(?:[ \t]|\n|$)|$)(?! (?:lines|messages|[km]?bytes|[km]b|characters|words|users|recipients|seconds|minutes|hours|days|times)\b)(?:[\s:-]+['\"#(]{0,2}([245]\.\d{1,3}\.\d{1,3})(?![\d.]))?"
)
_POSITIVE = re.compile(r"(2\d\d)(?=[ -]|$)(?:[ -]+([2]\.\d{1,3}\.\d{1,3})(?![\d.]))?")
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_BRACKET = re.compile(r"(?:^|:)[ \t]*\(\Z", re.M)  # "Error:  (552) mailbox full", and no number in brackets elsewhere
_AFTER_WORD = re.compile(r"[^\W\d_]*[^\W\da-f_][^\W\d_]*:\Z", re.I)  # "error:550", and not the numbers of an IPv6 address
_AFTER_CODE = re.compile(r"code\W{1,3}\Z", re.I)
MOST = 320


def clean(text: str) -> str | None:
    """The address in a recipient field: 'rfc822; <A@b.example>' gives 'A@b.example'. None when there is none in it."""
    text = text.strip()
    kind, semicolon, rest = text.partition(";")
    if semicolon and "@" not in kind:
        text = rest.strip()
    if '"' in text and (quoted := ADDRESS.fullmatch(text.strip("<> \t,;"))):
        return quoted.group(0)  # a local part in quotes may hold blanks
    found = _ANGLED.search(text)
    if found:
        text = found.group(1)
    text = text.strip("<>()[]'\" \t,;")
    if text.lower().startswith(("mailto:", "smtp:")):
        text = text.partition(":")[2]
    if not text or len(text) > MOST or "\n" in text:
        return None
    if " " in text:
        inner = ADDRESS.search(text)
        return inner.group(0) if inner else (text.split()[0] if "@" not in text else None)
    if text.lower().startswith("imceasmtp-") or text.lower().startswith("imcea"):
        return _encapsulated(text)
    return text


def _encapsulated(text: str) -> str:
    # Exchange wraps foreign addresses: IMCEASMTP-user+40example+2Ecom@gateway
    inner = text.partition("-")[2].rpartition("@")[0]
    decoded = re.sub(r"\+([0-9A-Fa-f]{2})", lambda m: chr(int(m.group(1), 16)), inner)
    return decoded if "@" in decoded else text


def ip(text: str) -> str | None:
    """An IP address in its usual form; None when it is none."""
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        return None


def addresses(text: str, most: int = 1000) -> list[str]:
    """The addresses in a text, each once, in order."""
    found: dict[str, str] = {}
    done = 0
    at = text.find("@")
    while at >= 0 and len(found) < most:
        begin = _begin(text, at)
        end = _DOMAIN.match(text, at + 1) if begin >= done else None
        if end:
            done = end.end()
            address = text[begin:done].strip("'`*.=")
            found.setdefault(address.lower(), address)
        at = text.find("@", at + 1)
    return list(found.values())


def _begin(text: str, at: int) -> int:
    """Where the local part begins that ends before an @; -1 when there is none."""
    if text.startswith('"', at - 1) and at:
        quoted = _QUOTED.search(text, max(0, at - 66), at)
        return quoted.start() if quoted else -1
    size = _ATOM.match(text[max(0, at - 129) : at][::-1]).end()  # type: ignore[union-attr]  # it matches anything
    return at - size if 1 <= size <= 128 else -1


def reply(text: str) -> tuple[str | None, str | None]:
    """The reply code and the enhanced status code in a receiver's words, where it gives them. A refusal beats a greeting."""
    text = text[:2000]
    at = text.find("last error")  # of an expired message: the receiver's own reply follows
    found = (refusal(text[at:]) if at >= 0 else None) or refusal(text) or _positive(text)
    code, status = (found.group(1), found.group(2)) if found else (None, None)
    return code, status or enhanced(text)


def begins_with_code(text: str) -> bool:
    """Whether a text begins with the code of a refusal."""
    return _REFUSAL.match(text) is not None


# These patterns begin with what they look for, and what stands before it is looked at afterwards: a pattern that looks back first would be
# tried at every character of a text.


def refusal(text: str) -> re.Match[str] | None:
    """The first reply code of a refusal in a text (group 1), and the enhanced status code after it (group 2)."""
    for found in _REFUSAL.finditer(text):
        at = found.start()
        if at and text.startswith(")", at + 3) and not _BRACKET.search(text, max(0, at - 12), at) and not _ends_line(text, at):
            continue
        if not _glued(text, at, ".:#/-") or _AFTER_CODE.search(text, max(0, at - 7), at) or _AFTER_WORD.search(text, max(0, at - 12), at):
            return found
        if found.group(2) and text[at - 1] == "#" and (at < 2 or text[at - 2] in "\n <"):
            return found  # Exchange: "#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##"
    return None


def _ends_line(text: str, at: int) -> bool:
    """Whether a number alone in brackets ends a line: "mailbox full (552)"."""
    return text[at - 1] == "(" and text[at + 4 : at + 5] in {"", "\n"}


def enhanced(text: str) -> str | None:
    """The first enhanced status code in a text."""
    return next((m.group(1) for m in _STATUS.finditer(text) if not _glued(text, m.start(), ".")), None)


def _positive(text: str) -> re.Match[str] | None:
    return next((m for m in _POSITIVE.finditer(text) if not _glued(text, m.start(), ".:#/-")), None)


def _glued(text: str, at: int, marks: str) -> bool:
    """Whether a number goes on to the left: after a digit or one of these marks."""
    return at > 0 and (text[at - 1] in marks or text[at - 1].isdecimal())
