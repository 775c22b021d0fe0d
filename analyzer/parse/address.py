"""Addresses and codes as they stand in reports."""

from __future__ import annotations

import re

ADDRESS = re.compile(
    r"""(?<![\w.!#$%&'*+/=?^`{|}~-])("[^"\s@<>]{1,64}"|[\w.!#$%&'*+/=?^`{|}~-]{1,128})@((?:[\w-]{1,63}\.){1,10}[\w-]{1,63}|\[[0-9a-fA-F.:]{3,45}\])"""
)
_ANGLED = re.compile(r"<\s*([^<>\s]{1,320}@[^<>\s]{1,255})\s*>")
REPLY = re.compile(
    r"(?:(?<![\d.:#/-])|(?<=code)\W{1,3})([45]\d\d)(?=[\s:,\]-]|$)(?:[\s:-]+['\"#(]{0,2}([245]\.\d{1,3}\.\d{1,3})(?![\d.]))?", re.I
)
_POSITIVE = re.compile(r"(?<![\d.:#/-])(2\d\d)(?=[ -]|$)(?:[ -]+([2]\.\d{1,3}\.\d{1,3})(?![\d.]))?")
STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
MOST = 320


def clean(text: str) -> str | None:
    """The address in a recipient field: 'rfc822; <A@b.example>' gives 'A@b.example'. None when there is none in it."""
    text = text.strip()
    kind, semicolon, rest = text.partition(";")
    if semicolon and "@" not in kind:
        text = rest.strip()
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


def addresses(text: str, most: int = 1000) -> list[str]:
    """The addresses in a text, each once, in order."""
    found: dict[str, str] = {}
    for match in ADDRESS.finditer(text):
        address = match.group(0).strip("'`*.=")
        found.setdefault(address.lower(), address)
        if len(found) >= most:
            break
    return list(found.values())


def reply(text: str) -> tuple[str | None, str | None]:
    """The reply code and the enhanced status code in a receiver's words, where it gives them. A refusal beats a greeting."""
    found = REPLY.search(text[:2000]) or _POSITIVE.search(text[:2000])
    code, status = (found.group(1), found.group(2)) if found else (None, None)
    if status is None:
        other = STATUS.search(text[:2000])
        status = other.group(1) if other else None
    return code, status
