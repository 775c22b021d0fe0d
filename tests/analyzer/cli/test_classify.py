"""`mailhealth classify`, whose output others score, and `mailhealth explain`."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.analyzer.cli.conftest import Cli, bounce

FROM = b"From MAILER-DAEMON Mon Nov  9 10:00:00 2026\n"
EVENT = {
    "recipient", "final", "kind", "severity", "fault", "reason", "rule", "confidence", "status", "reply_code", "diagnostic", "remote_mta",
    "message_id", "feedback_type",
}  # fmt: skip
LETTER = b"From: ann@example.com\nSubject: lunch\n\nShall we?\n"


def test_one_message_is_one_object_with_all_that_was_promised(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(bounce(1))
    (line,) = cli("classify", "a.eml", "--format", "jsonl").lines
    assert set(line) == {"id", "kind", "events"}
    assert (line["id"], line["kind"]) == ("a.eml", "bounced")
    (event,) = line["events"]
    assert set(event) == EVENT
    told = {k: event[k] for k in ("recipient", "final", "kind", "severity", "fault", "reason", "status", "reply_code")}
    assert told == {
        "recipient": "u1@customer.example", "final": None, "kind": "bounced", "severity": "hard", "fault": "address",
        "reason": "user-unknown", "status": "5.1.1", "reply_code": "550",
    }  # fmt: skip
    assert 0.9 < event["confidence"] <= 1


def test_what_cannot_be_read_says_why_and_its_neighbours_are_read(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "1.eml").write_bytes(b"")
    (tmp_path / "2.eml").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "3.eml").write_bytes(LETTER)
    (tmp_path / "4.eml").write_bytes(bounce(4))
    lines = cli("classify", ".", "--format", "jsonl").lines
    assert [line["id"] for line in lines] == ["1.eml", "2.eml", "3.eml", "4.eml"]
    assert [line["kind"] for line in lines[2:]] == ["not-a-report", "bounced"]
    for line in lines[:3]:
        assert line["kind"] in {"unreadable", "not-a-report"}
        assert line["events"] == [] and line["why"]


def test_folders_are_read_in_order_and_maildirs_without_what_is_half_written(cli: Cli, tmp_path: Path) -> None:
    for name in ("Maildir/new/2.host", "Maildir/cur/1.host:2,S", "Maildir/tmp/3.host", "Maildir/.Junk/cur/4.host:2,", "b/z.eml", "b/a.eml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bounce(1))
    ids = [line["id"] for line in cli("classify", "b", "Maildir", "--format", "jsonl").lines]
    assert ids == ["b/a.eml", "b/z.eml", "Maildir/.Junk/cur/4.host:2,", "Maildir/cur/1.host:2,S", "Maildir/new/2.host"]


def test_the_messages_of_an_mbox_are_numbered(cli: Cli, tmp_path: Path) -> None:
    mbox = b"".join(FROM + m + b"\n" for m in (bounce(1), LETTER, bounce(3)))
    (tmp_path / "bounces.mbox").write_bytes(mbox)
    (tmp_path / "bounces.mbox.gz").write_bytes(gzip.compress(mbox))
    for name in ("bounces.mbox", "bounces.mbox.gz"):
        assert [(line["id"], line["kind"]) for line in cli("classify", name, "--format", "jsonl").lines] == [
            (f"{name}#1", "bounced"), (f"{name}#2", "not-a-report"), (f"{name}#3", "bounced"),
        ]  # fmt: skip


def test_standard_input_is_a_message_or_an_mbox(cli: Cli) -> None:
    assert [line["id"] for line in cli("classify", "-", "--format", "jsonl", stdin=bounce(1)).lines] == ["-"]
    mbox = FROM + bounce(1) + b"\n" + FROM + bounce(2)
    assert [line["id"] for line in cli("classify", "-", "--format", "jsonl", stdin=mbox).lines] == ["-#1", "-#2"]


def test_many_processes_answer_as_one_does_in_the_same_order(cli: Cli, tmp_path: Path) -> None:
    for n in range(450):
        (tmp_path / f"{n:03}.eml").write_bytes(bounce(n) if n % 3 else LETTER)
    one = cli("classify", ".", "--format", "jsonl", "--processes", "1")
    two = cli("classify", ".", "--format", "jsonl", "--processes", "2")
    assert [line["id"] for line in one.lines] == [f"{n:03}.eml" for n in range(450)]
    assert two.out == one.out


def test_a_path_that_is_not_there_is_a_sentence(cli: Cli) -> None:
    ran = cli("classify", "nowhere", "--format", "jsonl")
    assert ran.code == 2 and "nowhere: no such file or folder" in ran.err


def test_without_a_path_the_ways_are_named(cli: Cli) -> None:
    ran = cli("classify")
    assert ran.code == 2 and "standard input" in ran.err and "--replies" in ran.err


def test_a_table_for_people_shows_the_receivers_words_without_their_tricks(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(bounce(1, b"550 5.1.1 [red]no[/red] such \x1b[31muser"))
    ran = cli("classify", "a.eml", "--format", "table")
    assert ran.code == 0
    assert "\x1b" not in ran.out and "1 messages" in ran.out


REPLIES = [
    {"id": 1, "reply": "550 5.1.1 The email account that you tried to reach does not exist", "provider": "Gmail"},
    {"id": "b", "reply": "452 4.2.2 Mailbox is full"},
]


def test_single_replies_are_judged(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text("\ufeff" + "\n\n".join(json.dumps(r) for r in REPLIES))
    lines = cli("classify", "--replies", "r.jsonl", "--format", "jsonl").lines
    keys = {"id", "reason", "severity", "fault", "rule", "confidence", "scope", "retry", "action"}
    assert [set(line) for line in lines] == [keys, keys]
    assert [(line["id"], line["reason"], line["severity"]) for line in lines] == [
        (1, "user-unknown", "hard"),
        ("b", "mailbox-full", "soft"),
    ]
    assert cli("classify", "--replies", "r.jsonl", "--format", "table").code == 0


@pytest.mark.parametrize("line", ['{"id": 1}', "not json", "[1]", "[" * 100_000, '{"reply": "x"}'])
def test_a_bad_line_of_replies_is_named_by_its_number(cli: Cli, tmp_path: Path, line: str) -> None:
    (tmp_path / "r.jsonl").write_text(json.dumps(REPLIES[0]) + "\n" + line + "\n")
    ran = cli("classify", "--replies", "r.jsonl", "--format", "jsonl")
    assert ran.code == 2 and 'r.jsonl: line 2: expected an object with "id" and "reply"' in ran.err
    assert len(ran.lines) == 1


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    for n in range(300):
        (tmp_path / f"{n}.eml").write_bytes(bounce(n, b"550 5.1.1 " + b"no such user " * 100))
    process = subprocess.Popen(
        [sys.executable, "-m", "analyzer", "classify", str(tmp_path), "--format", "jsonl"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.communicate()[1] == b""
    assert process.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_that_is_full_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(bounce(1))
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "analyzer", "classify", str(tmp_path), "--format", "jsonl"], stdout=full, stderr=subprocess.PIPE
        )
    assert ran.returncode == 2
    assert ran.stderr == b"error: the output: No space left on device.\n"


def test_explain_shows_what_decided_and_what_to_do(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.eml.gz").write_bytes(gzip.compress(bounce(1)))
    ran = cli("explain", "a.eml.gz")
    for words in ("u1@customer.example", "read by dsn", "user-unknown (hard; address can mend it", "no such user", "what to do"):
        assert words in ran.out
    assert cli("explain", "-", stdin=bounce(1)).out == ran.out


def test_explain_takes_the_first_of_an_mbox_and_says_so(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "b.mbox").write_bytes(FROM + bounce(1) + b"\n" + FROM + bounce(2))
    ran = cli("explain", "b.mbox")
    assert "u1@customer.example" in ran.out and "u2@" not in ran.out and "the first of several" in ran.out


def test_explain_of_what_is_no_report_says_so(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(LETTER)
    (tmp_path / "empty").mkdir()
    assert "not-a-report" in cli("explain", "a.eml").out
    assert "unreadable" in cli("explain", "-", stdin=b"").out
    for path, said in {"empty": "no message in it", "gone.eml": "no such file"}.items():
        ran = cli("explain", path)
        assert ran.code == 2 and said in ran.err


def test_explain_lets_no_stranger_write_to_the_terminal(cli: Cli, tmp_path: Path) -> None:
    hostile = bounce(1).replace(b"no such user", b"\x1b[2J\x1b]0;owned\x07no such user\xe2\x80\xae gone")
    assert hostile != bounce(1)
    (tmp_path / "a.eml").write_bytes(hostile)
    ran = cli("explain", "a.eml")
    assert ran.code == 0 and "user-unknown" in ran.out
    assert not {"\x1b", "\x07", "\u202e"} & set(ran.out)


def test_a_folder_without_messages_says_so(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"Subject: a\n\nx\n")
    assert "no message found" in cli("classify", tmp_path, "--format", "jsonl").err
