"""`mailhealth tokens` as an operator meets it, and a receiver that reads what it made."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from analyzer.inbox import Inbox
from tests.analyzer.cli.conftest import Cli
from tests.servers import free_port, until

MESSAGE = ("<n-1@shop.example>", "anna@far.example")
TARGET = "https://shop.example/a?b=1&c=2"
TRACKING = """
[sources.hooks]
type = "http"
port = {port}
[sources.hooks.tracking]
url = "{url}"
"""


@pytest.fixture
def config(cli: Cli, tmp_path: Path) -> Path:
    """A configuration with tracking."""
    path = tmp_path / "mailhealth.toml"
    path.write_text(TRACKING.format(port=free_port(), url="https://t.shop.example/"))
    return path


def test_what_is_made_is_read_back(cli: Cli, config: Path) -> None:
    made = {
        "a pixel": cli("tokens", "pixel", *MESSAGE).out,
        "a link": cli("tokens", "link", *MESSAGE, TARGET).out,
        "an unsubscription": cli("tokens", "headers", *MESSAGE).out.partition("<")[2].partition(">")[0],
    }
    for what, link in made.items():
        assert link.startswith("https://t.shop.example/")
        ran = cli("tokens", "read", link.strip())
        assert (ran.code, ran.out.startswith(f"{what} of message n-1@shop.example to the recipient with the key ")) == (0, True)
        assert cli("tokens", "read", link.strip()[:-9]).code == 2
    assert f"leads to {TARGET}" in cli("tokens", "read", made["a link"].strip()).out
    verp = cli("tokens", "verp", "n-1-anna", "bounces.shop.example").out.strip()
    assert cli("tokens", "read", f"<{verp.upper()}>").out == "a VERP address of envelope id n-1-anna\n"
    assert "was made with another key" in cli("tokens", "read", verp.replace("n-1", "n-2")).err


def test_a_recipient_whom_the_store_knows_is_named(cli: Cli, config: Path, tmp_path: Path) -> None:
    (tmp_path / "sends.csv").write_text("message_id,recipient,at\nn-1@shop.example,Anna@far.example,2026-11-02T09:00:00Z\n")
    config.write_text(config.read_text() + f'[sources.sends]\ntype = "table"\nkind = "sent"\npath = "{tmp_path / "sends.csv"}"\n')
    assert cli("collect", "sends").code == 0
    assert (
        cli("tokens", "read", cli("tokens", "pixel", *MESSAGE).out.strip()).out
        == "a pixel of message n-1@shop.example to Anna@far.example\n"
    )


def test_the_key_alone_makes_the_same_links_without_a_store_or_a_configuration(cli: Cli, config: Path, tmp_path: Path) -> None:
    file = tmp_path / "tokens.key"
    ran = cli("tokens", "key", "--to", file)
    assert (ran.code, file.stat().st_mode & 0o777, file.read_text()) == (0, 0o600, cli("tokens", "key").out)
    assert (tmp_path / "mailhealth-data" / "key").read_bytes() not in file.read_bytes()
    assert cli("tokens", "key", "--to", file).code == 2
    pixel = cli("tokens", "pixel", *MESSAGE).out
    config.unlink()
    alone = ("--key-file", file, "--url", "https://t.shop.example")
    assert cli("tokens", "pixel", *MESSAGE, *alone).out == pixel
    assert cli("tokens", "read", pixel.strip(), "--key-file", file).code == 0
    assert "mailhealth.toml: no such file" in cli("tokens", "pixel", *MESSAGE, "--key-file", file).err
    file.write_text("mailhealth-tokens-1:abc")
    assert "is no key for tokens" in cli("tokens", "pixel", *MESSAGE, *alone).err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("link", *MESSAGE, "javascript:alert(1)"), "a link leads to http:// or https://"),
        (("pixel", "<>", "a@b.example"), "a Message-ID of 1 to 250 bytes"),
        (("verp", "N-1", "shop.example"), "expected a-z, 0-9"),
        (("pixel", *MESSAGE, "--url", "t.shop.example"), "the receiver's public address was expected"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(args: tuple[str, ...], said: str, cli: Cli, config: Path) -> None:
    ran = cli("tokens", *args)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_the_tracking_table_is_checked(cli: Cli, config: Path) -> None:
    assert cli("check", "--offline").code == 0
    assert "t.shop.example is not found in the DNS" in cli("check").out
    config.write_text(TRACKING.format(port=free_port(), url="http://localhost:8025"))
    assert cli("check").code == 0
    for url in ("http://t.shop.example", "t.shop.example", "https://a@t.shop.example", "https://t.shop.example/?a=b", "https://"):
        config.write_text(TRACKING.format(port=free_port(), url=url))
        assert "sources.hooks.tracking.url: is no address for links in mail" in cli("check", "--offline").err
    config.write_text(TRACKING.format(port=free_port(), url="https://t.shop.example") + "keep_prefixes = true\n")
    assert "did you mean 'keep_prefix'?" in cli("check", "--offline").err


def test_run_serves_what_the_commands_make(cli: Cli, config: Path, tmp_path: Path) -> None:
    port = free_port()
    config.write_text(TRACKING.format(port=port, url=f"http://localhost:{port}"))
    link = cli("tokens", "link", *MESSAGE, TARGET).out.strip()
    process = subprocess.Popen([sys.executable, "-m", "analyzer", "-c", config, "run", "hooks"], stderr=subprocess.DEVNULL)

    def answer() -> int | str:
        with suppress(httpx.TransportError):
            return httpx.get(link).headers.get("location", "")
        return 0

    try:
        until(answer, 30, "the receiver")
        assert answer() == TARGET
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    assert Inbox(tmp_path / "mailhealth-data" / "inbox.sqlite").waiting() >= 1


def test_headers_prints_the_field_that_tells_message_and_recipient(cli: Cli, config: Path) -> None:
    value = cli("tokens", "headers", *MESSAGE).out.partition("X-Mailhealth-Id: ")[2].strip()
    assert cli("tokens", "read", value).out.startswith("a header of message n-1@shop.example to ")
