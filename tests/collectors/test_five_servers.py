"""What five real mail servers write when a receiver refuses our mail, and what we read in it: for every report all recipients, and why.

Exim, Postfix, OpenSMTPD, Sendmail and Courier each get the same messages. A receiver answers each in its own way; the servers tell
the sender, and their reports come to our sink. What takes days elsewhere takes seconds here, so all five work side by side.
"""

from __future__ import annotations

import re
import smtplib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from random import randint

import pytest

from analyzer.explain import judged
from analyzer.model import Capture, Kind, Report
from analyzer.parse import parse
from tests.servers.cage import need_network
from tests.servers.dns import Zone, nameserver
from tests.servers.mtas import MTAS, running
from tests.servers.smtp import Exchanger, sink, turning_away

pytestmark = [pytest.mark.servers, pytest.mark.slow]
PATIENCE = 60  # seconds that a loaded machine may take for what needs twelve


@dataclass(frozen=True)
class Case:
    """A message, what becomes of it, and what its report has to say."""

    severity: str
    reason: str
    answer: str | bytes = ""  # of the receiver
    at: str = "rcpt"  # the step at which it is given
    domain: str = "receiver.example"


CASES = {
    # the address
    "gone": Case("hard", "user-unknown", "550 5.1.1 <gone@receiver.example>: Recipient address rejected: User unknown in virtual mailbox table"),
    "plain": Case("hard", "user-unknown", "550 No such user here"),
    "bare": Case("hard", "user-unknown", "550 Requested action not taken: mailbox unavailable"),
    "lines": Case("hard", "user-unknown", "550-5.1.1 The email account that you tried to reach does not exist. Please try\r\n"
                  "550-5.1.1 double-checking the recipient's email address for typos or\r\n550-5.1.1 unnecessary spaces. For more information, go to\r\n"
                  "550 5.1.1  https://support.google.com/mail/?p=NoSuchUser d9443c01a7336-2a1si17a91.7 - gsmtp"),
    "denied": Case("hard", "user-unknown", "550 5.4.1 Recipient address rejected: Access denied. [DB5EUR03FT012.eop-EUR03.prod.protection.outlook.com]"),
    "umlaut": Case("hard", "user-unknown", "550 Unbekannter Empfänger: Postfach existiert nicht"),
    "latin": Case("hard", "user-unknown", "550 5.1.1 Boîte à lettres inconnue".encode("latin-1")),
    "disabled": Case("hard", "mailbox-disabled", "550 5.2.1 The email account that you tried to reach is disabled"),
    "idle": Case("hard", "mailbox-disabled", "554 30 Sorry, your message to idle@receiver.example cannot be delivered. This mailbox is disabled (554.30)."),
    "moved": Case("hard", "recipient-moved", "551 5.1.6 User has moved; please try <other@elsewhere.example>"),
    "missing": Case("hard", "domain-unknown", domain="missing.example"),
    "nomail": Case("hard", "domain-refuses-mail", domain="nomail.example"),
    # the mailbox and its system
    "full": Case("soft", "mailbox-full", "552 5.2.2 <full@receiver.example>: user is over quota"),
    "later": Case("soft", "mailbox-full", "452 4.2.2 <later@receiver.example> Mailbox full, try again later"),
    "grey": Case("soft", "greylisted", "450 4.7.1 <grey@receiver.example>: Recipient address rejected: Greylisted, please try again in 300 seconds"),
    "disk": Case("soft", "system-full", "452 4.3.1 Insufficient system storage"),
    "big": Case("soft", "message-too-big", "552 5.3.4 Message size exceeds fixed limit", "end"),
    "small": Case("soft", "message-too-big", domain="small.example"),
    # the way
    "closed": Case("soft", "network-error", domain="closed.example"),
    "dropped": Case("soft", "network-error", domain="dropped.example"),
    "broken": Case("soft", "network-error", domain="broken.example"),
    "loop": Case("soft", "routing-error", "554 5.4.6 Too many hops 27 (25 max): mail loop", "end"),
    "clear": Case("soft", "tls-error", "530 5.7.0 Must issue a STARTTLS command first", "mail"),
    # us
    "group": Case("block", "recipient-refused", "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction "
                  "check failed because the sender was not authenticated when sending to this group"),
    "listed": Case("block", "blocklisted", "554 5.7.1 Service unavailable; Client host [192.0.2.17] blocked using bl.lists.example"),
    "ironport": Case("block", "poor-reputation", domain="ironport.example"),
    "shut": Case("block", "policy", domain="shut.example"),
    "early": Case("block", "policy", "550 Access denied", "mail"),
    "command": Case("block", "policy", "554 5.7.1 <DATA>: Data command rejected: Access denied", "command"),
    "verify": Case("block", "sender-rejected", "550 Sender verify failed", "mail"),
    "sender": Case("block", "sender-rejected", "550 5.1.8 Sender address rejected: Domain not found"),
    "spf": Case("block", "authentication-failed", "550 5.7.23 <spf@receiver.example>: Recipient address rejected: Message rejected due to: SPF fail - not authorized"),
    "dmarc": Case("block", "authentication-failed", "550-5.7.26 Unauthenticated email from shop.example is not accepted due to\r\n"
                  "550-5.7.26 domain's DMARC policy. Please contact the administrator of\r\n550 5.7.26 shop.example domain if this was a legitimate mail.", "end"),
    "nameless": Case("block", "no-reverse-dns", "550 5.7.25 [192.0.2.17] The IP address sending this message does not have a PTR record setup"),
    "relay": Case("block", "relay-denied", "554 5.7.1 <relay@receiver.example>: Relay access denied"),
    "policy": Case("block", "policy", "550 5.7.1 Message rejected by local policy"),
    "rate": Case("block", "rate-limited", "450 4.7.1 Error: too much mail from 192.0.2.17"),
    "spam": Case("block", "spam-content", "554 5.7.1 Message rejected as spam, score 17.2", "end"),
    "virus": Case("block", "virus-detected", "554 5.7.1 virus Eicar-Test-Signature detected by ClamAV - http://www.clamav.net", "end"),
    "attached": Case("block", "content-rejected", "552-5.7.0 This message was blocked because its content presents a potential\r\n"
                     "552-5.7.0 security issue. Please visit https://support.google.com/mail/?p=BlockedMessage\r\n"
                     "552 5.7.0 to review our message content and attachment content guidelines.", "end"),
    # not said why
    "mute": Case("undetermined", "undetermined", "554 Message not allowed"),
}  # fmt: skip
TOGETHER = ("gone", "full", "listed")  # in one message, with one who is not refused
GREETINGS = {
    "ironport.example": "554 Your access to this mail system has been rejected due to the sending MTA's poor reputation.",
    "shut.example": "554 Access denied",
    "dropped.example": "",
}
NOWHERE: Zone = {"shop.example": {}, "nomail.example": {"MX": "0 ."}, "broken.example": None}  # and missing.example is missing
# server and case -> the reasons of the warning and of the bounce, where the server tells less than it knows
LESS = {
    # "retry timeout exceeded", and in a warning nothing
    ("exim", "closed"): ("undetermined", "expired"),
    ("exim", "dropped"): ("undetermined", "expired"),
    ("exim", "broken"): ("undetermined", "expired"),
    # "Envelope expired": the warning has told why
    **{("opensmtpd", name): (CASES[name].reason, "expired") for name in ("later", "grey", "disk", "closed", "dropped", "broken", "rate")},
    ("opensmtpd", "nomail"): ("domain-unknown", "expired"),  # "No MX found for domain", and tries again
    ("opensmtpd", "ironport"): ("network-error", "expired"),  # "Network error on destination MXs"
    ("opensmtpd", "shut"): ("network-error", "expired"),
    ("courier", "nomail"): ("domain-unknown", "domain-unknown"),  # "No such domain."
    ("courier", "dropped"): ("undetermined", "undetermined"),  # not a word
}
SEVERITY = {case.reason: case.severity for case in CASES.values()} | {"expired": "soft"}


@dataclass
class Run:
    """What became of one server's messages."""

    reports: dict[str, list[Capture]] = field(
        default_factory=lambda: {name: [] for name in messages()}
    )  # the message's name -> its reports
    said: str = ""


def message(name: str, to: str) -> bytes:
    head = f"From: Linden Shop <orders@shop.example>\r\nTo: {to}\r\nSubject: Your order {name}\r\nMessage-ID: <{name}@shop.example>\r\n"
    body = "Thank you.\r\n" * (500 if name == "small" else 1)
    return f"{head}Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\n{body}".encode()


def messages() -> dict[str, list[str]]:
    """The message's name -> those to whom it is sent."""
    single = {name: [f"{name}@{case.domain}"] for name, case in CASES.items()}
    return single | {"together": [f"{name}@receiver.example" for name in (*TOGETHER, "fine")], "receipt": ["fine@receiver.example"]}


def submit_all(server: str, port: int) -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="app.shop.example", timeout=60) as client:
        for n, (name, to) in enumerate(messages().items()):
            options = ["NOTIFY=SUCCESS"] if name == "receipt" else []
            client.sendmail(f"{server}+{name}@bounces.example", to, message(name, to[0]), rcpt_options=options)
            if n % 5 == 0:  # OpenSMTPD turns from a host that refuses ten messages on end
                client.sendmail(f"{server}@bounces.example", ["fine@receiver.example"], message("fine", "fine@receiver.example"))


def told(reports: list[Capture]) -> set[str]:
    """The recipients whose fate is sealed, by the bare fields of the reports: not by what we read in them."""
    # OpenSMTPD calls a message delayed whose time has run out (4.4.7)
    final = [r.data for r in reports if re.search(rb"(?im)^(Action: *(failed|relayed|delivered)|Status: *4\.4\.7)", r.data)]
    return {found.decode() for data in final for found in re.findall(rb"(?im)^Final-Recipient: *rfc822; *<?([^\s>]+)", data)}


def complete(run: Run) -> bool:
    return all(
        told(run.reports[name]) >= {a for a in to if name == "receipt" or not a.startswith("fine@")} for name, to in messages().items()
    )


def campaign(server: str, dns: str, run: Run, stop: threading.Event) -> Run:
    """Runs a server until it told of every message, or for as long as we have patience."""
    with running(server, dns) as (cage, port):
        submit_all(server, port)
        end = time.monotonic() + PATIENCE
        while not complete(run) and time.monotonic() < end and not stop.wait(1):
            if MTAS[server].again:
                cage.run(*MTAS[server].again)
        run.said = cage.said()
    return run


def hosts(network: str) -> dict[str, str]:
    """Domain -> address of its mail host; at closed.example nobody listens."""
    domains = ["receiver.example", "small.example", "closed.example", "bounces.example", *GREETINGS]
    return {domain: f"{network}.{n}" for n, domain in enumerate(domains, 1)}


def zone(hosts: Mapping[str, str]) -> Zone:
    """What DNS knows."""
    return NOWHERE | {d: {"MX": f"10 mx.{d}."} for d in hosts} | {f"mx.{d}": {"A": address} for d, address in hosts.items()}


@contextmanager
def receivers(hosts: Mapping[str, str]) -> Iterator[None]:
    """All that our mail meets."""
    by_step = {step: {n: c.answer for n, c in CASES.items() if c.at == step and c.answer} for step in ("rcpt", "end", "command", "mail")}
    exchanger = Exchanger(by_step["rcpt"], by_step["end"], by_step["command"], by_step["mail"])
    with ExitStack() as stack:
        stack.enter_context(exchanger.serving(25, hosts["receiver.example"]))
        stack.enter_context(Exchanger({}, most=2000).serving(25, hosts["small.example"]))
        for domain, greeting in GREETINGS.items():
            stack.enter_context(turning_away(greeting, hosts[domain]))
        yield


@pytest.fixture(scope="module")
def runs() -> Mapping[str, Future[Run]]:
    """Server -> what became of its messages."""
    runs, stop = {server: Run() for server in MTAS}, threading.Event()

    def keep(captures: Sequence[Capture], cursor: Mapping[str, str] | None = None) -> int:
        for capture in captures:
            assert capture.envelope is not None
            server, _, name = capture.envelope.recipients[0].partition("@")[0].partition("+")
            runs[server].reports.setdefault(name, []).append(capture)
        return len(captures)

    network = f"127.{randint(1, 254)}.{randint(1, 254)}"  # another run may be at work
    need_network(network)
    to, dns = hosts(network), f"{network}.53"
    with (
        nameserver(dns, zone(to)),
        sink(keep, host=to["bounces.example"], port=25),
        receivers(to),
        ThreadPoolExecutor(len(MTAS)) as pool,
    ):
        campaigns = {server: pool.submit(campaign, server, dns, run, stop) for server, run in runs.items()}
        try:
            wait(campaigns.values())
        finally:
            stop.set()
        return campaigns


def read(runs: Mapping[str, Future[Run]], server: str, name: str) -> list[Report]:
    """The reports of one message, as we read them."""
    run = runs[server].result()
    assert told(run.reports[name]), f"{server} did not tell the end; it said: {run.said}"
    return [parse(capture) for capture in run.reports[name]]


Said = tuple[str | None, Kind, str | None, str | None]


def says(reports: list[Report]) -> list[Said]:
    """Recipient, kind, severity and reason of each event."""
    return [(o.recipient, o.kind, v and v.severity.value, v and v.reason) for r in reports for o, v in judged(r)]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("server", MTAS)
def test_a_report_names_the_recipient_and_says_why(runs: Mapping[str, Future[Run]], server: str, name: str) -> None:
    case = CASES[name]
    reasons = dict(zip((Kind.DELAYED, Kind.BOUNCED), LESS.get((server, name), (case.reason, case.reason)), strict=True))
    events = says(read(runs, server, name))
    if server == "opensmtpd" and reasons[Kind.BOUNCED] == "expired":
        # it calls a message delayed whose time has run out ("Envelope expired"), and says no more of it
        *before, last = events
        told = reasons[Kind.DELAYED]
        assert last == (f"{name}@{case.domain}", Kind.DELAYED, "undetermined", "undetermined")
        assert before and set(before) == {(f"{name}@{case.domain}", Kind.DELAYED, SEVERITY[told], told)}
        return
    assert {kind for _, kind, _, _ in events} <= set(reasons)
    assert events == [(f"{name}@{case.domain}", kind, SEVERITY[reasons[kind]], reasons[kind]) for _, kind, _, _ in events]
    assert [kind for _, kind, _, _ in events].count(Kind.BOUNCED) == 1


@pytest.mark.parametrize("server", MTAS)
def test_two_fates_in_one_message_stay_two(runs: Mapping[str, Future[Run]], server: str) -> None:
    events = says(read(runs, server, "together"))
    right = [(f"{n}@receiver.example", Kind.BOUNCED, CASES[n].severity, CASES[n].reason) for n in TOGETHER]
    assert sorted(events) == sorted(right)


@pytest.mark.parametrize("server", MTAS)
def test_a_receipt_is_no_bounce(runs: Mapping[str, Future[Run]], server: str) -> None:
    assert says(read(runs, server, "receipt")) == [("fine@receiver.example", Kind.DELIVERED, None, None)]


@pytest.mark.parametrize("server", MTAS)
def test_a_delay_is_told_before_the_end(runs: Mapping[str, Future[Run]], server: str) -> None:
    put_off = [name for name, case in CASES.items() if str(case.answer).startswith("4")]
    late = [name for name in put_off if Kind.DELAYED in {kind for _, kind, _, _ in says(read(runs, server, name))}]
    assert late


@pytest.mark.parametrize("server", MTAS)
def test_a_report_names_its_message_and_its_writer(runs: Mapping[str, Future[Run]], server: str) -> None:
    reports = {name: read(runs, server, name) for name in messages()}
    assert {(name, r.original.message_id) for name, rs in reports.items() for r in rs} == {
        (name, f"{name}@shop.example") for name in reports
    }
    assert {r.reporting_mta for rs in reports.values() for r in rs} == {"mx.shop.example"}
