"""The log of a real Exim: what it tells agrees with what the receiver did."""

from __future__ import annotations

import os
import smtplib
from collections.abc import Iterator

import pytest

from analyzer.model import Capture, Kind, Stage
from analyzer.sources import LogSource
from collectors.logs import LogCollector
from tests.collectors.test_real_log import ANSWERS, AT_DATA, DOMAIN, SENT, Told
from tests.conftest import lacking
from tests.servers import answers, free_port, until
from tests.servers.cage import NAME, caged
from tests.servers.mtas import MTAS
from tests.servers.postfix import BOUNCES
from tests.servers.smtp import Exchanger

pytestmark = [pytest.mark.servers, pytest.mark.slow]
CONFIGURATION = """
primary_hostname = {name}
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
disable_ipv6
log_file_path = /var/spool/exim4/%slog
log_selector = +all
log_timezone = true
acl_smtp_rcpt = accept
acl_smtp_data = accept
tls_advertise_hosts =
host_lookup =
begin routers
closed:
  driver = manualroute
  domains = closed.example
  route_data = 127.0.0.9::1
  transport = smtp
  self = send
receiver:
  driver = manualroute
  route_data = 127.0.0.1::{remote}
  transport = smtp
  self = send
begin transports
smtp:
  driver = smtp
  allow_localhost
  hosts_avoid_tls = *
begin retry
* * F,4s,1s
"""


@pytest.fixture(scope="module")
def read() -> Iterator[tuple[Told, Exchanger]]:
    """What the log told, and the receiver."""
    if os.geteuid() != 0:
        lacking("mail servers can be started in roots of their own by the superuser alone")
    port, remote = free_port(), free_port()
    exchanger = Exchanger(ANSWERS, AT_DATA)
    with caged("exim", MTAS["exim"].users, "127.0.0.1") as cage, exchanger.serving(remote):
        cage.folder("var/spool/exim4", "Debian-exim")
        cage.write("etc/exim4/exim4.conf", CONFIGURATION.format(name=NAME, port=port, remote=remote))
        cage.start("/usr/sbin/exim4", "-bdf", "-q1s")
        until(lambda: answers(port), 60, "Exim")
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            for name, whom in {**SENT, "closed": ["who@closed.example"]}.items():
                to = [who if "@" in who else f"{who}@{DOMAIN}" for who in whom]
                client.sendmail(f"v+{name}@{BOUNCES}", to, f"Subject: {name}\r\nMessage-ID: <{name}@{DOMAIN}>\r\n\r\nThank you.\r\n")
        log = LogSource(type="log", path=cage.dir / "var/spool/exim4/mainlog", mta="exim", host="mx")

        def told() -> Told:
            whole: list[Capture] = []
            LogCollector("log", log).collect(lambda captures, cursor=None: whole.extend(captures) or len(captures), dict)
            return Told(whole)

        ends = {"third", "closed"}
        until(lambda: ends <= {name for name, _ in told().of(Kind.BOUNCED)}, 60, lambda: f"the end: {log.path.read_text()}")
        yield told(), exchanger


def test_exims_log_agrees_with_what_the_receiver_did(read: tuple[Told, Exchanger]) -> None:
    told, exchanger = read
    assert sorted(a.partition("@")[0] for a in exchanger.taken if a.endswith(DOMAIN)) == ["fine", "fine", "other"]
    assert set(told.of(Kind.DELIVERED)) == {("first", "fine"), ("first", "other"), ("fifth", "fine")}
    bounced, delayed = told.of(Kind.BOUNCED), told.of(Kind.DELAYED)
    assert set(bounced) == {("first", "gone"), ("second", "lines"), ("fourth", "listed"), ("third", "grey"), ("closed", "who")}
    assert set(delayed) == {("third", "grey"), ("closed", "who")}
    gone, listed, some = bounced["first", "gone"], bounced["fourth", "listed"], bounced["second", "lines"]
    assert (gone.diagnostic, gone.reply_code, gone.status, gone.stage) == (ANSWERS["gone"], "550", "5.1.1", Stage.RCPT)
    assert (listed.diagnostic, listed.stage) == (AT_DATA["listed"], Stage.DATA)
    assert (some.diagnostic, some.stage) == (ANSWERS["lines"].replace("\r\n", " "), Stage.RCPT)
    assert delayed["third", "grey"].diagnostic == bounced["third", "grey"].diagnostic == ANSWERS["grey"]


def test_each_message_was_sent_and_exims_own_reports_to_nobody(read: tuple[Told, Exchanger]) -> None:
    told, exchanger = read
    assert set(told.of(Kind.SENT)) == {(name, who) for name, whom in SENT.items() for who in whom} | {("closed", "who")}
    assert any(a.endswith(BOUNCES) for a in exchanger.taken)
    assert not [o for o in told.all if (o.recipient or "").endswith(BOUNCES) or o.kind is Kind.UNREADABLE]
    assert all(str(o.original and o.original.provider_id).endswith("@mx") for o in told.all)
