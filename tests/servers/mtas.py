"""Five mail servers that report what they could not deliver, each in a cage: Exim, Postfix, OpenSMTPD, Sendmail, Courier.

Each takes all mail that it is given on a port of the loopback, and delivers it as DNS says. What takes days elsewhere takes seconds here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.servers import answers, free_port, until
from tests.servers.cage import NAME, Cage, caged

LIFETIME = 9  # seconds that a message is tried for
WARNING = 3  # seconds after which a delay is told

EXIM = """
primary_hostname = {name}
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
disable_ipv6
log_file_path = syslog
acl_smtp_rcpt = accept
acl_smtp_data = accept
dsn_advertise_hosts = *
tls_advertise_hosts =
host_lookup =
smtp_accept_queue_per_connection = 0
delay_warning = {warning}s:1d
delay_warning_condition = true
begin routers
dns:
  driver = dnslookup
  transport = smtp
  # all hosts are on the loopback
  self = send
begin transports
smtp:
  driver = smtp
  hosts_avoid_tls = *
begin retry
* * F,{lifetime}s,1s
"""


def exim(cage: Cage, port: int) -> None:
    """Exim 4."""
    cage.folder("var/spool/exim4", "Debian-exim")
    cage.write("etc/exim4/exim4.conf", filled(EXIM, port))
    cage.start("/usr/sbin/exim4", "-bdf", "-q1s")


MAIN = """
compatibility_level = 3.6
queue_directory = /var/spool/postfix
data_directory = /var/lib/postfix
myhostname = {name}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
maximal_queue_lifetime = {lifetime}s
bounce_queue_lifetime = {lifetime}s
delay_warning_time = {warning}s
smtp_connection_cache_on_demand = no
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
"""
POSTFIX_QUEUES = (
    "active",
    "bounce",
    "corrupt",
    "defer",
    "deferred",
    "flush",
    "hold",
    "incoming",
    "maildrop",
    "private",
    "public",
    "saved",
    "trace",
)


def postfix(cage: Cage, port: int) -> None:
    """Postfix. It is told when to try again: with pauses of seconds, it may find a message still locked, and then pauses for minutes."""
    cage.folder("var/lib/postfix", "postfix")
    for queue in POSTFIX_QUEUES:
        cage.folder(f"var/spool/postfix/{queue}", "postfix")
    cage.folder("var/spool/postfix/pid")
    cage.write("etc/postfix/main.cf", filled(MAIN, port))
    cage.write("etc/postfix/master.cf", filled(MASTER, port))
    cage.start("/usr/lib/postfix/sbin/master", "-s", "-c", "/etc/postfix", MAIL_CONFIG="/etc/postfix")


SMTPD = """
listen on 127.0.0.1 port {port} hostname {name}
bounce warn-interval {warning}s
queue ttl {lifetime}s
action "dns" relay helo {name}
match from any for any action "dns"
"""


def opensmtpd(cage: Cage, port: int) -> None:
    """OpenSMTPD. It is told when to try again: its first pause is longer than a message lives here."""
    cage.folder("var/spool/smtpd", mode=0o711)
    cage.folder("var/lib/opensmtpd/empty")
    cage.folder("var/run")
    cage.own("usr/sbin/smtpctl", "root", 0o2755, group="opensmtpq")
    cage.write("etc/smtpd.conf", filled(SMTPD, port))
    cage.start("/usr/sbin/smtpd", "-d")


MC = """divert(-1)
include(`/usr/share/sendmail/cf/m4/cf.m4')
OSTYPE(`debian')
define(`confDOMAIN_NAME', `{name}')
define(`confTO_QUEUERETURN', `{lifetime}s')
define(`confTO_QUEUEWARN', `{warning}s')
define(`confMIN_QUEUE_AGE', `0')
define(`confTO_IDENT', `0')
define(`confDONT_PROBE_INTERFACES', `True')
define(`confHOST_STATUS_DIRECTORY', `')
define(`confPID_FILE', `/sendmail.pid')
define(`STATUS_FILE', `')
define(`ALIAS_FILE', `')
# a machine under load is no reason to wait
define(`confQUEUE_LA', `1000')
define(`confDELAY_LA', `1000')
define(`confREFUSE_LA', `1000')
FEATURE(`promiscuous_relay')
FEATURE(`accept_unresolvable_domains')
FEATURE(`nocanonify')
FEATURE(`no_default_msa')
DAEMON_OPTIONS(`Name=MTA, Addr=127.0.0.1, Port={port}')
MAILER(`smtp')
"""


def sendmail(cage: Cage, port: int) -> None:
    """Sendmail."""
    cage.folder("var/spool/mqueue", mode=0o700)
    cage.write("etc/mail/sendmail.mc", filled(MC, port))
    cage.write("etc/mail/sendmail.cf", cage.run("/usr/bin/m4", "/etc/mail/sendmail.mc").decode())
    cage.write("etc/mail/local-host-names", "")
    cage.start("/usr/libexec/sendmail/sendmail", "-bD", "-q1s")


COURIER = {
    "me": "{name}",
    "defaultdomain": "shop.example",
    "locals": "localhost",
    "queuetime": "{lifetime}s",
    "warntime": "{warning}s",
    "retryalpha": "1s",
    "retrybeta": "1000",
    "esmtpdelay": "1",
    "queuefill": "1",
}
COURIERD = {"SHELL": "/bin/sh", "ESMTP_USE_STARTTLS": "0"}
COURIER_LISTENS = {"RELAYCLIENT": "", "BOFHCHECKDNS": "0", "TARPIT": "0", "NOADDMSGID": "1", "NOADDDATE": "1"}


def courier(cage: Cage, port: int) -> None:
    """Courier: the queue, and a program that takes mail."""
    for folder in ("allfilters", "filters", "msgq", "msgs", "track", "tmp"):
        cage.folder(f"var/lib/courier/{folder}", "courier")
    cage.folder("var/lib/courier", "courier")
    for name, text in COURIER.items():
        cage.write(f"etc/courier/{name}", filled(text, port) + "\n")
    cage.start("/usr/lib/courier/courier/courierd", **COURIERD)
    listen = (
        "-user=courier",
        "-group=courier",
        "-address=127.0.0.1",
        "-maxprocs=40",
        "-maxperc=40",
        "-maxperip=40",
        "-noidentlookup",
        "-nodnslookup",
    )
    cage.start("/usr/sbin/couriertcpd", *listen, str(port), "/usr/sbin/courieresmtpd", **COURIERD, **COURIER_LISTENS)


def filled(text: str, port: int) -> str:
    """A configuration with what all servers have in common."""
    return text.format(name=NAME, port=port, lifetime=LIFETIME, warning=WARNING)


@dataclass(frozen=True)
class Mta:
    """A mail server, and how to run it."""

    begin: Callable[[Cage, int], None]
    users: Mapping[str, int]
    again: tuple[str, ...] = ()  # the command that makes it try again; without one it does so every second


MTAS = {
    "exim": Mta(exim, {"Debian-exim": 64101, "mail": 64102}),
    "postfix": Mta(postfix, {"postfix": 64103, "postdrop": 64104}, ("/usr/sbin/postqueue", "-f")),
    "opensmtpd": Mta(opensmtpd, {"opensmtpd": 64105, "opensmtpq": 64106}, ("/usr/sbin/smtpctl", "schedule", "all")),
    "sendmail": Mta(sendmail, {"smmta": 64107, "smmsp": 64108, "mail": 64109}),
    "courier": Mta(courier, {"courier": 64110}),
}


@contextlib.contextmanager
def running(server: str, nameserver: str) -> Iterator[tuple[Cage, int]]:
    """A server at work: its cage, and the port on which it takes mail."""
    mta, port = MTAS[server], free_port()
    with caged(server, mta.users, nameserver) as cage:
        mta.begin(cage, port)
        try:
            until(lambda: answers(port), 60, server)
        except AssertionError as e:
            raise AssertionError(f"{e}; it said: {cage.said()}") from None
        yield cage, port
