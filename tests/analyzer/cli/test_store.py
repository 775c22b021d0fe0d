"""Commands over a store: collect, replay, lake, rules."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analyzer.lake import Lake
from analyzer.model import StoreError
from analyzer.pipeline import PARALLEL_FROM, PART
from analyzer.store import Store
from tests.analyzer.cli.conftest import Cli, bounce

Write = Callable[[str], Path]
SOURCE = '[sources.mail]\ntype = "files"\npath = "mail"\n'
SENDS = '[sources.sends]\ntype = "table"\npath = "sends.csv"\nkind = "sent"\n'


def deliver(folder: Path, *messages: bytes) -> None:
    (folder / "mail").mkdir(exist_ok=True)
    for n, message in enumerate(messages):
        (folder / "mail" / f"{n}.eml").write_bytes(message)


def events(folder: Path) -> list[dict[str, Any]]:
    return sorted(Store(folder / "mailhealth-data").lake.rows("events"), key=lambda e: str(e["event_id"]))


def test_collect_twice_is_boring(cli: Cli, config: Write, tmp_path: Path) -> None:
    config(SOURCE)
    deliver(tmp_path, bounce(1), bounce(2), bounce(3))
    first = cli("collect", "--quiet")
    assert (first.code, first.out.splitlines()[0]) == (0, "mail: 3 seen, 3 new, 0 known, 0 left out")
    assert "3 captures filed as 3 events" in first.out and "mailhealth dash" in first.out
    assert "0 captures filed" in cli("collect", "--quiet").out
    assert len(events(tmp_path)) == 3


def test_one_source_that_fails_does_not_hold_up_the_others(cli: Cli, config: Write, tmp_path: Path) -> None:
    imap = '[sources.box]\ntype = "imap"\nhost = "127.0.0.1"\nport = 1\nuser = "u"\npassword_env = "MAILHEALTH_NO_SUCH_PASSWORD"\n'
    config('[sources.gone]\ntype = "files"\npath = "nowhere"\n' + imap + SENDS + SOURCE)
    deliver(tmp_path, bounce(1))
    ran = cli("collect", "--quiet")
    assert ran.code == 2
    assert "gone: " in ran.err and "box: " in ran.err and "sends: " in ran.err
    assert "mail: 1 seen, 1 new" in ran.out and "1 captures filed" in ran.out


def test_a_source_that_is_not_configured_is_named_with_those_that_are(cli: Cli, config: Write) -> None:
    config(SOURCE)
    ran = cli("collect", "mial")
    assert ran.code == 2 and "there is no source 'mial'; there are mail" in ran.err
    ran = cli("run", "mial")
    assert ran.code == 2 and "there is no source 'mial'; there are: flusher, dashboard, mail" in ran.err


def test_without_sources_collect_says_how_to_add_one(cli: Cli, config: Write) -> None:
    config("")
    ran = cli("collect")
    assert ran.code == 2 and "add a table [sources.NAME]" in ran.err


def test_a_server_has_nothing_to_collect(cli: Cli, config: Write) -> None:
    config('[sources.sink]\ntype = "smtp-sink"\ndomains = ["b.example"]\n')
    ran = cli("collect", "--quiet")
    assert ran.code == 0 and "takes what is sent to it while `mailhealth serve` runs" in ran.out


@pytest.mark.parametrize("command", ["replay", "lake compact", "lake vacuum", "dash", "report"])
def test_without_a_store_the_way_to_one_is_named(cli: Cli, config: Write, tmp_path: Path, command: str) -> None:
    config("")
    ran = cli(*command.split())
    assert ran.code == 2 and "no store here" in ran.err and "mailhealth collect" in ran.err
    assert not (tmp_path / "mailhealth-data").exists()


RULE = """
[relay-asleep]
reason = "%s"
phrases = ["the relay is asleep"]
source = "what our relay says at night"
examples = ["550 5.0.0 sorry, the relay is asleep"]
counter = ["550 5.1.1 asleep@customer.example: no such user"]
"""


def test_replay_after_one_rule_changed_prints_exactly_the_events_that_changed(cli: Cli, config: Write, tmp_path: Path) -> None:
    config('rules = "my-rules"\n' + SOURCE)
    (tmp_path / "my-rules").mkdir()
    rule = tmp_path / "my-rules" / "ours.toml"
    rule.write_text(RULE % "system-error")
    asleep = bounce(2, b"550 5.0.0 sorry, the relay is asleep", b"5.0.0")
    deliver(tmp_path, bounce(1), asleep, bounce(3, b"552 5.2.2 mailbox full", b"5.2.2"))
    cli("collect", "--quiet")
    before = events(tmp_path)
    (mine,) = [e for e in before if e["rule"] == "ours.relay-asleep"]
    assert mine["reason"] == "system-error"
    assert cli("replay").out == "0 events changed.\n"

    rule.write_text(RULE % "greylisted")
    shown = cli("replay", "--dry-run", "--format", "jsonl")
    assert shown.lines == [
        {"event_id": mine["event_id"], "changed": {"reason": ["system-error", "greylisted"]} | shown.lines[0]["changed"]}
    ]
    assert set(shown.lines[0]["changed"]) <= {"reason", "severity", "fault"}
    assert events(tmp_path) == before

    done = cli("replay")
    assert done.out.splitlines()[0].startswith(f"{mine['event_id']}  reason: 'system-error' -> 'greylisted'")
    assert done.out.splitlines()[1:] == ["1 events changed."]
    after = events(tmp_path)
    assert [e for e in after if e["event_id"] != mine["event_id"]] == [e for e in before if e["event_id"] != mine["event_id"]]
    assert [e["reason"] for e in after if e["event_id"] == mine["event_id"]] == ["greylisted"]
    assert cli("replay").out == "0 events changed.\n"


def test_many_captures_are_filed_and_replayed_by_several_processes_with_the_user_s_rules(cli: Cli, config: Write, tmp_path: Path) -> None:
    config('rules = "my-rules"\n' + SOURCE)
    (tmp_path / "my-rules").mkdir()
    rule = tmp_path / "my-rules" / "ours.toml"
    rule.write_text(RULE % "system-error")
    many = 210
    assert many > PARALLEL_FROM > PART
    deliver(tmp_path, *(bounce(n, b"550 5.0.0 sorry, the relay is asleep", b"5.0.0") for n in range(many)))
    assert f"{many} captures filed as {many} events" in cli("collect", "--quiet").out
    assert {e["reason"] for e in events(tmp_path)} == {"system-error"}
    rule.write_text(RULE % "greylisted")
    assert cli("replay").out.endswith(f"{many} events changed.\n")
    assert {e["reason"] for e in events(tmp_path)} == {"greylisted"}


def test_events_that_were_lost_are_made_anew_from_the_captures(cli: Cli, config: Write, tmp_path: Path) -> None:
    config(SOURCE)
    deliver(tmp_path, bounce(1), bounce(2))
    cli("collect", "--quiet")
    before = events(tmp_path)
    shutil.rmtree(tmp_path / "mailhealth-data" / "lake" / "events")
    assert cli("replay").out.endswith("2 events changed.\n")
    assert events(tmp_path) == before
    deliver(tmp_path, bounce(1), bounce(2), bounce(3))
    cli("collect", "--quiet")
    assert len(events(tmp_path)) == 3


def test_replay_leaves_to_the_flusher_what_it_has_not_judged(cli: Cli, config: Write, tmp_path: Path) -> None:
    config(SOURCE)
    deliver(tmp_path, bounce(1))
    cli("collect", "--quiet")
    (tmp_path / "mail" / "2.eml").write_bytes(bounce(2))
    store, append = Store(tmp_path / "mailhealth-data"), Lake.append

    def killed(lake: Lake, name: str, *rest: Any) -> bool:
        if name == "events":
            raise StoreError("killed between the two tables")
        return append(lake, name, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lake, "append", killed)
        assert cli("collect", "--quiet").code == 2
    assert len(list(store.lake.captures())) == 2
    assert cli("replay").out == "0 events changed.\n"
    cli("collect", "--quiet")
    assert len(events(tmp_path)) == len(list(store.lake.captures())) == 2


@pytest.mark.parametrize("damage", ["garbage in the log", "a gap in the log", "garbage in a file", "a file that is gone"])
@pytest.mark.parametrize("table", ["captures", "events"])
def test_a_damaged_lake_is_a_sentence_with_the_way_out(cli: Cli, config: Write, tmp_path: Path, damage: str, table: str) -> None:
    config(SOURCE)
    deliver(tmp_path, bounce(1))
    cli("collect", "--quiet")
    deliver(tmp_path, bounce(1), bounce(2))
    cli("collect", "--quiet")
    place = tmp_path / "mailhealth-data" / "lake" / table
    for file in place.glob(
        "_delta_log/*2.json" if damage == "garbage in the log" else "_delta_log/*1.json" if "gap" in damage else "day=*/*"
    ):
        if "garbage" in damage:
            file.write_text("garbage")
        else:
            file.unlink()
    ran = cli("replay")
    assert ran.code == 2
    assert re.search(rf"lake/{table}: cannot be read \(.*\)\. Check its permissions; if it is damaged, ", ran.err)
    assert "<unknown>" not in ran.err
    if table == "events":
        ran = cli("report")
        assert ran.code == 2 and "run `mailhealth replay`, which makes it anew" in ran.err
        shutil.rmtree(place)
        assert cli("replay").code == 0
        assert len(events(tmp_path)) == 2


def test_a_broken_rule_stops_everything_before_anything_is_judged_by_it(cli: Cli, config: Write, tmp_path: Path) -> None:
    config('rules = "my-rules"\n' + SOURCE)
    (tmp_path / "my-rules").mkdir()
    (tmp_path / "my-rules" / "ours.toml").write_text(RULE % "greylist")
    deliver(tmp_path, bounce(1))
    for command in (["collect"], ["replay"], ["check"], ["classify", "mail"], ["explain", "mail/0.eml"], ["serve"], ["run", "flusher"]):
        ran = cli(*command)
        assert ran.code == 2
        assert 'ours.toml: ours.relay-asleep: reason "greylist" is not in taxonomy.toml (did you mean "greylisted"?)' in ran.err
    assert not (tmp_path / "mailhealth-data").exists()


def test_rules_of_ones_own_hold_for_classify_too(cli: Cli, config: Write, tmp_path: Path) -> None:
    config('rules = "my-rules"\n')
    (tmp_path / "my-rules").mkdir()
    (tmp_path / "my-rules" / "ours.toml").write_text(RULE % "greylisted")
    deliver(tmp_path, bounce(2, b"550 5.0.0 sorry, the relay is asleep", b"5.0.0"))
    (line,) = cli("classify", "mail", "--format", "jsonl").lines
    assert (line["events"][0]["rule"], line["events"][0]["reason"]) == ("ours.relay-asleep", "greylisted")


def test_rules_check_tries_the_configured_folder_or_the_files_named(cli: Cli, config: Write, tmp_path: Path) -> None:
    (tmp_path / "my-rules").mkdir()
    rule = tmp_path / "my-rules" / "ours.toml"
    rule.write_text(RULE % "greylisted")
    assert (cli("rules", "check").code, cli("rules", "check", rule).code, cli("rules", "check", "my-rules").code) == (0, 0, 0)
    config('rules = "my-rules"\n')
    assert "All examples hold" in cli("rules", "check").out
    rule.write_text(RULE % "greylist")
    for args in ([], [rule], ["my-rules"]):
        ran = cli("rules", "check", *args)
        assert ran.code == 2 and 'did you mean "greylisted"?' in ran.out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[a]\nreason = "greylisted"\nphrases = ["x y"]\n', "ours.a: has no example"),
        ('[a]\nreason = "greylisted"\nphrases = ["sleeps"]\nexamples = ["451 awake"]\n', "none of its phrases stands in its example: '451 awake'"),
        ('[a]\nreason = "greylisted"\nphrases = ["nap"]\nexamples = ["451 nap"]\ncounter = ["550 nap"]\n', "matches its counter-example"),
        ('[a]\nreason = "greylisted"\nphrases = ["nap"]\nsure = false\nexamples = ["451 4.2.2 nap: mailbox is full"]\n', "ours.a: expected greylisted"),
        ('[a]\nreason = "greylisted"\nphrases = "nap"\n', "ours.a: phrases: found 'nap', expected a list of strings"),
        ('[a]\nreason = "greylisted"\nphrases = ["nap", 3]\n', "expected a list of strings"),
        ('[a]\nreason = "greylisted"\nphrases = [" "]\n', "expected words before and after each gap"),
        ('[a]\nreason = "greylisted"\nphrases = ["nap"]\nsure = "no"\n', "ours.a: sure: found 'no', expected true or false"),
        ('[a]\nreason = "greylisted"\nphrase = ["nap"]\n', "unknown key 'phrase' (did you mean \"phrases\"?)"),
        ("at = 'x'\n", "ours.toml: at: found 'x', expected a list of strings"),
        ("a = 1\n", "ours.a: found a single value"),
        ("[a\n", "cannot be read as TOML"),
    ],
)  # fmt: skip
def test_rules_check_says_what_is_wrong_with_a_rule(cli: Cli, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "ours.toml").write_text(text)
    ran = cli("rules", "check", "ours.toml")
    assert ran.code == 2 and said in ran.out


def test_an_example_is_read_as_rules_hear_it(cli: Cli, tmp_path: Path) -> None:
    example = "smtp; 451-4.3.2 don\u2019t\\r\\n451 4.3.2\\tcome at night"
    (tmp_path / "ours.toml").write_text(
        f'[a]\nreason = "greylisted"\nphrases = ["don\'t come at night"]\nexamples = ["{example}"]\n', "utf-8"
    )
    assert cli("rules", "check", "ours.toml").code == 0


def test_rules_check_of_a_file_that_is_not_there(cli: Cli) -> None:
    ran = cli("rules", "check", "gone.toml")
    assert ran.code == 2 and "gone.toml: no such" in ran.out


def test_compact_joins_files_and_loses_no_row_and_vacuum_deletes_what_was_joined(cli: Cli, config: Write, tmp_path: Path) -> None:
    config(SOURCE)
    for n in range(4):
        (tmp_path / "mail").mkdir(exist_ok=True)
        (tmp_path / "mail" / f"{n}.eml").write_bytes(bounce(n))
        cli("collect", "--quiet")
    before = events(tmp_path)
    assert cli("lake", "compact").out == "captures: 3 files fewer\nevents: 3 files fewer\n"
    assert events(tmp_path) == before
    assert cli("lake", "vacuum").out == "captures: 0 files deleted\nevents: 0 files deleted\n"  # readers may still use them
    assert cli("lake", "vacuum", "--hours", "0").code == 2
    assert "0 captures filed" in cli("collect", "--quiet").out
