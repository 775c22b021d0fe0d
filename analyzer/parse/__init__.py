"""Bytes -> Report. Total: there are no bytes on earth for which `parse` raises."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from analyzer.model import HIT, LOG, MESSAGE, RECEIVER_REPORT, ROWS, STATISTICS, TEST_SEND, WEBHOOK, Capture, Kind, Outcome, Report
from analyzer.parse import about, autoreply, bounce, dsn, feedback, forwards, managers, other, prose, session, sns
from analyzer.parse.headers import Headers
from analyzer.parse.mime import Message, date, read
from analyzer.parse.original import mailed_alone, original, returned_headers, split_text, text_headers


def parse(capture: Capture) -> Report:
    """What a capture says, by its media type."""
    if capture.media_type == MESSAGE:
        report = parse_message(capture.data)
        return _with_contents(capture.data, report) if report.kind is Kind.OTHER_REPORT else report
    if capture.media_type == ROWS:
        from analyzer.parse.rows import parse_rows

        return parse_rows(capture)
    if capture.media_type == LOG:
        from analyzer.parse.logs import parse_log

        return parse_log(capture)
    if capture.media_type == TEST_SEND:
        from analyzer.parse.test_send import parse_test_send

        return parse_test_send(capture)
    if capture.media_type == HIT:
        from analyzer.parse.hits import parse_hit

        return parse_hit(capture)
    if capture.media_type == RECEIVER_REPORT:
        from analyzer.parse.receivers import parse_file

        return parse_file(capture)
    if capture.media_type == STATISTICS:
        from analyzer.parse.receivers.statistics import parse_statistics

        return parse_statistics(capture)
    if capture.media_type.startswith(WEBHOOK):
        from analyzer.parse.webhooks import parse_webhook

        return parse_webhook(capture)
    return Report(Kind.UNREADABLE, "none", why=f"nothing here reads {capture.media_type[:100]!r}")


def _with_contents(data: bytes, report: Report) -> Report:
    """What a receiver's report counts. Whoever only asks what a mail is, is spared it."""
    from analyzer.parse.receivers import contents

    found: Report = contents(data, report)
    return found


def parse_message(data: bytes, depth: int = 0) -> Report:
    """What a mail says, without what is attached to it. The most telling form is tried first: delivery status, feedback, SES notification, other machine reports, automatic reply, prose,
    unsubscription, and what it forwards (`depth` 1: that itself)."""
    if not data.strip():
        return Report(Kind.UNREADABLE, "none", why="there is nothing in it")
    message = read(data)
    if not message.top.headers:
        return Report(Kind.UNREADABLE, "none", why="it has no mail headers: is it mail?", truncated=tuple(message.truncated))
    report = (
        feedback.parse(message)
        or _delivery_status(message)
        or sns.parse(message)
        or other.parse(message)
        # mail systems mark their bounces "auto-replied" too: what they write, or nobody, is a bounce first
        or (prose.parse(message) if bounce.is_from_a_mailer(message) else None)
        or managers.parse(message)
        or (prose.parse(message) if bounce.lists_whom_it_missed(message) else None)
        or autoreply.parse(message)
        or prose.parse(message)
        or autoreply.unsubscription(message)
        or _forwarded(message, depth)
        or Report(
            Kind.NOT_A_REPORT, "none", why="ordinary mail: it reports the fate of no message", reported_at=date(message.top.header("date"))
        )
    )
    cuts = message.cuts()
    return report._replace(truncated=tuple(dict.fromkeys((*cuts, *report.truncated)))) if cuts else report


def _forwarded(message: Message, depth: int) -> Report | None:
    """The report that a mail forwards."""
    inner = None if depth else forwards.enclosed(message)
    report = parse_message(inner, depth + 1) if inner else None
    return report if report and report.kind in {Kind.BOUNCED, Kind.DELAYED, Kind.COMPLAINED} else None


def _delivery_status(message: Message) -> Report | None:
    """The report of a message with delivery-status parts."""
    parts = dsn.status_parts(message)
    if not parts:
        return None
    found: list[Outcome] = []
    reporting = envelope_id = None
    truncated: list[str] = []
    for part in parts[:20]:
        outcomes, fields, cuts = dsn.outcomes(part)
        found += outcomes
        reporting, envelope_id = dsn.reported(fields)
        truncated += cuts
    if not found:
        return None
    letter = _Letter(message)
    headers = returned_headers(message) or text_headers(letter.rest)
    told = original(headers, envelope_id)
    found = [_complete(o, letter, headers, len(found) == 1) for o in (_merged(found) if len(found) > 1 else found)]
    ours = message.top.header("to").lower()
    if not _names_one(found, ours) and (told_in_prose := prose.parse(message)) and _names_one(told_in_prose.outcomes, ours):
        return told_in_prose  # the fields are damaged, or name the sender himself
    asks = (len(found) == 1 and autoreply.may_challenge(letter.own)) or not any(o.reply_code for o in found)
    if asks and autoreply.is_challenge(letter.own):
        found = [Outcome(Kind.AUTOREPLIED, o.recipient, reply_type="challenge") for o in found]  # in the form of a report
    return Report(
        found[0].kind,
        "dsn",
        prose.through_alias(tuple(found), headers, message.top),
        told,
        reporting,
        date(message.top.header("date")),
        truncated=tuple(dict.fromkeys(truncated)),
    )


def _names_one(outcomes: Sequence[Outcome], ours: str) -> bool:
    """Whether outcomes name somebody else than those to whom the report went."""
    for o in outcomes:  # noqa: SIM110  # a generator would take as long as the search
        if o.final or (o.recipient and o.recipient.lower() not in ours):
            return True
    return False


_ALIASED = ("generated from", "expanded from", "forwarded f", "originally ", " à partir de ", "erzeugt aus", "generado ", "generato da")


class _Letter:
    """What the reporter wrote around the fields; most fields say so much that little of it is read."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self.top = message.top

    @cached_property
    def all(self) -> str:
        """The text, with a message that may be returned in it."""
        return autoreply.text_of(self._message)[: bounce.MOST_TEXT]

    @cached_property
    def _parts(self) -> tuple[str, str]:
        return split_text(self.all)

    @property
    def names_aliases(self) -> bool:
        """Whether it may say which alias led to a target."""
        for words in _ALIASED:  # noqa: SIM110  # a generator would take as long as the search
            if words in self.all:
                return True
        return False

    @property
    def own(self) -> str:
        """Its own words."""
        return self._parts[0]

    @property
    def rest(self) -> str:
        """The returned message that follows them in the same text."""
        return self._parts[1]


def _merged(found: list[Outcome]) -> list[Outcome]:
    """Each recipient once: several reports of one recipient in one message are one outcome, the most final of them."""
    kept: dict[tuple[str, str], Outcome] = {}
    for n, o in enumerate(found):
        key = ((o.recipient or f"#{n}").lower(), (o.final or "").lower())
        if key not in kept or (kept[key].kind is Kind.DELAYED and o.kind is Kind.BOUNCED):
            kept[key] = o
    return list(kept.values())


def _is_one_line(outcome: Outcome, letter: _Letter) -> bool:
    """Whether the field has one line alone of a reply of several: the last, as Courier's, or the first, as Sendmail's."""
    more, said = f"{outcome.reply_code}-", outcome.diagnostic or ""
    if said.startswith(more) and more not in said[1:] and f"{outcome.reply_code} " not in said:
        return True
    return more in letter.all and more not in said and more in letter.own


def _complete(outcome: Outcome, letter: _Letter, headers: Headers, alone: bool) -> Outcome:
    """The outcome with what the fields leave out: the address in full, the words of the text about it."""
    recipient = outcome.recipient
    if not recipient or "@" not in recipient or recipient.upper().startswith("IMCEAEX-"):
        # a name of the receiver's own: whom we mailed stands in the returned message
        mailed = mailed_alone(headers, letter.top)
        same = [a for a in mailed if recipient and a.partition("@")[0].lower() == recipient.lower()]
        whole = same[0] if same else (mailed[0] if len(mailed) == 1 else None)
        if whole:
            outcome = outcome._replace(recipient=whole, final=recipient)
    if not outcome.final and letter.names_aliases:
        outcome = about.from_alias(outcome, about.near(letter.own, outcome, alone), alone)
    if outcome.diagnostic and outcome.reply_code and len(outcome.diagnostic) > 40 and not _is_one_line(outcome, letter):
        # the receiver's words are there in full: the text can only add at which step they were said
        tells = outcome.stage is None and (session.may_be(letter.all) or dsn.stage(letter.all))
        if tells and (step := about.step(outcome, letter.own, alone)):
            return outcome._replace(stage=step)
        return outcome
    return about.describe(outcome, letter.own, alone)
