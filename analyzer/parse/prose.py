"""Bounces that say it in words alone: no delivery-status part, or one that says nothing.

What all mail systems do alike carries this: they name an address, and near it the receiver's words. The forms differ in where
the address stands (before a colon, in angle brackets, in a list) and in what marks the words ("said:", "<<<", "reason:").
flufl.bounce is the last witness, heard only for who bounced, never for why.
"""

from __future__ import annotations

import re
from dataclasses import replace

from analyzer.model import Kind, Outcome, Report
from analyzer.parse import address
from analyzer.parse.autoreply import reply_type
from analyzer.parse.dsn import stage
from analyzer.parse.mime import Message, date
from analyzer.parse.original import original, recipients, returned_headers, split_text, text_headers

MOST_TEXT = 64 * 1024
MAX_RECIPIENTS = 1000

_DAEMON = re.compile(r"^(?:mailer-?daemon|post-?master|mail-?daemon|mdaemon|mail[- ]?(?:delivery|system)|bounces?|double-bounce|mailagent|system administrator|root|mailadm\w*|daemon|"
                     r"ndr|smtp-?(?:gateway|daemon)|virus\w*|amavis\w*|microsoftexchange\w*|no-?reply)(?:[+-]|@|$)", re.I)  # fmt: skip
_NAME = re.compile(
    r"mail delivery|mailer-daemon|delivery (?:subsystem|system|service)|postmaster|system administrator|internet mail (?:delivery|system)|mail (?:administrator|system)",
    re.I,
)
_SUBJECT = re.compile(
    r"undeliver|returned mail|return(?:ed)? to sender|deliver(?:y|able)? (?:status|failure|failed|problem|error|notification|report|has failed|delay|warning)|delivery.{0,20}fail|mail (?:delivery|system error|could not)|failure (?:notice|delivery|notification)|"
    r"could(?:n't| not) (?:be )?(?:send|sent|deliver)|non[- ]?deliver|nondeliverable|message (?:could not|not delivered|delivery|status|rejected|delayed)|rejected|bounced?\b|unzustellbar|nicht zugestellt|zustellung|non remis|non (?:délivr|distribu)|échec|"
    r"no se (?:pudo|puede) entregar|devuelto|fall[oó] (?:de|en) la entrega|impossibile recapitare|mancata consegna|niet (?:bezorg|afgelever)|не\s?(?:доставлен|удалось)|недоставлен|配信|配達|送信(?:失敗|エラー)|退信|系统退信|error sending|warning: |not delivered|delayed mail|user unknown|virus|spam",
    re.I,
)
_FAILED = re.compile(
    r"undeliver|n(?:o|')t (?:be )?(?:deliver|send|sent|reach|accept|complete|relay)|(?:un|not )able to (?:deliver|send|complete|reach|relay|forward|locate|place)|failed|failure|returned|bounc|rejected|refused|blocked|fatal error|permanent|unknown|non ?exist|"
    r"did(?: not|n't) reach|gave up|giving up|could(?:n't| not)|has been (?:delayed|returned|quarantined)|expired|over quota|mailbox.{0,20}full|not (?:known|found|exist|listed|accept)|no such|disabled|denied|error|sorry|not .{0,30}users?|undelivered|warning|queued|delay|"
    r"nicht|impossible|n'a pas|no (?:se )?(?:ha |pudo|existe)|не\b|失敗|できません|ませんでした|エラー|不存在|退信|existiert|infected",
    re.I,
)
_MACHINE = re.compile(
    r"smtp|\b[45]\d\d[ -]|failed recipients?|following (?:recipient|address)|(?:message|mail|e-?mail) (?:to|for) <?\S{1,64}@|undeliver(?:able|ed)|returned mail|delivery (?:failed|failure|status)|intended recipient|unable to deliver|"
    r"could not be delivered to|user unknown|mailbox (?:full|unavailable)|over quota|rcpt to|postmaster|transcript",
    re.I,
)
_DELAYED = re.compile(
    r"(?:will|to) (?:(?:continue|keep|be) )?(?:re-?try|trying|(?:be )?attempt(?:ed|s)?|try|retried)|delivery (?:attempts? will|will continue)|still (?:trying|being|in the queue|be retried)|has (?:been|not yet been) (?:delayed|delivered)|"
    r"you do not need to resend|do not (?:need to )?re-?send|warning message only|temporar(?:y|ily) (?:delay|deferred|fail)|delivery (?:has been |is )?(?:delayed|deferred)|message delayed|verzögert|retardé|retrasad",
    re.I,
)
_GAVE_UP = re.compile(
    r"permanent|giv(?:e|ing) up|gave up|fatal|has failed|could not be delivered|undeliverable|wasn't delivered|not be delivered|no further|returned",
    re.I,
)
_SAID = re.compile(
    r"(?:said|says|responded|replied|response|answered|error(?: message)?(?: was)?|reason(?: was)?|returned|status|diagnostic(?:s|-code)?|cause|details?|the (?:error|reason)[^:\n]{0,60})\s*(?:\([^)\n]{0,60}\))?\s*[:=]\s*",
    re.I,
)
_DIALOGUE = re.compile(r"^\s{0,8}<<<\s?(.{3,1000})$", re.M)
_HOST = re.compile(
    r"(?:host|server|mx|connected to|talking to|by|from|with|mta)[: ]+\[?([A-Za-z0-9][\w-]{0,62}(?:\.[\w-]{1,63}){1,8}|\d{1,3}(?:\.\d{1,3}){3})\]?",
    re.I,
)
_LABEL = re.compile(
    r"^[ \t*>|-]{0,8}(?:to|recipient(?:\(s\)|s)?|final[- ]recipient|original[- ]recipient|address(?:es)?|failed recipients?|e-?mail(?: address)?|user|envelope-to|rcpt to|an|empfänger|destinataire|destinatario|intended recipient\w*|宛先)\s*[:=][ \t]*(?:\S{0,3}\s)?<?([^\s<>@]{1,64}@[^\s<>,;]{3,255})",
    re.I | re.M,
)
_TRANSCRIPT = re.compile(r"^[ \t]{0,4}[45]\d\d[ -](?:[45]\.\d+\.\d+ )?<([^\s<>@]{1,64}@[^\s<>]{3,255})>\.\.\.", re.M)
_HEAD = re.compile(
    r"^[ \t*>|-]{0,8}(?:rfc822;[ \t]*)?[<\[(\"']{0,2}([^\s<>@\"'()\[\]:;,]{1,64}@[\w.-]{3,255})[>\])\"']{0,2}[ \t]*(?:[.:,;(–-]|$)", re.M
)


def parse(message: Message) -> Report | None:
    """The report of a bounce in prose; None for other mail."""
    top = message.top
    part = next((p for p in message.parts if p.type in {"text/plain", "text/html"} and not p.inside and p.body[1] > p.body[0]), top)
    text = part.text()[:MOST_TEXT].replace(" ", " ")
    failed = [a for v in top.headers.get("x-failed-recipients", [])[:100] for a in address.addresses(v.decode("utf-8", "replace"))]
    own, rest = split_text(text)
    if not _is_bounce(message, own, bool(failed)):
        return None
    headers = returned_headers(message) or text_headers(rest)
    who = failed or _who(message, own, headers)
    if not who:
        return None
    kind = Kind.DELAYED if _DELAYED.search(own) and not _GAVE_UP.search(own) else Kind.BOUNCED
    if (
        kind is Kind.BOUNCED
        and re.search(r"\bwarning\b|delay|deferred|still being retried", top.header("subject"), re.I)
        and _DELAYED.search(own)
    ):
        kind = Kind.DELAYED
    outcomes = tuple(describe(Outcome(kind, a), own, len(who) == 1) for a in who[:MAX_RECIPIENTS])
    if reply_type("", own) == "challenge" and not any(o.reply_code or o.status for o in outcomes):
        outcomes = tuple(Outcome(Kind.AUTOREPLIED, o.recipient, reply_type="challenge") for o in outcomes)
        kind = Kind.AUTOREPLIED
    return Report(kind, "prose", outcomes, original(headers), reported_at=date(top.header("date")),
                  truncated=("recipients",) if len(who) > MAX_RECIPIENTS else ())  # fmt: skip


def _is_bounce(message: Message, own: str, failed: bool) -> bool:
    top = message.top
    if failed:
        return True
    subject = top.header("subject")
    if re.match(r"\s*(?:re|aw|fwd?|wg|antw)\s*:", subject, re.I):
        return False
    if not _FAILED.search(own):
        return False
    if is_from_a_mailer(message) or top.type == "multipart/report":
        return True
    # a list's mail that was forwarded to it keeps the list's headers; only a mailer's own mail may bear them
    if "list-id" in top.headers or "list-unsubscribe" in top.headers:
        return False
    return bool(_SUBJECT.search(subject)) and bool(_MACHINE.search(own))


def is_from_a_mailer(message: Message) -> bool:
    """Whether a mail system wrote the message: its From, its null return path."""
    sender = message.top.header("from")
    addresses = address.addresses(sender, 1)
    named = bool(_NAME.search(sender)) or bool(_DAEMON.match(addresses[0] if addresses else sender.strip(' "<>')))
    return named or message.top.raw("return-path").strip() in {b"<>", b"<MAILER-DAEMON>"}


def _who(message: Message, own: str, headers: dict[str, list[bytes]]) -> list[str]:
    """Who bounced. Agreement of the words with the returned message's recipients is the best evidence, position the next."""
    ours = {a.lower() for name in ("from", "to", "sender") for a in address.addresses(message.top.header(name), 5)}
    mailed = recipients(headers) if headers else []
    senders = {
        a.lower()
        for n in ("from", "sender", "return-path")
        for v in headers.get(n, [])[:1]
        for a in address.addresses(v.decode("utf-8", "replace"), 3)
    }
    named = address.addresses(own, 200)
    transcript = [m.group(1) for m in _TRANSCRIPT.finditer(own)]
    agreed = [a for a in named if a.lower() in {m.lower() for m in mailed}]
    if agreed or transcript:
        return list({a.lower(): a for a in [*agreed, *transcript]}.values())
    strangers = [a for a in named if a.lower() not in ours | senders and not _DAEMON.match(a)]
    heads = {m.group(1).strip(".").lower() for m in _HEAD.finditer(own)} | {m.group(1).strip(".>\"'").lower() for m in _LABEL.finditer(own)}
    placed = [a for a in strangers if a.lower() in heads]
    if placed:
        return placed
    if len(strangers) == 1:
        return strangers
    heard = [a for a in _flufl(message) if a.lower() not in ours]
    if heard:
        return heard
    if len(mailed) == 1:
        return mailed
    return strangers[:1]


def _flufl(message: Message) -> list[str]:
    """Who bounced, says flufl.bounce. It raises on some ordinary mail, and never ends on some hostile mail: short ones only."""
    if len(message.data) > 1_000_000 or len(message.parts) > 50:
        return []
    import email

    from flufl.bounce import all_failures

    try:
        temporary, permanent = all_failures(email.message_from_bytes(message.data[message.top.head[0] :]))
    except Exception:  # by any bug of a witness: it is one of several
        return []
    found = [a.decode("utf-8", "replace") if isinstance(a, bytes) else str(a) for a in sorted({*permanent, *temporary})]
    return [a for a in found if "@" in a]


def describe(outcome: Outcome, text: str, alone: bool) -> Outcome:
    """The outcome with what a text says of its recipient: the receiver's words, codes, host and stage."""
    near = _near(text, outcome.recipient or "", outcome.final or "", alone)
    words, host = _receivers(near, text if alone else near)
    code, status = address.reply(words or near)
    if status is None:
        status = address.reply(near)[1] if alone else None
    return replace(
        outcome,
        status=outcome.status or status,
        reply_code=outcome.reply_code or code,
        diagnostic=outcome.diagnostic or words,
        prose=" ".join(near.split())[:2000] or None,
        remote_mta=outcome.remote_mta or host,
        stage=outcome.stage or stage(near),
    )


def _near(text: str, recipient: str, final: str, alone: bool) -> str:
    """The words about one recipient: from the first place that names it to the next blank line, or all when it is the only one."""
    if alone:
        return text[:8000]
    low = text.lower()
    for name in (recipient, final):
        at = low.find(name.lower()) if name else -1
        if at >= 0:
            begin = low.rfind("\n", 0, at) + 1
            end = low.find("\n\n", at + len(name))
            if end >= 0 and end - at < len(name) + 6:  # the name stands alone, its reason after a blank line
                end = low.find("\n\n", end + 2)
            near = text[begin : end if end >= 0 else len(text)][:4000]
            for other in _HEAD.finditer(near, at - begin + len(name)):
                if other.group(1).lower().strip(".") not in {recipient.lower(), final.lower()}:
                    return near[: other.start()]
            return near
    return ""


def _receivers(near: str, wide: str) -> tuple[str | None, str | None]:
    """The receiver's own words within a text, and the host that spoke them."""
    host = _HOST.search(near)
    replies = [m.group(1).strip() for m in _DIALOGUE.finditer(wide) if re.match(r"\s*[45]\d\d", m.group(1))]
    if replies:
        return " ".join(dict.fromkeys(replies[:6]))[:2000], host.group(1) if host else None
    best: str | None = None
    for found in _SAID.finditer(near):
        words = _paragraph(near[found.end() :])
        if address.REPLY.match(words):
            best = words
            break
        if best is None and len(words) > 12 and not words.startswith("This report") and _FAILED.search(words):
            best = words
    if best is None or not address.REPLY.match(best):
        code = address.REPLY.search(near)
        if code:
            best = _paragraph(near[code.start() :])
    return (best[:2000] if best else None), host.group(1) if host else None


def _paragraph(text: str) -> str:
    text = text.lstrip()
    end = text.find("\n\n")
    return " ".join(text[: end if end >= 0 else len(text)][:3000].split())
