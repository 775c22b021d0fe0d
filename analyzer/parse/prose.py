"""Bounces that say it in words alone: no delivery-status part, or one that says nothing.

What all mail systems do alike carries this: they name an address, and near it the receiver's words. The forms differ in where
the address stands (before a colon, in angle brackets, in a list) and in what marks the words ("said:", "<<<", "reason:").
flufl.bounce is the last witness, heard only for who bounced, never for why.
"""

from __future__ import annotations

import re

from analyzer.model import Kind, Outcome, Report
from analyzer.parse import address, dsn
from analyzer.parse.about import describe
from analyzer.parse.autoreply import is_challenge
from analyzer.parse.bounce import (
    LIST_OWNER,
    MOST_TEXT,
    is_bounce,
    is_from_a_mailer,
    is_notice_of_a_session,
    is_surely_a_bounce,
    may_quote,
    text_of,
)
from analyzer.parse.headers import Headers
from analyzer.parse.mime import Message, Part, date, decode
from analyzer.parse.original import (
    noted,
    of_a_list,
    of_our_list,
    original,
    recipients,
    returned_headers,
    sender_of,
    split_text,
    text_headers,
)
from analyzer.parse.who import alias_of, heads, verp, who
from analyzer.parse.words import Words

MAX_RECIPIENTS = 300
_MOST_JUDGED = 8000  # characters of a text that may say that it is only a warning
_DELAYED = Words(
    r"deliver\w* attempts are still pending|not yet been\s+(?:fully |completely )?deliver|attempts to deliver [^.\n]{0,40}\bwill\s+continue|(?:will|(?<!not going )to) (?:(?:continue|keep|be) )?(?:re-?try|trying|(?:be )?attempt(?:ed|s)?|try|retried)|delivery (?:attempts? will|will continue)|still (?:trying|being|in the queue|be retried)|has been (?:delayed|postponed)|has not yet been delivered|"
    r"you do not need to resend|do not (?:need (?:to )?)?(?:re-?send|send (?:it|the message|your message) again)|warning message only|temporar(?:y|ily) (?:delay|deferred|fail)|delivery (?:has been |is )?(?:delayed|deferred)|message delayed|still in our queue|keep trying until|will be (?:deleted|returned) in (?:\w+ ){1,3}(?:days|hours) if|verzögert|retardé|retrasad|"
    # what the same says elsewhere: not yet, only a warning, further attempts
    r"noch nicht (?:zugestellt|ausgeliefert|übermittelt)|wartet [^.\n]{0,40}\bauf\s+(?:die )?zustellung|nur eine warnung|(?:weitere|nächste) (?:zustell)?versuche|versuche laufen|versuch\w{2,3} (?!sie\b)(?:\w+ ){0,3}(?:weiter|erneut)|(?:weiter|erneut)(?:hin)? (?:zu )?(?:ver|ge)such|in der warteschlange|"
    r"pas encore (?:été|pu)|(?:simple|qu'un|seulement un) avertissement|(?:nouvelles?|autres?|prochaines?) tentatives?|nouveaux essais|gardée? en attente|(?:sera|seront) (?:à nouveau|de nouveau) (?:tent|essay)|continu\w{2,5} (?:d'essayer|à essayer|de tenter|ses tentatives)|file d'attente|"
    r"(?:aún|todavía) no (?:se )?(?:ha|pud)|(?:sigue|está|queda) en (?:la )?cola|(?:solo|sólo) (?:es )?una advertencia|(?:nuevos?|más) intentos?|(?:seguir|continuar|volver)\w{1,5} (?:a )?intent|reintent|ainda não|apenas um aviso|(?:novas?|outras) tentativas?|continuar\w{1,4} (?:a )?tenta|continuamos\s+tentando|"
    r"non (?:è )?ancora|solo un avviso|(?:ulteriori|nuovi|altri) tentativi|riprover|continuer\w{1,5} a (?:tentare|provare)|nog niet (?:afgeleverd|bezorgd)|(?:slechts|alleen) een waarschuwing|wachtrij|opnieuw (?:ge)?prob|(?:wordt|blijven) .{0,40}(?:ge)?probe(?:erd|ren)|"
    r"jeszcze nie|nie (?:został\w?|może być|udało się) jeszcze|spróbujemy ponownie|(?:kolejne|ponowne|dalsze) prób|w kolejce|ещ[её] не|(?:повторные|дальнейшие|новые) попыт|попытки .{0,20}(?:будут|продолж)|в очереди|zatím (?:ne|čeká)|ootab järjekorras|proovime edasi|další pokus|pokusy .{0,20}pokrač|ännu inte|nya försök|försöka igen|fortsätt\w{1,4} (?:att )?försök|endnu ikke|frem endnu|nye forsøg|prøver (?:vi )?igen|ennå ikke|"
    r"警告のみ|まだ(?:配送|配信|配達|送信)|(?:配送|配信|配達)を試み|再送(?:を|し|いた|信を)|再度(?:送信|配送|配信)を|配送を(?:続け|継続)|遅延|遅れて|将(?:会)?(?:继续|重试|再次)|(?:继续|再次)(?:尝试|投递)|延迟|다시 시도(?:합니다|할 예정|됩니다)|재시도(?:합니다|할 예정|됩니다)|지연되|yeniden dene|henüz teslim|gecik|لم يتم بعد|سيواصل|טרם|még nem|încă nu|ακόμ[ηα]|belum (?:dapat|bisa|terkirim|sampai)|ยังไม่",
)
_GAVE_UP = Words(
    r"permanent|giv(?:e|ing) up|gave up|fatal|has failed|could not be delivered|undeliverable|wasn't delivered|not be delivered|no further (?:attempt|deliver|retr|tr)|returned|not going to (?:re)?try|in the queue too long|will not (?:be )?(?:re)?tr|"
    r"endgültig|aufgegeben|keine weiteren|nicht (?:weiter|erneut) versucht|abandon|définiti|aucune autre|definitiv\w|ningún otro|no se (?:volverá|reintentará)|no se harán más intentos|nenhuma outra|geen (?:verdere|nieuwe)|opgegeven|окончател|больше не|повторн\w+ попыт\w+ не будет|non (?:saranno|verranno) (?:effettuati|fatti|eseguiti) (?:altri|ulteriori|nuovi)|nessun altro tentativo|aucun(?:e autre)? (?:nouvel\w* )?(?:essai|tentative)|nie będzie (?:kolejnych|dalszych|ponawian)|inga (?:fler|ytterligare|nya) försök|(?:ikke|ingen) (?:flere|yderligere|nye) forsøg|ingen flere forsøk|žádné další pokusy|ei yritetä (?:enää|uudelleen)|再送(?:は|を)?(?:され|行|いた|し)\w{0,4}(?:ません|ない)|不再(?:尝试|重试)|放弃|더 이상",
)
_WARNED = Words(
    r"\bwarning\b|delay|deferred|still being retried|waiting|warnung|waarschuwing|avertissement|advertencia|ostrzeżenie|предупрежд|upozornění|noch nicht|nog niet|pas encore|(?:aún|todavía) no|ainda não|non ancora|ещ[её] не|ännu inte|verzögert|vertraag|retard|retras|atras|ritard|задерж|遅延|遅れ|まだ|延迟|지연"
)
_ARRIVED = Words(
    r"[ \t]*(?:delivered|successful mail delivery|zugestellt|übermittelt|remis|distribué|entregado|entregue|consegna|consegnato|recapitato|afgeleverd|bezorgd|dostarczono|levererat|leveret|levert|doručeno|doručené|kézbesítve|livrat|toimitettu|teslim edildi|доставлено|配信(?:済み|されました)|配達済み|已送达|已送達|배달됨|전달됨)\s*[:：]|[ \t]*(?:your (?:message|mail) (?:was|has been) (?:successfully )?delivered|(?:投递|投遞|送达|送達|寄送|配信|送信)(?:成功|完了)(?:通知)?|(?:邮件|郵件)已?(?:成功)?(?:送达|送達|投递成功))\s*$"
)
"""The subject with which mail systems tell that a message arrived."""
_FINAL = Words(r"^[ \t>]{0,8}Final-Recipient[ \t]*:", re.M)
_FIELDS = Words(r"^(?:Reporting-MTA|Original-Envelope-Id|Final-Recipient|Original-Recipient|Action)[ \t]*:", re.M)


def parse(message: Message) -> Report | None:
    """The report of a bounce in prose; None for other mail."""
    top = message.top
    text = text_of(message)
    failed = [a for v in top.headers.values("x-failed-recipients", 100) for a in address.addresses(v.decode("utf-8", "replace"))]
    own, rest = split_text(text)
    if is_notice_of_a_session(own):
        return Report(
            Kind.OTHER_REPORT, "prose", reported_at=date(top.header("date")), why="a mail server's notice to its postmaster of a session"
        )
    pasted = _pasted(text) if _FINAL.search(text) and may_quote(message, text) else ()
    if not failed and not pasted and (arrived := _arrival(message, own, rest)):
        return arrived
    if not failed and not pasted and not is_bounce(message, own):
        return None
    headers = returned_headers(message) or text_headers(rest)
    if pasted:
        outcomes = pasted
    else:
        found = (_targets(own, failed) or failed or who(message, own, headers))[:MAX_RECIPIENTS]
        if not found and not is_surely_a_bounce(message):
            return None
        kind = _kind(top.header("subject"), own)
        names = frozenset(a.lower() for a in found)
        outcomes = tuple(describe(Outcome(kind, a), own, len(found) == 1, names) for a in found) or (describe(Outcome(kind), own, True),)
        outcomes = through_alias(outcomes, headers, top)
        if len(outcomes) == 1 and not outcomes[0].final and (mailed := _forwarded(headers, top, outcomes[0])):
            outcomes = (outcomes[0]._replace(recipient=mailed, final=outcomes[0].recipient),)
    if not any(o.reply_code or o.status for o in outcomes) and is_challenge(own):
        outcomes = tuple(Outcome(Kind.AUTOREPLIED, o.recipient, reply_type="challenge") for o in outcomes)
    return Report(outcomes[0].kind, "prose", outcomes, original(headers), reported_at=date(top.header("date")),
                  truncated=(*["recipients"] * (len(outcomes) >= MAX_RECIPIENTS), *["texts"] * (len(text) >= MOST_TEXT)))  # fmt: skip


def _arrival(message: Message, own: str, rest: str) -> Report | None:
    """The report of a mail system that tells that a message arrived; None for other mail."""
    if not is_from_a_mailer(message) or not _ARRIVED.match(message.top.header("subject")):
        return None
    headers = returned_headers(message) or text_headers(rest)
    outcomes = tuple(Outcome(Kind.DELIVERED, a) for a in who(message, own, headers)[:MAX_RECIPIENTS])
    return Report(Kind.DELIVERED, "prose", outcomes, original(headers), reported_at=date(message.top.header("date"))) if outcomes else None


def _targets(own: str, failed: list[str]) -> list[str]:
    """The addresses to which an alias led, where a text names several of one that failed."""
    if not failed:
        return []
    named, mailed = heads(own), {a.lower() for a in failed}
    ends = [start for start, _ in named[1:]] + [len(own)]
    found = [a for (start, a), end in zip(named, ends, strict=False) if (alias_of(own[start:end]) or "").lower() in mailed]
    return found if len(found) > 1 else []


def through_alias(outcomes: tuple[Outcome, ...], headers: Headers, top: Part) -> tuple[Outcome, ...]:
    """The outcomes with the address that was mailed, where a report names its targets alone; `headers` are those of the returned message.

    An address of the sender's own domain that leads to several others is a list of his: they were mailed, and not the list.
    """
    addressed = _addressed(headers, top, outcomes[0].recipient) if len(outcomes) == 1 else None
    mailed = addressed or noted(headers) or _above(headers, outcomes)
    if mailed is None or any(
        mailed == o.recipient or mailed.lower() in {(o.recipient or "").lower(), (o.final or "").lower()} for o in outcomes
    ):
        return outcomes
    if (not addressed and (of_a_list(headers) or of_our_list(mailed, top))) or (
        len(outcomes) > 1 and f"@{mailed.rpartition('@')[2].lower()}" in top.header("to").lower()
    ):
        return outcomes
    return tuple(o if o.final or not o.recipient else o._replace(recipient=mailed, final=o.recipient) for o in outcomes)


def _addressed(headers: Headers, top: Part, recipient: str | None) -> str | None:
    """Who was mailed, as the address of the report holds it (VERP), where the returned message or the recipient's domain agree."""
    told = verp(top) if headers else None
    if told and (recipient or "").lower() == f"{told.rpartition('@')[2]}-{told}".lower():
        return told  # qmail names the user of a virtual domain so
    return told if told and [told.lower()] == [a.lower() for a in recipients(headers)] else None


def _above(headers: Headers, outcomes: tuple[Outcome, ...]) -> str | None:
    """The address in the returned message's To, where the one outcome is of the same name at a host below its domain: "jo@mail.example.org"."""
    local, _, host = (outcomes[0].recipient or "").lower().partition("@")
    mailed = recipients(headers) if len(outcomes) == 1 and host.count(".") > 1 else []
    name, _, domain = mailed[0].lower().partition("@") if len(mailed) == 1 else ("", "", "")
    return mailed[0] if domain and name == local and host.endswith(f".{domain}") else None


def _forwarded(headers: Headers, top: Part, outcome: Outcome) -> str | None:
    """The one address in the returned message's To, where it is the reporter's own, or the outcome's is no more than a local name."""
    mailed = recipients(headers)
    if of_a_list(headers) or (mailed and of_our_list(mailed[0], top)) or LIST_OWNER.search(top.header("to")):
        return None
    if len(mailed) != 1 or not outcome.recipient or (outcome.diagnostic and mailed[0].lower() in outcome.diagnostic.lower()):
        return None
    home, target = (a.rpartition("@")[2].lower() for a in (mailed[0], outcome.recipient))
    if home == target and outcome.recipient.lower().endswith(f"-{mailed[0].lower()}"):
        return mailed[0]  # qmail names the user of a virtual domain so
    if target in {"localhost", "localhost.localdomain"}:
        return mailed[0]
    sender, reporter = (a.rpartition("@")[2].lower() for a in (decode(headers.raw("from"), b"utf-8").rstrip("> "), sender_of(top)))
    # a newsletter may be addressed to its own sender, and go to many
    return mailed[0] if f".{reporter}".endswith(f".{home}") and not f".{sender}".endswith(f".{home}") and home != target else None


def _pasted(text: str) -> tuple[Outcome, ...]:
    """The outcomes of delivery-status fields that stand in the text itself: a report forwarded by hand, or one that lost its parts."""
    bare = re.sub(r"^[ \t]{0,4}>[ \t>]{0,8}", "", text, flags=re.M)
    start = _FIELDS.search(bare)
    outcomes, _, _ = dsn.read(bare[start.start() if start else 0 :])
    return tuple(outcomes)


def _kind(subject: str, own: str) -> Kind:
    own = " ".join(own[:_MOST_JUDGED].split())
    if not _DELAYED.search(own):
        return Kind.BOUNCED
    warned = _WARNED.search(subject)
    return Kind.DELAYED if warned or not _GAVE_UP.search(own) else Kind.BOUNCED
