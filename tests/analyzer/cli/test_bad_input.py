"""What strangers, disks and typing fingers do: a sentence and exit code 2, or a counted `unreadable`, and nothing else is lost."""

from __future__ import annotations

import os
import re
import resource
import smtplib
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from analyzer.model import MESSAGE, Capture
from analyzer.pipeline import flush
from analyzer.store import Store
from tests.analyzer.cli.conftest import Cli, bounce
from tests.servers import answers, end, free_port, open_folder, until
from tests.servers.dovecot import Mailbox

Write = Callable[[str], Path]
MAIL = '[sources.mail]\ntype = "files"\npath = "mail"\n'
MAILHEALTH = [sys.executable, "-m", "analyzer"]


def store(folder: Path) -> Store:
    return Store(folder / "mailhealth-data")


def kinds(folder: Path, key: str = "kind") -> Counter[Any]:
    return Counter(e[key] for e in store(folder).lake.rows("events"))


def nested(depth: int) -> bytes:
    """A message of parts within parts."""
    opened = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(depth))
    closed = b"".join(b"--b%d--\n" % n for n in reversed(range(depth)))
    return b"From: a@b.example\n" + opened + b"Content-Type: text/plain\n\nhello\n" + closed


def test_every_odd_message_is_kept_and_counted_and_the_report_among_them_is_read(cli: Cli, config: Write, tmp_path: Path) -> None:
    config(MAIL)
    big = (
        b"From: a@b.example\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n"
        + (b"QUJD" * 19 + b"\n") * 680_000
    )
    assert len(big) > 50_000_000
    odd = {
        "truncated": bounce(1)[:230],
        "binary": bytes(range(256)) * 400,
        "empty": b"",
        "big": big,
        "deep": nested(2000),
        "latin": b"From: J\xf6rg <j@b.example>\nSubject: \xe4\xf6\n\nGr\xfc\xdfe \xff\xfe\n",
        "good": bounce(7),
    }
    (tmp_path / "mail").mkdir()
    for name, message in odd.items():
        (tmp_path / "mail" / name).write_bytes(message)
    ran = cli("collect", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    assert "mail: 7 seen, 7 new" in ran.out and "7 captures filed as 7 events, 2 of them unreadable" in ran.out
    kept = {c.data for _, c in store(tmp_path).lake.captures()}
    assert kept == set(odd.values())
    assert kinds(tmp_path) == {"unreadable": 2, "not-a-report": 3, "bounced": 2}
    assert kinds(tmp_path, "reason")["user-unknown"] == 1
    assert all(e["why"] for e in store(tmp_path).lake.rows("events") if e["kind"] == "unreadable")


def test_lines_of_prose_that_begin_with_from_split_no_message_of_an_mbox(cli: Cli, config: Write, tmp_path: Path) -> None:
    config(MAIL)
    start = b"From MAILER-DAEMON Mon Nov  9 10:00:00 2026\n"
    letter = b"From: ann@b.example\nSubject: a\n\nHello.\n\nFrom Monday on we are closed.\nFrom ann Mon\n\nFrom 9 to 5 in 2026\n"
    (tmp_path / "mail").write_bytes(b"\n".join(start + m for m in (bounce(1), letter, bounce(2))))
    assert "mail: 3 seen, 3 new" in cli("collect", "--quiet").out
    assert kinds(tmp_path) == {"bounced": 2, "not-a-report": 1}


def test_a_table_with_wrong_types_counts_its_bad_rows_and_a_table_without_its_column_says_which(
    cli: Cli, config: Write, tmp_path: Path
) -> None:
    config(
        "".join(f'[sources.{n}]\ntype = "table"\npath = "{n}.csv"\nkind = "{k}"\n' for n, k in (("sends", "sent"), ("orders", "converted")))
        + MAIL
    )
    (tmp_path / "sends.csv").write_text("message_id,at\n<1@x>,2026-11-01\n")
    (tmp_path / "orders.csv").write_bytes(
        b"\xef\xbb\xbfrecipient,at,value\na@b.example,2026-11-01T10:00:00Z,12.50\na@b.example,never,1\na@b.example,2026-11-01,lots\n\xff\xfe,\xff,\n"
    )
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "1").write_bytes(bounce(1))
    ran = cli("collect", "--quiet")
    assert ran.code == 2
    assert re.search(r"sends: .*sends\.csv: there is no column 'recipient' for 'recipient'\. Found: message_id, at\.", ran.err)
    assert kinds(tmp_path) == {"converted": 1, "unreadable": 3, "bounced": 1}
    told = " ".join(str(e["why"]) for e in store(tmp_path).lake.rows("events") if e["kind"] == "unreadable")
    assert "'never' is no time" in told and "'lots'" in told


COLLECT = """
import re, sys
from pathlib import Path
from analyzer.sources import TableSource
from analyzer.inbox import Inbox
from collectors.table import TableCollector
inbox = Inbox(Path(sys.argv[2]))
tally = TableCollector("sends", TableSource(type="table", path=Path(sys.argv[1]), kind="sent")).collect(inbox.keep, dict)
# not ru_maxrss, which knows of the process before exec
print(tally.kept, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def test_a_million_rows_are_collected_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "sends.csv"
    row = "<%d.20261101@news.shop.example>,customer%d@domain.example,2026-11-01T10:00:00Z,spring-sale,promotion,news@shop.example,203.0.113.7\n"
    with path.open("w") as file:
        file.write("message_id,recipient,at,campaign,mail_type,sender,sending_ip\n")
        for n in range(1000):
            file.write("".join(row % (m, m) for m in range(n * 1000, n * 1000 + 1000)))
    ran = subprocess.run([sys.executable, "-c", COLLECT, str(path), str(tmp_path / "inbox")], capture_output=True, text=True, check=True)
    blocks, megabytes = map(int, ran.stdout.split())
    assert blocks == 1000
    assert path.stat().st_size > 120_000_000
    assert megabytes < 100


def limited(size: int) -> Callable[[], None]:
    """For a process whose files may not grow beyond `size` bytes, as on a disk that is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_disk_that_is_full_for_the_lake_is_a_sentence_and_nothing_is_lost(cli: Cli, config: Write, tmp_path: Path) -> None:
    config("[sources.none]\ntype = 'files'\npath = 'none'\n")
    (tmp_path / "none").mkdir()
    waiting = store(tmp_path).inbox
    waiting.keep([Capture(bounce(n) + os.urandom(400_000), MESSAGE, "mail", datetime.now(UTC)) for n in range(3)])
    ran = subprocess.run([*MAILHEALTH, "collect", "--quiet"], cwd=tmp_path, preexec_fn=limited(600_000), capture_output=True, text=True)
    assert ran.returncode == 2
    assert "lake/captures: cannot be written" in ran.stderr and "check the disk's space" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert waiting.waiting() == 3
    assert cli("collect", "--quiet").code == 0
    assert (waiting.waiting(), kinds(tmp_path)) == (0, {"bounced": 3})


@contextmanager
def sink(folder: Path, port: int, limit: int) -> Iterator[subprocess.Popen[bytes]]:
    """`mailhealth run sink` whose files may not grow beyond `limit` bytes."""
    process = subprocess.Popen(
        [*MAILHEALTH, "run", "sink"], cwd=folder, stderr=subprocess.PIPE, preexec_fn=limited(limit), start_new_session=True
    )
    try:
        until(lambda: answers(port), 20, "the sink")
        yield process
    finally:
        end(process)


def test_a_disk_that_is_full_makes_the_sink_say_451_and_take_the_mail_when_there_is_room(config: Write, tmp_path: Path) -> None:
    port = free_port()
    config(f"[sources.sink]\ntype = 'smtp-sink'\nport = {port}\ndomains = ['bounces.example']\n")
    inbox = store(tmp_path).inbox
    large = (bounce(1) + (b"x" * 70 + b"\n") * 15_000).replace(b"\n", b"\r\n")
    with sink(tmp_path, port, 400_000) as process, smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        with pytest.raises(smtplib.SMTPDataError) as told:
            client.sendmail("", ["v@bounces.example"], large)
        assert told.value.smtp_code == 451
        client.sendmail("", ["v@bounces.example"], bounce(2))
        assert inbox.waiting() == 1
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        client.sendmail("", ["v@bounces.example"], large)
        assert inbox.waiting() == 2
        process.terminate()
        assert process.stderr is not None
        assert b"Nothing was acknowledged to the source" in process.stderr.read()


@pytest.mark.parametrize("part", ["", "lake", "lake/events", "key", "inbox.sqlite"])
def test_a_store_that_is_not_what_it_should_be_is_a_sentence(cli: Cli, config: Write, tmp_path: Path, part: str) -> None:
    """A file in the place of a folder, a folder in the place of a file."""
    config(MAIL)
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "1").write_bytes(bounce(1))
    wrong = tmp_path / "mailhealth-data" / part
    wrong.parent.mkdir(parents=True, exist_ok=True)
    if part in {"key", "inbox.sqlite"}:
        wrong.mkdir()
    else:
        wrong.touch()
    for command in ("collect", "check"):
        ran = cli(command)
        assert ran.code == 2
        assert f"mailhealth-data{'/' + part if part else ''}" in ran.out + ran.err


LOCKED_OUT = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from analyzer.cli import main
from analyzer.model import MESSAGE, Capture
from analyzer.store import Store
from tests.analyzer.cli.conftest import bounce
def run(*args):
    try:
        main(args)
    except SystemExit as e:
        return e.code
assert run("collect", "--quiet") == 0
if os.geteuid() == 0:  # permission bits do not bind root: become nobody, to whom all but the lake belongs
    for path in (Path("mailhealth-data"), *Path("mailhealth-data").glob("[!l]*")):
        os.chown(path, 65534, 65534)
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
else:
    for folder in Path("mailhealth-data/lake").rglob("*/"):
        folder.chmod(0o500)
Store(Path("mailhealth-data")).inbox.keep([Capture(bounce(2), MESSAGE, "mail", datetime.now(UTC))])
sys.exit(run("collect", "--quiet"))
"""


def test_a_lake_without_permission_is_a_sentence_and_nothing_is_lost() -> None:
    with open_folder("locked") as folder:
        (folder / "mailhealth.toml").write_text(MAIL)
        (folder / "mail").mkdir()
        (folder / "mail" / "1").write_bytes(bounce(1))
        root = str(Path(__file__).parents[3])
        ran = subprocess.run(
            [sys.executable, "-c", LOCKED_OUT], cwd=folder, env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True
        )
        assert ran.returncode == 2, ran.stderr
        assert "lake/captures: cannot be written" in ran.stderr and "permission" in ran.stderr.lower()
        assert "Traceback" not in ran.stderr
        for place in (folder / "mailhealth-data").rglob("lake/**/"):
            place.chmod(0o700)
        assert store(folder).inbox.waiting() == 1
        flush(store(folder))
        assert kinds(folder) == {"bounced": 2}


@pytest.mark.servers
def test_a_wrong_imap_password_is_a_sentence_and_the_other_sources_are_collected(
    cli: Cli, config: Write, tmp_path: Path, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOX_PASSWORD", "wrong horse")
    s = mailbox.source()
    box = f"[sources.box]\ntype = 'imap'\nhost = '{s.host}'\nport = {s.port}\nca_file = '{s.ca_file}'\nuser = '{s.user}'\npassword_env = 'BOX_PASSWORD'\n"
    config(box + MAIL)
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "1").write_bytes(bounce(1))
    for command in ("collect", "check"):
        ran = cli(command)
        assert ran.code == 2
        assert "refused the password" in ran.out + ran.err and "check user and password" in ran.out + ran.err
        assert "wrong horse" not in ran.out + ran.err
    assert kinds(tmp_path) == {"bounced": 1}
