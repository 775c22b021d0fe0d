"""Rows go to events by two ways, one for speed and one that all reports go: they must say the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.bulk import rows_table
from analyzer.lake import event_table
from analyzer.model import ROWS, Capture
from analyzer.pipeline import derive

KEY = b"k" * 32
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FIELDS = ("kind", "at", "message_id", "header_id", "feedback_id", "recipient", "campaign", "mail_type", "sender", "smtp_provider", "sending_ip", "reply", "remote_mta", "agent", "user_agent", "value", "currency")  # fmt: skip


def block(lines: list[str], form: str = "csv", **head: object) -> Capture:
    first = {"columns": {f: f for f in FIELDS}, "format": form, "header": list(FIELDS), **head}
    return Capture("\n".join([json.dumps(first), *lines]).encode("utf-8", "surrogatepass"), ROWS, "shop", NOW)


def both(capture: Capture) -> None:
    quick = rows_table(capture, KEY)
    events, addresses = derive(capture, KEY)
    if quick is None:
        assert [e.kind for e in events] == ["unreadable"]
        return
    table, known = quick
    order = [("event_id", "ascending")]
    assert table.sort_by(order).to_pylist() == event_table(events).sort_by(order).to_pylist()
    assert known == addresses
    assert table.schema == event_table(events).schema


ROW = (
    "sent,2026-11-09T08:00:00Z,<m-1@shop.example>,<h-1>,autumn:shop,anna@gmail.com,autumn,promotion,news@shop.example,alder,192.0.2.1,,,,,,"
)


@pytest.mark.parametrize(
    "lines",
    [
        [ROW, ROW.replace("anna", "bo")],
        [ROW, "only-one", ROW.replace("sent", "nonsense"), ROW.replace("2026-11-09T08:00:00Z", "yesterday"), ROW.replace("anna@gmail.com", "")],
        [ROW.replace("sent", "bounced").replace(",,,,,,", ",550 5.1.1 user unknown,mx.gmail.com,,,,")],
        [ROW.replace("sent", "opened")[:-4] + ",Mozilla/5.0,,", ROW.replace("sent", "open")[:-5] + "human,,,"],
        [ROW.replace("sent", "order")[:-2] + "12.50,EUR", ROW.replace("sent", "order")[:-2] + "much,EUR"],
        [ROW.replace("sent", "delivered").replace(",,,,,,", ",250 2.0.0 ok,mx,,,,")],
        [ROW.replace("2026-11-09T08:00:00Z", t) for t in ("1793527200", "1793527200000", "2026-11-09 08:00", "2031-01-01", "1970-01-01", "2026-11-09T08:00+01:00")],
        ['"broken'], [], [ROW.replace("anna@gmail.com", "Anna <anna@gmail.com>"), ROW.replace("anna@gmail.com", "nobody"), ROW.replace("gmail.com", "bücher.example")],
    ],
)  # fmt: skip
def test_the_quick_way_says_what_the_plain_way_says(lines: list[str]) -> None:
    both(block(lines))
    both(block(lines, kind="sent", timezone="Europe/Berlin", smtp_provider="birch"))


def test_objects_too() -> None:
    rows = [dict(zip(FIELDS, ROW.split(","), strict=True)), {"recipient": 5, "at": 1793527200, "kind": "sent"}, {}, {"kind": "sent", "recipient": "\ud800@x.example", "at": "2026-11-01"}]  # fmt: skip
    both(block([*(json.dumps(r) for r in rows), "[1]", "{", "null"], "jsonl"))


@given(st.lists(st.lists(st.one_of(st.sampled_from(["sent", "bounced", "opened", "2026-11-09", "a@b.example", "<>", '"', "1e400", "-1", "machine"]), st.text(max_size=12)), max_size=16).map(",".join), max_size=8))  # fmt: skip
def test_no_line_makes_them_differ(lines: list[str]) -> None:
    both(block(lines))


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), st.text(max_size=12), st.sampled_from(["sent", "converted", "2026-11-09", "a@b.example"])), max_size=15), max_size=6))  # fmt: skip
def test_no_object_makes_them_differ(rows: list[dict[str, object]]) -> None:
    both(block([json.dumps(r) for r in rows], "jsonl"))


def test_an_empty_table_has_the_lakes_schema() -> None:
    found = rows_table(block(["nothing"]), KEY)
    assert found is not None
    assert isinstance(found[0], pa.Table)
    assert found[0].num_rows == 1
