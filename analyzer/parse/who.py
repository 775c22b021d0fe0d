"""Who bounced, where no field says it: the places in which mail systems name those whom they could not reach.

Under a heading ("could not be delivered to the following recipients:"), after a label ("RCPT TO:"), at the head of a paragraph
("<b@example.org>:"); then what the returned message and the report's own address tell. flufl.bounce is the last witness.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from analyzer.parse import address, session
from analyzer.parse.headers import Headers
from analyzer.parse.mime import Message, Part
from analyzer.parse.original import mailed_alone, of_our_list
from analyzer.parse.words import Words, small

DAEMON = Words(
    r"^(?:mailer-?daemon|post[-_.]?master|mail-?daemon|mdaemon|mail[- ]?(?:delivery|system)|double-bounce|mailagent|system administrator|mailadm\w*|daemon|"
    r"ndr|smtp-?(?:gateway|daemon|mta)|amavis\w*|mailmarshal|mailsweeper|mimesweeper|webshield\w*|interscan\w*|smtplink|posta-certificata|mailscanner|microsoftexchange\w*)(?=[^a-z0-9]|$)",
)
"""The local part or name of an address that mail systems write from."""

HEADING = Words(
    r"\b(?:following|these|this|below|intended|failed|affected|undeliver\w{2,6}|invalid|list of|one or more|some|all)\b[^\n]{0,40}?\b(?:recipient|address|user|destination|mailbox|person|people)"
    r"|(?:not|n't|unable|failed|fail\w{0,12})\b[^\n]{0,50}\b(?:deliver\w{0,4}|sent|send|reach)\b[^\n]{0,30}\b(?:to|following|reached)\b|(?:delivery (?:has )?failed|undeliverable) to|recipients?(?:\(s\))?[^\n]{0,40}:\s*$"
    r"|folgende\w{0,2} (?:empf|adress|person)|(?:destinataires?|adresses?) suivant|siguientes? (?:destinatario|direcci)|destinatarios? (?:siguiente|seguinte|no )|seguent[ei] (?:destinatar|indirizz)|seguintes? (?:destinat|endere)"
    r"|volgende (?:geadresseerde|adres|ontvanger)|(?:następując|poniższ)\w{1,3} (?:odbiorc|adres)|(?:dostarcz|doręcz)on\w{1,2} do|aşağıdaki (?:alıcı|adres)|následující\w{0,3} (?:příjemc|adres)|följande (?:mottagare|adress)|følgende (?:modtager|mottaker|adress)|seuraav\w{2,4} vastaanottaj|수신자|받는 사람|다음 주소|следующ\w{1,4} (?:получател|адрес)|以下の|次の|宛先|受信者|收件人|收件者|以下地址"
    r"|(?:địa chỉ|người nhận) sau|următo\w{1,5} (?:destinatar|adres)|következő (?:címzett|cím)|(?:ακόλουθ\w+|παρακάτω) (?:παραλήπτ|διευθύνσ)|ผู้รับ(?:ต่อไปนี้|ดังต่อไปนี้)|ที่อยู่ต่อไปนี้|(?:penerima|alamat) berikut|наступн\w{1,4} (?:одержувач|отримувач|адрес)|nasledujúc\w{1,4} (?:príjem|adres)|sljedeć\w{1,4} (?:primatelj|adres)|הנמענים הבאים|(?:المستلمين|العناوين) التالي",
)
_IDS = re.compile(r"^[ \t>]{0,8}(?:(?:x-)?(?:message|smtp)[ -]id|identificativo messaggio)[ \t]*:.*$", re.I | re.M)
_NAMES_OF_IDS = ("message-id", "message id", "smtp-id", "identificativo messaggio")
_RULE_OFF = re.compile(r"^[\s>]{0,8}[-=*_#]{3,}")
_LISTED = re.compile(
    r"^[ \t>*|•·-]{0,12}(?:\d{1,3}[.)] )?(?:(?:rfc822|smtp)[;:=] ?)?[<\[(\"'«]{0,3}([^\s<>@\"'()\[\]:;,=（）：，、。「」【】]{1,64}@[\w.-]{3,255})(?=[>\])\"'»\s:;,.]|$)|\bdda:SMTP=([^\s;@]{1,64}@[^\s;]{3,255})",
    re.I,
)
_TITLE = Words(r"[ \t>]*(?:subject|betreff|objet|asunto)\s*:")
_BARE = re.compile(r"^[ \t]{0,16}[<\"']?([A-Za-z0-9][\w.+-]{1,63})[>\"']?(?:[ \t]*$|[ \t]{2,}|[ \t]*[\"(:])")
_PERSON = re.compile(r"\"?([^\"<>@;,]{3,80}(?:, [^\"<>@;,]{1,40}\")?)\"?\s{0,4}<([^<>\s@]{1,64}@[^<>\s]{3,255})>")
_WITH_REASON = re.compile(
    r"^[ \t]{1,16}([\w.+-]{2,64})[ \t]{1,4}\(", re.M
)  # "  jo (mailbox is full)", in the middle of a list of addresses
_WORDS = re.compile(r"[^\W\d_]+")
_LABEL = re.compile(
    r"^[ \t*|-]{0,8}(?:sent <<< )?(?:rcpt[- ]to|recipient(?:\(s\)|s)?(?: address)?|final[- ]recipient|original[- ]recipient|failed (?:recipient|address)\w*|bad address|invalid (?:recipient|address|user)|intended recipient\w*|addressee|old(?: e-?mail)?(?: address)?|envelope-to|"
    r"(?:e-?mail )?address(?:es|\(es\))?|(?:destination |recipient )?mailbox(?:es|\(es\))?|user|adresát|příjemce|odbiorca|adresat|alıcı|mottagare|modtager|címzett|empf[aä]e?nger|destinataires?|destinatarios?|ontvanger|получатель|宛先|受信者|受取人|旧(?:メール)?アドレス|收件人|收件者|받는 ?사람|수신자)(?:[ ]?/[ ]?\w{2,14})?\s*[:=：][ \t]*(?:\S{0,12}[;:][ \t]?)?[<\"'\[]?([^\s<>@\"'\[（）：，、。]{1,64}@[^\s<>,;\"'\]（）：，、。]{3,255})",
    re.I | re.M,
)
_TOLD = re.compile(
    r"^[ \t]{0,8}(?:the following message|failed to deliver|(?:could not|cannot|unable to) deliver(?: (?:the |your )?(?:mail|message))?) to:?[ \t]{1,4}['\"<]{0,2}([^\s<>@\"']{1,64}@[\w.-]{3,255})",
    re.I | re.M,
)
_BROKEN = re.compile(r"\n\s*[:=：]")  # a label's colon on a line of its own
_HEAD = re.compile(
    r"^[ \t*>|•·-]{0,8}(?:\d{1,3}[.)][ \t]{1,2})?(?:(?i:user|recipient|mailbox|account|address)[ \t]{1,3})?(?:rfc822;[ \t]*)?[<\[(\"']{0,2}([^\s<>@\"'()\[\]:;,]{1,64}@(?>[\w-]{1,63}(?:\.[\w-]{1,63}){0,10}))[>\])\"']{0,2}(?:[ \t]*(?:[.:,;(\[–-]|$)|[ ]{0,8}\t|[ ]{2,40}(?=\S)|[ \t]on[ \t](?:\w{3}, )?\d)",
    re.M,
)
_CELLS = re.compile(r"^[ ]{0,8}([^\s<>@\"'()\[\]:;,]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,10})[ ]{0,8}\t(?=[^\n]*\S)", re.M)
_AFTER_REPLY = re.compile(r"^[ \t*>-]{0,8}[45]\d\d[ -][^\n<>]{3,200}<([^\s<>@]{1,64}@[\w.-]{3,255})>[ \t.]*$", re.M)
_AFTER_COLON = re.compile(r"^(?![ \t>]*(?:from|to|cc|sender|reply-to|subject|von|an|de|contact|support|for )\b)[^\n:@]{4,80}:[ \t]*<?([^\s<>@]{1,64}@[\w.-]{3,255})>?[ \t.]*$", re.I | re.M)  # fmt: skip
_TO = re.compile(r"^[ \t>*]{0,8}(?:to|an|à|para|per|aan)[ \t]*:[ \t]{0,12}(\S[^\n]{2,2000})$", re.I | re.M)
_FROM = Words(
    r"(?:\b(?:mail|messages?|sent|e-?mail) from|^[ \t>*]{0,8}(?:from|sender|von|de)(?=:)|^[ \t]{0,4}(?:hello|hi|dear|sehr geehrte\w*|bonjour|hallo)):?[ \t]{1,12}<?([^\s<>@]{1,64}@[\w.-]{3,255})",
    re.M,
)
_VERP = re.compile(r"^([^\s@=]{1,120})=([\w-]{1,63}(?:\.[\w-]{1,63}){1,6})@", re.I)
_TOKEN = re.compile(r"(?:\d+|[0-9a-f]{6,}|bounces?|return|rtn|verp|list|owner|news\w*)$", re.I)
_ALIAS = Words(r"(?:generated from|expanded from|généré à partir de|erzeugt aus|generado (?:a partir )?de|generato da|gegenereerd (?:uit|van)|forwarded (?:from|for)|originally (?:to|addressed to))[:\s]{1,4}<?([^\s<>@()]{1,64}@[\w.-]{3,255})>?")  # fmt: skip

_YOUR_MAIL = (
    r"(?:your|ihre?[mrns]?|deine?[mrns]?|votre|ton|sua|seu|uw|je|twoj\w|państwa|vaš\w?|váš|vaša|din|ditt|deres|ваше?|ваш|вашето|vostr[oa]|il (?:tuo|suo)|la (?:tua|sua)|(?:su|tu)) "
    r"(?:e-?mail|mail|message|fax|facsimile job|nachricht|courriel|mensaje|correo|mensagem|bericht|wiadomo\w+|zpráv\w|správ\w|письмо|сообщение|лист|повідомлення|писмо|съобщение|messaggio|meddelande|mejl|e-?post|besked|melding)\b"
    r"|(?:mesajul|e-?mailul) (?:dumneavoastr[ăa]|dvs|t[ăa]u)|(?:e-posten|eposten|meldingen|mejlet|meddelandet|brevet|mailen|beskeden|e-mailen) (?:som )?du (?:sendte|skickade|har sendt)|(?:message|courriel|e-?mail|mail) que vous avez|(?:correo|mensaje) que (?:ha )?envi\w{1,4}|(?:mensagem|e-?mail) que (?:você )?enviou"
    r"|(?:thư|email) của (?:quý khách|quý vị|bạn|ông|bà)|(?:pesan|email|surat) anda|το (?:μήνυμά|email) σας|письмо|сообщение|лист"
)
_UNTO = r"(?:(?:addressed |sent |adressé |envoyé |dirigido |enviad[oa] |inviat[oa] )?to|an|für|à|a|para|per|naar|aan|voor|do|na adres|pro|till?|для|на|på|către|pentru|tới|đến|cho|kepada|ke|προς)"
YOURS = Words(
    rf"(?:\b(?:{_YOUR_MAIL})(?:[^.!?\n]|\n(?=[^\n])|[.!?](?=\S)){{0,80}}?\s{_UNTO}|\b(?:e-?mail|mail|message) (?:(?:that )?(?:was|is) )?sent by you to|\byou (?:have |recently )?(?:sent|tried to send|attempted to send) (?:(?:an? |your )?(?:e-?mail|mail|message) )?to):?\s{{1,40}}(?:[\w’'-]{{2,20}}\s){{0,3}}[\[<\"'„«(]{{0,3}}([^\s<>@\"'„«(]{{1,64}}@[\w.-]{{3,255}})",
)
"""A text that speaks to the sender of one message, and says to whom that was."""
SPEAKS = Words(rf"\b(?:{_YOUR_MAIL})")
"""A text that speaks to the sender of one message."""


def is_daemon(message: Message) -> bool:
    """Whether a mail system wrote the message, by the address in its From, or by the name where there is none."""
    sender = message.top.header("from")
    return bool(DAEMON.match(next(iter(address.addresses(sender, 1)), sender.strip(' "<>'))))


def who(message: Message, own: str, headers: Headers) -> list[str]:
    """The addresses that a report in prose says failed, the strongest evidence first; empty when it does not say.

    `own` are the reporter's own words, `headers` those of the returned message.
    """
    own = _IDS.sub("", own) if any(map(small(own).__contains__, _NAMES_OF_IDS)) else own
    transcript = [s.recipient for s in session.said(own) if s.recipient]
    found = _once([*_listed(own), *transcript])
    if found and set(found) < set(cells := _once(_CELLS.findall(own))):
        found = cells  # one stands under a heading, and all in a table
    ours = {a.lower() for name in ("from", "to", "sender") for a in address.addresses(message.top.header(name), 5)}
    mailed = mailed_alone(headers, message.top) if headers else []
    senders = _senders(headers)
    yours = YOURS.search(own)
    told = own[slice(*yours.span(1))].strip(".") if yours else ""
    home = message.top.header("to").rpartition("@")[2].strip(" >").lower()
    if told and told.lower() not in ours | senders and all(a.lower().endswith(f"@{home}") for a in found):
        return [told]  # what else is named, a call-back for example, is of the sender's own domain
    # what a receiver says may name the sender: "<us@example.org>... Sender rejected"
    if strange := [a for a in found if a.lower() not in ours | senders]:
        beside = {m.group(1).lower() for m in _WITH_REASON.finditer(own)}
        return _once([*strange, *(a for a in mailed if a.partition("@")[0].lower() in beside)])
    if people := _by_name(own, headers):
        return people
    named = address.addresses(own, 200) or address.addresses(message.top.header("subject"), 5)
    agreed = [a for a in named if a.lower() in {m.lower() for m in mailed}]
    if agreed:
        return agreed
    others = ours | senders | {own[slice(*m.span(1))].lower().strip(".") for m in _FROM.finditer(own)}
    strangers = [a for a in named if a.lower() not in others and not DAEMON.match(a) and not of_our_list(a, message.top)]
    heads = {m.group(1).strip(".").lower() for place in (_HEAD, _AFTER_COLON, _AFTER_REPLY) for m in place.finditer(own)}
    placed = [a for a in strangers if a.lower() in heads] or [
        a for m in _TO.finditer(own) for a in address.addresses(m[1], 200) if a in strangers
    ]
    if placed or len(strangers) == 1:
        return placed or strangers
    tagged = verp(message.top)
    if tagged:
        return [tagged]
    heard = [a for a in _flufl(message) if a.lower() not in ours]
    if heard or len(mailed) == 1:
        return heard or mailed
    return strangers[:1] or found or _bare(message, own)


def _by_name(own: str, headers: Headers) -> list[str]:
    """Those whom a line begins to speak of by the name that they have in the returned message's To, "Last, First" or the other way round."""
    value = b" ".join(v for n in ("to", "cc") for v in headers.values(n, 2)).decode("utf-8", "replace")
    people = [(_WORDS.findall(name.lower()), mailed) for name, mailed in _PERSON.findall(value)[:50]]
    people = [(name, mailed) for name, mailed in people if len(name) > 1]
    begins = [_WORDS.findall(line[:120].lower()) for line in own.split("\n", 300)[:300]] if people else []
    return _once([mailed for words in begins for name, mailed in people if sorted(words[: len(name)]) == sorted(name)])


def verp(top: Part) -> str | None:
    """The recipient within the address that the report went to: bounces+user=example.org@list.example (VERP)."""
    for name in ("to", "delivered-to", "x-original-to"):
        if b"=" in top.raw(name):
            for mine in address.addresses(top.header(name), 5):
                if found := unwrapped(mine):
                    return found
    return None


def unwrapped(address_: str) -> str | None:
    """The recipient within an address of VERP; None where there is none."""
    found = _VERP.match(address_)
    local = _untagged(found.group(1)) if found else ""
    return f"{local}@{found.group(2)}" if found and local else None


def _untagged(text: str) -> str:
    """The local part of a recipient without the words and numbers of the sender's own before it: "return-12-jo" gives "jo"."""
    if "+" in text:
        return re.sub(r"^\d+-", "", text.rpartition("+")[2])
    parts = text.split("-")[1:]
    while len(parts) > 1 and _TOKEN.match(parts[0]):
        del parts[0]
    return "-".join(parts)


def alias_of(near: str) -> str | None:
    """The address that was mailed, where the words near a target say that an alias led there."""
    found = _ALIAS.search(near[:2000])
    return near[slice(*found.span(1))].strip(".") if found else None


def heads(text: str, start: int = 0) -> list[tuple[int, str]]:
    """Where a paragraph of a text begins with an address, and which."""
    return [(m.start(), m.group(1).strip(".")) for m in _HEAD.finditer(text, start)]


def _listed(own: str) -> list[str]:
    """The addresses that stand under a heading about recipients, or after a label that means one."""
    if "@" not in own:
        return []
    found: list[str] = []
    armed, at = 0, 0
    talking = False  # within the words that follow an address in its own paragraph
    headings = HEADING.lines(own)
    last = max(headings, default=-1)
    for line in own.split("\n", 3000)[:3000]:
        if not armed and at > last:
            break
        begin, at = at, at + len(line) + 1
        talking = talking and line[:1] in (" ", "\t") and not line.isspace()
        if (not armed and begin not in headings) or not line.strip() or talking:
            continue
        match = _LISTED.search(line) if armed and "@" in line else None
        if match:
            found.append((match.group(1) or match.group(2)).strip(".'"))
            armed, talking = 12, line[:1] not in (" ", "\t") and len(line) > match.end() + 8
        elif begin in headings and not _TITLE.match(line):
            armed = 12
        else:
            armed = 0 if _RULE_OFF.match(line) else max(0, armed - 1)
    for m in _labelled(own):
        rest = m.string[m.end() :].partition("\n")[0]
        more = address.addresses(rest, 50) if rest[:2].strip(" ")[:1] in {",", ";"} else []
        found += [m.group(1).strip(".>\"'"), *more]
    found += [m.group(1).strip(".") for m in _TOLD.finditer(own)]
    return _once(found)


def _labelled(own: str) -> Iterator[re.Match[str]]:
    if _BROKEN.search(own):
        return _LABEL.finditer(own)
    lines = (line for line in own.split("\n") if "@" in line and (":" in line or "=" in line or "：" in line))
    return (m for m in map(_LABEL.match, lines) if m)


def _bare(message: Message, own: str) -> list[str]:
    """Recipients named by their local parts alone, right under a heading: of the daemon's own domain. Several only where each has its reason beside it."""
    home = next(iter(address.addresses(message.top.header("from"), 1)), "").partition("@")[2]
    found: list[str] = []
    armed = False
    for line in own.split("\n")[:200]:
        if armed and line.strip():
            name = _BARE.match(line)
            if not name or not home or (found and "(" not in line):
                return found
            found.append(f"{name.group(1)}@{home}")
            if "(" not in line:
                return found
        elif found:
            return found
        armed = armed or (bool(HEADING.search(line)) and line.rstrip().endswith(":"))
    return found


def _senders(headers: Headers) -> set[str]:
    return {
        a.lower()
        for n in ("from", "sender", "return-path")
        for v in headers.values(n, 1)
        for a in address.addresses(v.decode("utf-8", "replace"), 3)
    }


def _flufl(message: Message) -> list[str]:
    """Who bounced, says flufl.bounce. It raises on some ordinary mail, and never ends on some hostile mail: short ones only."""
    if len(message.data) > 200_000 or len(message.parts) > 50:
        return []
    import email

    from flufl.bounce import all_failures

    logging.getLogger("flufl.bounce").disabled = True  # it would print a traceback for each of its detectors that fails
    try:
        temporary, permanent = all_failures(email.message_from_bytes(message.data[message.top.head[0] :]))
    except Exception:  # by any bug of a witness: it is one of several
        return []
    found = [a.decode("utf-8", "replace") if isinstance(a, bytes) else str(a) for a in sorted({*permanent, *temporary})]
    return [a for a in found if "@" in a]


def _once(found: list[str]) -> list[str]:
    first: dict[str, str] = {}
    for a in found:
        first.setdefault(a.lower(), a)
    return list(first.values())
