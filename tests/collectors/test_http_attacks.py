"""What strangers try at the HTTP receiver. None of it is kept, and the next honest request is answered."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from analyzer.inbox import Inbox
from collectors.http.sns import is_sns
from tests.analyzer.parse.webhook_bodies import ONE
from tests.servers import until
from tests.servers.http import SECRET, SIGN, TOPIC, FakeSns, metric, receiver, sns

BEARER = {"Authorization": f"Bearer {SECRET}"}
GOOD = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
TRICKS = [
    "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
    "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-01.pem",
    "https://evil.example/sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
    "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-01.pem",
    "https://evil.example#@sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
    "https://evil.example\\@sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
    "https://user:pass@sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
    "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-01.pem",
    "https://sns.eu-west-1.amazonaws.com:443/SimpleNotificationService-01.pem",
    "https://sns.eu-west-1.amazonaws.com./SimpleNotificationService-01.pem",
    "https://.sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
    "https://sns..amazonaws.com/SimpleNotificationService-01.pem",
    "https://sns.eu-west-1.evil.amazonaws.com/SimpleNotificationService-01.pem",
    "https://evil.s3.amazonaws.com/SimpleNotificationService-01.pem",
    "https://s3.eu-west-1.amazonaws.com/evil/SimpleNotificationService-01.pem",
    "https://sns.eu-west-1.amazonaws.co/SimpleNotificationService-01.pem",
    "https://sns.eu-west-1.amazonaws.com.tr/SimpleNotificationService-01.pem",
    "https://sns.eu-west-1.amazonaws.com%2eevil.example/SimpleNotificationService-01.pem",
    "https://sns.eu-west-1.amazonaws.com%00.evil.example/SimpleNotificationService-01.pem",
    "https://sns.eu-west-1.\uff41mazonaws.com/SimpleNotificationService-01.pem",
    "https://sns.eu-west-1.am\u0430zonaws.com/SimpleNotificationService-01.pem",
    "https://sns\u3002eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
    "https://xn--sns-eu.amazonaws.com/SimpleNotificationService-01.pem",
    "https://sns.eu-west-1.amazonaws.com\t.evil.example/SimpleNotificationService-01.pem",
    "https://sns.eu-west-1.amazonaws.com\n.evil.example/SimpleNotificationService-01.pem",
    " https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
    "HTTPS://SNS.EU-WEST-1.AMAZONAWS.COM/SimpleNotificationService-01.pem",
    "//sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
    "https:sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
    "https:///sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
    "https://[::1]/SimpleNotificationService-01.pem",
    "https://[sns.eu-west-1.amazonaws.com]/SimpleNotificationService-01.pem",
    "https://127.0.0.1/SimpleNotificationService-01.pem",
    "https://169.254.169.254/latest/meta-data/SimpleNotificationService-01.pem",
    "file:///etc/passwd",
    "https://",
    "",
    "https://sns.eu-west-1.amazonaws.com/" + "a" * 5000,
]


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    """An empty inbox."""
    return Inbox(tmp_path / "i")


def honest(client: httpx.Client) -> None:
    """The next honest request is answered."""
    assert client.post("/webhooks/brevo", content=b"[]", headers=BEARER).status_code == 200


@pytest.mark.parametrize("url", TRICKS)
def test_an_address_that_is_not_of_sns_is_never_asked(url: str, inbox: Inbox) -> None:
    assert not is_sns(url)
    aws = FakeSns()
    with receiver(inbox.keep, aws) as client:
        forged = sns({"Type": "Notification", "Message": "{}", "SigningCertURL": url})
        assert client.post("/webhooks/amazon-ses", content=forged).status_code == 401
        # signed by our topic, it would still lead nowhere
        lured = sns({"Type": "SubscriptionConfirmation", "Message": "m", "Token": "t", "SubscribeURL": url})
        assert client.post("/webhooks/amazon-ses", content=lured).status_code == 401
    assert [u for u in aws.asked if not u.startswith("https://sns.eu-west-1.amazonaws.com/Simple")] == []


@pytest.mark.parametrize(
    "url",
    [GOOD, "https://sns.cn-north-1.amazonaws.com.cn/x.pem", "https://sns.us-gov-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=2"],
)
def test_addresses_of_sns_are_known(url: str) -> None:
    assert is_sns(url)


@pytest.mark.parametrize("path", ["/evil.pem", "/SimpleNotificationService-01.pem?x=1", "/a/SimpleNotificationService-01.pem", "/SimpleNotificationService-zz.pem", "/"])  # fmt: skip
def test_a_certificate_comes_from_one_place_of_that_host(path: str, inbox: Inbox) -> None:
    aws = FakeSns()
    with receiver(inbox.keep, aws) as client:
        forged = sns({"Type": "Notification", "Message": "{}", "SigningCertURL": "https://sns.eu-west-1.amazonaws.com" + path})
        assert client.post("/webhooks/amazon-ses", content=forged).status_code == 401
    assert aws.asked == []


@pytest.mark.parametrize("topic", ["arn:aws:sns:eu-west-1:999999999999:ses-events", TOPIC + "x", TOPIC.upper(), "", None])
def test_a_topic_of_another_account_is_refused_before_anything_is_fetched(topic: str | None, inbox: Inbox) -> None:
    """Anyone can have SNS sign an envelope of a topic of his own."""
    aws = FakeSns()
    said = {"Type": "Notification", "Message": "{}"} | ({"TopicArn": topic} if topic is not None else {})
    body = sns(said) if topic is not None else json.dumps(said).encode()
    with receiver(inbox.keep, aws) as client:
        assert client.post("/webhooks/amazon-ses", content=body).status_code == 401
        assert metric(client, "refused", provider="amazon-ses", reason="topic") == 1
    assert aws.asked == []
    assert inbox.waiting() == 0


def test_a_topic_named_twice_is_the_one_that_was_signed(inbox: Inbox) -> None:
    body = sns({"Type": "Notification", "Message": "{}", "TopicArn": "arn:aws:sns:eu-west-1:999999999999:evil"})
    with receiver(inbox.keep) as client:
        for both in (body[:-1] + f', "TopicArn": "{TOPIC}"}}'.encode(), f'{{"TopicArn": "{TOPIC}", '.encode() + body[1:]):
            assert client.post("/webhooks/amazon-ses", content=both).status_code == 401


def test_another_key_an_old_certificate_and_bytes_that_are_none(inbox: Inbox) -> None:
    body = sns({"Type": "Notification", "Message": "{}"})
    for aws in (FakeSns(rsa.generate_private_key(65537, 2048)), FakeSns(days=-1), lambda url: b"-----BEGIN CERTIFICATE-----\nx"):
        with receiver(inbox.keep, aws) as client:
            assert client.post("/webhooks/amazon-ses", content=body).status_code == 401
    assert inbox.waiting() == 0


@pytest.mark.parametrize("change", [{"SignatureVersion": "3"}, {"SignatureVersion": ""}, {"Signature": ""}, {"Signature": "AAAA"}, {"Signature": "!"}, {"Type": "Other"}, {"Message": "{ }"}, {"Subject": "added"}])  # fmt: skip
def test_an_envelope_that_was_changed_is_refused(change: dict[str, str], inbox: Inbox) -> None:
    body = json.dumps(json.loads(sns({"Type": "Notification", "Message": "{}"})) | change).encode()
    with receiver(inbox.keep) as client:
        assert client.post("/webhooks/amazon-ses", content=body).status_code == 401
    assert inbox.waiting() == 0


@pytest.mark.parametrize(
    ("provider", "headers"),
    [
        ("sendgrid", {"X-Twilio-Email-Event-Webhook-Signature": ""}),
        ("sendgrid", {"X-Twilio-Email-Event-Webhook-Signature": "!!"}),
        ("sendgrid", {"X-Twilio-Email-Event-Webhook-Timestamp": ""}),
        ("sendgrid", {"X-Twilio-Email-Event-Webhook-Timestamp": "1e9"}),
        ("resend", {"svix-signature": "v1,"}),
        ("resend", {"svix-signature": "v2,AAAA"}),
        ("resend", {"svix-signature": "v1"}),
        ("resend", {"svix-id": "msg_2"}),
        ("resend", {"svix-timestamp": "9" * 5000}),
        ("mandrill", {"X-Mandrill-Signature": ""}),
        ("mandrill", {"X-Mandrill-Signature": "\xff\xfe"}),
        ("brevo", {"Authorization": "Basic !!!"}),
        ("brevo", {"Authorization": "Basic"}),
        ("brevo", {"Authorization": "Bearer"}),
        ("brevo", {"Authorization": "Digest x"}),
        ("brevo", {"Authorization": "Basic Og=="}),
    ],
)
def test_signatures_that_are_stripped_or_bent(provider: str, headers: dict[str, str], inbox: Inbox) -> None:
    body, good = SIGN[provider](ONE[provider])
    sent = {k.lower(): v.encode("latin-1") for k, v in (good | headers).items()} | {
        k.lower(): v.encode("latin-1") for k, v in headers.items()
    }
    with receiver(inbox.keep) as client:
        assert client.post(f"/webhooks/{provider}", content=body, headers=list(sent.items())).status_code == 401  # type: ignore[arg-type]
        honest(client)
    assert inbox.waiting() == 1


@pytest.mark.parametrize(
    "said", ["5", "[]", '{"signature": 5}', '{"signature": {"timestamp": {}, "token": [], "signature": null}}', "[" * 100_000, "\ud800"]
)
def test_mailgun_bodies_without_a_signature(said: str, inbox: Inbox) -> None:
    with receiver(inbox.keep) as client:
        assert client.post("/webhooks/mailgun", content=said.encode("utf-8", "surrogatepass")).status_code == 401


def gigabyte() -> Iterator[bytes]:
    """In chunks."""
    for _ in range(1024):
        yield b"x" * 1024 * 1024


def test_a_body_of_a_gigabyte(inbox: Inbox) -> None:
    """Announced, it is refused unread; in chunks, as soon as it is too large."""
    with receiver(inbox.keep, max_body_bytes=1024 * 1024) as client:
        port = client.base_url.port or 0
        head = f"POST /webhooks/brevo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: {1024**3}\r\n\r\n"
        assert _said(port, head.encode()).startswith(b"HTTP/1.1 413 ")
        sent = 0

        def chunks() -> Iterator[bytes]:
            nonlocal sent
            for chunk in gigabyte():
                sent += len(chunk)
                yield chunk

        with suppress(httpx.TransportError):  # it may be hung up on while it is sending
            assert client.post("/webhooks/brevo", content=chunks(), headers=BEARER).status_code == 413
        assert sent < 100 * 1024 * 1024
        assert metric(client, "refused", provider="brevo", reason="too-large") == 2
        honest(client)
    assert inbox.waiting() == 1


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "99999999999999999999999", "1, 2"])
def test_lengths_that_are_none(length: str, inbox: Inbox) -> None:
    with receiver(inbox.keep) as client:
        head = f"POST /webhooks/brevo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: {length}\r\n\r\n{{}}"
        assert _said(client.base_url.port or 0, head.encode())[9:12] in {b"400", b"413"}
    assert inbox.waiting() == 0


def test_a_slow_body_is_given_up(inbox: Inbox) -> None:
    with receiver(inbox.keep, body_seconds=1) as client:
        began = time.monotonic()
        head = f"POST /webhooks/brevo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: 10\r\n\r\n[1"
        assert _said(client.base_url.port or 0, head.encode()).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 5
        assert metric(client, "refused", provider="brevo", reason="too-slow") == 1
        honest(client)
    assert inbox.waiting() == 1


def test_a_body_that_is_cut_off_is_not_kept(inbox: Inbox) -> None:
    with receiver(inbox.keep) as client:
        with socket.create_connection(("127.0.0.1", client.base_url.port or 0)) as s:
            s.sendall(
                f"POST /webhooks/brevo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: 10\r\n\r\n[1]".encode()
            )
        until(lambda: metric(client, "refused", provider="brevo", reason="cut-off") == 1, 10, "the counter")
    assert inbox.waiting() == 0


def test_a_head_that_never_ends(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """By size, and by time; and a connection that says nothing."""
    monkeypatch.setattr("collectors.http.guard.HEAD_SECONDS", 1)
    with receiver(inbox.keep) as client:
        port = client.base_url.port or 0
        assert _said(port, b"POST /webhooks/brevo HTTP/1.1\r\n" + b"X: " + b"y" * 200_000).startswith(b"HTTP/1.1 431 ")
        for begun in (b"POST /webhooks/brevo HTTP/1.1\r\nHost: x\r\n", b"", b"\r\n"):
            assert _said(port, begun).startswith(b"HTTP/1.1 408 ")
        honest(client)


def test_each_part_of_a_request_has_its_own_time(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large body may take longer than a head may, a connection may rest between two requests, and what one request took is not counted to the next."""
    monkeypatch.setattr("collectors.http.guard.HEAD_SECONDS", 1.5)
    monkeypatch.setattr("collectors.http.guard.MOST_HEAD", 4000)
    body = b"[" + b"1," * 50_000 + b"1]"
    head = f"POST /webhooks/brevo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with receiver(inbox.keep) as client, socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=10) as s:
        for _ in range(2):
            for piece in (head, body[:7], body[7:], b"\r\n"):
                s.sendall(piece)
                time.sleep(0.8 if piece in {head, body[:7]} else 0.1)
            assert s.recv(65_536).startswith(b"HTTP/1.1 200 ")
        assert metric(client, "acknowledged", provider="brevo") == 2
    assert inbox.waiting() == 1


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
        "Content-Length: 2\r\nContent-Length: 30\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\x0bchunked\r\n",
        "Content-Length: 2\r\nTransfer-Encoding\r\n : chunked\r\n",
        "Content-Length: +2\r\n",
    ],
)
def test_a_request_within_a_request(framing: str, inbox: Inbox) -> None:
    """What two servers may read in two ways is refused, and what stands behind it is not read at all."""
    with receiver(inbox.keep) as client:
        inner = f"POST /webhooks/brevo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: 5\r\n\r\n[666]"
        outer = f"POST /webhooks/brevo HTTP/1.1\r\nHost: x\r\n{framing}\r\n0\r\n\r\n{inner}"
        said = _said(client.base_url.port or 0, outer.encode("latin-1"))
        assert said.startswith(b"HTTP/1.1 400 ")
        assert said.count(b"HTTP/1.1") == 1
        honest(client)
    assert inbox.waiting() == 1


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "GZIP", "identity, gzip", "x"])
def test_a_bomb_is_not_unpacked(coding: str, inbox: Inbox) -> None:
    with receiver(inbox.keep) as client:
        bomb = gzip.compress(b"[" + b" " * 1_000_000 + b"]")
        answer = client.post("/webhooks/brevo", content=bomb, headers=BEARER | {"Content-Encoding": coding})
        assert answer.status_code == 415
        assert metric(client, "refused", provider="brevo", reason="content-encoding") == 1
        assert client.post("/webhooks/brevo", content=b"[]", headers=BEARER | {"Content-Encoding": "identity"}).status_code == 200
    assert inbox.waiting() == 1


def test_trailers_and_wrapped_chunks_are_dropped(inbox: Inbox) -> None:
    with receiver(inbox.keep) as client:
        head = f"POST /webhooks/brevo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        body = "2;name=" + "y" * 1000 + "\r\n[1\r\n1\r\n]\r\n0\r\nContent-Encoding: gzip\r\nX: " + "y" * 1000 + "\r\n\r\n"
        assert _said(client.base_url.port or 0, (head + body).encode()).startswith(b"HTTP/1.1 200 ")
    assert [c.data for _, c in inbox.pending()] == [b"[1]"]


def test_more_connections_than_it_serves_are_asked_to_come_again(inbox: Inbox) -> None:
    with receiver(inbox.keep, max_connections=3) as client:
        port = client.base_url.port or 0
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
        try:
            until(lambda: _said(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 503 "), 5, "the refusal")
            honest(client)  # whose connection was there before
        finally:
            for s in idle:
                s.close()
        until(
            lambda: _said(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200 "), 5, "a place"
        )


def test_no_secret_and_no_body_is_said_aloud(inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    with receiver(inbox.keep) as client:
        client.post(f"/webhooks/brevo/{SECRET}", content=b"[1]")
        client.post("/webhooks/brevo/guess", content=b"an address: a@b.example")
        said = client.get("/metrics").text + client.get("/nowhere").text
    for word in (SECRET, "guess", "a@b.example"):
        assert word not in said + caplog.text


def _said(port: int, request: bytes) -> bytes:
    """What is answered until it hangs up or says no more."""
    with socket.create_connection(("127.0.0.1", port), timeout=8) as s:
        answer = b""
        with suppress(OSError):
            s.sendall(request)
        with suppress(OSError):
            while part := s.recv(65536):
                answer += part
                if b"\r\n\r\n" in answer and b"connection: close" not in answer.lower():
                    s.settimeout(0.5)
        return answer
