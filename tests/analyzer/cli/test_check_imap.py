"""What `mailhealth check` tells of a mailbox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.analyzer.cli.conftest import Cli
from tests.servers.dovecot import PASSWORD, Mailbox

pytestmark = pytest.mark.servers


def source(mailbox: Mailbox, more: str) -> str:
    return f"""
        [sources.bounces]
        type = "imap"
        host = "localhost"
        port = {mailbox.server.tls}
        ca_file = "{mailbox.server.ca}"
        user = "{mailbox.user}"
        {more}
    """


def test_how_it_is_read_and_what_will_be_done_with_it(cli: Cli, config: Callable[[str], Path], mailbox: Mailbox) -> None:
    mailbox.deliver(*(b"Subject: %d\n\nx\n" % n for n in range(1200)))
    mailbox.deliver(b"Subject: x\n\nx\n", folder="Bounces.2026")
    before = mailbox.state()
    config(source(mailbox, f'password = "{PASSWORD}"\nfolders = ["INBOX", "Bounces/*"]'))
    ran = cli("check")
    assert ran.code == 0
    assert [line.strip() for line in ran.out.splitlines() if line.startswith("   ")] == [
        f"connected to localhost:{mailbox.server.tls} (tls), signed in as {mailbox.user} by password",
        "INBOX: 1,200 messages",
        "Bounces.2026: 1 message",
        'the account could delete here; after = "nothing": folders are opened for reading only, nothing in them is changed',
    ]
    assert mailbox.state().keys() == before.keys()


def test_by_token_and_moved(cli: Cli, config: Callable[[str], Path], mailbox: Mailbox) -> None:
    oauth = f'{{ client_id = "{mailbox.user}", client_secret = "s", token_url = "{mailbox.server.provider.token_url}" }}'
    config(source(mailbox, f'oauth = {oauth}\nafter = "move"'))
    ran = cli("check")
    assert ran.code == 0
    assert f"signed in as {mailbox.user} by XOAUTH2" in ran.out
    assert 'after = "move": what is kept is moved to Mailhealth/read, by MOVE' in ran.out
    mailbox.server.provider.refusal = 400, {"error": "invalid_grant"}
    ran = cli("check")
    assert ran.code == 2 and "no access token (invalid_grant): " in ran.out
    assert cli("check", "--offline").code == 0


def test_a_folder_that_is_not_there(cli: Cli, config: Callable[[str], Path], mailbox: Mailbox) -> None:
    config(source(mailbox, f'password = "{PASSWORD}"\nfolders = ["INBOX", "Bounces/*"]'))
    ran = cli("check")
    assert ran.code == 2 and "no folder matches 'Bounces/*'; there are: " in ran.out
