"""Bounces that say it in words alone: no delivery-status part, or one that says nothing.

What all mail systems do alike carries this: they name an address, and near it the receiver's words. The forms differ in where
the address stands (before a colon, in angle brackets, in a list) and in what marks the words ("said:", "<<<", "reason:").
flufl.bounce is the last witness, heard only for who bounced, never for why.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice

from analyzer.model import Kind, Outcome, Report, Stage
from analyzer.parse import address, dsn, session
from analyzer.parse.autoreply import CALENDAR, DESKS, LISTS, PERSONS, TRACKERS, is_challenge
from analyzer.parse.autoreply_words import ELSEWHERE
from analyzer.parse.dsn import stage
from analyzer.parse.headers import Headers
from analyzer.parse.mime import Message, Part, date
from analyzer.parse.original import noted, of_a_list, original, returned_headers, split_text, text_headers
from analyzer.parse.who import DAEMON, alias_of, heads, who
from analyzer.parse.words import Words

MOST_TEXT = 64 * 1024
MAX_RECIPIENTS = 300

_ROBOT = Words(
    r"^(?:bounces?|root|virus\w*|no-?reply|inetgw\w*|gateway|mail|exchange|system|support-?bot|antivirus|notification\w*|smtp)(?:[+-]|@|$)",
)
_NAME = Words(
    r"mail delivery|mailer-daemon|delivery (?:subsystem|system|service)|postmaster|system administrator|internet mail (?:delivery|system)|mail (?:administrator|system)",
)
_TITLE = Words(
    r"undeliver|returned mail|waiting mail|automatically rejected|return(?:ed|ing)? (?:message )?to sender|deliver(?:y|able) (?:failure|failed|problem|error|has failed|delay|warning|status notif)|delivery.{0,20}fail|mail (?:delivery|system error|error|could not)|failure (?:notice|delivery|notification)|"
    r"could(?:n't| not) (?:be )?(?:send|sent|deliver)|(?:cannot|can't|unable to) (?:be )?(?:send|deliver)|non[- ]?deliver|nondeliverable|message (?:could not|not delivered|rejected|delayed)|not delivered|delayed mail|user unknown|error sending|bounced (?:mail|message)|failed (?:mail|delivery|message)|"
    r"unzustellbar|nicht zugestellt|non remis|non (?:délivr|distribu)|échec (?:de|d')|no se (?:pudo|puede|ha podido) entregar|no entregad|devuelto|fall[oó] (?:de|en) la entrega|impossibile recapitare|mancat[ao] (?:consegna|recapito)|"
    r"niet (?:bezorg|afgelever)|niedostarcz|nie (?:został|można) |не\s?(?:доставлен|удалось)|недоставлен|(?:配信|配達|送信)(?:不能|不可|失敗|エラー|でき)|メール.{0,6}エラー|退信|(?:投递|发送)失败|无法投递|반송|não (?:entreg|pôde|foi)|devolvid|teslim edilemedi|nedoručen|kunde inte levereras|kunne ikke leveres|toimitus epäonnistui|kézbesíthetetlen",
)
_SUBJECT = Words(
    _TITLE.pattern
    + r"|deliver(?:y|able)? (?:status|notification|report)|message (?:delivery|status)|rejected|bounced?\b|zustellung|warning: |virus|spam|quarantin|blocked",
)
_FAILED = Words(
    r"undeliver|still pending|not yet been|\bno (?:valid|such|known) |n(?:o|')t (?:be )?(?:deliver|send|sent|reach|accept|complete|relay)|(?:un|not )able to (?:deliver|send|complete|reach|relay|forward|locate|place)|failed|failure|returned|bounc|rejected|refused|blocked|fatal error|permanent|unknown|non ?exist|"
    r"did(?: not|n't) reach|gave up|giving up|could(?:n't| not)|has been (?:delayed|returned|quarantined)|expired|over quota|mailbox.{0,20}full|not (?:known|found|exist|listed|accept)|no such|disabled|denied|error|sorry|not .{0,30}users?|undelivered|warning|queued|delay|"
    r"nicht|impossible|n'a pas|no (?:se )?(?:ha |pudo|existe)|не\b|失敗|できません|ませんでした|エラー|不存在|退信|existiert|infected|não|kon niet|nie |못했습니다|edilemedi|nelze",
)
_CLEAR = Words(
    r"(?:not|n't|never|unable|impossible|fail\w{0,3})\b[^\n.]{0,50}\bdeliver(?:ed|y|ing)?\b|deliver(?:y|ing)\b[^\n.]{0,60}\b(?:fail|not possible|impossible|abandoned|delayed|postponed|deferred|unsuccessful)|undeliverable|has (?:stopped|blocked|quarantined)\s+the following|not (?:be )?(?:sent|relayed|accepted) (?:to|because|due)|permanent error|"
    r"did(?: not|n't) reach|mail(?:box)? (?:is |are )?(?:full|over quota)|returned to (?:you|sender)|nicht zugestellt|non (?:remis|distribu|livr)|n'a pas pu|no (?:se )?(?:pudo|puede|ha podido)|impossibile|не (?:доставлен|удалось)|配信できま|配達できま|送信できま|无法|未能|não (?:pôde|foi|pode)|kon niet|nie (?:została|mogła|można)|teslim edile|nebyl\w? doruč|nelze doruč|inte levereras|ikke leveres|ei voitu toimittaa|못했습니다|실패",
)
_MACHINE = Words(
    r"smtp|failed recipients?|following (?:recipient|address)|(?:message|mail|e-?mail) (?:to|for) <?\S{1,64}@|undeliver(?:able|ed)|returned mail|delivery (?:failed|failure|status)|intended recipient|unable to deliver|"
    r"could not be delivered to|user unknown|mailbox (?:full|unavailable)|over quota|rcpt to|postmaster|transcript",
)
_CODE = re.compile(r"[45](?<!\w[45])\d\d[ -]")
_DELAYED = Words(
    r"deliver\w* attempts are still pending|not yet been\s+(?:fully |completely )?deliver|attempts to deliver [^.\n]{0,40}\bwill\s+continue|(?:will|(?<!not going )to) (?:(?:continue|keep|be) )?(?:re-?try|trying|(?:be )?attempt(?:ed|s)?|try|retried)|delivery (?:attempts? will|will continue)|still (?:trying|being|in the queue|be retried)|has been (?:delayed|postponed)|has not yet been delivered|"
    r"you do not need to resend|do not (?:need to )?re-?send|warning message only|temporar(?:y|ily) (?:delay|deferred|fail)|delivery (?:has been |is )?(?:delayed|deferred)|message delayed|verzögert|retardé|retrasad",
)
_GAVE_UP = Words(
    r"permanent|giv(?:e|ing) up|gave up|fatal|has failed|could not be delivered|undeliverable|wasn't delivered|not be delivered|no further (?:attempt|deliver|retr|tr)|returned|not going to (?:re)?try|in the queue too long|will not (?:be )?(?:re)?tr",
)
_ECHO = Words(
    r"^[ \t>*]{0,8}(?:subject|betreff|objet|asunto|oggetto|件名)[ \t]*:.*(?:\n[ \t]+(?!\S{1,20}:).*)?$", re.M
)  # of the returned message's own title
# what mail systems say of every failure alike: no evidence of this one
_ALWAYS = Words(
    r"(?:this is|please note that this is) only a (?:temporary failure report|warning)[^.\n]{0,80}|(?:for further assistance|if you (?:need|require) (?:further|more|additional) (?:help|assistance|information))[^\n]{0,160}"
    r"|(?:please )?(?:contact|forward this (?:error|message) to|send (?:this )?(?:mail|e-?mail|message) to|report this[^\n]{0,30} to) (?:your|the|my|our) (?:local |own |mail |system |e-?mail |internet )*(?:administrator|postmaster|help ?desk|provider|support)[^\n]{0,120}"
    r"|(?:this (?:message|mail|e-?mail) (?:was|is|has been) |i am an? )(?:created |generated )?automatically?(?: generated| created)?[^.\n]{0,100}|please (?:do not|don't) (?:reply|respond)[^.\n]{0,60}|please reply to <?\S{1,200}\s+if you feel[^\n]{0,60}|include this problem report[^.]{0,120}"
    r"|delete your own text from[^.\n]{0,80}|no (?:further )?action is required on your part[^.\n]{0,60}|i'm sorry to have to inform you[^.]{0,160}",
)
_FORWARDED = re.compile(
    r"^[ \t>]{0,8}(?:-{2,}|begin forwarded|anfang der weitergeleiteten|(?:from|von|de|da|van|reporting-mta|final-recipient)[ \t]*:)",
    re.I | re.M,
)
# what is counted: summaries of a mail system's log; what its owner is told of a mailbox (phishing says so too)
_MAIL = Words(
    r"\b(?:e-?mails?|message|mail (?:system|server|delivery)|smtp|mailbox|mailer|postmaster)\b|[45]\d\d [45]\.\d{1,3}\.\d{1,3}|nachricht|メール|邮件"
)
_SUMMARY = Words(
    r"log summar|summary|statisti|logwatch|\bcron\b|digest|(?<!content )monitor|nagios|zabbix|queue (?:size|length|report)|daily report|weekly report|\[(?:ok|firing|resolved|alert)|problem:|alert:|report for"
)
_OWNER = Words(
    r"\b(?:your|the) (?:password|account|mailbox|webmail|session) (?:will |is about to |has |is )?(?:expires?|be (?:suspended|closed|deactivated|blocked)|expired|exceeded|almost full|running out|reached)|incoming (?:mails?|messages?|e-?mails?)|"
    r"(?:increase|upgrade|expand|verify|re-?activate|re-?validate) (?:your )?(?:mailbox|mail|account|e-?mail|quota|storage)|pending\s+(?:incoming )?(?:messages|mails|e-?mails)|release (?:the |your )?(?:messages|mails|e-?mails)|failure to do so"
)
_HEADING_ONLY = Words(
    r"(?:start of|begins|following|these|below|attached|original message|recipients?)\b[^.]{0,80}:$|^.{0,30}(?:start of|following|these|below|attached|original message|recipients?)\b[^.]{0,40}$|^(?:-{2,}|={3,})|\b(?:mail|e-?mail|message)s? to$"
)
_SAID = Words(
    r"(?:said|says|responded|replied|response|answered|error(?: message)?(?: was)?|reason(?: was)?|returned|status|diagnostic(?:s|-code)?|cause|details?|the (?:error|reason)[^:\n]{0,60})\s*(?:\([^)\n]{0,60}\))?\s*[:=]\s*",
)
_HOST = Words(
    r"(?:host|server|mx|connected to|talking to|by|from|with|mta)[: ]+\[?([A-Za-z0-9][\w-]{0,62}(?:\.[\w-]{1,63}){1,8}|\d{1,3}(?:\.\d{1,3}){3})\]?",
)


_LAST_WORD, _WORD, _GAP = re.compile(r"\S*\Z"), re.compile(r"\S{0,40}"), re.compile(r"\s")
_LIST_OWNER = re.compile(r"owner-\w|\w-(?:owner|bounces|request)@", re.I)
_ANSWER = Words(r"\s*(?:re|aw|fwd?|wg|antw)\s*:")
_GREETED = Words(
    r"\s{0,20}(?:dear|hi|hello|hallo|liebe[rs]?|sehr geehrte\w*|guten tag|bonjour|cher\w*|estimad\w+|gentile|beste)\b[^\n]{0,60},\s{0,4}\n"
)
_WARNED = Words(r"\bwarning\b|delay|deferred|still being retried|waiting")
_FINAL = Words(r"^[ \t>]{0,8}Final-Recipient[ \t]*:", re.M)
_FIELDS = Words(r"^(?:Reporting-MTA|Original-Envelope-Id|Final-Recipient|Original-Recipient|Action)[ \t]*:", re.M)
_SESSION = re.compile(r"^[ \t]{0,4}(?:In|Out): {1,3}", re.M)


def parse(message: Message) -> Report | None:
    """The report of a bounce in prose; None for other mail."""
    top = message.top
    text = _text(message)
    failed = [a for v in top.headers.values("x-failed-recipients", 100) for a in address.addresses(v.decode("utf-8", "replace"))]
    own, rest = split_text(text)
    if _is_notice_of_a_session(own):
        return Report(
            Kind.OTHER_REPORT, "prose", reported_at=date(top.header("date")), why="a mail server's notice to its postmaster of a session"
        )
    pasted = _pasted(text) if _FINAL.search(text) and _may_quote(message, text) else ()
    if not failed and not pasted and not is_bounce(message, own):
        return None
    headers = returned_headers(message) or text_headers(rest)
    if pasted:
        outcomes = pasted
    else:
        found = (failed or who(message, own, headers))[:MAX_RECIPIENTS]
        if not found and not _is_surely_a_bounce(message):
            return None
        kind = _kind(top.header("subject"), own)
        names = frozenset(a.lower() for a in found)
        outcomes = tuple(describe(Outcome(kind, a), own, len(found) == 1, names) for a in found) or (describe(Outcome(kind), own, True),)
        outcomes = through_alias(outcomes, headers, top)
    if not any(o.reply_code or o.status for o in outcomes) and is_challenge(own):
        outcomes = tuple(Outcome(Kind.AUTOREPLIED, o.recipient, reply_type="challenge") for o in outcomes)
    return Report(outcomes[0].kind, "prose", outcomes, original(headers), reported_at=date(top.header("date")),
                  truncated=(*["recipients"] * (len(outcomes) >= MAX_RECIPIENTS), *["texts"] * (len(text) >= MOST_TEXT)))  # fmt: skip


def through_alias(outcomes: tuple[Outcome, ...], headers: Headers, top: Part) -> tuple[Outcome, ...]:
    """The outcomes with the address that was mailed, where a report names its targets alone; `headers` are those of the returned message.

    An address of the sender's own domain that leads to several others is a list of his: they were mailed, and not the list.
    """
    mailed = noted(headers)
    if mailed is None or any(
        mailed == o.recipient or mailed.lower() in {(o.recipient or "").lower(), (o.final or "").lower()} for o in outcomes
    ):
        return outcomes
    if of_a_list(headers) or (len(outcomes) > 1 and f"@{mailed.rpartition('@')[2].lower()}" in top.header("to").lower()):
        return outcomes
    return tuple(o if o.final or not o.recipient else o._replace(recipient=mailed, final=o.recipient) for o in outcomes)


def is_bounce(message: Message, own: str) -> bool:
    """Whether a mail without a delivery-status part reports a failure: by who wrote it, what it is called, what it says."""
    top = message.top
    subject = top.header("subject")
    if not any(p.inside for p in message.parts) and (
        _SUMMARY.search(subject) or len({m.group(0) for m in _OWNER.finditer(own[:4000])}) > 1
    ):
        return False
    if (
        top.headers.any(TRACKERS)
        or top.headers.any(DESKS)
        or CALENDAR.match(subject)
        or any(p.type == "text/calendar" for p in message.parts[:20])
    ):
        return False
    mailer = is_from_a_mailer(message)
    if not mailer and not _is_robot(message) and _LIST_OWNER.search(f"{top.header('sender')} {top.header('return-path')}"):
        return False
    if (
        PERSONS.search(f"{top.header('x-mailer')} {top.header('user-agent')}")
        and (not mailer or (top.type.startswith("text/") and _GREETED.match(own)))
        and not _is_robot(message)
    ):
        return False
    failed = bool(_FAILED.search(own)) and bool(_CODE.search(own) or _MACHINE.search(own))
    if mailer or top.type == "multipart/report":
        return failed or bool(_TITLE.search(subject)) or bool(_CLEAR.search(own))
    if _ANSWER.match(subject) or (ELSEWHERE.search(subject + own[:2000]) and not _MAIL.search(subject + own[:2000])):
        return False
    # a list's mail that was forwarded to it keeps the list's headers; only a mailer's own mail may bear them
    if "list-id" in top.headers or "list-unsubscribe" in top.headers:
        return _is_robot(message) and bool(_TITLE.search(subject)) and any(p.inside for p in message.parts)
    if _is_robot(message) and _CLEAR.search(own) and any(p.inside for p in message.parts):
        return True
    if not failed or not _SUBJECT.search(subject):
        return False
    # a person may ask about a bounce: what a machine writes returns the message, or prints a reply
    return _is_robot(message) or any(p.inside for p in message.parts) or len(own) < len(_text(message)) or address.refusal(own) is not None


def is_from_a_mailer(message: Message) -> bool:
    """Whether a mail system wrote the message, by its From."""
    sender = message.top.header("from")
    addresses = address.addresses(sender, 1)
    return bool(_NAME.search(sender)) or bool(DAEMON.match(addresses[0] if addresses else sender.strip(' "<>')))


def _is_robot(message: Message) -> bool:
    sender = next(iter(address.addresses(message.top.header("from"), 1)), "")
    return not sender or bool(_ROBOT.match(sender)) or message.top.raw("return-path").strip() in {b"<>", b"<MAILER-DAEMON>"}


def _is_surely_a_bounce(message: Message) -> bool:
    """Whether a report that names nobody is a bounce all the same: somebody's mail failed, and it must be counted."""
    null = message.top.raw("return-path").strip() in {b"<>", b"<MAILER-DAEMON>"}
    return (is_from_a_mailer(message) or (null and _is_robot(message))) and bool(_TITLE.search(message.top.header("subject")))


def _text(message: Message) -> str:
    part = next((p for p in message.parts if p.type in {"text/plain", "text/html"} and not p.inside and p.body[1] > p.body[0]), message.top)
    return part.text()[:MOST_TEXT].replace("\xa0", " ")


def _pasted(text: str) -> tuple[Outcome, ...]:
    """The outcomes of delivery-status fields that stand in the text itself: a report forwarded by hand, or one that lost its parts."""
    bare = re.sub(r"^[ \t]{0,4}>[ \t>]{0,8}", "", text, flags=re.M)
    start = _FIELDS.search(bare)
    outcomes, _, _ = dsn.read(bare[start.start() if start else 0 :])
    return tuple(outcomes)


def _may_quote(message: Message, text: str) -> bool:
    """Whether delivery-status fields in a mail's text may be its own report: lists, newsletters and people who ask about one quote them too."""
    if message.top.headers.any(LISTS):
        return False
    if message.top.type == "multipart/report":
        return True
    if (is_from_a_mailer(message) or _is_robot(message)) and not PERSONS.search(message.top.header("user-agent")):
        return True
    begun = _FORWARDED.search(text)
    return len("".join(text[: begun.start() if begun else 400].split())) < 60


def _is_notice_of_a_session(own: str) -> bool:
    """A mail server tells its postmaster of a session that it refused: `In:` and `Out:` lines, and nobody's mail is returned."""
    return own.count(": ", 0, 8000) >= 4 and len(_SESSION.findall(own[:8000])) >= 4


def _kind(subject: str, own: str) -> Kind:
    if not _DELAYED.search(own):
        return Kind.BOUNCED
    warned = _WARNED.search(subject)
    return Kind.DELAYED if warned or not _GAVE_UP.search(own) else Kind.BOUNCED


def describe(outcome: Outcome, text: str, alone: bool, names: frozenset[str] = frozenset()) -> Outcome:
    """The outcome with what a text says of its recipient: the receiver's words, codes, host and stage.

    `names` are all recipients of the report, in lower case: where the words name the next one, they are no longer about this one.
    """
    about = near(text, outcome, alone, names)
    outcome = from_alias(outcome, about, alone)
    heard = _heard(text, outcome, alone)
    words, host = (heard.words, heard.host) if heard else (None, None)
    told = alone and outcome.diagnostic and outcome.reply_code and outcome.status  # by its fields: the text need not say it again
    if heard is None and not told:
        words = _receivers(about)
    about = heard.words if heard and heard.recipient else about
    if words is None and not told:
        words = _paragraph_about(about, outcome, names)
    if not words and not alone:
        about = text[:8000]  # a list of names, and what is wrong with them all stands before it or after
        words = _receivers(about) if _says_once(about) else None
    code, status = address.reply(words or about)
    if status is None:
        status = address.reply(about)[1] if alone else None
    step_said = None if outcome.stage or heard else stage(about)
    return outcome._replace(
        status=(status if words and not outcome.diagnostic else None) or outcome.status or status,
        reply_code=outcome.reply_code or code,
        diagnostic=heard.words
        if heard and outcome.diagnostic and heard.words.endswith(outcome.diagnostic)
        else outcome.diagnostic or words,
        prose=_gist(about),
        remote_mta=outcome.remote_mta or host or _host(about),
        stage=outcome.stage or (heard.stage if heard else step_said),
    )


def _says_once(text: str) -> bool:
    """Whether one refusal stands in a text, and no second."""
    found = address.refusal(text)
    return found is not None and address.refusal(text[found.end() :]) is None


def from_alias(outcome: Outcome, about: str, alone: bool) -> Outcome:
    """The outcome with the alias that was mailed, where the words about a target name it."""
    at = about.lower().find((outcome.recipient or "\0").lower())
    # it stands in the line of the target, or in the one after it
    alias = alias_of("\n".join(about[at : at + 1000].split("\n", 2)[:2])) if at >= 0 else alias_of(about) if alone else None
    if alias and outcome.recipient and not outcome.final and alias.lower() != outcome.recipient.lower():
        return outcome._replace(recipient=alias, final=outcome.recipient)
    return outcome


def step(outcome: Outcome, text: str, alone: bool) -> Stage | None:
    """The step of the dialogue at which a text says that a recipient was refused."""
    heard = _heard(text, outcome, alone)
    return heard.stage if heard else stage(near(text, outcome, alone))


def near(text: str, outcome: Outcome, alone: bool, names: frozenset[str] = frozenset()) -> str:
    """The words about one recipient: from the first place that names it to the next blank line, or all when it is the only one."""
    if alone:
        return text[:8000]
    low, recipient, final = text.lower(), outcome.recipient or "", outcome.final or ""
    for name in (final, recipient, f"{recipient.partition('@')[0]} ("):
        at = _place(low, name.lower(), names) if name else -1
        if at >= 0:
            begin = low.rfind("\n", 0, at) + 1
            end = low.find("\n\n", at + len(name))
            if end >= 0 and end - at < len(name) + 6:  # the name stands alone, its reason after a blank line
                end = low.find("\n\n", end + 2)
            about = text[begin : end if end >= 0 else len(text)][:4000]
            for start, other in heads(about, at - begin + len(name)):
                if other.lower() not in {recipient.lower(), final.lower()}:
                    return about[:start]
            return about[: _next_of(about, at - begin + len(name), names - {recipient.lower(), final.lower()})]
    return ""


def _place(low: str, name: str, names: frozenset[str]) -> int:
    """Where a text speaks of a recipient: first in a line that names no other, since lists of all come before; -1 where it does not."""
    first = at = low.find(name)
    for _ in range(20):
        if at < 0 or len(names) < 2:
            break
        end = low.find("\n", at)
        line = low[low.rfind("\n", 0, at) + 1 : end if end >= 0 else len(low)][:2000]
        if sum(other in names for other in (m.group(0).strip(".'") for m in address.ADDRESS.finditer(line))) < 2:
            return at
        at = low.find(name, at + len(name))
    return first


def _next_of(near: str, after: int, names: frozenset[str]) -> int:
    """Where the line begins that names another recipient; the end where none does."""
    if names:
        for found in address.ADDRESS.finditer(near, after):
            if found.group(0).strip(".'").lower() in names:
                return max(near.rfind("\n", 0, found.start()) + 1, after)
    return len(near)


def _heard(text: str, outcome: Outcome, alone: bool) -> session.Said | None:
    """What a session in the text says of a recipient by name, else of all."""
    names = {n.lower() for n in (outcome.recipient, outcome.final) if n}
    found = session.said(text)
    named = next((s for s in found if s.recipient and s.recipient.lower() in names), None)
    return named or next((s for s in found if alone and s.recipient is None), None)


def _paragraph_about(near: str, outcome: Outcome, names: frozenset[str] = frozenset()) -> str | None:
    """What the reporter itself says of a recipient: in the paragraph that names him, else in the one after it."""
    paragraphs = near.split("\n\n")[:50]
    name = (outcome.final or outcome.recipient or "\0").lower()
    for n, paragraph in enumerate(paragraphs):
        if name in paragraph.lower():
            for text in (_without(name, paragraph), *paragraphs[n + 1 : n + 2]):
                words = " ".join(_ALWAYS.cut(text).split()).strip(" :;.-*<>")
                if len(words) > 10 and not _HEADING_ONLY.search(words) and not set(words.lower().split()) <= names:
                    return words[:2000]
            return None
    return None


def _without(name: str, text: str) -> str:
    """The text without the words (to 40 characters before and after) in which a name in small letters stands."""
    if not text.isascii():
        return re.sub(r"<?\S{0,40}" + re.escape(name) + r"\S{0,40}", "", text, flags=re.I)
    # a pattern would have to be compiled for each name
    low, parts, done = text.lower(), [], 0
    at = low.find(name)
    while at >= 0:
        begin = max(done, at - 40)
        begin += _LAST_WORD.search(text[begin:at]).start()  # type: ignore[union-attr]  # it matches anything
        if begin == at - 40 and begin > done and text[begin - 1] == "<":
            begin -= 1
        reach = begin + 40 + (text[begin] == "<")
        while 0 <= (following := low.find(name, at + 1)) <= reach and not _GAP.search(text, at, following):
            at = following
        parts.append(text[done:begin])
        done = _WORD.match(text, at + len(name)).end()  # type: ignore[union-attr]
        at = low.find(name, done)
    return "".join([*parts, text[done:]])


@lru_cache(maxsize=4)  # a list of many names has one text
def _gist(near: str) -> str | None:
    """The reporter's words without what it always says."""
    return " ".join(_ALWAYS.cut(_ECHO.cut(near)).split())[:2000] or None


@lru_cache(maxsize=4)
def _host(near: str) -> str | None:
    """The host that the reporter names."""
    found = _HOST.search(near)
    return near[slice(*found.span(1))] if found else None


def _receivers(near: str) -> str | None:
    """The receiver's own words within a text."""
    best: str | None = None
    for found in islice(_SAID.finditer(near), 100):
        words = _paragraph(near[found.end() : found.end() + 3000])
        if address.begins_with_code(words):
            best = words
            break
        if best is None and len(words) > 12 and not words.startswith("This report") and _FAILED.search(words):
            best = words
    if best is None or not address.begins_with_code(best):
        code = address.refusal(near)
        if code:
            best = _paragraph(near[code.start() : code.start() + 3000])
    return best[:2000] if best else None


def _paragraph(text: str) -> str:
    text = text.lstrip()
    end = text.find("\n\n")
    return " ".join(text[: end if end >= 0 else len(text)].split())
