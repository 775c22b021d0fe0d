"""A simulated month of a shop: the files that its systems would leave behind, the same for the same seed, and the truth about them.

Nothing here knows how they are read: the real collectors, parsers and rules have to come to the truth by themselves.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from analyzer.demo.engagement import Engagement, engagement
from analyzer.demo.fates import BLOCKED_IP, NEVER, Fates, fates
from analyzer.demo.post import Mail, mails
from analyzer.demo.receivers import Told, told
from analyzer.demo.replies import TRUTH, Cause
from analyzer.demo.seeds import test_sends
from analyzer.demo.shop import DAYS, RELAYS, MailType, Sends, people, seconds, sends
from analyzer.demo.tables import configuration, write_tables
from analyzer.model import Agent, Capture, Kind

__all__ = ["CONFIG", "MARKER", "DemoError", "DemoPlan", "Incident", "Mail", "Truth", "prepare", "write"]

CONFIG = "mailhealth.toml"
MARKER = ".mailhealth-demo.json"
"""The file that says that a folder was made by the demo, and may be replaced by it."""
LEAST_SENDS = 1000


class DemoError(Exception):
    """The demo cannot be made there; the message is a sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A story of the month: what the findings should tell."""

    reason: str
    started: datetime  # aware UTC
    ended: datetime | None  # None: still on when the month ends
    count: int  # messages that it cost
    where: dict[str, str]  # the dimension values it is confined to


@dataclass(frozen=True, slots=True)
class Truth:
    """What happened, counted in messages (each goes to one recipient) unless said otherwise."""

    sent: int
    sent_by_type: dict[str, int]
    sent_by_provider: dict[str, int]  # SMTP provider
    delivered: int  # some host took it
    accepted: int  # and it was not returned later
    bounced: int
    bounced_by_reason: dict[str, int]
    bounced_by_severity: dict[str, int]
    delayed: int  # put off at least once
    pending: int  # neither delivered nor returned when the month ended
    opened: dict[str, int]  # by agent: human, machine, unknown
    clicked: dict[str, int]  # by agent
    unsubscribed_by_link: int
    unsubscribed_by_mail: int
    complained: int
    converted: int
    revenue: float  # of the orders, in EUR
    autoreplied: int
    mails: int  # different messages in the mailboxes
    rows: dict[str, int]  # lines of each table that are rows, by kind
    block: Incident
    dmarc: Incident
    counted: Told  # by receivers


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What was written, and the truth about it."""

    folder: Path
    config: Path
    seed: int
    start: date
    until: date  # the day after the last
    mails: tuple[Mail, ...]  # as they lie in the mailboxes, those in the Maildir among them
    truth: Truth
    test_sends: tuple[Capture, ...]  # what the shop's test mails showed, for the inbox
    seconds: dict[str, float] = field(default_factory=dict)  # that each step took


def _quiet(done: int, total: int | None, note: str = "") -> None:
    """Tells nobody."""


def prepare(folder: Path) -> None:
    """Makes `folder` empty. Raises DemoError when it holds anything that the demo did not make."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise DemoError(f"{folder}: is not a folder. Name another with --folder.")
    try:
        if folder.is_dir() and any(folder.iterdir()):
            if not (folder / MARKER).is_file():
                raise DemoError(
                    f"{folder}: holds files that `mailhealth demo` did not make, so it is left alone. Name another with --folder."
                )
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise DemoError(f"{folder}: cannot be made anew ({e.strerror or e}). Name another with --folder.") from None


def write(
    folder: Path, seed: int, sends_count: int = 200_000, *, until: date, progress: Callable[[int, int | None, str], None] = _quiet
) -> DemoPlan:
    """Writes the thirty days before `until` into the empty `folder`. Raises DemoError: too few sends, no space, ..."""
    if sends_count < LEAST_SENDS:
        raise DemoError(f"--sends {sends_count}: a month needs at least {LEAST_SENDS} sends for its stories.")
    watch = _Watch()
    customers = people(seed, sends_count * 3 // 10)
    sent = sends(seed, sends_count, until, customers)
    fate = fates(seed, sent, customers, until)
    engaged = engagement(seed, sent, fate, customers, until)
    progress(1, 4, "")
    watch.lap("what happens")
    post = tuple(mails(sent, customers, fate, engaged))
    counted = told(seed, sent, customers, fate, seconds(until) - DAYS * 86400)
    progress(2, 4, "")
    watch.lap("mail")
    try:
        marker = {"seed": seed, "sends": sends_count, "until": until.isoformat()}
        (folder / MARKER).write_text(json.dumps(marker) + "\n", encoding="ascii")
        (folder / CONFIG).write_text(configuration(), encoding="ascii")
        _write_mail(folder, post)
        _write_reports(folder, counted)
        watch.lap("mailboxes")
        progress(3, 4, "")
        write_tables(folder, sent, customers, fate, engaged)
    except OSError as e:
        raise DemoError(f"{folder}: cannot be written ({e.strerror or e}). Free some space, or name another with --folder.") from None
    watch.lap("tables")
    truth = _truth(sent, fate, engaged, post, counted)
    progress(4, 4, "")
    start = until - timedelta(days=DAYS)
    tests = test_sends(
        datetime.combine(start, datetime.min.time(), UTC),
        truth.dmarc.started,
        truth.dmarc.ended or truth.dmarc.started,
        truth.block.started,
    )
    return DemoPlan(folder, folder / CONFIG, seed, start, until, post, truth, tests, watch.seconds)


class _Watch:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = now - self._since
        self._since = now


def _write_mail(folder: Path, post: tuple[Mail, ...]) -> None:
    """Complaints into a Maildir, everything else into one mbox."""
    maildir = folder / "complaints"
    for name in ("cur", "new", "tmp"):
        (maildir / name).mkdir(parents=True)
    with (folder / "returned.mbox").open("wb") as mbox:
        for n, mail in enumerate(post):
            if mail.kind == Kind.COMPLAINED:
                (maildir / "new" / f"{mail.at}.M{n}P1.lindenshop").write_bytes(mail.data)
            else:
                moment = datetime.fromtimestamp(mail.at, UTC).ctime()
                mbox.write(b"From MAILER-DAEMON %s\n%s\n" % (moment.encode(), mail.data.replace(b"\nFrom ", b"\n>From ")))


def _write_reports(folder: Path, counted: Told) -> None:
    """Receivers' reports into an mbox of their own, statistics as they are saved from their pages."""
    with (folder / "reports.mbox").open("wb") as mbox:
        for at, data in counted.mails:
            mbox.write(b"From reports@receivers.example %s\n%s\n" % (datetime.fromtimestamp(at, UTC).ctime().encode(), data))
    (folder / "snds").mkdir()
    for name, table in counted.snds.items():
        (folder / "snds" / name).write_text(table, encoding="ascii", newline="")
    (folder / "postmaster.json").write_text(counted.postmaster, encoding="ascii")


def _truth(sent: Sends, fate: Fates, engaged: Engagement, post: tuple[Mail, ...], counted: Told) -> Truth:
    returned = fate.bounced_at < NEVER
    by_cause = Counter(Cause(c) for c in fate.cause[returned].tolist())
    different = {mail.data: mail for mail in post}.values()
    types, relays = np.bincount(sent.mail_type, minlength=len(MailType)), np.bincount(sent.relay, minlength=len(RELAYS))
    by_severity: Counter[str] = Counter()
    for cause, count in by_cause.items():
        by_severity[TRUTH[cause][1].value] += count
    delivered, delayed = fate.delivered_at < NEVER, fate.delayed_at < NEVER
    return Truth(
        sent=len(sent),
        sent_by_type={t.word: int(types[t]) for t in MailType},
        sent_by_provider={relay.name: int(n) for relay, n in zip(RELAYS, relays, strict=True)},
        delivered=int(delivered.sum()),
        accepted=int(fate.accepted.sum()),
        bounced=int(returned.sum()),
        bounced_by_reason={TRUTH[cause][0]: count for cause, count in sorted(by_cause.items())},
        bounced_by_severity=dict(sorted(by_severity.items())),
        delayed=int(delayed.sum()),
        pending=int((~delivered & ~returned).sum()),
        opened={agent.value: engaged.opens.messages(agent) for agent in Agent},
        clicked={agent.value: engaged.clicks.messages(agent) for agent in Agent},
        unsubscribed_by_link=len(engaged.unsubscribed_by_link),
        unsubscribed_by_mail=len(engaged.unsubscribed_by_mail),
        complained=len(engaged.complaints),
        converted=len(np.unique(engaged.orders.send)),
        revenue=int(engaged.order_cents.sum()) / 100,
        autoreplied=sum(mail.kind == Kind.AUTOREPLIED for mail in different),
        mails=len(different),
        rows={
            Kind.SENT.value: len(sent),
            Kind.DELIVERED.value: int(delivered.sum()),
            Kind.DELAYED.value: int(delayed.sum()),
            Kind.OPENED.value: len(engaged.opens.at),
            Kind.CLICKED.value: len(engaged.clicks.at),
            Kind.UNSUBSCRIBED.value: len(engaged.unsubscribed_by_link),
            Kind.CONVERTED.value: len(engaged.orders),
        },
        block=_incident(fate, Cause.LISTED, fate.block_started, None, {"provider": "Microsoft", "sending_ip": BLOCKED_IP}),
        dmarc=_incident(
            fate, Cause.DMARC, fate.dmarc_started, fate.dmarc_ended, {"provider": "Gmail", "sending_domain": "orders.lindenshop.example"}
        ),
        counted=counted,
    )


def _incident(fate: Fates, cause: Cause, started: int, ended: int | None, where: dict[str, str]) -> Incident:
    end = datetime.fromtimestamp(ended, UTC) if ended is not None else None
    count = int(((fate.cause == cause) & (fate.bounced_at < NEVER)).sum())
    return Incident(TRUTH[cause][0], datetime.fromtimestamp(started, UTC), end, count, where)
