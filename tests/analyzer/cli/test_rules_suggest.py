"""`mailhealth rules suggest`, from the reports that came to a rule that holds."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analyzer.store import Store
from analyzer.suggest import of_store
from tests.analyzer.cli.conftest import Cli, bounce

Write = Callable[[str], Path]
CONFIG = 'rules = "my-rules"\n[sources.mail]\ntype = "files"\npath = "mail"\n'
ASLEEP = b"554 5.0.0 <u%d@customer.example>: the relay is asleep until %02d:30"


def deliver(folder: Path) -> None:
    """Five reports: three that say the same and are not understood, one that is, one kind of its own."""
    (folder / "mail").mkdir()
    (folder / "my-rules").mkdir()
    messages = [bounce(n, ASLEEP % (n, n), b"5.0.0") for n in range(3)]
    messages += [bounce(3, b"550 5.1.1 no such user"), bounce(4, b"554 5.0.0 kraken seen nearby", b"5.0.0")]
    for n, message in enumerate(messages):
        (folder / "mail" / f"{n}.eml").write_bytes(b"Date: Mon, %02d Nov 2020 10:00:00 +0000\n" % (9 + n) + message)


def test_from_reports_in_the_store_to_a_rule_that_is_heard(cli: Cli, config: Write, tmp_path: Path) -> None:
    config(CONFIG)
    deliver(tmp_path)
    cli("collect", "--quiet")
    shown = cli("rules", "suggest")
    assert shown.code == 0
    for words in (
        "1. 3 replies, 2020-11-09 to 2020-11-11",
        "customer.example",
        "554 5.0.0",
        "undetermined",
        "<address>: the relay is asleep until <number>",
        "554 5.0.0 <u2@customer.example>: the relay is asleep until 02:30",
        'phrases = ["relay is asleep until"]',
        "5 failures read; specific rules tell of 1",
        "The others are of 2 kinds; shown: 1; of fewer than 2, so with a smaller --least: 1 more.",
    ):
        assert words in shown.out, words
    assert "kraken" not in shown.out

    new = tmp_path / "new.toml"
    new.write_text(cli("rules", "suggest", "--format", "toml").out)
    ran = cli("rules", "check", new)
    assert ran.code == 2 and 'new.relay-asleep-until: reason "?" is not in taxonomy.toml' in ran.out
    new.write_text(new.read_text().replace('reason = "?"', 'reason = "greylisted"'))
    assert cli("rules", "check", new).code == 0

    new.rename(tmp_path / "my-rules" / "new.toml")
    # not replayed yet: what was judged before there was the rule is not suggested again
    assert "There is nothing to suggest." not in cli("rules", "suggest", "--least", "1").out
    assert "asleep" not in cli("rules", "suggest", "--least", "1").out
    assert cli("replay").out.endswith("3 events changed.\n")
    ran = cli("rules", "suggest", "--least", "1")
    assert "asleep" not in ran.out and "kraken seen nearby" in ran.out and "specific rules tell of 4" in ran.out


def test_of_a_store_a_bounded_number_of_replies_is_read_the_latest_first(cli: Cli, config: Write, tmp_path: Path) -> None:
    config(CONFIG)
    deliver(tmp_path)
    cli("collect", "--quiet")
    lake = Store(tmp_path / "mailhealth-data").lake
    (understood, latest), more = of_store(lake, most=1)
    assert more and understood.count == 1
    assert latest.text == "554 5.0.0 kraken seen nearby" and latest.last == datetime(2020, 11, 13, 10, tzinfo=UTC)
    failures, more = of_store(lake, most=4)
    assert not more and [f.count for f in failures] == [1] * 5


def test_reports_and_replies_can_be_read_without_a_store(cli: Cli, tmp_path: Path) -> None:
    deliver(tmp_path)
    (tmp_path / "r.jsonl").write_text(json.dumps({"id": 1, "reply": "451 4.0.0 kraken seen nearby", "provider": "Relay"}))
    ran = cli("rules", "suggest", "mail", "--replies", "r.jsonl", "--format", "json")
    told = json.loads(ran.out)
    assert {k: told[k] for k in ("failures", "understood", "silent", "left", "kinds")} == {
        "failures": 6, "understood": 1, "silent": 0, "left": 0, "kinds": 2,
    }  # fmt: skip
    asleep, kraken = told["suggestions"]
    assert (asleep["count"], asleep["name"], asleep["reason"], asleep["phrases"]) == (
        3,
        "relay-asleep-until",
        None,
        ["relay is asleep until"],
    )
    assert (asleep["first"], asleep["last"]) == ("2020-11-09T10:00:00+00:00", "2020-11-11T10:00:00+00:00")
    assert kraken["providers"] == {"customer.example": 1, "Relay": 1}
    assert kraken["codes"] == {"554 5.0.0": 1, "451 4.0.0": 1}
    assert tomllib.loads(kraken["rule"])["kraken-seen-nearby"]["examples"] == ["554 5.0.0 kraken seen nearby"]
    assert "6 failures read" in ran.err


def test_least_and_most_bound_what_is_shown(cli: Cli, tmp_path: Path) -> None:
    deliver(tmp_path)
    assert "1 more" in cli("rules", "suggest", "mail", "--least", "1", "--most", "1").out
    assert len(tomllib.loads(cli("rules", "suggest", "mail", "--least", "1", "--format", "toml").out)) == 2
    ran = cli("rules", "suggest", "mail", "--least", "9")
    assert ran.code == 0 and "shown: 0" in ran.out and "Next" not in ran.out


def test_where_everything_is_understood_that_is_said(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(bounce(1))
    assert cli("rules", "suggest", "a.eml").out.endswith("There is nothing to suggest.\n")
    assert tomllib.loads(cli("rules", "suggest", "a.eml", "--format", "toml").out) == {}


@pytest.mark.parametrize("form", ["table", "toml", "json"])
def test_nothing_that_strangers_wrote_is_alive_on_the_terminal(cli: Cli, tmp_path: Path, form: str) -> None:
    said = 'kraken [red]seen\x1b[31m \u202enearby\r\n"]\nsure = true\n[evil]\x07\x00'
    rows = [{"id": n, "reply": f"554 5.0.0 {said}", "provider": f"[b]{said}"} for n in range(2)]
    (tmp_path / "r.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    ran = cli("rules", "suggest", "--replies", "r.jsonl", "--format", form)
    assert ran.code == 0 and "kraken" in ran.out
    assert all(line.isprintable() for line in (ran.out + ran.err).split("\n"))
    if form == "toml":
        assert len(tomllib.loads(ran.out)) == 1
    if form == "table":
        assert "[red]" in ran.out


def test_without_a_store_or_a_configuration_the_way_is_named(cli: Cli, config: Write, tmp_path: Path) -> None:
    assert cli("rules", "suggest").code == 2
    config("")
    ran = cli("rules", "suggest")
    assert ran.code == 2 and "no store here" in ran.err
    ran = cli("rules", "suggest", "nowhere")
    assert ran.code == 2 and "nowhere: no such file or folder" in ran.err
    assert "mailhealth rules check new.toml" in cli("rules", "suggest", "--help").out
