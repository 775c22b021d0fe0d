"""Our HTTP receiver at work, and the signatures of providers, made with keys of our own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from analyzer.model import Capture
from analyzer.parse.webhooks import unknown_events
from analyzer.sources import HttpSource
from analyzer.tokens import Keys
from collectors.base import Keep
from collectors.http import HttpCollector
from tests.servers import free_port, until

SECRET = "a secret of ours"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:ses-events"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
PUBLIC = "https://t.shop.example"
MANDRILL_URL = "https://hooks.shop.example/webhooks/mandrill"
SENDGRID_KEY = ec.generate_private_key(ec.SECP256R1())
SNS_KEY = rsa.generate_private_key(65537, 2048)
SHOWN = ("brevo", "kumomta", "mailjet", "postmark", "sparkpost")


def tables() -> dict[str, Any]:
    """A table for each provider."""
    public = SENDGRID_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "events": {"secret": SECRET}, "amazon-ses": {"topics": [TOPIC]}, "sendgrid": {"secret": base64.b64encode(public).decode()},
        "mailgun": {"secret": SECRET}, "mandrill": {"secret": SECRET, "url": MANDRILL_URL},
        "resend": {"secret": "whsec_" + base64.b64encode(SECRET.encode()).decode()}, **{name: {"secret": SECRET} for name in SHOWN},
    }  # fmt: skip


@contextmanager
def receiver(keep: Keep, fetch: Callable[[str], bytes] | None = None, keys: Keys | None = None, **more: object) -> Iterator[httpx.Client]:
    """The receiver at work; gives a client that has its address."""
    source = HttpSource.model_validate({"type": "http", "port": free_port()} | tables() | more)
    collector = HttpCollector("hooks", source, fetch or FakeSns())
    collector.unknown, collector.keys = unknown_events, keys
    stop = threading.Event()
    thread = threading.Thread(target=collector.watch, args=(keep, dict, stop))
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{source.port}", timeout=10) as client:
            until(partial(_healthy, client), 30, "the receiver")
            yield client
    finally:
        stop.set()
        thread.join(15)
    assert not thread.is_alive()


def _healthy(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


Headers = dict[str, str]


def sendgrid(body: bytes, at: float | None = None) -> tuple[bytes, Headers]:
    """A request that SendGrid signs."""
    timestamp = str(int(at or time.time()))
    signature = SENDGRID_KEY.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))
    return body, {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
    }


def mailgun(body: bytes, at: float | None = None, token: str | None = None) -> tuple[bytes, Headers]:
    """As sendgrid: an event of Mailgun, wrapped and signed."""
    timestamp, token = str(int(at or time.time())), token or secrets.token_hex(25)
    signature = hmac.new(SECRET.encode(), (timestamp + token).encode(), hashlib.sha256).hexdigest()
    head = {"signature": {"timestamp": timestamp, "token": token, "signature": signature}}
    return json.dumps(head).encode()[:-1] + b', "event-data": ' + body + b"}", {}


def mandrill(body: bytes, at: float | None = None) -> tuple[bytes, Headers]:
    """As sendgrid: events of Mandrill, in a form."""
    signed = MANDRILL_URL + "mandrill_events" + body.decode()
    signature = base64.b64encode(hmac.new(SECRET.encode(), signed.encode(), hashlib.sha1).digest()).decode()
    return urlencode({"mandrill_events": body.decode()}).encode(), {
        "X-Mandrill-Signature": signature,
        "Content-Type": "application/x-www-form-urlencoded",
    }


def resend(body: bytes, at: float | None = None) -> tuple[bytes, Headers]:
    """As sendgrid. The first of two signatures is of a key that has gone."""
    timestamp, identity = str(int(at or time.time())), "msg_1"
    signature = base64.b64encode(hmac.new(SECRET.encode(), f"{identity}.{timestamp}.".encode() + body, hashlib.sha256).digest()).decode()
    old = base64.b64encode(b"\0" * 32).decode()
    return body, {"svix-id": identity, "svix-timestamp": timestamp, "svix-signature": f"v1,{old} v1,{signature}"}


def amazon_ses(body: bytes, at: float | None = None) -> tuple[bytes, Headers]:
    """As sendgrid: a notification of SES, in an envelope of SNS."""
    return sns({"Type": "Notification", "Message": body.decode()}), {"Content-Type": "text/plain; charset=UTF-8"}


def sns(said: dict[str, str], version: str = "1", key: rsa.RSAPrivateKey = SNS_KEY) -> bytes:
    """An envelope of SNS, signed."""
    envelope = {
        "MessageId": "22b80b92",
        "TopicArn": TOPIC,
        "Timestamp": "2026-11-09T08:00:00.000Z",
        "SigningCertURL": CERTIFICATE_URL,
    } | said
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    if envelope["Type"] == "Notification":
        names = [n for n in names if n not in {"SubscribeURL", "Token"}]
    signed = "".join(f"{n}\n{envelope[n]}\n" for n in names if n in envelope).encode()
    signature = key.sign(signed, PKCS1v15(), SHA1() if version == "1" else SHA256())
    return json.dumps(envelope | {"SignatureVersion": version, "Signature": base64.b64encode(signature).decode()}).encode()


def shown(body: bytes, at: float | None = None) -> tuple[bytes, Headers]:
    """As sendgrid: a request with the secret as a password."""
    return body, {"Authorization": "Basic " + base64.b64encode(f"anyone:{SECRET}".encode()).decode()}


SIGN: dict[str, Callable[..., tuple[bytes, Headers]]] = {
    "amazon-ses": amazon_ses, "sendgrid": sendgrid, "mailgun": mailgun, "mandrill": mandrill, "resend": resend, **dict.fromkeys(SHOWN, shown),
}  # fmt: skip


class FakeSns:
    """The host of SNS: gives its certificate, and notes what it was asked for."""

    def __init__(self, key: rsa.RSAPrivateKey = SNS_KEY, days: int = 30) -> None:
        self.asked: list[str] = []
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        begin = datetime.now(UTC) - timedelta(days=60)
        made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begin, begin + timedelta(days=60 + days))
        self._pem = made.sign(key, SHA256()).public_bytes(Encoding.PEM)

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        return self._pem if url.endswith(".pem") else b"<ConfirmSubscriptionResponse/>"


def metric(client: httpx.Client, name: str, **labels: str) -> int:
    """A counter of the receiver."""
    wanted = ",".join(f'{k}="{v}"' for k, v in sorted(labels.items()))
    line = f"mailhealth_http_{name}_total" + (f"{{{wanted}}}" if wanted else "")
    return next((int(said.rpartition(" ")[2]) for said in client.get("/metrics").text.splitlines() if said.startswith(line + " ")), 0)


def tracking(keep: Keep, keys: Keys, **more: object) -> AbstractContextManager[httpx.Client]:
    """The receiver with nothing but tracking links; its client follows no redirect."""
    nobody = dict.fromkeys(tables())
    return receiver(keep, None, keys, **nobody, tracking={"url": PUBLIC, **more})


def bodies(captures: list[tuple[int, Capture]]) -> list[bytes]:
    """What was kept, in order."""
    return [c.data for _, c in captures]
