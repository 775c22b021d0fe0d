"""The numbers of a simulated month against a count of its raw files in plain pandas, by somebody who knows nothing of the ledger."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analyzer.config import load
from analyzer.demo import prepare, write
from analyzer.demo.engagement import AGENT_OF, USER_AGENTS, engagement
from analyzer.demo.fates import NEVER, fates
from analyzer.demo.replies import TRUTH, Cause
from analyzer.demo.shop import people, sends
from analyzer.metrics import METRICS, Numbers
from analyzer.pipeline import flush
from analyzer.providers import mailbox_provider, returns_complaints
from analyzer.store import Store
from collectors import build

SEED, UNTIL = 11, date(2026, 11, 23)
SENDS = int(os.environ.get("MAILHEALTH_SENDS", "4000"))
"""200000 counts the whole demo; it takes a minute."""
BY: list[list[str]] = [
    [],
    ["day"],
    ["campaign"],
    ["mail_type"],
    ["provider"],
    ["smtp_provider"],
    ["sending_domain"],
    ["campaign", "provider"],
]


@dataclass(frozen=True)
class Month:
    numbers: Numbers
    counted: pd.DataFrame  # a row per send, with a column of 0 and 1 for whatever a metric counts


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    folder = tmp_path_factory.mktemp("truth")
    prepare(folder)
    plan = write(folder, SEED, SENDS, until=UNTIL)
    config = load(plan.config)
    store = Store(config.store)
    for name, source in config.sources.items():
        build(name, source).collect(store.inbox.keep, partial(store.inbox.cursor, name))
    flush(store)
    return Month(Numbers(store), count(folder))


def read(folder: Path, name: str, **names: str) -> pd.DataFrame:
    path = folder / name
    frame = pd.read_json(path, lines=True, dtype=str, convert_dates=False) if path.suffix == ".jsonl" else pd.read_csv(path, dtype=str)
    frame = frame.rename(columns={theirs: ours for ours, theirs in names.items()})
    frame["at"] = pd.to_datetime(frame["at"], utc=True)
    frame["message_id"] = frame["message_id"].str.strip("<>")
    return frame


def count(folder: Path) -> pd.DataFrame:
    """What the files and the story say of each send."""
    alder = read(folder, "alder-sent.csv").assign(smtp_provider="Alder Relay")
    birch = read(folder, "birch-sent.csv", message_id="Message-ID", recipient="Envelope-To", at="Date", campaign="Tag", mail_type="Stream", sender="Header-From").assign(smtp_provider="Birch SMTP")  # fmt: skip
    cedar = read(folder, "cedar-sent.jsonl", message_id="id", recipient="to", at="ts", mail_type="type", sender="from").assign(smtp_provider="Cedar Mail")  # fmt: skip
    rows = pd.concat([alder, birch, cedar], ignore_index=True).set_index("message_id", drop=False, verify_integrity=True)
    rows["day"] = rows["at"].dt.date
    rows["sending_domain"] = rows["sender"].str.split("@").str[1]
    rows["provider"] = rows["recipient"].str.split("@").str[1].map(mailbox_provider)
    rows["sent"] = 1
    story(rows)
    for name, file in (
        ("delivered", "delivered.csv"),
        ("delayed", "deferred.csv"),
        ("unsubscribed", "unsubscribed.csv"),
        ("converted", "orders.csv"),
    ):
        rows.loc[read(folder, file)["message_id"].unique(), name] = 1
    orders = read(folder, "orders.csv")
    rows["value"] = orders.assign(value=orders["value"].astype(float)).groupby("message_id")["value"].sum().reindex(rows.index).fillna(0)
    opens = read(folder, "opened.jsonl", recipient="email", at="ts")
    who = opens["user_agent"].map(dict(zip(USER_AGENTS, AGENT_OF, strict=True)))
    for name, agents in (("opened", ("human", "unknown", "machine")), ("opened_human", ("human",)), ("opened_up_to", ("human", "unknown"))):
        rows.loc[opens.loc[who.isin(agents), "message_id"].unique(), name] = 1
    clicks = read(folder, "clicked.csv")
    rows.loc[clicks.loc[clicks["agent"] != "machine", "message_id"].unique(), "clicked_people"] = 1
    rows = rows.fillna(
        dict.fromkeys(("delivered", "delayed", "unsubscribed", "converted", "opened", "opened_human", "opened_up_to", "clicked_people"), 0)
    )
    rows["opened_machine"] = ((rows["opened"] == 1) & (rows["opened_up_to"] == 0)).astype(int)
    rows["accepted"] = ((rows["delivered"] == 1) & (rows["bounced"] == 0)).astype(int)
    rows["pending"] = ((rows["delivered"] == 0) & (rows["bounced"] == 0)).astype(int)
    rows["complaints_heard"] = rows["accepted"] * rows["provider"].map(returns_complaints).astype(int)
    return rows


def story(rows: pd.DataFrame) -> None:
    """What came back as mail stands in no table: the story knows of it."""
    customers = people(SEED, SENDS * 3 // 10)
    sent = sends(SEED, SENDS, UNTIL, customers)
    fate = fates(SEED, sent, customers, UNTIL)
    engaged = engagement(SEED, sent, fate, customers, UNTIL)
    ids = np.array([sent.message_id[i] for i in range(len(sent))])
    returned = fate.bounced_at < NEVER
    for name in ("bounced", "complained", "hard", "soft", "block", "undetermined", "unsubscribed"):
        rows[name] = 0
    rows.loc[ids[returned], "bounced"] = 1
    for cause in np.unique(fate.cause[returned]):
        rows.loc[ids[returned & (fate.cause == cause)], TRUTH[Cause(cause)][1].value] = 1
    rows.loc[ids[engaged.complaints.send], "complained"] = 1
    # a mail to the unsubscription address names no message: the latest to that customer is meant
    for at, index in zip(engaged.unsubscribed_by_mail.at, engaged.unsubscribed_by_mail.send, strict=True):
        mine = rows[(rows["recipient"] == rows.loc[ids[index], "recipient"]) & (rows["at"] <= pd.Timestamp(at, unit="s", tz="UTC"))]
        rows.loc[mine["at"].idxmax(), "unsubscribed"] = 1


@pytest.mark.parametrize("by", BY, ids=" and ".join)
def test_every_metric_is_what_a_plain_count_says(month: Month, by: list[str]) -> None:
    found = month.numbers.measure(list(METRICS), by)
    groups = month.counted.groupby(by) if by else [((), month.counted)]
    expected = dict(iter(groups))
    assert len(found) == len(expected) * len(METRICS)
    for row in found.to_dict("records"):
        metric = METRICS[row["metric"]]
        key = tuple(pd.Timestamp(row[b]).date() if b == "day" else row[b] for b in by)
        frame = expected[key]
        assert row["numerator"] == pytest.approx(frame[metric.numerator].sum(), abs=0.005), (metric.name, key)
        if metric.denominator:
            assert row["denominator"] == frame[metric.denominator].sum(), (metric.name, key)
