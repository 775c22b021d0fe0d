"""A private Dovecot: the IMAP server of the tests. One for the session, a new user for each test."""

from __future__ import annotations

import contextlib
import grp
import itertools
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imapclient
import pytest

from analyzer.sources import ImapSource
from tests.conftest import need
from tests.servers import answers, certificates, end, free_port, open_folder, until
from tests.servers.provider import Provider, provider

PASSWORD = "correct horse"
CONFIG = """
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
listen = 127.0.0.1
protocols = imap
default_login_user = {user}
default_internal_user = {user}
default_internal_group = {group}
first_valid_uid = 0
auth_failure_delay = 0
auth_mechanisms = plain login xoauth2 oauthbearer
disable_plaintext_auth = no
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {dir}/oauth2.conf
}}
passdb {{
  driver = passwd-file
  args = scheme=plain username_format=%u {dir}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={dir}/mail/%u
}}
mail_location = maildir:~/Maildir
mailbox_idle_check_interval = 1 secs
ssl = yes
ssl_cert = <{dir}/server.pem
ssl_key = <{dir}/server.key
namespace inbox {{
  inbox = yes
  mailbox Junk {{
    auto = create
    special_use = \\Junk
  }}
  mailbox Archive {{
    auto = create
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  # no waiting after the wrong passwords of other tests
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {auth}
  }}
}}
service stats {{
  chroot =
}}
"""
OAUTH = """
introspection_url = {url}
introspection_mode = post
username_attribute = username
active_attribute = active
active_value = true
"""


@dataclass
class Mailbox:
    """One user's mail."""

    user: str
    maildir: Path
    server: Dovecot
    _number: Any = field(default_factory=lambda: itertools.count(1))

    def table(self, **changes: Any) -> dict[str, Any]:
        """How to collect it, as the configuration says it: over TLS, with the authority that signed the server's certificate."""
        given = {
            "type": "imap",
            "host": "localhost",
            "port": self.server.tls,
            "ca_file": str(self.server.ca),
            "user": self.user,
            "password": PASSWORD,
        }
        return given | changes

    def source(self, **changes: Any) -> ImapSource:
        """How to collect it."""
        return ImapSource.model_validate(self.table(**changes))

    def source_by_token(self, **changes: Any) -> ImapSource:
        """As `source`, with an access token instead of the password; `changes` are made to its `oauth`."""
        given = {"client_id": self.user, "client_secret": "s3cret-of-client", "refresh_token": "1//refresh"}
        return self.source(password=None, oauth=given | {"token_url": self.server.provider.token_url} | changes)

    def deliver(self, *messages: bytes, folder: str = "INBOX") -> None:
        """Puts messages where a delivery agent would."""
        place = self.maildir if folder == "INBOX" else self.maildir / f".{folder}"
        for part in ("cur", "new", "tmp"):
            self._make(place / part)
        for message in messages:
            name = f"{int(time.time())}.M{next(self._number):07d}P{os.getpid()}.test"
            (place / "tmp" / name).write_bytes(message)
            self._own(place / "tmp" / name)
            (place / "tmp" / name).rename(place / "new" / name)

    def fill(self, count: int, size: int) -> None:
        """Puts `count` different messages of about `size` bytes where the server has them, as fast as the disk allows."""
        for part in ("cur", "new", "tmp"):
            self._make(self.maildir / part)
        line = b"The following message could not be delivered to one or more recipients.\r\n"
        for n in range(count):
            message = b"From: MAILER-DAEMON@x.example\r\nMessage-ID: <%d@x.example>\r\n\r\n" % n + line * (size // len(line))
            # sizes in the name spare the server from looking for them
            path = self.maildir / "cur" / f"{1_700_000_000 + n}.M{n}P1.test,S={len(message)},W={len(message)}:2,"
            path.write_bytes(message)
            self._own(path)

    def _make(self, folder: Path) -> None:
        for one in (*reversed(folder.parents), folder):
            if not one.exists():
                one.mkdir()
                self._own(one)

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self.server.uid, self.server.gid)

    @contextlib.contextmanager
    def client(self) -> Iterator[Any]:
        """A logged-in connection to it, to look and to meddle."""
        client = imapclient.IMAPClient("127.0.0.1", self.server.plain, ssl=False)
        client.login(self.user, PASSWORD)
        try:
            yield client
        finally:
            client.logout()

    def state(self, folder: str = "INBOX") -> dict[int, tuple[bytes, ...]]:
        """UID -> flags of all that is in a folder."""
        with self.client() as c:
            c.select_folder(folder, readonly=True)
            return {uid: got[b"FLAGS"] for uid, got in c.fetch(c.search(), ["FLAGS"]).items()} if c.search() else {}


@dataclass
class Dovecot:
    """A running Dovecot."""

    dir: Path
    ca: Path
    plain: int
    tls: int
    auth: int
    uid: int
    gid: int
    program: str
    provider: Provider
    process: subprocess.Popen[bytes] | None = None
    _users: Any = field(default_factory=lambda: itertools.count(1))

    def start(self) -> None:
        """Starts it and waits for its greeting."""
        self.process = subprocess.Popen(
            [self.program, "-F", "-c", str(self.dir / "dovecot.conf")], start_new_session=True, stdout=subprocess.DEVNULL
        )
        until(lambda: answers(self.plain), 60, lambda: f"Dovecot; its log: {self.log()}")

    def stop(self) -> None:
        """Stops it, and with it every connection."""
        if self.process:
            end(self.process)
            # those that serve a connection outlive their master
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process = None

    def log(self) -> str:
        """The end of its log."""
        log = self.dir / "log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else "(empty)"

    def mailbox(self) -> Mailbox:
        """An empty mailbox that nobody had yet."""
        user = f"user{next(self._users)}"
        return Mailbox(user, self.dir / "mail" / user / "Maildir", self)


@contextlib.contextmanager
def running(settings: str = "") -> Iterator[Dovecot]:
    """A Dovecot of its own: for tests that stop the server, or want other `settings` of it."""
    program = need("dovecot", "dovecot-imapd")
    me = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(open_folder("dovecot"))
        ca = certificates(folder)
        tokens = stack.enter_context(provider(folder))
        server = Dovecot(folder, ca, free_port(), free_port(), free_port(), me.pw_uid, me.pw_gid, program, tokens)
        (folder / "mail").mkdir()
        if os.geteuid() == 0:
            os.chown(folder / "mail", me.pw_uid, me.pw_gid)
        # all at once: Dovecot looks at the file again no sooner than a second after it changed
        (folder / "users").write_text("".join(f"user{n}:{PASSWORD}\n" for n in range(1, 500)))
        group = grp.getgrgid(me.pw_gid).gr_name
        values = {"dir": folder, "user": me.pw_name, "group": group, "plain": server.plain, "tls": server.tls, "auth": server.auth}
        (folder / "dovecot.conf").write_text(CONFIG.format(**values) + settings)
        (folder / "oauth2.conf").write_text(OAUTH.format(url=tokens.introspection_url))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """The Dovecot of the session."""
    with running() as server:
        yield server


@pytest.fixture
def mailbox(dovecot: Dovecot) -> Mailbox:
    """A mailbox that no other test knows."""
    dovecot.provider.reset()
    return dovecot.mailbox()
