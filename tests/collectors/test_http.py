"""The HTTP receiver: what is signed is kept before it is answered, and nothing else is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from analyzer.inbox import Inbox
from analyzer.model import ROWS, WEBHOOK, Capture, ConfigError
from analyzer.pipeline import flush
from analyzer.sources import HttpSource
from analyzer.store import Store
from collectors.base import SourceFailed
from collectors.http import HttpCollector
from collectors.testing import ReceiverContract, full
from tests.analyzer.parse.webhook_bodies import ISO, ONE
from tests.servers import free_port, until
from tests.servers.http import SECRET, SHOWN, SIGN, FakeSns, bodies, metric, receiver, sns, tables

SIGNED = [name for name in SIGN if name not in SHOWN]
BEARER = {"Authorization": f"Bearer {SECRET}"}


class TestReceiver(ReceiverContract):
    """An entry is the body of a request."""

    type = "http"

    @pytest.fixture(autouse=True)
    def _client(self) -> Iterator[None]:
        with httpx.Client(timeout=60) as self.client:
            yield

    def receiver(self, port: int) -> HttpSource:
        return source(port=port, postmark={"secret": SECRET}, max_body_bytes=64 * 1024 * 1024)

    def acknowledged(self, port: int, entry: bytes) -> bool:
        answer = self.client.post(f"http://127.0.0.1:{port}/webhooks/postmark", content=entry, headers=BEARER)
        assert answer.status_code in {200, 503}
        return answer.status_code == 200

    def normal(self, entry: bytes) -> bytes:
        return entry


@pytest.mark.parametrize("provider", SIGN)
def test_200_comes_after_the_body_is_kept_verbatim(provider: str, tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "i")
    body, headers = SIGN[provider](ONE[provider])
    with receiver(inbox.keep) as client:
        assert client.post(f"/webhooks/{provider}", content=body, headers=headers).status_code == 200
        ((_, capture),) = inbox.pending()
        assert (capture.data, capture.media_type, capture.source) == (body, f"{WEBHOOK}{provider}+json", "hooks")
        assert metric(client, "received", provider=provider) == metric(client, "acknowledged", provider=provider) == 1


@pytest.mark.parametrize("provider", SIGN)
def test_without_a_good_signature_nothing_is_kept(provider: str, tmp_path: Path) -> None:
    """Another body under the same signature, another secret, no signature at all."""
    inbox = Inbox(tmp_path / "i")
    body, headers = SIGN[provider](ONE[provider])
    forged = (
        body.replace(b'"token": "', b'"token": "0')
        if provider == "mailgun"
        else body.replace(b"example", b"exemple").replace(b"news", b"nows")
    )
    wrong = {"Authorization": "Basic YW55b25lOnRoZWlycw=="} if provider in SHOWN else headers
    unsigned = body.replace(b'"Signature"', b'"Nothing"') if provider == "amazon-ses" else body.replace(b'"signature"', b'"nothing"')
    with receiver(inbox.keep) as client:
        assert client.post(f"/webhooks/{provider}", content=forged, headers=wrong).status_code == 401
        assert client.post(f"/webhooks/{provider}", content=unsigned).status_code == 401
        said = client.get("/metrics").text
    assert inbox.waiting() == 0
    kind = "secret" if provider in SHOWN else "signature"
    for reason in (f"{kind}-wrong", f"{kind}-missing"):
        assert f'mailhealth_http_refused_total{{provider="{provider}",reason="{reason}"}} 1' in said


@pytest.mark.parametrize("provider", ["mailgun", "resend", "sendgrid"])
def test_a_signature_older_than_five_minutes_is_refused(provider: str, tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "i")
    with receiver(inbox.keep) as client:
        for age, status in ((290, 200), (310, 401), (-310, 401)):
            body, headers = SIGN[provider](ONE[provider], at=time.time() - age)
            assert client.post(f"/webhooks/{provider}", content=body, headers=headers).status_code == status
        assert metric(client, "refused", provider=provider, reason="too-old") == 2
    assert inbox.waiting() == 1


def test_a_provider_that_signs_late_can_be_given_more_time(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "i")
    body, headers = SIGN["mailgun"](ONE["mailgun"], at=time.time() - 3600)
    with receiver(inbox.keep, mailgun={"secret": SECRET, "max_age_seconds": 30_000}) as client:
        assert client.post("/webhooks/mailgun", content=body, headers=headers).status_code == 200


def test_a_token_of_mailgun_is_good_for_one_body(tmp_path: Path) -> None:
    """Its signature does not cover the event. The same body again is what Mailgun sends when our answer was lost."""
    inbox = Inbox(tmp_path / "i")
    body, _ = SIGN["mailgun"](ONE["mailgun"], token="t" * 50)
    with receiver(inbox.keep) as client:
        answers = [client.post("/webhooks/mailgun", content=c).status_code for c in (body, body, body.replace(b"anna", b"eve"))]
        assert metric(client, "refused", provider="mailgun", reason="replayed") == 1
    assert answers == [200, 200, 401]
    assert inbox.waiting() == 1


@pytest.mark.parametrize("provider", SHOWN)
def test_the_secret_may_be_shown_in_three_ways(provider: str, tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "i")
    with receiver(inbox.keep, **{provider: {"secret": "open-sesame", "user": "shop"}}) as client:
        path = f"/webhooks/{provider}"
        assert client.post(path, content=b"[1]", auth=("shop", "open-sesame")).status_code == 200
        assert client.post(path, content=b"[2]", headers={"Authorization": "Bearer open-sesame"}).status_code == 200
        assert client.post(f"{path}/open-sesame", content=b"[3]").status_code == 200
        assert client.post(path, content=b"[4]", auth=("thief", "open-sesame")).status_code == 401
        assert client.post(f"{path}/open-sesam", content=b"[5]").status_code == 401
        asked = client.post(path, content=b"[6]")
        assert (asked.status_code, asked.headers["www-authenticate"]) == (401, 'Basic realm="mailhealth"')
    assert bodies(inbox.pending()) == [b"[1]", b"[2]", b"[3]"]


def test_the_same_body_46_times_is_one_capture(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "i")
    with receiver(inbox.keep) as client, ThreadPoolExecutor(8) as many:
        body, headers = SIGN["sendgrid"](ONE["sendgrid"])
        answers = list(many.map(lambda _: client.post("/webhooks/sendgrid", content=body, headers=headers).status_code, range(46)))
        until(lambda: metric(client, "kept") == 1, 5, "the counter")
    assert answers == [200] * 46
    assert inbox.waiting() == 1


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\x00", b'[{"event": "teleported"}]', b"[[]]"])
def test_what_nobody_understands_is_kept_counted_and_acknowledged(body: bytes, tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "i")
    with receiver(inbox.keep) as client:
        assert client.post("/webhooks/brevo", content=body, headers=BEARER).status_code == 200
        until(lambda: metric(client, "unknown_events", provider="brevo") == 1, 5, "the counter")
    assert bodies(inbox.pending()) == [body]


def test_who_is_refused_is_told_when_to_come_again(tmp_path: Path) -> None:
    body, headers = SIGN["mailgun"](ONE["mailgun"])
    with receiver(full) as client:
        refused = client.post("/webhooks/mailgun", content=body, headers=headers)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
        assert metric(client, "acknowledged", provider="mailgun") == 0


def test_requests_that_come_at_once_share_a_commit(tmp_path: Path) -> None:
    inbox, groups = Inbox(tmp_path / "i"), []

    def slow(captures: Sequence[Capture], cursor: Mapping[str, str] | None = None) -> int:
        groups.append(len(captures))
        time.sleep(0.3)
        return inbox.keep(captures, cursor)

    with receiver(slow) as client, ThreadPoolExecutor(20) as many:
        post = lambda n: client.post("/webhooks/brevo", content=b"[%d]" % n, headers=BEARER).status_code  # noqa: E731
        assert list(many.map(post, range(20))) == [200] * 20
    assert sum(groups) == 20
    assert len(groups) <= 4


def test_what_is_being_kept_when_it_stops_is_answered(tmp_path: Path) -> None:
    inbox, began = Inbox(tmp_path / "i"), threading.Event()
    answers: list[int] = []

    def slow(captures: Sequence[Capture], cursor: Mapping[str, str] | None = None) -> int:
        began.set()
        time.sleep(1)
        return inbox.keep(captures, cursor)

    with receiver(slow) as client:
        url = str(client.base_url.join("/webhooks/brevo"))
        sender = threading.Thread(target=lambda: answers.append(httpx.post(url, content=b"[1]", headers=BEARER).status_code))
        sender.start()
        assert began.wait(10)
    sender.join(10)
    assert answers == [200]
    assert inbox.waiting() == 1


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b'{"kind": "sent", "recipient": "a@b.example", "at": "%s"}' % ISO.encode(), 1),
        (b'{\n "kind": "sent",\n "recipient": "a@b.example",\n "at": "%s"\n}' % ISO.encode(), 1),
        (b'[{"kind": "order", "recipient": "a@b.example", "at": 1794211200, "value": 9.5, "currency": "EUR"}, {"kind": "sent"}]', 2),
        (
            b'{"kind": "sent", "recipient": "a@b.example", "at": 1794211200}\n{"kind": "clicked", "recipient": "a@b.example", "at": 1794211260}\n',
            2,
        ),
    ],
)
def test_rows_of_ones_own_systems(body: bytes, rows: int, tmp_path: Path) -> None:
    """An object, an array, or an object a line."""
    store = Store(tmp_path / "s")
    with receiver(store.inbox.keep) as client:
        assert client.post("/v1/events", content=body, headers=BEARER).status_code == 200
        assert client.post("/v1/events", content=body).status_code == 401
        assert client.post("/v1/events", content=body, auth=("any", SECRET)).status_code == 401
    ((_, capture),) = store.inbox.pending()
    assert (capture.media_type, capture.data.partition(b"\n")[2]) == (ROWS, body)
    assert flush(store).events == rows
    events = list(store.lake.rows("events"))
    assert sum(e["recipient_domain"] == "b.example" for e in events) == (1 if b'"sent"}' in body else rows)
    if b"EUR" in body:
        assert [(e["kind"], e["value"], e["currency"]) for e in events if e["value"]] == [("converted", 9.5, "EUR")]


def test_a_subscription_to_our_topic_is_confirmed_once_it_is_kept(tmp_path: Path) -> None:
    inbox, aws = Inbox(tmp_path / "i"), FakeSns()
    url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn&Token=2336"
    body = sns({"Type": "SubscriptionConfirmation", "Message": "You have chosen", "Token": "2336", "SubscribeURL": url})
    with receiver(inbox.keep, aws) as client:
        assert client.post("/webhooks/amazon-ses", content=body).status_code == 200
    assert aws.asked[-1] == url
    assert inbox.waiting() == 1


def test_a_subscription_that_cannot_be_confirmed_is_asked_for_again(tmp_path: Path) -> None:
    aws = FakeSns()

    def down(url: str) -> bytes:
        if not url.endswith(".pem"):
            raise TimeoutError("timed out")
        return aws(url)

    url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"
    body = sns({"Type": "SubscriptionConfirmation", "Message": "m", "Token": "2336", "SubscribeURL": url})
    with receiver(Inbox(tmp_path / "i").keep, down) as client:
        assert client.post("/webhooks/amazon-ses", content=body).status_code == 503


@pytest.mark.parametrize("version", ["1", "2"])
def test_the_certificate_is_fetched_once(version: str, tmp_path: Path) -> None:
    inbox, aws = Inbox(tmp_path / "i"), FakeSns()
    with receiver(inbox.keep, aws) as client:
        for n in range(5):
            body = sns({"Type": "Notification", "Message": f'{{"n": {n}}}', "Subject": "Grüße"}, version)
            assert client.post("/webhooks/amazon-ses", content=body).status_code == 200
    assert len(aws.asked) == 1
    assert inbox.waiting() == 5


def test_mandrill_may_look_whether_somebody_is_there(tmp_path: Path) -> None:
    with receiver(Inbox(tmp_path / "i").keep) as client:
        assert client.head("/webhooks/mandrill").status_code == 200
        assert client.get("/webhooks/mandrill").status_code == 405


def test_only_what_is_configured_is_served(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "i")
    with receiver(inbox.keep, brevo=None, events=None) as client:
        for path in ("/webhooks/brevo", "/webhooks/events", "/webhooks/nobody", "/v1/events", "/"):
            assert client.post(path, content=b"[]", headers=BEARER).status_code == 404
        assert metric(client, "refused", provider="", reason="no-such-provider") == 3
    assert inbox.waiting() == 0


def source(**more: Any) -> HttpSource:
    """A configured source."""
    return HttpSource.model_validate({"type": "http", "port": free_port()} | more)


def test_a_port_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    with receiver(Inbox(tmp_path / "i").keep) as client:
        other = HttpCollector("other", source(port=client.base_url.port, brevo={"secret": "s"}))
        with pytest.raises(SourceFailed, match=r"sources\.other: cannot listen on 127\.0\.0\.1:"):
            other.check()
        with pytest.raises(SourceFailed, match="cannot listen"):
            other.watch(Inbox(tmp_path / "j").keep, dict, threading.Event())
        other.check(offline=True)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "nobody is expected"),
        ({"brevo": {}}, r"no secret for sources\.hooks\.brevo: set `secret_env`"),
        ({"brevo": {"secret": ""}}, r"secret of sources\.hooks\.brevo is empty"),
        ({"mailgun": {"secret_env": "MAILHEALTH_NO_SUCH"}}, "MAILHEALTH_NO_SUCH, which is not set"),
        ({"sendgrid": {"secret": "MFkw"}}, "sendgrid: the public key cannot be read"),
        ({"resend": {"secret": "whsec_!"}}, "resend: the signing secret cannot be read"),
    ],
)
def test_check_names_what_is_missing(table: dict[str, Any], said: str) -> None:
    with pytest.raises((ConfigError, SourceFailed), match=said):
        HttpCollector("hooks", source(**table)).check()


def test_a_good_configuration_passes() -> None:
    HttpCollector("hooks", source(**tables())).check()
