"""Answers that machines write: vacations, tickets, challenges, retired inboxes (RFC 3834); unsubscriptions by mail.

A header that only such answers bear decides alone, and so does a subject that says so. What machines write of all kinds ("auto-generated",
"bulk", a null sender) decides only together with words that answer somebody: receipts and newsletters bear it too.
"""

from __future__ import annotations

import re

from analyzer.model import Kind, Original, Outcome, Report
from analyzer.parse import address
from analyzer.parse.autoreply_words import AWAY, ELSEWHERE, GENERATED, HELD, RECEIVED, REPLY, SUBJECT, TYPES, UNREAD
from analyzer.parse.headers import Headers
from analyzer.parse.mime import Message, Part, date, decode
from analyzer.parse.original import message_id, of_a_list, original, recipients, returned_headers, sender_of, split_text, text_headers
from analyzer.parse.who import verp
from analyzer.parse.words import Words

_HEADERS = (
    "x-autoreply", "x-autorespond", "x-autoresponse", "x-autoreply-from", "x-autoresponder", "x-vacation", "x-auto-reply", "x-ooo",
    "x-spamarrest", "x-ms-exchange-inbox-rules-loop",
)  # fmt: skip
DESKS = ("rt-ticket", "x-rt-loop-prevention", "x-otrs-loop", "x-jira-fingerprint", "x-fc-machinegenerated", "x-hesk")
"""Headers of programs that keep tickets: they answer those who write, and tell those who work on it."""
_DESK = Words(r"zendesk|freshdesk|helpscout|otrs|kayako|hesk|osticket|jira|servicenow|intercom|request tracker|desk\.com")
_OF_DESKS = Words(
    r"action=agent|agentticket|\bin (?:the |der )?queue\b|assigned to you|neues ticket|new ticket (?:in|from|by)\b|customer .{1,60} wrote"
)
"""What such a program tells those who work on its tickets."""
_PROGRAM = Words(r"auto-?(?:matic )?(?:respon|repl|antwort)|vacation|out-?of-?office|infobot|mailbot|autoresp")
_AWAY = Words(rf"[\[(【]?(?:{AWAY})[^?]{{0,60}}$")
"""A subject that hardly says more than that somebody is away."""
FOR_MANY = Words(
    r"unsubscrib|abbestell|vom newsletter abmelden|d[ée]sabonn|d[ée]sinscri|darse de baja|cancelar (?:la )?suscripci|disiscri|cancella(?:re)? (?:la tua |l')?iscrizione|afmelden|uitschrijven|wypisz|отписаться|配信停止|配信解除|退订|수신거부|avregistrera|avprenumerera"
)
_ACCOUNT = Words(
    r"password|passwor[dt]|kennwort|mot de passe|contrase[ñn]a|senha|wachtwoord|has[łl]o|парол|パスワード|密码|密碼|비밀번호|verification code|確認コード|验证码"
)
"""What a program tells its user because he asked for it."""
_ELSE = re.compile(
    r"(?:no-?reply|do-?not-?reply|notifi\w*|newsletter\w*|alerts?|billing|invoices?|orders?|shop|store|promo\w*|news)(?:[+.@-]|$)", re.I
)
"""Senders of what nobody answers."""
CALENDAR = Words(
    r"\s*(?:accepted|declined|tentative|canceled|cancelled|invitation|updated invitation|zugesagt|abgesagt|abgelehnt|mit vorbehalt|accepté|refusé|provisoire|aceptad[ao]|rechazad[ao]|accettato|rifiutato|geaccepteerd|afgewezen)\s*:",
)
PERSONS = Words(
    r"outlook(?! express 5\.5 smtp)|thunderbird|apple mail|iphone|ipad|evolution|k-9|mutt|claws|eudora|the bat|gnus|sylpheed|airmail|postbox|windows ?(?:live )?mail|roundcube|squirrelmail|openwebmail|becky!|zimbra|<(?:al)?pine\."
)
"""Programs in which people write mail."""
TRACKERS = (
    "x-gitlab-project", "x-gitlab-pipeline-id", "x-github-reason", "x-github-sender", "x-jira-fingerprint", "x-redmine-host", "x-sentry-project",
    "x-jenkins-job", "x-bugzilla-reason", "x-trac-project", "x-debian-pr-package", "x-debian-pr-message", "x-discourse-post-id", "x-phabricator-sent-this-message", "x-gerrit-messagetype",
)  # fmt: skip
"""Headers of programs in which people write about software."""
LISTS = ("list-id", "list-unsubscribe", "list-post", "x-ml-name", "x-mlserver", "x-beenthere", "x-mailing-list", "mailing-list")
"""Headers of mail that went to many."""
_PROVIDERS = re.compile(r"(?:jira|zendesk|freshdesk|notifications?|no-?reply)@", re.I)
_GUARD = re.compile(r"(?:^|[-._])(?:anti-?spam|spam|filter|challenge|confirm|verif|no-?reply)", re.I)
"""A machine's address that guards the mailboxes of its domain."""
_TO_ALL = Words(
    r"\s{0,20}(?:dear|hi|hello|hallo|liebe|bonjour)\b[^\n]{0,20}\b(?:all|everybody|everyone|team|folks|colleagues|kolleg\w+|alle|à tous)\b"
)
_ANSWER = Words(r"\s*(?:re|aw|sv|fwd?|wg)\s*:")
_FORWARD = Words(r"\s*(?:fwd?|wg|tr|rv|enc|doorst|vb|vs|пересл\w*|转发|轉寄)\s*:")
"""What a person, or a rule of a mailbox, sends on."""
_UNSUBSCRIBE = Words(
    r"^\s*(?:un-?subscribe|opt-?out|remove(?: me)?|abmelden|d[eé]sabonn\w*|d[eé]sinscri\w*|cancelar (?:la )?suscripci\w*|(?:baja)|afmelden)\b(?:[^\n]{0,120}| [\w-]{40,400})$",
)
"""The word and hardly more, or the word and a token of the sender's."""
_AGAIN = re.compile(r"(?<=[\s\]])(?:re|aw|sv|fwd?|wg)\s*:", re.I)
_LEAVING = re.compile(r"^leave[-+.]|[-+]leave(?:[-+.]|$)|unsub|kaijo|taikai|abmeld|d[ée]sinscri|desabo|opt-?out|afmeld|wypis", re.I)
"""An address for unsubscriptions."""
_CHALLENGES = (
    "confirm", "verify", "approve", "whitelist", "waitlist", "unknown sender", "unverified", "challenge", "authenticate yourself",
)  # fmt: skip
"""What a text says that asks for proof and prints a reply as well: those that were met were in English."""
_SHORT = 400  # characters of a text that says no more than that somebody is away
_BRIEF = 1200  # of one that says that an address is no longer read
_MOST = 4000  # characters of a text that are looked at


def parse(message: Message) -> Report | None:
    """The report of an automatic reply; None for other mail."""
    top = message.top
    subject = top.header("subject")[:500]
    if _UNSUBSCRIBE.match(subject.strip()) or not _is_answer(message, subject):
        return None
    text = text_of(message)
    who = sender_of(top) or None
    replied = message_id(top.header("in-reply-to")) if top.header("in-reply-to") else None
    headers = returned_headers(message) or text_headers(split_text(text)[1])
    about = original(headers)
    if replied and not about.message_id:
        about = Original(message_id=message_id(decode(f"<{replied}>".encode("utf-8", "replace"), b"utf-8")))
    said = reply_type(subject, text)
    if said == "other" and "vacation" in top.header("auto-submitted").lower():
        said = "vacation"  # the name of the action or the setting that answers (RFC 5230)
    outcome = Outcome(Kind.AUTOREPLIED, who, diagnostic=_start(text), reply_type=said)
    return Report(Kind.AUTOREPLIED, "autoreply", (_mailed(outcome, message, headers),), about, reported_at=date(top.header("date")))


def _is_answer(message: Message, subject: str) -> bool:
    """Whether a machine answers a mail: by its headers, its subject, or both with its words."""
    top = message.top
    submitted = top.header("auto-submitted").strip().lower()
    precedence = top.header("precedence").strip().lower()
    if (
        (top.headers.any(LISTS) and not submitted.startswith("auto-replied"))
        or precedence == "list"
        or CALENDAR.match(subject)
        or any(p.type == "text/calendar" for p in message.parts[:20])
    ):
        return False
    if submitted.startswith(("auto-replied", "auto-generated (reply", "auto-notified")) or top.headers.any(_HEADERS):
        return True
    if precedence in {"auto_reply", "auto-reply"} or top.header("x-autogenerated").strip().lower() == "reply":
        return True
    generated, tracked = submitted.startswith("auto-generated"), top.headers.any(TRACKERS) or top.headers.any(DESKS)
    if _FORWARD.match(subject) and not (generated or _is_null(top)):
        return False
    said = None if tracked else SUBJECT.search(subject)
    # nobody writes so himself, in whatever program
    begins = said is not None and bool(said["certain"]) and said.start("certain") < 2
    if not generated and not begins and PERSONS.search(f"{top.header('x-mailer')} {top.header('user-agent')}"):
        return False
    if not tracked and (generated or precedence in {"bulk", "junk"}) and top.headers.any(("in-reply-to", "references")):
        return True
    # people answer automatic replies too
    if said and said.group("certain") and not (_ANSWER.match(subject) and top.header("cc")):
        return not _TO_ALL.match(text_of(message))
    if _ANSWER.match(subject) and not generated and top.raw("in-reply-to") and "\n>" in text_of(message)[:_MOST]:
        return False  # machines that answer do not quote
    return not _ELSE.match(sender_of(top)) and _answers(message, subject, generated)


def _answers(message: Message, subject: str, generated: bool) -> bool:
    """Whether a mail that some machine wrote has words that answer somebody."""
    top = message.top
    program = bool(_PROGRAM.search(f"{top.header('x-mailer')} {top.header('user-agent')} {top.header('message-id')}"))
    rules = "mailbox rules agent" in top.header("x-ms-exchange-generated-message-source").lower()
    desk = top.headers.any(DESKS) or bool(_DESK.search(f"{top.header('x-mailer')} {top.header('message-id')}"))
    null = _is_null(top)
    bulk = top.header("precedence").strip().lower() in {"bulk", "junk"}
    quiet = "oof" in (suppressed := top.header("x-auto-response-suppress").lower()) or "all" in suppressed
    if program or rules:
        return True
    text = _flowing(text_of(message))
    if null and _alone(message) and TYPES["challenge"].search(text):
        return True
    if desk and RECEIVED.search(text) and (null or not _ANSWER.match(subject)):
        return not _OF_DESKS.search(subject + text)
    if desk or _ACCOUNT.search(subject) or FOR_MANY.search(text) or ELSEWHERE.search(subject + text[:1000]):
        return False
    reply = bool(REPLY.search(text))
    away = TYPES["vacation"].search(text) is not None
    said = SUBJECT.search(subject) is not None and not _TO_ALL.match(text)
    if said and (
        generated
        or bulk
        or quiet
        or null
        or (_AWAY.match(subject) and (away or len(text) < _SHORT) and "?" not in text and _alone(message))
    ):
        return True
    if _alone(message) and (
        (HELD.search(text) and (_links(message) or "reply to this" in text.lower()))
        or (TYPES["challenge"].search(subject) and TYPES["challenge"].search(text))
    ):
        return True
    if not (generated or desk or null or bulk or quiet or reply or GENERATED.search(text)):
        return False
    if RECEIVED.search(text) and (quiet or not _ANSWER.match(subject)):
        return True
    gone = any(TYPES[name].search(text) for name in ("inbox-retired", "challenge"))
    if (away or gone or any(TYPES[name].search(subject) for name in ("vacation", "inbox-retired", "challenge"))) and (reply or null):
        return True
    return (bulk or (generated and _alone(message))) and gone and len(text) < _BRIEF


def _is_null(top: Part) -> bool:
    """Whether nobody is to answer: an empty return path, or a mailer's (what vacation programs of old leave there)."""
    path = top.raw("return-path").strip().lower()
    return path == b"<>" or path.startswith(b"<mailer-daemon@")


def _links(message: Message) -> bool:
    """Whether a text of a mail has a link, be it behind a word of its HTML."""
    return any(b"http" in p.content(20_000).lower() for p in message.own("text/plain", "text/html"))


def _alone(message: Message) -> bool:
    """Whether a mail goes to one person only, as answers do: "Out of office from Monday" to three colleagues was typed."""
    return not message.top.header("cc") and len(address.addresses(message.top.header("to"), 3)) <= 1


def _mailed(outcome: Outcome, message: Message, headers: Headers) -> Outcome:
    """The outcome with the address that the sender mailed, where the answer tells it and comes from another."""
    returned = recipients(headers) if headers and not of_a_list(headers) else []
    home = (outcome.recipient or "").rpartition("@")[2].lower()
    if len(returned) == 1 and not returned_headers(message) and returned[0].rpartition("@")[2].lower() != home:
        returned = []  # what is quoted may have come by way of a list
    mailed = verp(message.top) or (returned[0] if len(returned) == 1 else None)
    if not mailed and outcome.reply_type == "challenge":
        mailed = _guarded(message, outcome.recipient or "")
    if not mailed and outcome.reply_type == "ticket":
        mailed = _desk_of(message.top)
    if not mailed or mailed.lower() == (outcome.recipient or "").lower():
        return outcome
    return outcome._replace(recipient=mailed, final=outcome.recipient)


def _desk_of(top: Part) -> str | None:
    """The address of a desk whose answers its provider sends in his own name: whom a further mail goes to, without a ticket's number in it."""
    back = address.addresses(top.header("reply-to"), 2)
    if len(back) != 1 or not _PROVIDERS.match(sender_of(top)) or any(c.isdigit() or c == "+" for c in back[0].partition("@")[0]):
        return None
    return back[0]


def _guarded(message: Message, sender: str) -> str | None:
    """Whose mailbox a challenge guards, where it comes from a machine's address: the one other address of its domain that it names."""
    own = address.addresses(message.top.header("to"), 20)
    named = address.addresses(f"{message.top.header('subject')} {text_of(message)[:2000]}", 20)
    home = sender.rpartition("@")[2].lower()  # below the domain of whom it guards, or the same
    theirs = {a.lower(): a for a in named if a not in own and a.lower() != sender.lower()}
    found = {
        low: a
        for low, a in theirs.items()
        if home.endswith(f".{low.rpartition('@')[2]}") or (_GUARD.search(sender) and home == low.rpartition("@")[2])
    }
    return next(iter(found.values())) if len(found) == 1 else None


def reply_type(subject: str, text: str) -> str:
    """What an automatic reply says: vacation, ticket, challenge, inbox-retired or other."""
    text = _flowing(text)
    if HELD.search(text):
        return "challenge"
    said = SUBJECT.search(subject)
    # what follows is the title of the mail that it answers
    title = (
        subject[: said.end()]
        if said and said.group("certain")
        else subject[: again.start()]
        if (again := _AGAIN.search(subject, 1))
        else subject
    )
    for source in (title, text, subject):
        for name, pattern in TYPES.items():
            if pattern.search(source):
                return name
    return "inbox-retired" if UNREAD.search(text) else "vacation" if said and said.group("away") else "other"


def may_challenge(text: str) -> bool:
    """Whether `is_challenge` is worth asking of a text that prints a reply, too: few such are challenges, and the question reads the whole text."""
    low = text.lower()
    return any(word in low for word in _CHALLENGES)


def is_challenge(text: str) -> bool:
    """Whether a text asks the sender to prove himself before it lets the message through."""
    return bool(TYPES["challenge"].search(_flowing(text)))


def _flowing(text: str) -> str:
    """The beginning of a text without its line breaks: what is sought may reach over one."""
    return " ".join(text[:_MOST].split())


def unsubscription(message: Message) -> Report | None:
    """Mail to the List-Unsubscribe address: a subject or a body that says it and hardly more."""
    top = message.top
    if top.type.startswith("multipart/report") or "list-id" in top.headers:
        return None
    subject = top.header("subject").strip()
    addressed = any(_LEAVING.search(a.partition("@")[0]) for a in address.addresses(top.header("to"), 5))
    body = text_of(message).strip()
    short = addressed and len(body) < 500
    if not (short or _UNSUBSCRIBE.match(subject) or (len(body) < 60 and not subject and _UNSUBSCRIBE.match(body))):
        return None
    if (_ANSWER.match(subject) and not short) or len(body) > 2000:
        return None
    who = sender_of(top) or None
    return Report(Kind.UNSUBSCRIBED, "unsubscribe", (Outcome(Kind.UNSUBSCRIBED, who),), reported_at=date(top.header("date")))


def text_of(message: Message) -> str:
    """The first text that the writer wrote: what follows, gateways add."""
    part = next((p for p in message.own("text/plain", "text/html") if p.body[1] > p.body[0]), None)
    return part.text() if part else ""


def _start(text: str) -> str | None:
    return " ".join(text[:1000].split())[:300] or None
