"""A private Postfix: the SMTP provider that sends our mail, the mail exchanger of the seeds, and a real writer of bounces.

It asks for TLS and a password of Dovecot's before it relays. Mail to `seeds.example` lands in Dovecot's mailboxes, mail to
`bounces.example` goes to `Postfix.sink`, for `closed.example` nobody listens, and all other mail goes to `Postfix.remote`, where a test says
who answers what. What takes days elsewhere takes seconds here.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from analyzer.config import SmtpProvider
from tests.conftest import lacking, need
from tests.servers import answers, certificates, free_port, open_folder, until
from tests.servers.dovecot import PASSWORD, Dovecot, Mailbox

PATH = {"PATH": os.environ.get("PATH", "") + os.pathsep + "/usr/sbin:/sbin"}
SEEDS = "seeds.example"
BOUNCES = "bounces.example"
# seconds that a message is tried for, bounces to our own sink too: a disk that stands still for a while must not lose one
LIFETIME = 12
WARNING = 3  # seconds after which the sender is told of a delay
MAIN = """
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
maillog_file = {dir}/log
maillog_file_prefixes = {dir}
myhostname = mx.seeds.example
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
# inbound: TLS and a password before anything is relayed, line ends as the standard wants them
smtpd_tls_cert_file = {dir}/server.pem
smtpd_tls_key_file = {dir}/server.key
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth}
smtpd_forbid_bare_newline = reject
smtpd_recipient_restrictions = check_recipient_access texthash:{dir}/receiver, permit_sasl_authenticated, reject_unauth_destination
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
message_size_limit = 1000000
# what arrives here is put where Dovecot looks
virtual_mailbox_domains = seeds.example
virtual_mailbox_base = {mail}
virtual_mailbox_maps = texthash:{dir}/mailboxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = {uid}
# what goes elsewhere
smtp_dns_support_level = disabled
smtp_host_lookup = native
default_transport = smtp:[127.0.0.1]:{remote}
transport_maps = inline:{{ {{ bounces.example = smtp:[127.0.0.1]:{sink} }}, {{ closed.example = smtp:[127.0.0.1]:1 }} }}
# days made short
maximal_queue_lifetime = {lifetime}s
delay_warning_time = {warning}s
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{tls} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
# what the seeds' mail exchanger notes of mail to each folder, as an access table: recipient -> action
PASSED = (
    "PREPEND Authentication-Results: mx.seeds.example; spf=pass smtp.mailfrom=shop.example; dkim=pass header.d=shop.example; dmarc=pass"
)
FAILED = "PREPEND Authentication-Results: mx.seeds.example; spf=softfail smtp.mailfrom=shop.example; dkim=none; dmarc=fail header.from=shop.example"
REFUSED = "554 5.7.1 Service unavailable; Client host [192.0.2.17] blocked using bl.lists.example"


@dataclass
class Postfix:
    """A running Postfix."""

    dir: Path
    ca: Path
    port: int  # STARTTLS
    tls: int  # TLS from the start
    remote: int  # the port to which mail for strangers goes
    sink: int  # the port to which mail for bounces.example goes
    program: str
    _looked: float = 0.0

    def start(self) -> None:
        """Starts it and waits for its greeting."""
        subprocess.run([self.program, "-c", self.dir, "start"], check=True, capture_output=True, timeout=30)
        until(lambda: answers(self.port), 60, lambda: f"Postfix; its log: {self.log()}")

    def stop(self) -> None:
        """Stops it and all its daemons; what is in its queue is lost."""
        subprocess.run([self.program, "-c", self.dir, "stop"], check=False, capture_output=True, timeout=30)

    def look_again(self, every: float = 5.0) -> None:
        """Has it look through all of its queue, once in `every` seconds at the most.

        A message that it finds locked ("skipped, still being delivered") it puts aside, and sees again only when another one arrives.
        """
        if time.monotonic() > self._looked + every:
            self._looked = time.monotonic()
            subprocess.run(["postqueue", "-c", self.dir, "-f"], check=True, capture_output=True, timeout=30, env=PATH)

    def log(self) -> str:
        """The end of its log."""
        log = self.dir / "log"
        return log.read_text(errors="replace")[-8000:] if log.exists() else "(empty)"

    def provider(self, user: str = "user1", **changes: Any) -> SmtpProvider:
        """How to send through it, as a user of Dovecot's: STARTTLS with the authority that signed its certificate."""
        given = {"host": "localhost", "port": self.port, "tls": "starttls", "ca_file": self.ca, "user": user, "password": PASSWORD}
        return SmtpProvider.model_validate(given | changes)


def inbox_address(mailbox: Mailbox) -> str:
    """The address whose mail lands in INBOX."""
    return f"{mailbox.user}@{SEEDS}"


def junk_address(mailbox: Mailbox) -> str:
    """The address whose mail lands in Junk."""
    return f"{mailbox.user}-junk@{SEEDS}"


def refused_address(mailbox: Mailbox) -> str:
    """The address that the mail exchanger refuses at RCPT."""
    return f"{mailbox.user}-refused@{SEEDS}"


def _tables(users: int) -> tuple[str, str]:
    """Postfix's tables of mailboxes and of what the receiver does with whom, of Dovecot's users."""
    mailboxes, receiver = [], []
    for user in (f"user{n}" for n in range(1, users)):
        mailboxes += [f"{user}@{SEEDS} {user}/Maildir/", f"{user}-junk@{SEEDS} {user}/Maildir/.Junk/"]
        receiver += [f"{user}@{SEEDS} {PASSED}", f"{user}-junk@{SEEDS} {FAILED}", f"{user}-refused@{SEEDS} {REFUSED}"]
    return "\n".join(mailboxes) + "\n", "\n".join(receiver) + "\n"


@contextlib.contextmanager
def running(dovecot: Dovecot) -> Iterator[Postfix]:
    """A Postfix that delivers to this Dovecot."""
    program = need("postfix", "postfix")
    if os.geteuid() != 0:
        lacking("a private Postfix can be started by root alone")
    with open_folder("postfix") as folder:
        ca = certificates(folder)
        server = Postfix(folder, ca, free_port(), free_port(), free_port(), free_port(), program)
        for name in ("queue", "data"):
            (folder / name).mkdir()
        subprocess.run(["chown", "postfix", str(folder / "data")], check=True)
        mailboxes, receiver = _tables(500)
        (folder / "mailboxes").write_text(mailboxes)
        (folder / "receiver").write_text(receiver)
        values = {"dir": folder, "auth": dovecot.auth, "mail": dovecot.dir / "mail", "uid": dovecot.uid, "gid": dovecot.gid, "port": server.port, "tls": server.tls,
                  "remote": server.remote, "sink": server.sink, "lifetime": LIFETIME, "warning": WARNING}  # fmt: skip
        (folder / "main.cf").write_text(MAIN.format(**values))
        (folder / "master.cf").write_text(MASTER.format(**values))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postfix(dovecot: Dovecot) -> Iterator[Postfix]:
    """The Postfix of the session."""
    with running(dovecot) as server:
        yield server
