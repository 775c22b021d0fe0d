"""What receivers answer: the SMTP replies by cause and by who runs the mailbox, and the truth about each cause.

`{r}` is the recipient, `{ip}` the sending IP, `{d}` the sending domain, `{id}` letters and digits that differ each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from analyzer.demo.shop import Family
from analyzer.model import Severity


class Cause(IntEnum):
    """Why a message was not taken, or not at once."""

    NONE = 0
    DEAD = 1
    DISABLED = 2
    GONE = 3
    FULL = 4
    LISTED = 5  # the Microsoft block
    DMARC = 6
    SPAM = 7
    NETWORK = 8
    CLOSED = 9  # a group that takes mail from its own people only
    UNSAID = 10
    GREY = 11
    RATE = 12


TRUTH: dict[Cause, tuple[str, Severity]] = {
    Cause.DEAD: ("user-unknown", Severity.HARD),
    Cause.DISABLED: ("mailbox-disabled", Severity.HARD),
    Cause.GONE: ("domain-unknown", Severity.HARD),
    Cause.FULL: ("mailbox-full", Severity.SOFT),
    Cause.LISTED: ("blocklisted", Severity.BLOCK),
    Cause.DMARC: ("authentication-failed", Severity.BLOCK),
    Cause.SPAM: ("spam-content", Severity.BLOCK),
    Cause.NETWORK: ("network-error", Severity.SOFT),
    Cause.CLOSED: ("recipient-refused", Severity.BLOCK),
    Cause.UNSAID: ("undetermined", Severity.UNDETERMINED),
    Cause.GREY: ("greylisted", Severity.SOFT),
    Cause.RATE: ("rate-limited", Severity.BLOCK),
}
"""Reason and severity of each cause: what the reading of its words has to come to."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One refusal: its lines, the step it came in, and the host that gave it."""

    lines: tuple[str, ...]
    stage: str = "RCPT TO"  # or "end of DATA"
    code: str = ""  # enhanced status code of the report; "": the one in the reply
    host: bool = True  # a host answered; False: nobody did, and the words are our own MTA's

    @property
    def status(self) -> str:
        """The enhanced status code that the reporting MTA writes down."""
        if self.code:
            return self.code
        word = self.lines[-1][4:].split(" ", 1)[0]
        return word if word.count(".") == 2 else f"{self.lines[-1][0]}.0.0"


def _rcpt(*lines: str, code: str = "") -> Reply:
    return Reply(lines, code=code)


def _data(*lines: str, code: str = "") -> Reply:
    return Reply(lines, "end of DATA", code)


HOSTS: dict[Family, tuple[str, str]] = {
    Family.GMAIL: ("gmail-smtp-in.l.google.com", "192.0.2.130"),
    Family.MICROSOFT: ("outlook-com.olc.protection.outlook.com", "192.0.2.131"),
    Family.YAHOO: ("mta6.am0.yahoodns.net", "192.0.2.132"),
    Family.APPLE: ("mx01.mail.icloud.com", "192.0.2.133"),
    Family.GMX: ("mx01.gmx.net", "192.0.2.134"),
    Family.TONLINE: ("mx02.t-online.de", "192.0.2.135"),
    Family.ORANGE: ("smtp-in.orange.fr", "192.0.2.136"),
    Family.MAILRU: ("mxs.mail.ru", "192.0.2.137"),
    Family.WORKSPACE: ("aspmx.l.google.com", "192.0.2.138"),
}
"""Name and address (documentation range) of the mail hosts; companies have hosts of their own names."""

_GOOGLE_DEAD = _rcpt(
    "550-5.1.1 The email account that you tried to reach does not exist. Please try",
    "550-5.1.1 double-checking the recipient's email address for typos or",
    "550-5.1.1 unnecessary spaces. For more information, go to",
    "550 5.1.1  https://support.google.com/mail/?p=NoSuchUser {id} - gsmtp",
)
_GOOGLE_DISABLED = _rcpt(
    "550-5.2.1 The email account that you tried to reach is disabled. For more",
    "550 5.2.1 information, go to https://support.google.com/mail/?p=DisabledUser {id} - gsmtp",
)
_GOOGLE_FULL = _rcpt(
    "452-4.2.2 The recipient's inbox is out of storage space. Please direct the",
    "452-4.2.2 recipient to",
    "452 4.2.2  https://support.google.com/mail/?p=OverQuotaTemp {id} - gsmtp",
)
_M365_DEAD = _rcpt("550 5.4.1 Recipient address rejected: Access denied. [DB5EUR03FT{id}.eop-EUR03.prod.protection.outlook.com]")
_POSTFIX_DEAD = _rcpt("550 5.1.1 <{r}>: Recipient address rejected: User unknown in virtual mailbox table")
_POSTFIX_FULL = _rcpt("452 4.2.2 <{r}>: Recipient address rejected: Mailbox is full / Quota exceeded")
_POSTFIX_SPAM = _data("554 5.7.1 id={id} - Rejected by next-hop MTA on relaying: message looks like SPAM")

_DEAD: dict[Family, Reply] = {
    Family.GMAIL: _GOOGLE_DEAD,
    Family.WORKSPACE: _GOOGLE_DEAD,
    Family.MICROSOFT: _rcpt("550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)."),
    Family.YAHOO: _data("554 delivery error: dd This user doesn't have a yahoo.com account ({r}) [0] - mta{id}.mail.bf1.yahoo.com"),
    Family.APPLE: _rcpt("550 5.1.1 <{r}>: user does not exist"),
    Family.GMX: _rcpt(
        "550-Requested action not taken: mailbox unavailable",
        "550 For explanation visit https://postmaster.gmx.net/en/error-messages?c=nonex",
        code="5.1.1",
    ),
    Family.TONLINE: _rcpt("550 5.1.1 <{r}> unknown user account"),
    Family.ORANGE: _rcpt("550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]"),
    Family.MAILRU: _data("550 Message was not accepted -- invalid mailbox. Local mailbox {r} is unavailable: user not found", code="5.0.0"),
    Family.M365: _M365_DEAD,
    Family.POSTFIX: _POSTFIX_DEAD,
    Family.EXCHANGE: _rcpt("550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {r} not found by SMTP address lookup"),
    Family.QMAIL: _rcpt("550 5.1.1 Sorry, no mailbox here by that name. (#5.1.1)"),
}
_DISABLED: dict[Family, Reply] = {
    Family.GMAIL: _GOOGLE_DISABLED,
    Family.WORKSPACE: _GOOGLE_DISABLED,
    Family.YAHOO: _data("554 30 Sorry, your message to {r} cannot be delivered. This mailbox is disabled (554.30).", code="5.0.0"),
    Family.APPLE: _rcpt("550 5.2.1 <{r}>: This account is disabled and cannot receive mail"),
    Family.MAILRU: _rcpt("550 5.2.1 Message was not accepted -- account {r} is disabled", code="5.2.1"),
    Family.POSTFIX: _rcpt("550 5.2.1 <{r}>: Recipient address rejected: this mailbox is disabled"),
}
_FULL: dict[Family, Reply] = {
    Family.GMAIL: _GOOGLE_FULL,
    Family.WORKSPACE: _GOOGLE_FULL,
    Family.MICROSOFT: _rcpt("452 4.2.2 The recipient's mailbox is full and can't accept messages now [{id}.eurprd04.prod.outlook.com]"),
    Family.YAHOO: _data("452 4.2.2 mailbox full: {r} is over quota [-90] - mta{id}.mail.bf1.yahoo.com"),
    Family.APPLE: _rcpt("452 4.2.2 <{r}>: user is over quota"),
    Family.TONLINE: _rcpt("452 4.2.2 <{r}>: mailbox full, quota exceeded"),
    Family.M365: _data("452 4.2.2 The recipient's mailbox is full and can't accept messages now [{id}.eurprd04.prod.outlook.com]"),
    Family.GMX: _rcpt(
        "452-Requested mail action aborted: exceeded storage allocation",
        "452 Quota exceeded. The recipient's mailbox is full.",
        code="4.2.2",
    ),
    Family.ORANGE: _rcpt("452 4.2.2 Boite du destinataire pleine. Recipient overquota. OFR_417 [417]"),
}
TELL_DISABLED = frozenset(_DISABLED)
"""Who says of a mailbox that it is disabled; to others it does not exist."""
_CAUSES: dict[Cause, dict[Family, Reply]] = {
    Cause.DEAD: _DEAD,
    Cause.DISABLED: _DISABLED,
    Cause.FULL: _FULL,
    Cause.LISTED: {
        Family.MICROSOFT: Reply(
            (
                "550 5.7.1 Unfortunately, messages from [{ip}] weren't sent. Please contact your Internet service provider since part of"
                " their network is on our block list (S3150). You can also refer your provider to"
                " http://mail.live.com/mail/troubleshooting.aspx#errors. [{id}.eurprd04.prod.outlook.com]",
            ),
            "MAIL FROM",
        )
    },
    Cause.DMARC: {
        Family.GMAIL: _data(
            "550-5.7.26 Unauthenticated email from {d} is not accepted due to",
            "550-5.7.26 domain's DMARC policy. Please contact the administrator of",
            "550-5.7.26 {d} domain if this was a legitimate mail. To learn",
            "550-5.7.26 about the DMARC initiative, go to",
            "550 5.7.26  https://support.google.com/mail/?p=DmarcRejection {id} - gsmtp",
        )
    },
    Cause.SPAM: {
        Family.GMAIL: _data(
            "550-5.7.1 Gmail has detected that this message is likely unsolicited mail. To reduce the",
            "550-5.7.1 amount of spam sent to Gmail, this message has been blocked. For more",
            "550 5.7.1 information, go to https://support.google.com/mail/?p=UnsolicitedMessageError {id} - gsmtp",
        ),
        Family.MAILRU: _data("550 5.7.1 spam message rejected. Please visit https://help.mail.ru/notspam-support/id?c={id}"),
    },
    Cause.CLOSED: {
        Family.M365: _data(
            "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction check failed"
            " because the sender was not authenticated when sending to this group [{id}.eurprd04.prod.outlook.com]"
        )
    },
    Cause.RATE: {
        Family.GMX: _rcpt(
            "450-Requested mail action not taken: mailbox unavailable",
            "450 Mail send limit exceeded. Too many messages from {ip}, slow down.",
            code="4.7.0",
        ),
        Family.ORANGE: _rcpt("421 4.7.0 smtp-in.orange.fr: Trop de connexions. Too many connections, slow down. OFR004_104 [104]"),
        Family.TONLINE: _rcpt("421 4.7.0 Too many connections from {ip}, try again later"),
    },
}
_OTHERWISE: dict[Cause, Reply] = {
    Cause.DEAD: _POSTFIX_DEAD,
    Cause.GONE: Reply(("Host or domain name not found. Name service error for name={h} type=A: Host not found",), code="5.4.4", host=False),
    Cause.FULL: _POSTFIX_FULL,
    Cause.SPAM: _POSTFIX_SPAM,
    Cause.NETWORK: Reply(("connect to {h}[{hip}]:25: Connection timed out",), code="4.4.1", host=False),
    Cause.CLOSED: _rcpt("550 5.7.1 <{r}>: Recipient address rejected: only members may post to this list"),
    Cause.UNSAID: _data("554 5.0.0 Message not accepted for delivery", code="5.0.0"),
    Cause.GREY: _rcpt("450 4.7.1 <{r}>: Recipient address rejected: Greylisted, please try again in 300 seconds"),
    Cause.RATE: _rcpt("421 4.7.0 Too many messages from {ip}, please slow down and try again later"),
}


def reply(cause: Cause, family: Family) -> Reply:
    """What the host behind a mailbox of `family` says in this case."""
    return _CAUSES.get(cause, {}).get(family) or _OTHERWISE.get(cause) or _POSTFIX_DEAD
