"""The simulated month through the real collectors, parsers, rules and lake: what comes out is what was made up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial

import pandas as pd
import pytest
from deltalake import DeltaTable

from analyzer import config
from analyzer.classify import classify
from analyzer.demo import DemoPlan, Mail, write
from analyzer.model import MESSAGE, Capture, Kind
from analyzer.parse import parse
from analyzer.pipeline import flush
from analyzer.store import Store
from collectors import build

UNTIL = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def one_of_each(plan: DemoPlan) -> list[Mail]:
    """One mail of each form, reason and mail host: every text that the demo can write."""
    found = {(m.form, m.reason, (m.recipient or "").partition("@")[2]): m for m in plan.mails}
    return list(found.values())


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> DemoPlan:
    return write(tmp_path_factory.mktemp("large"), 7, 100_000, until=UNTIL)


def test_every_form_of_mail_is_read_as_it_was_meant(large: DemoPlan) -> None:
    wrong = []
    mails = one_of_each(large)
    assert len({m.form for m in mails}) >= 18
    for mail in mails:
        report = parse(Capture(mail.data, MESSAGE, "test", NOW))
        read = [(o.recipient or "").lower() for o in report.outcomes]
        told = (report.kind, read, report.original.message_id if mail.message_id else None)
        if told != (mail.kind, [mail.recipient.lower()] if mail.recipient else [], mail.message_id):
            wrong.append((mail.form, mail.kind, told))
        elif mail.reply_type and report.outcomes[0].reply_type != mail.reply_type:
            wrong.append((mail.form, mail.reply_type, report.outcomes[0].reply_type))
    assert wrong == []


def test_every_refusal_is_judged_as_it_was_meant(large: DemoPlan) -> None:
    wrong = []
    for mail in one_of_each(large):
        if mail.reason is not None:
            report = parse(Capture(mail.data, MESSAGE, "test", NOW))
            verdict = classify(report.outcomes[0], report)
            if (verdict.reason, verdict.severity) != (mail.reason, mail.severity):
                wrong.append((mail.form, mail.reason, verdict.reason, verdict.rule, report.outcomes[0].diagnostic))
    assert wrong == []


@contextmanager
def taken_in(plan: DemoPlan) -> Iterator[Store]:
    """A store with the whole month in it, collected twice."""
    settings = config.load(plan.config)
    store = Store(settings.store)
    for _ in range(2):
        for name, source in settings.sources.items():
            build(name, source).collect(store.inbox.keep, partial(store.inbox.cursor, name))
        flush(store)
    yield store
    store.inbox.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> DemoPlan:
    return write(tmp_path_factory.mktemp("small"), 11, 2_000, until=UNTIL)


@pytest.fixture(scope="module")
def events(small: DemoPlan) -> Iterator[pd.DataFrame]:
    with taken_in(small) as store:
        yield DeltaTable(store.path / "lake" / "events").to_pandas()


def messages(events: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    return events[events.kind == kind.value].drop_duplicates(["message_id", "recipient_key"])


def test_nothing_is_lost_and_nothing_counted_twice(small: DemoPlan, events: pd.DataFrame) -> None:
    tables = events[events.parser == "rows"]
    assert dict(Counter(tables.kind)) == {kind: n for kind, n in small.truth.rows.items() if n}
    assert not events.event_id.duplicated().any()
    assert (events.kind == Kind.UNREADABLE.value).sum() == 0
    mail = events[~events.source.isin(["receivers", "snds", "postmaster-tools"]) & (events.parser != "rows")]
    assert mail.capture_id.nunique() == len(mail) == small.truth.mails


def test_the_counts_are_the_truth(small: DemoPlan, events: pd.DataFrame) -> None:
    truth = small.truth
    sent, delivered, bounced = (messages(events, kind) for kind in (Kind.SENT, Kind.DELIVERED, Kind.BOUNCED))
    assert dict(sent.mail_type.value_counts()) == truth.sent_by_type
    assert dict(sent.smtp_provider.value_counts()) == truth.sent_by_provider
    assert dict(bounced.reason.value_counts()) == truth.bounced_by_reason
    assert dict(bounced.severity.value_counts()) == truth.bounced_by_severity
    pair = ["message_id", "recipient_key"]
    # every report names a message that was sent, to the address it was sent to, however the report spells it
    assert len(bounced.merge(sent, on=pair)) == len(bounced) == truth.bounced
    returned = delivered.merge(bounced, on=pair)
    assert (len(delivered), len(delivered) - len(returned)) == (truth.delivered, truth.accepted)
    assert len(messages(events[events.parser == "rows"], Kind.DELAYED)) == truth.delayed
    assert len(messages(events, Kind.COMPLAINED).merge(sent, on=pair)) == truth.complained


def test_engagement_is_the_truth(small: DemoPlan, events: pd.DataFrame) -> None:
    truth = small.truth
    for kind, expected in ((Kind.OPENED, truth.opened), (Kind.CLICKED, truth.clicked)):
        for agent, count in expected.items():
            assert len(messages(events[events.agent == agent], kind)) == count, (kind, agent)
    orders = events[events.kind == Kind.CONVERTED.value]
    assert len(messages(events, Kind.CONVERTED)) == truth.converted
    assert orders.value.sum() == pytest.approx(truth.revenue)
    unsubscribed = messages(events, Kind.UNSUBSCRIBED)
    assert len(unsubscribed) == truth.unsubscribed_by_link + truth.unsubscribed_by_mail
    assert (events.kind == Kind.AUTOREPLIED.value).sum() == truth.autoreplied


def test_no_address_stands_in_the_events(small: DemoPlan, events: pd.DataFrame) -> None:
    for column in ("recipient_key", "final_key", "recipient_domain"):
        assert not events[column].dropna().str.contains("@").any(), column
