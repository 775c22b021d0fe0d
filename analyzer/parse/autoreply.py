"""Answers that machines write: vacations, tickets, challenges, retired inboxes (RFC 3834); unsubscriptions by mail."""

from __future__ import annotations

from analyzer.model import Kind, Original, Outcome, Report
from analyzer.parse import address
from analyzer.parse.mime import Message, date, decode
from analyzer.parse.original import message_id, original, returned_headers, sender_of
from analyzer.parse.words import Words

_TYPES = {
    "inbox-retired": r"no longer (?:monitored|in use|active|read|checked)|not (?:monitored|read|checked)|unmonitored|(?:address|mailbox|inbox) (?:is|has been|was) (?:retired|closed|discontinued|deactivated)|"
    r"no longer (?:works?|employed|with)\b|has left (?:the|our)|wird nicht mehr (?:gelesen|verwendet|abgerufen)|nicht mehr (?:bei uns|im unternehmen|f.r uns) (?:t.tig|besch.ftigt)|"
    r"n'est plus (?:utilis|consult|en service)|ne fait plus partie|ya no (?:trabaja|se utiliza)|non (?:è|e) pi[uù] (?:attiv|in uso)|"
    r"my (?:new|current) (?:e-?mail )?address is|neue (?:e-?mail-?)?adresse",
    "challenge": r"(?:confirm|verify|prove) (?:that )?you(?:'re| are)? (?:a )?(?:human|person|real|not)|challenge.{0,20}response|(?:click|reply|follow).{0,80}(?:to (?:be )?(?:deliver|release|approve|whitelist))|"
    r"approve (?:the |this )?sender|sender (?:verification|authentication) required|boxbe|spam ?arrest|held (?:until|pending) (?:you|your)",
    "ticket": r"ticket|case (?:number|id|#)|(?:your|support) request (?:has been|was) (?:received|logged|created)|we (?:have )?received your (?:message|e-?mail|request|inquiry|enquiry)|reference number|"
    r"vorgangsnummer|ihre anfrage|num[eé]ro de (?:dossier|ticket)|thank you for (?:contacting|your (?:e-?mail|message|inquiry))|acus[eo] de recibo",
    "vacation": r"out of (?:the )?office|(?:be|am|are|is|get) back (?:in|on|at|to|by|after)\b|return(?:ing)? (?:on|to the office)|limited access to (?:my )?e-?mail|vacation|on (?:annual )?leave|on holiday|away from (?:my|the) (?:desk|office|mail)|maternity|parental leave|sabbatical|i am (?:currently )?(?:away|traveling|travelling|out)|"
    r"abwesen|urlaub|nicht im (?:b[uü]ro|hause|dienst)|absen(?:ce|t)|en cong[eé]s?|vacaciones|fuera de (?:la )?oficina|ausente|ferie|fuori (?:ufficio|sede)|assente|afwezig|vakantie|"
    r"nieobecn|urlop|отпуск|отсутств|不在|休暇|休业|休假|外出|出張|fravær|semester|frånvaro|loma|dovolen|szabads|f[eé]rias|ausência",
}
_PATTERNS = {name: Words(pattern) for name, pattern in _TYPES.items()}
_SUBJECT = Words(
    r"^(?:auto(?:matic|mated|matisch\w*)?[ -]?(?:re(?:ply|sponse)|antwort|answer)|automat\w{0,6} (?:antwort|odpowied)|r[eé]ponse automatique|respuesta autom|resposta autom|risposta automatica|automatisch antwoord|"
    r"out of (?:the )?office|abwesen|自動返信|自动回复|自动答复|автоответ|autoreply|auto:|vacation (?:reply|notice|response|message|auto)|\[auto)",
)
_ANSWER = Words(r"\s*(?:re|aw|fwd?)\s*:")
_UNSUBSCRIBE = Words(
    r"^\s*(?:un-?subscribe|opt-?out|remove(?: me)?|abmelden|d[eé]sabonn\w*|d[eé]sinscri\w*|cancelar (?:la )?suscripci\w*|(?:baja)|afmelden)\b[^\n]{0,120}$",
)


def parse(message: Message) -> Report | None:
    """The report of an automatic reply; None for other mail."""
    top = message.top
    submitted = top.header("auto-submitted").lower()
    subject = top.header("subject")
    marked = submitted.startswith(("auto-replied", "auto-generated (reply", "auto-notified")) or bool(
        top.headers.any(("x-autoreply", "x-autorespond", "x-autoresponse", "x-autoreply-from", "x-vacation"))
    )
    marked = marked or top.header("precedence").strip().lower() in {"auto_reply", "auto-reply"}
    marked = marked or (submitted.startswith("auto-generated") and top.headers.any(("in-reply-to", "references")))
    marked = (marked or bool(_SUBJECT.search(subject))) and not top.headers.any(("list-id", "list-unsubscribe"))
    if not marked or _UNSUBSCRIBE.match(subject.strip()):
        return None
    text = text_of(message)
    kind = reply_type(subject, text)
    who = sender_of(top) or None
    replied = message_id(top.header("in-reply-to")) if top.header("in-reply-to") else None
    about = original(returned_headers(message))
    if replied and not about.message_id:
        about = Original(message_id=message_id(decode(f"<{replied}>".encode("utf-8", "replace"), b"utf-8")))
    return Report(Kind.AUTOREPLIED, "autoreply", (Outcome(Kind.AUTOREPLIED, who, diagnostic=_start(text), reply_type=kind),), about,
                  reported_at=date(top.header("date")))  # fmt: skip


def reply_type(subject: str, text: str) -> str:
    """What an automatic reply says: vacation, ticket, challenge, inbox-retired or other."""
    for source in (subject[:500], text[:4000]):
        for name, pattern in _PATTERNS.items():
            if pattern.search(source):
                return name
    return "other"


def is_challenge(text: str) -> bool:
    """Whether a text asks the sender to prove himself before it lets the message through."""
    return bool(_PATTERNS["challenge"].search(text[:4000]))


def unsubscription(message: Message) -> Report | None:
    """Mail to the List-Unsubscribe address: a subject or a body that says it and hardly more."""
    top = message.top
    if top.type.startswith("multipart/report") or "list-id" in top.headers:
        return None
    subject = top.header("subject").strip()
    addressed = any("unsub" in a.partition("@")[0].lower() for a in address.addresses(top.header("to"), 5))
    body = text_of(message).strip()
    if not (
        _UNSUBSCRIBE.match(subject) or (addressed and len(body) < 500) or (len(body) < 60 and not subject and _UNSUBSCRIBE.match(body))
    ):
        return None
    if _ANSWER.match(subject) or len(body) > 2000:
        return None
    who = sender_of(top) or None
    return Report(Kind.UNSUBSCRIBED, "unsubscribe", (Outcome(Kind.UNSUBSCRIBED, who),), reported_at=date(top.header("date")))


def text_of(message: Message) -> str:
    """The first text that the writer wrote."""
    part = next((p for p in message.parts if p.type == "text/plain" and not p.inside), None)
    part = part or next((p for p in message.parts if p.type == "text/html" and not p.inside), None)
    return part.text() if part else ""


def _start(text: str) -> str | None:
    return " ".join(text[:1000].split())[:300] or None
