"""Numbers: equal to a count by hand, unknown where they are, and never 0 by omission."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from analyzer.health import findings, headline, silences
from analyzer.metrics import Numbers, Period, PeriodError, wilson
from analyzer.model import MESSAGE, Capture
from analyzer.pipeline import flush
from analyzer.reports import render, to_mail
from analyzer.sources import TableSource
from analyzer.store import Store
from collectors.table import TableCollector

DAY = datetime(2026, 11, 2, 9, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"


def table(store: Store, folder: Path, kind: str, rows: list[str]) -> None:
    path = folder / f"{kind}.csv"
    path.write_text("message_id,recipient,at,campaign,user_agent,reply,value\n" + "".join(r + "\n" for r in rows))
    TableCollector(kind, TableSource.model_validate({"type": "table", "path": path, "kind": kind})).collect(
        store.inbox.keep, partial(store.inbox.cursor, kind)
    )


@pytest.fixture
def numbers(tmp_path: Path) -> Numbers:
    """Ten sends: one dead address after delivery, one blocked, one pending, seven accepted; opens, clicks, an order, a complaint."""
    store, at = Store(tmp_path / "s"), DAY.isoformat()
    later = (DAY + timedelta(hours=1)).isoformat()
    who = [f"m{n}@shop.example,u{n}@{'gmail.com' if n % 2 else 'yahoo.com'}" for n in range(10)]
    table(store, tmp_path, "sent", [f"{w},{at},{HOSTILE},,," for w in who])
    table(store, tmp_path, "delivered", [f"{w},{later},,,," for w in [*who[:8], who[0]]])
    table(
        store,
        tmp_path,
        "bounced",
        [f"{who[0]},{later},,,550 5.1.1 no such user,", f"{who[8]},{later},,,550 5.7.1 blocked using zen.spamhaus.org,"],
    )
    human = "Mozilla/5.0 (X11) Gecko/2010 Thunderbird"
    table(
        store,
        tmp_path,
        "opened",
        [f"{who[1]},{later},,{human},,", f"{who[1]},{later},,{human},,", f"{who[2]},{later},,Mozilla/5.0,,", f"{who[3]},{later},,,,"],
    )
    table(store, tmp_path, "clicked", [f"{who[1]},{later},,{human},,", f"{who[2]},{later},,Barracuda,,"])
    table(store, tmp_path, "converted", [f",u1@gmail.com,{later},,,,49.50"])
    table(store, tmp_path, "complained", [f"{who[2]},{later},,,,"])
    flush(store)
    return Numbers(store)


EXPECTED = {
    "sent": (10, None), "accepted": (7, 10), "pending": (1, 10), "bounce": (2, 10), "hard": (1, 10), "block": (1, 10), "soft": (0, 10),
    "complaint": (1, 3), "open": (1, 7), "open_up_to": (2, 7), "open_raw": (3, 7), "open_machine": (1, 7), "click": (1, 7), "conversion": (1, 7),
}  # fmt: skip


def test_a_worked_example_of_each_number(numbers: Numbers) -> None:
    frame = numbers.measure(list(EXPECTED)).set_index("metric")
    found = {name: (frame.loc[name, "numerator"], frame.loc[name, "denominator"]) for name in EXPECTED}
    assert {k: (n, None if d != d else d) for k, (n, d) in found.items()} == EXPECTED
    assert numbers.measure(["value"])["numerator"][0] == 49.5


def test_what_was_not_sent_is_unknown_and_not_zero(numbers: Numbers) -> None:
    frame = numbers.measure(["hard", "open"], period=Period(date(2020, 1, 1), date(2020, 2, 1)))
    assert frame["value"].isna().all()
    assert frame["note"].notna().all()


def test_a_store_with_bounces_only_has_counts_and_says_what_is_missing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    raw = b"X-Failed-Recipients: a@gmail.com\nFrom: Mail Delivery System <mailer-daemon@x.example>\nSubject: failed\n\n  a@gmail.com\n    550 no such user\n"
    store.inbox.keep([Capture(raw, MESSAGE, "bounces", DAY)])
    flush(store)
    numbers = Numbers(store)
    assert numbers.breakdown(["severity", "provider"])[["severity", "provider", "count"]].to_numpy().tolist() == [["hard", "Gmail", 1]]
    row = numbers.measure(["hard"]).iloc[0]
    assert (row["numerator"], row["value"], row["note"]) == (1, None, "no send log: connect one to see rates")


def test_an_empty_store_is_no_error(tmp_path: Path) -> None:
    numbers = Numbers(Store(tmp_path))
    assert numbers.span() is None
    assert numbers.measure(["sent", "hard"])["numerator"].tolist() == [0, 0]
    assert findings(numbers) == []


def test_names_that_are_not_known_are_answered_with_those_that_are(numbers: Numbers) -> None:
    with pytest.raises(ValueError, match="did you mean 'accepted'"):
        numbers.measure(["acepted"])
    with pytest.raises(ValueError, match="did you mean 'campaign'"):
        numbers.measure(["sent"], by=["campain"])


def test_numbers_follow_what_the_lake_gets(numbers: Numbers, tmp_path: Path) -> None:
    assert not numbers.refresh()
    store = numbers._store
    (tmp_path / "more").mkdir()
    table(store, tmp_path / "more", "sent", [f"new@shop.example,new@gmail.com,{DAY.isoformat()},,,,"])
    flush(store)
    assert numbers.refresh()
    assert numbers.measure(["sent"])["numerator"][0] == 11


def test_the_report_says_it_in_three_forms_and_nothing_from_outside_comes_alive(numbers: Numbers) -> None:
    period = Period(date(2026, 11, 1), date(2026, 11, 8))
    assert "Of 2 failures 1 are dead addresses" in headline(numbers, period)
    for form in ("html", "md", "json"):
        assert "70.0%" in render(numbers, period, form) or form == "json"
    page = render(numbers, period, "html")
    assert "<script" not in page
    assert "src=" not in page
    assert "https://" not in page.replace("https://www.w3.org", "")
    mail = to_mail(numbers, period, "health@shop.example", ["team@shop.example"])
    assert [p.get_content_type() for p in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-11-05..2026-11-01"])
def test_a_period_that_is_none_is_a_sentence(text: str) -> None:
    with pytest.raises(PeriodError):
        Period.parse(text, date(2026, 11, 23))


def test_the_interval_of_22_in_24_is_74_to_98_percent() -> None:
    low, high = wilson(22, 24)
    assert (round(low, 2), round(high, 2)) == (0.74, 0.98)


def steady(store: Store, source: str, hours: list[float]) -> None:
    """A source that brings an ordinary mail at each of these hours after DAY."""
    mails = [Capture(f"Subject: {source} {h}\n\nx".encode(), MESSAGE, source, DAY + timedelta(hours=h)) for h in hours]
    store.inbox.keep(mails)


def test_a_source_that_falls_silent_is_missed_and_one_that_is_often_silent_is_not(tmp_path: Path) -> None:
    store = Store(tmp_path)
    steady(store, "bounces", [3 * n for n in range(60)])
    steady(store, "newsletter-replies", [h for week in range(4) for h in (week * 168, week * 168 + 1, week * 168 + 2, week * 168 + 50)])
    steady(store, "once", [0, 1])
    flush(store)
    numbers = Numbers(store)
    end = DAY + timedelta(hours=3 * 59)
    assert silences(numbers, end + timedelta(hours=11)) == []
    (found,) = silences(numbers, end + timedelta(hours=26))
    assert found.title == "Nothing from bounces for 26 hours; its usual pause is 3 hours"
    assert found.level == "act"
    assert "mailhealth check" in found.next_step


def test_made_up_data_is_not_missed_when_it_ends(tmp_path: Path) -> None:
    store = Store(tmp_path)
    steady(store, "bounces", [3 * n for n in range(60)])
    flush(store)
    store.mark_simulated("made up")
    assert silences(Numbers(store), DAY + timedelta(days=100)) == []
