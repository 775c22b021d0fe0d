"""A newcomer's first commands: help, init, check."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analyzer.cli import COMMANDS
from analyzer.config import load
from tests.analyzer.cli.conftest import Cli

Write = Callable[[str], Path]
IMAP = "[sources.b]\ntype = 'imap'\nhost = 'h'\nuser = 'u'\n"


@pytest.mark.parametrize("command", [*COMMANDS, "lake compact", "lake vacuum", "rules check"])
def test_every_command_says_what_it_is_for(cli: Cli, command: str) -> None:
    ran = cli(*command.split(), "--help")
    assert ran.code == 0
    assert f"Usage: mailhealth {command}" in ran.out
    words = ran.out.split("\n\n")[1].strip()
    assert len(words) > 20 and words.endswith((".", ":"))


def test_the_list_of_commands_is_shown_without_loading_what_they_need() -> None:
    code = "import sys; from analyzer.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\nprint(sorted({'pydantic', 'pyarrow', 'pandas', 'streamlit', 'deltalake'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.endswith("[]\n")
    assert all(name in ran.stdout for name in COMMANDS)


def test_a_command_that_is_not_there_is_named(cli: Cli) -> None:
    ran = cli("chekc")
    assert (ran.code, "chekc" in ran.err) == (2, True)


def test_init_writes_a_configuration_that_loads(cli: Cli, tmp_path: Path) -> None:
    ran = cli("init")
    assert ran.code == 0 and "mailhealth check" in ran.out
    config = load(tmp_path / "mailhealth.toml")
    assert (config.sources, config.store) == ({}, tmp_path / "mailhealth-data")
    assert (tmp_path / "mailhealth.toml").stat().st_mode & 0o777 == 0o600


def test_every_example_in_what_init_writes_is_right(cli: Cli, tmp_path: Path) -> None:
    """Uncommented, the whole file loads."""
    cli("init")
    path = tmp_path / "mailhealth.toml"
    path.write_text(re.sub(r"^#(?=\S)", "", path.read_text(), flags=re.M))
    config = load(path)
    assert {s.type for s in config.sources.values()} == {"imap", "files", "receiver-statistics", "smtp-sink", "table", "log", "http"}
    assert config.smtp and config.seeds and config.report.via in config.smtp


def test_init_does_not_overwrite(cli: Cli, config: Write) -> None:
    path = config("store = 'mine'\n")
    ran = cli("init")
    assert ran.code == 2 and "is there already" in ran.err
    assert path.read_text() == "store = 'mine'\n"
    assert cli("init", "--force").code == 0
    assert "sources" in path.read_text()


def test_init_where_nothing_can_be_written(cli: Cli) -> None:
    ran = cli("--config", "/proc/mailhealth.toml", "init")
    assert ran.code == 2 and "cannot be written" in ran.err


def test_without_a_configuration_the_first_step_is_named(cli: Cli) -> None:
    for command in ("check", "collect", "serve", "replay"):
        ran = cli(command)
        assert ran.code == 2
        assert "mailhealth.toml: no such file. `mailhealth init` writes one" in ran.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stroe = 'x'", "mailhealth.toml: stroe: unknown key; did you mean 'store'?"),
        ("[sources.b]\ntype = 'imap'\nhots = 'h'\nhost='h'\nuser = 'u'", "sources.b.hots: unknown key; did you mean 'host'?"),
        ("[sources.b]\ntype = 'imap'\nuser = 'u'", "sources.b.host: is missing"),
        (
            "[sources.b]\ntype = 'pop3'",
            "sources.b.type: expected one of files, table, receiver-statistics, log, imap, smtp-sink, http, found 'pop3'",
        ),
        ("[sources.b]\npath = 'x'", "sources.b.type: is missing"),
        ("[sources.flusher]\ntype = 'files'\npath = 'x'", "sources.flusher: is no name for a source"),
        ("[sources.b]\ntype = 'http'\n[sources.b.sendgird]\nsecret = 'x'", "sources.b.sendgird: unknown key; did you mean 'sendgrid'?"),
        (
            "[sources.b]\ntype = 'http'\n[sources.b.sendgrid]\nsecrte = 'x'",
            "sources.b.sendgrid.secrte: unknown key; did you mean 'secret'?",
        ),
        ("[sources.b]\ntype = 'http'\n[sources.b.amazon-ses]", "sources.b.amazon-ses.topics: is missing"),
        (
            "[sources.b]\ntype = 'http'\n[sources.b.amazon-ses]\ntopics = ['x']",
            "sources.b.amazon-ses.topics.0: string should match pattern",
        ),
        ("[sources.b]\ntype = 'http'\n[sources.b.mandrill]\nsecret = 'x'", "sources.b.mandrill.url: is missing"),
        ("[sources]\nb = 'x'", "sources.b: input should be a table"),
        (IMAP + "folders = []", "sources.b.folders: tuple should have at least 1 item"),
        (IMAP + "after = 'remove'", "sources.b.after: input should be 'nothing', 'flag', 'move' or 'delete'"),
        (IMAP + "after = 'delete'", 'if you mean it, add delete_after_keeping = "yes, delete them"'),
        (IMAP + "after = 'delete'\ndelete_after_keeping = 'yes'", "the only copy is ours"),
        (IMAP + "after = 'flag'\nflag = '\\Deleted'", "sources.b.flag: string should match pattern"),
        (IMAP + "after = 'move'\nmove_to = 'Old'\nfolders = ['INBOX', 'Old']", "sources.b: move_to 'Old' is among folders"),
        (IMAP + "password = 'p'\noauth = {preset = 'google', client_id = 'c', refresh_token = 'r'}", "sources.b: has a password and oauth"),
        (
            IMAP + "oauth = {client_id = 'c', clientsecret = 's'}",
            "sources.b.oauth.clientsecret: unknown key; did you mean 'client_secret'?",
        ),
        (
            IMAP + "oauth = {client_id = 'c', client_secret = 's'}",
            'sources.b.oauth: needs preset = "google" or "microsoft365", or the token_url',
        ),
        (
            IMAP + "oauth = {preset = 'google', client_id = 'c', client_secret = 's'}",
            "sources.b.oauth: needs refresh_token_env: Gmail gives no",
        ),
        (IMAP + "oauth = {preset = 'microsoft365', client_id = 'c', client_secret = 's'}", "needs tenant: the Directory (tenant) ID"),
        (
            IMAP + "oauth = {preset = 'microsoft365', tenant = 'a/b', client_id = 'c', client_secret = 's'}",
            "sources.b.oauth.tenant: string should",
        ),
        (
            IMAP + "oauth = {preset = 'microsoft365', tenant = 't', client_id = 'c'}",
            "needs client_secret_env (the application signs in by itself)",
        ),
        (
            IMAP + "oauth = {token_url = 'http://x', client_id = 'c', client_secret = 's'}",
            "sources.b.oauth.token_url: string should match pattern",
        ),
        ("[dashboard]\nport = 'web'", "dashboard.port: input should be a valid integer"),
        ("store = x", "not TOML"),
        ("store = '\udcff'", "cannot be read"),
    ],
)
def test_each_mistake_in_the_configuration_is_a_sentence(cli: Cli, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mailhealth.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    ran = cli("check")
    assert ran.code == 2
    assert said in ran.err


@pytest.mark.parametrize(
    "text",
    [
        "[sources.b]\ntype = 'imapp'\npassword = 'geheim'",
        "[sources.b]\ntype = 'imap'\nhost = 'h'\nuser = 'u'\npassword = ['geheim']",
        "[sources]\nb = ['geheim']",
        "[smtp.m]\nhost = 'h'\nport = 1\npassword = {a = 'geheim'}",
        "[sources.b]\ntype = 'http'\n[sources.b.brevo]\nsecret = {a = 'geheim'}",
        "[sources.b]\ntype = 'http'\nbrevo = 'geheim'",
        IMAP + "oauth = {client_id = 'c', client_secret = ['geheim']}",
        IMAP + "oauth = {client_id = 'c', refresh_token = {a = 'geheim'}, token_url = 'https://x?secret=geheim', client_secret = 1}",
        IMAP + "oauth = {client_id = 'c', token_url = 'http://x?secret=geheim'}",
    ],
)
def test_no_mistake_brings_a_password_to_the_screen(cli: Cli, config: Write, text: str) -> None:
    config(text)
    ran = cli("check")
    assert ran.code == 2 and "geheim" not in ran.out + ran.err


def test_check_names_each_broken_thing_and_the_next_step(cli: Cli, config: Write, tmp_path: Path) -> None:
    (tmp_path / "sends.csv").write_text("mail,at\na@b.example,2026-11-01\n")
    (tmp_path / "good.mbox").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config(f"""
            [sources.gone]
            type = "files"
            path = "nowhere"
            [sources.good]
            type = "files"
            path = "good.mbox"
            [sources.sends]
            type = "table"
            path = "sends.csv"
            kind = "sent"
            [sources.nosecret]
            type = "imap"
            host = "127.0.0.1"
            user = "u"
            password_env = "MAILHEALTH_NO_SUCH_PASSWORD"
            [sources.nobody]
            type = "imap"
            host = "127.0.0.1"
            port = 1
            user = "u"
            password = "geheim"
            [sources.sink]
            type = "smtp-sink"
            port = {taken.getsockname()[1]}
            domains = ["bounces.example"]
            [sources.hooks]
            type = "http"
            port = {taken.getsockname()[1]}
            [sources.hooks.brevo]
            secret = "geheim"
            [sources.unsaid]
            type = "http"
            [sources.unsaid.mailgun]
            secret_env = "MAILHEALTH_NO_SUCH_SECRET"
            [smtp.main]
            host = "127.0.0.1"
            port = 1
            [report]
            recipients = ["team@example.com"]
            via = "mian"
        """)
        ran = cli("check")
    assert ran.code == 2
    marks = {line[4:].partition(" ")[2].partition(" ")[0]: line for line in ran.out.splitlines() if line.startswith(("ok", "!!"))}
    for name, said in {
        "gone": "nowhere: no such file or folder; check the path",
        "sends": "no column 'recipient' for 'recipient'. Found: mail, at.",
        "nosecret": "environment variable MAILHEALTH_NO_SUCH_PASSWORD, which is not set",
        "nobody": "cannot connect to port 1 ([Errno 111] Connection refused); check host, port and tls",
        "sink": "choose another port, or stop what holds it",
        "hooks": "choose another port, or stop what holds it",
        "unsaid": "the secret of sources.unsaid.mailgun should be in the environment variable MAILHEALTH_NO_SUCH_SECRET, which is not set",
        "host": "127.0.0.1:1: [Errno 111] Connection refused; check host, port and tls",
    }.items():
        assert marks[name].startswith("!!") and said in marks[name]
    assert marks["good"].startswith("ok")
    assert "report.via: 'mian' is no SMTP host; there are main." in ran.out
    assert ran.out.endswith("9 to mend.\n")
    assert "geheim" not in ran.out


def test_check_of_a_good_configuration_says_what_comes_next(cli: Cli, config: Write, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    config('[sources.old]\ntype = "files"\npath = "old"\n')
    ran = cli("check")
    assert ran.code == 0 and "Next: `mailhealth collect`" in ran.out


def test_check_says_what_the_last_lines_of_a_log_tell(cli: Cli, config: Write, tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    line = "Nov  1 10:00:00 mx postfix/smtp[1]: 3F5A92C0: to=<a@b.example>, relay=none, delay=1, dsn=4.4.1, status=deferred (x)\n"
    log.write_text(line * 300)
    source = f'[sources.log]\ntype = "log"\npath = "{log}"\n'
    config(source + 'mta = "postfix"\n')
    ran = cli("check")
    assert ran.code == 0 and "ok  source log: its last 200 lines tell 200 delayed" in ran.out
    config(source + 'mta = "exim"\n')
    ran = cli("check")
    assert ran.code == 2 and 'it looks like postfix\'s: set sources.log.mta = "postfix"' in ran.out
    log.write_text(
        f"{datetime.now(UTC) + timedelta(hours=2):%Y-%m-%d %H:%M:%S} 1t6abc-0001Xy-0A == a@b.example R=r T=t defer (111): Connection refused\n"
    )
    ran = cli("check")
    assert ran.code == 2 and "which is yet to come: set sources.log.timezone" in ran.out
    config(source + 'mta = "exim"\ntimezone = "Mars/Base"\n')
    ran = cli("check")
    assert ran.code == 2 and "sources.log.timezone: is no time zone; write it as in Europe/Berlin or UTC, found 'Mars/Base'" in ran.err


def test_check_of_a_store_that_others_may_read(cli: Cli, config: Write, tmp_path: Path) -> None:
    config("")
    (tmp_path / "mailhealth-data").mkdir(mode=0o755)
    ran = cli("check")
    assert ran.code == 2 and "chmod o-rwx" in ran.out


def test_a_new_store_is_for_its_owner_alone(cli: Cli, config: Write, tmp_path: Path) -> None:
    config("")
    assert cli("check").code == 0
    assert (tmp_path / "mailhealth-data").stat().st_mode & 0o777 == 0o700


def test_check_of_rules_that_are_not_there(cli: Cli, config: Write) -> None:
    config("rules = 'my-rules'\n")
    ran = cli("check")
    assert ran.code == 2 and "my-rules: no such folder of rules" in ran.err
