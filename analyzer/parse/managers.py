"""What the managers of mailing lists say: of a post that they did not distribute, and, to a list's owner, of subscribers whose mail comes back.

So do help desks that do not take a mail. A post that waits for a moderator was answered by a machine, and is neither refused nor delivered. Digests,
invitations and what the list tells its members are none of these.
"""

from __future__ import annotations

import re

from analyzer.model import Kind, Original, Outcome, Report
from analyzer.parse import address
from analyzer.parse.about import describe
from analyzer.parse.autoreply import text_of
from analyzer.parse.autoreply_words import TYPES
from analyzer.parse.bounce import MOST_TEXT
from analyzer.parse.headers import Headers
from analyzer.parse.mime import Message, date
from analyzer.parse.original import mailed_to, original, recipients, returned_headers, sender_of, split_text, text_headers
from analyzer.parse.who import SPEAKS, YOURS
from analyzer.parse.words import Words

_OWNER = re.compile(
    r"(?P<list>.+?)[-+.](?:owner|admin|bounces?|request|help|ctl|errors|editor|moderators?|return|no-?reply)(?:[-+=].*)?@|owner-(?P<owned>.+)@"
    r"|(?:listserv|sympa|majordomo|macjordomo|mailman|listproc|listmanager|lyris|smartlist|fml|ecartis|listar|mlmmj|groups?)(?:[-+].*)?@",
    re.I,
)
_REFUSED = Words(
    r"\byour (?:e-?mail|mail|message|post(?:ing)?|submission|request|contribution)\b[^.!]{0,240}\b(?:was|has been|is|been) (?:\w+ )?(?:rejected|denied|refused|declined|discarded|bounced|not (?:been )?(?:accepted|distributed|posted|delivered|approved))"
    r"|\b(?:message|mail|post(?:ing)?)\b[^.!]{0,120}\b(?:was|has been) (?:rejected|denied|refused|declined)\b|\b(?:has not been|was not|could not be|cannot be|not be) (?:distributed|posted) (?:to|on|for|because)"
    r"|\byou (?:\S{1,80} )?are not (?:a |an? \w+ |currently )?(?:member|subscribe[dr]|allowed|authori[sz]ed|permitted|entitled)\b|\b(?:only|non-?)\s?(?:members?|subscribers?|moderators?|editors?) (?:\w+ ){0,4}(?:post|send|allowed|permitted)"
    r"|\bthe following (?:mail|message|post) (?:is|was|has been) (?:rejected|refused|denied)|not authori[sz]ed to (?:send|post|mail)|not allowed to (?:send|post|mail)"
    r"|votre (?:message|courriel|envoi)[^.!]{0,200}\b(?:rejet|refus)|n'(?:êtes|etes) pas autoris|n'a pas été (?:diffusé|distribué)|ihre (?:nachricht|e-?mail|mail)[^.!]{0,200}\b(?:abgewiesen|abgelehnt|zurückgewiesen|nicht (?:verteilt|weitergeleitet|zugelassen))"
    r"|s(?:u|eu) (?:mensaje|mensagem|correo|solicitud)[^.!]{0,200}\brechaz|mensagem[^.!]{0,200}\b(?:rejeitad|recusad)|(?:tuo|suo|vostro) messaggio[^.!]{0,200}\b(?:rifiutat|respint)|(?:メンバー|会員|登録され).{0,20}(?:ではありません|ていない|でない|ていません)|投稿.{0,20}(?:拒否|却下|できません)",
)
_NOT_TAKEN = Words(
    r"\b(?:ticket|request|case|incident|issue|inquiry|enquiry)\b[^.!]{0,60}\b(?:could not|couldn't|was not|wasn't|has not been|cannot|can't|not) (?:be )?(?:created|opened|raised|updated|registered|logged)\b"
    r"|\b(?:were not|weren't|could not|couldn't|unable to|was not|wasn't) (?:able to )?(?:be )?(?:add|added|turned into|raise|raised|create|created|log|logged|accept|accepted|open|opened) (?:your|a|an|the|to|as)\b"
    r"|\b(?:e-?mail|mail|message|reply|update)s?\b[^.!]{0,120}\b(?:(?:was|were|has been|have been|will be) (?:rejected|discarded|ignored|refused)|(?:was|were|has|have|could) not (?:been |be )?(?:accepted|processed|logged|added|recorded)|did not (?:reach|make it))\b"
    r"|(?:nachricht|e-?mail|mail|rückmeldung|anfrage)\b[^.!]{0,160}\b(?:abgewiesen|abgelehnt|nicht (?:angenommen|verarbeitet|zugeordnet|erstellt))|n'a (?:pas (?:pu |été )|pu )[^.!]{0,30}(?:enregistr|trait|cré|accept|pris)|no (?:se )?(?:ha|han|pudo) (?:podido )?(?:cread|abiert|registrad|aceptad|crear|abrir|procesar)"
    r"|não (?:foi|pôde ser) (?:criad|registrad|aceit|processad|abert)|non (?:è|e') stat\w (?:creat|accettat|elaborat|registrat|apert)|niet (?:worden )?(?:aangemaakt|verwerkt|geaccepteerd)|nie został\w? (?:utworzon|przyjęt|zarejestrowan)|kunde inte (?:skapas|registreras)|kunne ikke (?:oprettes|opprettes|registreres)|не (?:создан|принят|зарегистрирован)",
)
"""What a desk says of a mail that it did not take."""
_WAITS = Words(
    r"\bheld\b|await|moderator (?:can|will|has to)|waiting for|for approval|en attente|wartet|pendiente|in attesa|confirm (?:your|that|this)|承認待ち|保留"
)
_HELD = Words(
    r"\byour (?:e-?mail|mail|message|post(?:ing)?|submission)\b[^!]{0,300}\b(?:held (?:until|for|pending|by|back)|await\w* (?:the )?(?:\w+ )?(?:moderat|approv|review)|awaiting|waiting for (?:\w+ ){0,3}(?:moderat|approv|review)|pending (?:\w+ ){0,2}(?:approv|moderat|review)|(?:sent|forwarded|submitted|passed) (?:on )?to the (?:\w+ )?(?:moderator|editor)|(?:needs|requires|must|has) (?:to )?(?:be )?(?:moderat|approv))"
    r"|\b(?:ihre|deine) (?:nachricht|e-?mail|mail)\b[^!]{0,300}(?:wartet auf|zurückgehalten|moderator|freigabe|freigeschaltet)|\bvotre (?:message|courriel|envoi)\b[^!]{0,300}(?:en attente|attend l|retenu|modérat)|\b(?:su|tu) (?:mensaje|correo)\b[^!]{0,300}(?:pendiente|espera|retenid|moderador)"
    r"|\b(?:tuo|suo|vostro) messaggio\b[^!]{0,300}(?:in attesa|attende|trattenut|moderatore)|\bsua mensagem\b[^!]{0,300}(?:aguarda|retida|moderador)|\b(?:uw|je) bericht\b[^!]{0,300}(?:wacht op|vastgehouden|goedkeuring|moderator)|\btwoja wiadomość\b[^!]{0,300}(?:oczekuje|wstrzyman|moderator)"
    r"|ваше (?:сообщение|письмо)[^!]{0,300}(?:ожидает|задержан|модератор)|\bditt (?:meddelande|brev)\b[^!]{0,300}(?:väntar|hålls|moderator)|\bdin (?:besked|meddelelse|melding)\b[^!]{0,300}(?:afventer|avventer|venter|tilbageholdt|moderator)|vaše? (?:zpráva|správa)[^!]{0,300}(?:čeká|pozdržena|moderátor)"
    r"|viestisi[^!]{0,300}(?:odottaa|ylläpit|moderaattor)|(?:投稿|メッセージ|メール).{0,60}(?:承認待ち|承認を待|保留)|(?:您|你)的?(?:邮件|郵件|信件|帖子).{0,60}(?:等待|待审|待審|审核|審核)"
)
"""What a list tells the writer of a post that waits for somebody's leave."""
_RETURNED = Words(
    r"bounce action notice|excessive (?:or fatal )?bounces|bounce score|error monitoring report|last error:|(?:was|were|been) (?:deleted|removed|unsubscribed|disabled)\b[^.]{0,80}\b(?:bounc|errors?\b|undeliver|return)|bounc\w{1,4}[^.]{0,80}\b(?:deleted|removed|unsubscribed|disabled) from"
)
"""A notice of subscribers whose mail comes back."""
_MOST_SUBSCRIBERS = 300
_ADDRESSED = 1500  # characters at the beginning, in which what happened is said
_QUOTED = 600  # characters of them, from the refusal on


def parse(message: Message) -> Report | None:
    """The report of such a refusal; None for other mail."""
    top = message.top
    sender = sender_of(top)
    signed = _OWNER.match(sender)
    answered = top.header("auto-submitted").strip().lower().startswith(("auto-replied", "auto-generated"))
    if not (signed or answered) or "list-post" in top.headers:
        return None
    text = text_of(message)[:MOST_TEXT]
    own, rest = split_text(text)
    said = re.sub(r"[ \t]+", " ", own[: 2 * _ADDRESSED])[:_ADDRESSED]  # LISTSERV fills its lines with blanks
    plain = address.ADDRESS.sub(lambda m: "x" * len(m[0]), said)  # the dots in one end no sentence
    if _RETURNED.search(plain):
        return _of_subscribers(message, own)
    headers = returned_headers(message) or text_headers(rest)
    mailed = _mailed(message, headers, said, signed)
    if signed and not _OWNER.match(mailed) and (_HELD.search(top.header("subject")) or _HELD.search(plain)):
        held = Outcome(Kind.AUTOREPLIED, mailed, diagnostic=" ".join(said.split())[:300], reply_type="other")
        return Report(Kind.AUTOREPLIED, "list", (held,), original(headers), reported_at=date(top.header("date")))
    if top.header("precedence").strip().lower() == "list" and not answered and not _REFUSED.search(top.header("subject")):
        return None
    yours = YOURS.search(said)
    refused = _REFUSED.search(plain) if signed or yours else None
    # who is away may say that he reads nothing
    if not refused and answered and (yours or SPEAKS.search(said)) and not TYPES["vacation"].search(plain):
        refused = _NOT_TAKEN.search(plain)
    if not refused or _WAITS.search(f"{top.header('subject')} {plain if signed else refused[0]}"):
        return None
    words = " ".join(said[plain.rfind("\n\n", 0, refused.start()) + 1 :].split())
    outcome = describe(Outcome(Kind.BOUNCED, mailed, diagnostic=words[:_QUOTED]), own, True)
    about = original(headers) if headers else Original(sender=next(iter(address.addresses(top.header("to"), 1)), None))
    return Report(Kind.BOUNCED, "list", (outcome,), about, reported_at=date(top.header("date")))


def _mailed(message: Message, headers: Headers, said: str, signed: re.Match[str] | None) -> str:
    """The address to which the refused mail went: the list's, where one answers."""
    top, sender = message.top, sender_of(message.top)
    name = (signed.group("list") or signed.group("owned")) if signed else None
    posted = next(iter(address.addresses(top.header("x-beenthere"), 1)), None)
    named = (a for a in address.addresses(said, 20) if not _OWNER.match(a) and a.lower() not in top.header("to").lower())
    home = sender.partition("@")[2].lower()
    titled = (a for a in address.addresses(top.header("subject"), 3) if a.lower().endswith(f"@{home}") and not _OWNER.match(a))
    to = recipients(headers) if headers else []
    return (
        posted
        or next(titled, None)
        or mailed_to(headers)
        or (to[0] if len(to) == 1 else None)
        or next(named, None)
        or (f"{name}@{home}" if name else sender)
    )


def _of_subscribers(message: Message, own: str) -> Report | None:
    """The report of subscribers whose mail came back, each with the words that follow him, else those of the report that is enclosed."""
    reader, home = message.top.header("to").lower(), sender_of(message.top).partition("@")[2].lower()
    found = [m for m in address.ADDRESS.finditer(own) if m[0].lower() not in reader and not _OWNER.match(m[0])][:_MOST_SUBSCRIBERS]
    found = [m for m in found if m[0].partition("@")[2].lower() != home]
    if not found:
        return None  # it tells a subscriber of his own mail, or nobody's name
    enclosed = "\n".join(p.text()[:_ADDRESSED] for p in message.parts[1:10] if p.type == "text/plain" and p.text() not in own)
    ends = [m.start() for m in found[1:]] + [len(own)]
    outcomes = {
        m[0].lower(): describe(Outcome(Kind.BOUNCED, m[0]), f"{own[m.end() : end]}\n\n{enclosed if len(found) == 1 else ''}".strip(), True)
        for m, end in zip(found, ends, strict=True)
    }
    return Report(Kind.BOUNCED, "list", tuple(outcomes.values()), reported_at=date(message.top.header("date")))
