"""Is a request the provider's? One class a scheme; whatever a stranger sends, the answer is yes or Refused.

Sources stand at each class. Secrets and signatures are compared in constant time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from analyzer.model import ConfigError

Clock = Callable[[], float]


class Refused(Exception):
    """A request that is not kept. `reason` is a word for the counters, `status` the answer."""

    def __init__(self, reason: str, status: int = 401) -> None:
        super().__init__(reason)
        self.reason, self.status = reason, status


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request as it came."""

    headers: Mapping[str, str]  # names in any case
    body: bytes
    token: str = ""  # what stands behind the provider's name in the address


class Scheme(Protocol):
    """How a provider shows that a request is its own."""

    async def verify(self, arrived: Arrived) -> None:
        """Raises Refused where it is not."""

    async def kept(self, arrived: Arrived) -> None:
        """What the provider is owed once the body is kept. Raises Refused where it cannot be given, and the provider should come again."""


class _Silent:
    """Of providers that want nothing but an answer."""

    async def kept(self, arrived: Arrived) -> None:
        """Nothing is owed."""


@dataclass(frozen=True, slots=True)
class Shown(_Silent):
    """A secret of our choice comes with each request: Postmark ("Webhooks overview: HTTP authentication"), SparkPost ("Webhooks: authentication"),
    Brevo ("Secure webhook calls"), Mailjet ("Webhooks: secured endpoint"), KumoMTA (the hook is the operator's own)."""

    secret: str
    user: str | None = None  # of HTTP Basic; None: any
    bearer_only: bool = False

    async def verify(self, arrived: Arrived) -> None:
        kind, _, shown = arrived.headers.get("authorization", "").partition(" ")
        kind, shown = kind.lower(), shown.strip()
        if kind == "bearer":
            ok = _same(shown, self.secret)
        elif kind == "basic" and not self.bearer_only:
            user, _, password = _decoded(shown).partition(":")
            ok = _same(password, self.secret) & (self.user is None or _same(user, self.user))
        elif arrived.token and not self.bearer_only:
            ok = _same(arrived.token, self.secret)
        else:
            raise Refused("secret-missing")
        if not ok:
            raise Refused("secret-wrong")


@dataclass(frozen=True, slots=True)
class SendGrid(_Silent):
    """ECDSA over timestamp and body. Source: Twilio Docs, "Getting Started with the Event Webhook Security Features"."""

    key: ec.EllipticCurvePublicKey
    max_age: float  # seconds
    now: Clock = time.time

    @classmethod
    def of(cls, public_key: str, max_age: float, now: Clock = time.time) -> SendGrid:
        """By the key as SendGrid shows it: DER in base64, with or without the lines of PEM. Raises ConfigError."""
        bare = "".join(line for line in public_key.split("\n") if not line.startswith("-----"))
        try:
            key = load_der_public_key(base64.b64decode(bare, validate=False))
        except (ValueError, TypeError) as e:
            raise ConfigError(f"sendgrid: the public key cannot be read ({e}); copy it whole from Signed Event Webhook.") from None
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ConfigError("sendgrid: the public key is not one of an elliptic curve; copy it from Signed Event Webhook.")
        return cls(key, max_age, now)

    async def verify(self, arrived: Arrived) -> None:
        signature = arrived.headers.get("x-twilio-email-event-webhook-signature")
        timestamp = arrived.headers.get("x-twilio-email-event-webhook-timestamp")
        if not signature or not timestamp:
            raise Refused("signature-missing")
        try:
            self.key.verify(_unbased(signature), timestamp.encode() + arrived.body, ec.ECDSA(SHA256()))
        except InvalidSignature:
            raise Refused("signature-wrong") from None
        _fresh(timestamp, self.max_age, self.now())


@dataclass(slots=True)
class Mailgun(_Silent):
    """HMAC-SHA256 of timestamp and token, within the body. Source: Mailgun's user manual, "Securing Webhooks".

    The signature does not cover the event, so a token is good for one body: a second body with it is refused, and the same body again is
    answered as before. Tokens are remembered in memory, as long as their timestamp is good.
    """

    secret: str
    max_age: float  # seconds
    now: Clock = time.time
    _seen: dict[str, tuple[float, bytes]] = field(default_factory=dict)  # token -> when, and which body; the oldest first

    async def verify(self, arrived: Arrived) -> None:
        said = _object(arrived.body).get("signature")
        timestamp, token, signature = (
            (str(said.get(k, "")) for k in ("timestamp", "token", "signature")) if isinstance(said, dict) else ("", "", "")
        )
        if not (timestamp and token and signature):
            raise Refused("signature-missing")
        expected = hmac.new(self.secret.encode(), _bytes(timestamp + token), hashlib.sha256).hexdigest()
        if not _same(signature, expected):
            raise Refused("signature-wrong")
        _fresh(timestamp, self.max_age, self.now())
        if self._first(token, arrived.body) != hashlib.sha256(arrived.body).digest():
            raise Refused("replayed")

    def _first(self, token: str, body: bytes) -> bytes:
        """The digest of the body that a token came with first."""
        now = self.now()
        while self._seen and next(iter(self._seen.values()))[0] < now - 2 * self.max_age:
            del self._seen[next(iter(self._seen))]
        return self._seen.setdefault(token, (now, hashlib.sha256(body).digest()))[1]


@dataclass(frozen=True, slots=True)
class Mandrill(_Silent):
    """HMAC-SHA1 of the address and the sorted fields of the form. Source: Mailchimp's developer documentation, "Authenticating webhook requests"."""

    secret: str
    url: str  # as it stands at Mandrill

    async def verify(self, arrived: Arrived) -> None:
        signature = arrived.headers.get("x-mandrill-signature")
        if not signature:
            raise Refused("signature-missing")
        try:
            form = parse_qsl(arrived.body.decode("ascii"), keep_blank_values=True, max_num_fields=100)
        except ValueError:  # a UnicodeError is one
            raise Refused("signature-wrong") from None
        signed = self.url + "".join(name + value for name, value in sorted(form))
        expected = base64.b64encode(hmac.new(self.secret.encode(), _bytes(signed), hashlib.sha1).digest()).decode()
        if not _same(signature, expected):
            raise Refused("signature-wrong")


@dataclass(frozen=True, slots=True)
class Svix(_Silent):
    """HMAC-SHA256 of id, timestamp and body; several signatures while keys change. Sources: Resend's documentation, "Verify Webhooks Requests";
    Svix Docs, "Verifying webhooks manually"."""

    key: bytes
    max_age: float  # seconds
    now: Clock = time.time

    @classmethod
    def of(cls, secret: str, max_age: float, now: Clock = time.time) -> Svix:
        """By the secret as Resend shows it, "whsec_" and base64. Raises ConfigError."""
        try:
            return cls(base64.b64decode(secret.removeprefix("whsec_"), validate=True), max_age, now)
        except binascii.Error as e:
            raise ConfigError(f"resend: the signing secret cannot be read ({e}); copy it whole, it begins with whsec_.") from None

    async def verify(self, arrived: Arrived) -> None:
        identity, timestamp, shown = (arrived.headers.get(f"svix-{name}", "") for name in ("id", "timestamp", "signature"))
        if not (identity and timestamp and shown):
            raise Refused("signature-missing")
        signed = _bytes(f"{identity}.{timestamp}.") + arrived.body
        expected = base64.b64encode(hmac.new(self.key, signed, hashlib.sha256).digest()).decode()
        if not any(_same(signature.removeprefix("v1,"), expected) for signature in shown.split() if signature.startswith("v1,")):
            raise Refused("signature-wrong")
        _fresh(timestamp, self.max_age, self.now())


def _same(shown: str, expected: str) -> bool:
    return hmac.compare_digest(_bytes(shown), _bytes(expected))


def _bytes(words: str) -> bytes:
    return words.encode("utf-8", "surrogatepass")


def _fresh(timestamp: str, max_age: float, now: float) -> None:
    """Raises Refused where a time in seconds since 1970 is too far from ours, to either side."""
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 13 and abs(now - int(timestamp)) <= max_age):
        raise Refused("too-old")


def _unbased(words: str) -> bytes:
    try:
        return base64.b64decode(words, validate=True)
    except ValueError:
        raise Refused("signature-wrong") from None


def _decoded(basic: str) -> str:
    try:
        return base64.b64decode(basic, validate=True).decode("utf-8", "replace")
    except ValueError:
        return ""


def _object(body: bytes) -> dict[str, object]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
