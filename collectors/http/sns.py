"""Amazon SNS: RSA signatures whose certificate must be fetched, and subscriptions that must be confirmed.

Sources: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages", "HTTP/HTTPS subscription confirmation JSON format".
A stranger's body names two addresses here. Nothing is asked of them before the topic is found among ours, and then only of hosts of SNS.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import ssl
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from http.client import HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.x509 import load_pem_x509_certificate

from collectors.http.signatures import Arrived, Refused

Fetch = Callable[[str], bytes]
FETCH_SECONDS = 5
MOST_FETCHED = 64 * 1024  # bytes
MOST_CERTIFICATES = 20
# what is signed, in this order; "Subject" only where it is there
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED = {"Notification": _NOTIFICATION, "SubscriptionConfirmation": _CONFIRMATION, "UnsubscribeConfirmation": _CONFIRMATION}
HASHES: dict[object, type[HashAlgorithm]] = {
    "1": SHA1,
    "2": SHA256,
}  # SignatureVersion; SNS signs with SHA-1 unless the topic says otherwise
_HOST = re.compile(r"sns\.[a-z]{2}(?:-[a-z]{1,20}){1,3}-\d{1,2}\.amazonaws\.com(?:\.cn)?")
_CERTIFICATE = re.compile(r"/SimpleNotificationService(?:-[0-9a-f]{1,64})?\.pem")


class Sns:
    """Believes what the topics that are allowed have signed. `fetch` gives the bytes at an address, or raises OSError."""

    def __init__(self, topics: Collection[str], fetch: Fetch | None = None) -> None:
        self._topics, self._fetch = frozenset(topics), fetch or fetched
        self._keys: dict[str, RSAPublicKey] = {}
        self._fetching = asyncio.Lock()  # strangers may make us ask for certificates, though not for many at once

    async def verify(self, arrived: Arrived) -> None:
        """Raises Refused where the topic is not ours or did not sign this."""
        said = _said(arrived.body)
        if said.get("TopicArn") not in self._topics:
            raise Refused("topic")
        hashed = HASHES.get(said.get("SignatureVersion"))
        signature = said.get("Signature")
        if not signature:
            raise Refused("signature-missing")
        if said.get("Type") not in SIGNED or hashed is None:
            raise Refused("signature-wrong")
        key = await self._key(said.get("SigningCertURL", ""))
        try:
            key.verify(base64.b64decode(signature, validate=True), _signed(said), PKCS1v15(), hashed())
        except (InvalidSignature, ValueError):
            raise Refused("signature-wrong") from None

    async def kept(self, arrived: Arrived) -> None:
        """Confirms a subscription. Raises Refused where that fails: SNS asks again."""
        said = _said(arrived.body)
        if said.get("Type") != "SubscriptionConfirmation":
            return
        url = said.get("SubscribeURL", "")
        if not is_sns(url):
            raise Refused("address")
        try:
            await asyncio.to_thread(self._fetch, url)
        except OSError:
            raise Refused("confirmation-failed", 503) from None

    async def _key(self, url: str) -> RSAPublicKey:
        if not is_sns(url) or not _CERTIFICATE.fullmatch(urlsplit(url).path) or urlsplit(url).query:
            raise Refused("certificate")
        async with self._fetching:
            if url not in self._keys:
                try:
                    found = _public_key(await asyncio.to_thread(self._fetch, url))
                except OSError:
                    raise Refused("certificate-unavailable", 503) from None
                if len(self._keys) >= MOST_CERTIFICATES:
                    self._keys.clear()
                self._keys[url] = found
        return self._keys[url]


def is_sns(url: str) -> bool:
    """Whether an address is one of SNS itself: https, a host sns.REGION.amazonaws.com or .com.cn, and nothing that parsers read in two ways."""
    # what a parser drops or turns (white space, control characters, backslashes) or that is no ASCII
    if not url.isascii() or len(url) > 2000 or any(c <= " " or c in "\\\x7f" for c in url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    # the whole of what stands between // and /: no user, no port, no capitals, no final dot
    return url.startswith("https://") and _HOST.fullmatch(parts.netloc) is not None and not parts.fragment


def fetched(url: str) -> bytes:
    """The bytes at an https address. No redirection is followed, no proxy is asked. Raises OSError."""
    parts = urlsplit(url)
    connection = HTTPSConnection(parts.netloc, timeout=FETCH_SECONDS, context=ssl.create_default_context())
    try:
        connection.request("GET", f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/")
        answer = connection.getresponse()
        if answer.status != 200:
            raise OSError(f"{parts.netloc} answered {answer.status}")
        return answer.read(MOST_FETCHED)
    except HTTPException as e:
        raise OSError(str(e)) from None
    finally:
        connection.close()


def _public_key(pem: bytes) -> RSAPublicKey:
    try:
        certificate = load_pem_x509_certificate(pem)
        key = certificate.public_key()
        good = certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc
    except (ValueError, TypeError):
        raise Refused("certificate") from None
    if not isinstance(key, RSAPublicKey) or not good:
        raise Refused("certificate")
    return key


def _signed(said: dict[str, str]) -> bytes:
    """The text that SNS signs: names and values, each with a line's end."""
    names = [n for n in SIGNED[said["Type"]] if n in said]
    return "".join(f"{name}\n{said[name]}\n" for name in names).encode("utf-8", "replace")


def _said(body: bytes) -> dict[str, str]:
    """The texts of the envelope; empty for what is none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return {k: v for k, v in said.items() if isinstance(v, str)} if isinstance(said, dict) else {}
