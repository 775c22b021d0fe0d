"""Signed tokens for links and headers of one's own, and the helper that makes them: pixel, click, unsubscription, header, VERP.

A token carries the Message-ID and the recipient's keyed hash, and no address. It is kept nowhere: what it says is believed because of its signature.
The system that sends needs no store; `mailhealth tokens key` prints what it works with:

    from analyzer.tokens import Maker
    m = Maker(key, "https://t.shop.example")
    m.pixel("n-1@shop.example", "anna@example.com")
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import quote

from analyzer.keys import RECIPIENTS, TOKENS, derived, hashed
from analyzer.model import ConfigError
from analyzer.record import normalise

VERSION = 1
MOST_ID = 250  # bytes of a Message-ID
MOST_URL = 2_000  # characters
MOST_TOKEN = 400  # characters: a longer one is none of ours
MAC = 16  # bytes of HMAC-SHA256: half of it, as RFC 2104 §5 asks
VERP_MAC = 10  # bytes, 80 bits: the least of RFC 2104 §5, so that a UUID finds room in a local part
MOST_LOCAL = 64  # RFC 5321 §4.5.3.1.1
ID_HEADER = "X-Mailhealth-Id"
_HASH = 16  # bytes of the recipient's keyed hash
_PREFIX = "mailhealth-tokens-1:"
_ENVELOPE_ID = r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*"
_VERP = re.compile(rf"[^@]{{0,63}}\+({_ENVELOPE_ID})-([a-z2-7]{{{VERP_MAC * 8 // 5}}})@[^@]{{1,255}}")
_HOST = r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.){1,10}[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.?|localhost|\[[0-9a-f:.]{2,45}\]"
_TARGET = re.compile(rf"https?://(?:{_HOST})(?::[0-9]{{1,5}})?(?:[/?#].*)?", re.I)


class Use(StrEnum):
    """What a token is good for."""

    OPEN = "open"
    CLICK = "click"
    UNSUBSCRIBE = "unsubscribe"
    IDENTIFY = "identify"


USES = tuple(Use)
"""In the order of their numbers in a token."""


class Token(NamedTuple):
    """What a token says."""

    use: Use
    message_id: str  # without angle brackets
    recipient: str  # the recipient_key of the lake, 32 hex characters


def is_target(url: str) -> bool:
    """Whether a link may lead there: http or https and a host, and nothing that two programs could read in two ways.

    Backslashes, blanks and control characters are dropped or turned by some browsers; what stands before an @ is no host.
    """
    if not url.isascii() or len(url) > MOST_URL or any(c <= " " or c in '\\<>"\x7f' for c in url):
        return False
    return _TARGET.fullmatch(url) is not None


@dataclass(frozen=True, slots=True)
class Keys:
    """The two keys of whoever makes or reads tokens."""

    hashing: bytes = field(repr=False)  # hashes recipients as the lake does
    signing: bytes = field(repr=False)  # from which the key of each use is made

    @classmethod
    def of(cls, key: bytes) -> Keys:
        """From the store's key."""
        return cls(derived(key, RECIPIENTS), derived(key, TOKENS))

    @classmethod
    def parse(cls, text: str) -> Keys:
        """From what `mailhealth tokens key` prints. Raises ConfigError."""
        text = text.strip()
        try:
            both = base64.urlsafe_b64decode(text.removeprefix(_PREFIX))
        except (binascii.Error, ValueError):
            both = b""
        found = cls(both[:32], both[32:])
        if len(both) != 64 or found.text() != text:
            raise ConfigError(f"this is no key for tokens: it begins with {_PREFIX} and is printed by `mailhealth tokens key`.")
        return found

    def text(self) -> str:
        """As a line, for the system that sends."""
        return _PREFIX + base64.urlsafe_b64encode(self.hashing + self.signing).decode()

    def recipient(self, address: str) -> str:
        """The recipient_key of an address, the same as in the lake."""
        return hashed(self.hashing, normalise(address))

    def sign(self, token: Token, url: str = "") -> str:
        """The token as text, base64url; of a click it covers the URL. Raises ValueError for a Message-ID that fits into none."""
        name = token.message_id.encode()
        if not name or len(name) > MOST_ID or any(c <= " " or c == "\x7f" for c in token.message_id):
            raise ValueError(f"a Message-ID of 1 to {MOST_ID} bytes without blanks was expected, found {token.message_id[:80]!r}")
        head = _head(token.use) + bytes.fromhex(token.recipient)
        return _based(head + self._mac(token.use, head + name, url) + name)

    def read(self, text: str, use: Use | None = None, url: str = "") -> Token | None:
        """What a token says; None unless we signed exactly this, for this use (None: for any)."""
        raw = _unbased(text)
        if len(raw) <= 1 + _HASH + MAC or raw[0] >> 4 != VERSION or raw[0] & 15 >= len(USES):
            return None
        found, head, mac, name = USES[raw[0] & 15], raw[: 1 + _HASH], raw[1 + _HASH : 1 + _HASH + MAC], raw[1 + _HASH + MAC :]
        if not hmac.compare_digest(mac, self._mac(found, head + name, url)) or use not in (None, found):
            return None
        return Token(found, name.decode(), head[1:].hex())

    def verp(self, envelope_id: str, domain: str, prefix: str = "bounces") -> str:
        """The envelope sender that tells an envelope id: bounces+ENVID-MAC@domain. Raises ValueError for an id that would not come back whole."""
        if not re.fullmatch(_ENVELOPE_ID, envelope_id):
            raise ValueError(
                f"envelope ids go through mail systems that change capitals: expected a-z, 0-9, '.', '_', '-', found {envelope_id[:80]!r}"
            )
        local = f"{prefix}+{envelope_id}-{self._verp_mac(envelope_id)}"
        if not prefix or len(local) > MOST_LOCAL:
            raise ValueError(f"{envelope_id[:80]!r} is too long: {local!r} has {len(local)} characters, a local part at most {MOST_LOCAL}")
        return f"{local}@{domain}"

    def read_verp(self, address: str) -> str | None:
        """The envelope id in such an address, whatever became of its capitals; None unless we made it."""
        found = _VERP.fullmatch(address.lower()) if len(address) <= 320 else None
        if not found or not hmac.compare_digest(found.group(2), self._verp_mac(found.group(1))):
            return None
        return found.group(1)

    def client(self, address: str, day: str) -> str:
        """A keyed hash of a client's address, another one each day: it tells one client from another, and follows nobody."""
        return hashed(derived(self.signing, "clients"), f"{day} {address}")

    def _mac(self, use: Use, said: bytes, url: str) -> bytes:
        # no Message-ID holds a zero byte: where it ends and the URL begins cannot be moved
        return hmac.new(derived(self.signing, use), said + b"\0" + url.encode("utf-8", "replace"), hashlib.sha256).digest()[:MAC]

    def _verp_mac(self, envelope_id: str) -> str:
        digest = hmac.new(derived(self.signing, "verp"), envelope_id.encode(), hashlib.sha256).digest()
        return base64.b32encode(digest[:VERP_MAC]).decode().lower()


class Maker:
    """Makes links and addresses for messages that are about to be sent. Needs no store and asks nobody.

    `key` is what `mailhealth tokens key` prints, `url` the public address of the receiver. Message-IDs may have their angle brackets.
    """

    def __init__(self, key: str | Keys, url: str) -> None:
        self._keys = Keys.parse(key) if isinstance(key, str) else key
        self._url = url.rstrip("/")
        if not is_target(self._url) or "?" in self._url or "#" in self._url:
            raise ValueError(f"the receiver's public address was expected, as https://t.shop.example, found {url[:80]!r}")

    def pixel(self, message_id: str, recipient: str) -> str:
        """The address of a picture of one pixel: `<img src="..." width="1" height="1" alt="">`."""
        return f"{self._url}/o/{self._token(Use.OPEN, message_id, recipient)}.gif"

    def link(self, message_id: str, recipient: str, url: str) -> str:
        """A link that leads to `url` and tells that it was followed. Raises ValueError for a URL that no link of ours may lead to."""
        if not is_target(url):
            raise ValueError(f"a link leads to http:// or https://, in ASCII, at most {MOST_URL} characters; found {url[:80]!r}")
        return f"{self._url}/c/{self._token(Use.CLICK, message_id, recipient, url)}?u={quote(url, safe='')}"

    def rewrite(self, html: str, message_id: str, recipient: str) -> str:
        """The HTML with its links made to tell that they were followed; all else stays as it is, to the byte.

        Left alone are links that are neither http nor https, that lead to the receiver already, or that `link` refuses.
        """
        from analyzer.rewrite import rewritten

        def link(url: str) -> str | None:
            ours = url.lower().startswith(f"{self._url.lower()}/")
            return self.link(message_id, recipient, url) if is_target(url) and not ours else None

        return rewritten(html, link)

    def unsubscribe(self, message_id: str, recipient: str) -> str:
        """The address of the page where one unsubscribes, for the foot of the message. To open it changes nothing."""
        return f"{self._url}/u/{self._token(Use.UNSUBSCRIBE, message_id, recipient)}"

    def unsubscribe_headers(self, message_id: str, recipient: str, mailto: str | None = None) -> dict[str, str]:
        """The header fields of one-click unsubscription (RFC 2369, RFC 8058); DKIM must sign both. `mailto` is the mailbox that takes it by mail."""
        token = self._token(Use.UNSUBSCRIBE, message_id, recipient)
        ways = [f"<{self._url}/u/{token}>"]
        if mailto:
            ways.append(f"<mailto:{quote(mailto, safe='@+')}?subject=unsubscribe%20{token}>")
        return {"List-Unsubscribe": ", ".join(ways), "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}

    def id_header(self, message_id: str, recipient: str) -> dict[str, str]:
        """The header field by which a report that returns it tells message and recipient, whatever else was taken out of it. It is good for nothing else."""
        return {ID_HEADER: self._token(Use.IDENTIFY, message_id, recipient)}

    def verp(self, envelope_id: str, domain: str, prefix: str = "bounces") -> str:
        """As Keys.verp."""
        return self._keys.verp(envelope_id, domain, prefix)

    def _token(self, use: Use, message_id: str, recipient: str, url: str = "") -> str:
        return self._keys.sign(Token(use, message_id.strip().strip("<>"), self._keys.recipient(recipient)), url)


def _head(use: Use) -> bytes:
    return bytes([VERSION << 4 | USES.index(use)])


def _based(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unbased(text: str) -> bytes:
    """The bytes of base64url; none unless it is spelled as we spell it: the last character may hold bits that decoding drops."""
    if len(text) > MOST_TOKEN or not text.isascii():
        return b""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
    return raw if _based(raw) == text else b""
