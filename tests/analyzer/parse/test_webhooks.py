"""What SMTP providers' webhooks say: kinds, words, machines, and whose message it was."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.classify import classify
from analyzer.model import FAILURES, WEBHOOK, Agent, Capture, Kind, Report
from analyzer.parse import parse, parse_message
from analyzer.parse.webhooks import READERS, unknown_events
from analyzer.pipeline import derive
from tests.analyzer.parse import webhook_bodies as b
from tests.analyzer.parse.letters import Letter

AT = datetime(2026, 11, 9, 8, tzinfo=UTC)


def capture(provider: str, body: bytes) -> Capture:
    """A request of a provider."""
    return Capture(body, f"{WEBHOOK}{provider}+json", "hooks", datetime(2026, 11, 9, 9, tzinfo=UTC))


def read(provider: str, said: object) -> Report:
    """What a body of a provider says."""
    return parse(capture(provider, said if isinstance(said, bytes) else b.form(said) if provider == "mandrill" else b.dumped(said)))


def told(report: Report) -> list[tuple[str, str | None, str | None]]:
    """Kind, recipient, and the reason of a failure."""
    return [(o.kind.value, o.recipient, classify(o, report).reason if o.kind in FAILURES else None) for o in report.outcomes]


def each(provider: str, said: Iterable[object]) -> list[tuple[str, str | None, str | None]]:
    """As `told`, of one body each."""
    return [t for one in said for t in told(read(provider, one))]


ANNA, BO, CY, DI, ED, FLO, GIL = (f"{n}@far.example" for n in ("anna", "bo", "cy", "di", "ed", "flo", "gil"))
OTHER = ("other-report", None, None)


def test_sendgrid() -> None:
    assert told(read("sendgrid", b.SENDGRID)) == [
        ("sent", ANNA, None), ("delivered", ANNA, None), ("delayed", BO, "greylisted"), ("bounced", CY, "user-unknown"), ("bounced", DI, "blocklisted"),
        ("bounced", ED, "suppressed"), ("opened", ANNA, None), ("clicked", ANNA, None), ("complained", FLO, None), ("unsubscribed", GIL, None), OTHER, OTHER,
    ]  # fmt: skip


def test_mailgun() -> None:
    assert each("mailgun", ({"signature": {}, "event-data": e} for e in b.MAILGUN.values())) == [
        ("sent", ANNA, None), ("delivered", ANNA, None), ("bounced", ANNA, "user-unknown"), ("delayed", ANNA, "greylisted"), ("delayed", ANNA, "domain-unknown"),
        ("bounced", ANNA, "suppressed"), ("bounced", ANNA, "undetermined"), ("opened", ANNA, None), ("clicked", ANNA, None), ("complained", ANNA, None),
        ("unsubscribed", ANNA, None), OTHER,
    ]  # fmt: skip


def test_postmark() -> None:
    assert each("postmark", b.POSTMARK.values()) == [
        ("delivered", ANNA, None), ("bounced", CY, "user-unknown"), ("delayed", CY, "greylisted"), ("bounced", CY, "spam-content"), ("autoreplied", CY, None),
        ("complained", CY, None), ("opened", ANNA, None), ("clicked", ANNA, None), ("unsubscribed", GIL, None), ("other-report", CY, None),
        ("other-report", GIL, None), OTHER,
    ]  # fmt: skip


def test_sparkpost() -> None:
    assert told(read("sparkpost", b.SPARKPOST)) == [
        ("sent", "Anna@far.example", None), ("delivered", ANNA, None), ("delayed", BO, "greylisted"), ("bounced", CY, "user-unknown"),
        ("autoreplied", "ida@far.example", None), ("bounced", ED, "suppressed"), ("opened", ANNA, None), ("clicked", ANNA, None), ("complained", FLO, None),
        ("unsubscribed", GIL, None), OTHER,
    ]  # fmt: skip


def test_brevo() -> None:
    assert told(read("brevo", b.BREVO)) == [
        ("sent", ANNA, None), ("delivered", ANNA, None), ("delayed", BO, "greylisted"), ("bounced", BO, "mailbox-full"), ("bounced", CY, "user-unknown"),
        ("bounced", ED, "suppressed"), ("bounced", ED, "user-unknown"), ("opened", ANNA, None), ("opened", ANNA, None), ("clicked", ANNA, None),
        ("complained", FLO, None), ("unsubscribed", GIL, None), OTHER,
    ]  # fmt: skip


def test_mailjet() -> None:
    assert told(read("mailjet", b.MAILJET)) == [
        ("delivered", ANNA, None), ("bounced", CY, "user-unknown"), ("bounced", DI, "mailbox-full"), ("delayed", BO, "greylisted"), ("bounced", ED, "suppressed"),
        ("opened", ANNA, None), ("clicked", ANNA, None), ("complained", FLO, None), ("unsubscribed", GIL, None), OTHER,
    ]  # fmt: skip


def test_mandrill() -> None:
    assert told(read("mandrill", b.MANDRILL)) == [
        ("sent", ANNA, None), ("delivered", ANNA, None), ("delayed", BO, "greylisted"), ("bounced", CY, "user-unknown"), ("bounced", DI, "mailbox-full"),
        ("bounced", ED, "suppressed"), ("opened", ANNA, None), ("clicked", ANNA, None), ("complained", FLO, None), ("unsubscribed", GIL, None), OTHER, OTHER,
    ]  # fmt: skip


def test_resend() -> None:
    assert each("resend", b.RESEND.values()) == [
        ("sent", ANNA, None), ("delivered", ANNA, None), ("delayed", BO, "undetermined"), ("bounced", CY, "user-unknown"), ("bounced", ED, "suppressed"),
        ("opened", ANNA, None), ("clicked", ANNA, None), ("complained", FLO, None), ("delivered", None, None), OTHER,
    ]  # fmt: skip


def test_kumomta() -> None:
    expected = [
        ("sent", ANNA, None), ("delivered", ANNA, None), ("delayed", BO, "greylisted"), ("bounced", CY, "user-unknown"), ("bounced", DI, "expired"),
        ("bounced", DI, "undetermined"), ("bounced", CY, "mailbox-full"), ("complained", FLO, None), ("complained", "fay@far.example", None),
        ("unsubscribed", GIL, None), OTHER, OTHER,
    ]  # fmt: skip
    assert told(read("kumomta", b.KUMOMTA)) == expected
    assert told(read("kumomta", b"\n".join(map(b.dumped, b.KUMOMTA)))) == expected  # a batch of lines


def test_amazon_ses() -> None:
    assert each("amazon-ses", ({"Type": "Notification", "Message": json.dumps(e)} for e in list(b.SES.values())[:-1])) == [
        ("sent", ANNA, None), ("sent", BO, None), ("delivered", ANNA, None), ("delayed", BO, "mailbox-full"), ("bounced", CY, "user-unknown"),
        ("bounced", DI, "mailbox-full"), ("complained", FLO, None), ("bounced", FLO, "suppressed"), ("bounced", ANNA, "virus-detected"), ("opened", ANNA, None),
        ("opened", None, None), ("clicked", ANNA, None), ("unsubscribed", ANNA, None), ("bounced", ANNA, "undetermined"),
    ]  # fmt: skip
    assert (
        read("amazon-ses", {"Type": "Notification", "Message": json.dumps(b.SES["unknown"])}).why == "an SES notification of type Teleport"
    )


@pytest.mark.parametrize("name", b.SES)
def test_ses_says_the_same_by_mail_and_by_webhook(name: str) -> None:
    text = json.dumps(b.SES[name])
    by_mail = parse_message(
        Letter("AWS <no-reply@sns.amazonaws.example>", "AWS Notification Message", text + "\n\n--\nunsubscribe\n", ()).raw
    )
    assert by_mail == read("amazon-ses", {"Type": "Notification", "Message": text})


SAMPLES: dict[str, Any] = {
    "sendgrid": b.SENDGRID[3], "mailgun": {"event-data": b.MAILGUN["permanent"]}, "postmark": b.POSTMARK["bounced"], "sparkpost": b.SPARKPOST[4],
    "brevo": b.BREVO[4], "mailjet": b.MAILJET[1], "mandrill": [b.MANDRILL[3]], "resend": b.RESEND["bounced"], "kumomta": b.KUMOMTA[3],
    "amazon-ses": {"Type": "Notification", "Message": json.dumps(b.SES["bounce"])},
}  # fmt: skip


@pytest.mark.parametrize("provider", SAMPLES)
def test_the_receivers_words_are_kept_apart_from_the_providers_and_judged(provider: str) -> None:
    """Whatever class the provider gives the bounce."""
    report = read(provider, SAMPLES[provider])
    o = report.outcomes[0]
    assert o.diagnostic is not None and "550 5.1.1" in o.diagnostic and "does not exist" in o.diagnostic
    assert (o.reply_code, o.status, o.smtp_provider) == ("550", "5.1.1", provider)
    assert classify(o, report).reason == "user-unknown"


@pytest.mark.parametrize("provider", SAMPLES)
def test_what_is_told_of_the_message(provider: str) -> None:
    (event, *_), _ = derive(
        capture(provider, b.form(SAMPLES[provider]) if provider == "mandrill" else b.dumped(SAMPLES[provider])), b"k" * 32
    )
    report = read(provider, SAMPLES[provider])
    about = report.outcomes[0].original or report.original
    assert (about.campaign, about.mail_type) == ("autumn", "newsletter")
    assert (event.campaign, event.mail_type, event.smtp_provider) == ("autumn", "newsletter", provider)
    assert abs((event.at - AT).total_seconds()) < 1
    tells_id = {"sendgrid", "mailgun", "brevo", "kumomta", "amazon-ses"}
    assert about.message_id == ("n-1@shop.example" if provider in tells_id else None)
    assert about.provider_id or provider == "brevo"


@pytest.mark.parametrize(
    ("provider", "said", "agent", "rule"),
    [
        ("sendgrid", b.SENDGRID[6], Agent.MACHINE, "sendgrid-machine-open"),
        ("sendgrid", b.SENDGRID[7], Agent.HUMAN, "mail-program"),
        ("mailgun", {"event-data": b.MAILGUN["opened"]}, Agent.MACHINE, "mailgun-bot-apple"),
        ("mailgun", {"event-data": b.MAILGUN["clicked"]}, Agent.HUMAN, "mail-program"),
        ("postmark", b.POSTMARK["opened"], Agent.MACHINE, "apple-mail-privacy"),
        ("sparkpost", b.SPARKPOST[7], Agent.MACHINE, "sparkpost-prefetched"),
        ("brevo", b.BREVO[8], Agent.MACHINE, "brevo-proxy-open"),
        ("brevo", b.BREVO[9], Agent.UNKNOWN, "no-user-agent"),
        ("mailjet", b.MAILJET[5], Agent.UNKNOWN, "google-image-proxy"),
        ("mandrill", [b.MANDRILL[6]], Agent.MACHINE, "apple-mail-privacy"),
        ("resend", b.RESEND["clicked"], Agent.HUMAN, "mail-program"),
        ("amazon-ses", b.SES["open"], Agent.MACHINE, "apple-mail-privacy"),
    ],
)
def test_who_opened_or_clicked(provider: str, said: object, agent: Agent, rule: str) -> None:
    (o,) = read(provider, said).outcomes
    assert (o.agent, o.agent_rule) == (agent, rule)


@pytest.mark.parametrize("provider", READERS)
def test_a_bad_event_costs_none_of_its_neighbours(provider: str) -> None:
    good = SAMPLES[provider][0] if isinstance(SAMPLES[provider], list) else SAMPLES[provider]
    report = read(
        provider, [good, 5, json.loads(json.dumps(good).replace("far.example", "").replace("cy@", "").replace("anna@", "")), good]
    )
    assert [o.kind for o in report.outcomes] == [Kind.BOUNCED, Kind.UNREADABLE, Kind.UNREADABLE, Kind.BOUNCED]
    assert report.outcomes[1].diagnostic == "event 2: found a int, expected an object"
    assert "recipient, expected an address" in (report.outcomes[2].diagnostic or "")


@pytest.mark.parametrize("provider", READERS)
def test_unknown_names_are_told_and_counted(provider: str) -> None:
    teleport = {
        "sendgrid": b.SENDGRID, "sparkpost": b.SPARKPOST, "brevo": b.BREVO, "mailjet": b.MAILJET, "mandrill": b.MANDRILL, "kumomta": b.KUMOMTA,
        "mailgun": [{"event-data": b.MAILGUN["unknown"]}], "postmark": [b.POSTMARK["unknown"]], "resend": [b.RESEND["unknown"]],
    }[provider]  # fmt: skip
    o = read(provider, teleport).outcomes[-1]
    assert o.kind is Kind.OTHER_REPORT
    assert "eleport" in (o.prose or "") and "an event that we do not know" in (o.prose or "")
    body = b.form(teleport) if provider == "mandrill" else b.dumped(teleport)
    assert unknown_events(capture(provider, body)) == 1
    assert unknown_events(capture(provider, b"{")) == 1
    assert unknown_events(capture(provider, b.form([]) if provider == "mandrill" else b"[]")) == 0


def test_a_request_without_events_is_a_trial() -> None:
    report = read("sendgrid", [])
    assert report.kind is Kind.OTHER_REPORT and "without events" in (report.why or "")


def test_a_confirmation_of_a_subscription_tells_no_outcome() -> None:
    said = {"Type": "SubscriptionConfirmation", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:t", "Timestamp": b.ISO}
    report = read("amazon-ses", said)
    assert report.kind is Kind.OTHER_REPORT and "SubscriptionConfirmation" in (report.why or "")
    assert unknown_events(capture("amazon-ses", b.dumped(said))) == 0
    assert unknown_events(capture("amazon-ses", b.dumped({"Type": "Notification", "Message": "hello"}))) == 1


def test_half_a_character_does_not_stop_the_flusher() -> None:
    (event, *_), addresses = derive(capture("sendgrid", b.dumped(b.SENDGRID[3]).replace(b"cy@", b"c\\ud800@")), b"k" * 32)
    assert event.kind == "bounced"
    assert [a.encode() for a in addresses.values()] == [b"c?@far.example"]


HOSTILE = [
    b"", b"[", b"null", b"5", b'"x"', b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"[{}]", b'{"event-data": []}', b'{"msys": 5}', b"mandrill_events=%5B%7B",
    b"mandrill_events=" + b"[" * 5000, b"&" * 10_000, b'[{"event": "open", "email": "a@b.example", "timestamp": 1e400}]',
    b'[{"event": "open", "email": "a@b.example", "timestamp": -62135596801}]', b'{"event": {"a": 1}, "type": [1], "RecordType": {}}',
    b'{"Type": "Notification", "Message": "' + b"[" * 10_000 + b'"}', b'{"eventType": "Open", "mail": {}, "open": {"timestamp": "0001-01-01T00:00:00+14:00"}}',
    b'[{"event": "open", "email": "a@b.example", "timestamp": ' + b"9" * 5000 + b"}]",
    b'[{"event": "open", "timestamp": 1, "email": ' + b"[" * 900 + b"]" * 900 + b"}]",
]  # fmt: skip


@pytest.mark.parametrize("provider", [*SAMPLES, "nobody"])
def test_no_bytes_raise(provider: str) -> None:
    for body in HOSTILE:
        assert parse(capture(provider, body)).kind in Kind
        unknown_events(capture(provider, body))


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["a@b.example", "<c@d.example>", b.ISO, "1794211200"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=6,
)


def _places(said: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = said.items() if isinstance(said, dict) else enumerate(said) if isinstance(said, list) else ()
    return [path, *(p for k, v in inner for p in _places(v, (*path, k)))]


@pytest.mark.parametrize("provider", SAMPLES)
@given(data=st.data())
def test_no_field_may_hold_what_raises(provider: str, data: st.DataObject) -> None:
    """Any value in any place of a good body."""
    said = json.loads(json.dumps({"root": b.SES["bounce"] if provider == "amazon-ses" else SAMPLES[provider]}))
    *way, last = data.draw(st.sampled_from(_places(said)[1:]))
    place = said
    for step in way:
        place = place[step]
    place[last] = data.draw(_JSON)
    body = said["root"]
    events, _ = derive(capture(provider, b.form(body) if provider == "mandrill" else b.dumped(body)), b"k" * 32)
    assert events
    assert not any("Mailhealth failed" in (e.why or "") for e in events)
