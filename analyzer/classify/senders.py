"""Whose address a reply speaks of. "User unknown" is said of a recipient, and "sender unknown" of us: who takes one for the other condemns the living."""

from __future__ import annotations

import re

NEAR = 40  # characters before the words that decide in which the one they are about is named
_SIGNS = (
    "your", "ihr", "dein", "votre", "vos", "uw ", "je ", "twój", "twoj", "twoja", "państwa", "ваш", "vaš", "váš", "din ", "ditt", "iniz", "ınız", "您", "你", "귀하", "dumnea", "send", "sent", "from", "return", "originat", "helo", "ehlo", "author", "bounce", "reply-to", "client", "absend", "expéd", "exped", "remit", "mittent",
    "remet", "afzend", "avsänd", "avsend", "afsend", "lähett", "nadaw", "odes", "odos", "felad", "подател", "отправ", "відправ", "gönder", "αποστολ", "pošilj",
    "差出人", "送信者", "発信者", "发件", "發件", "寄件", "보낸", "발신", "송신", "người gửi", "pengirim", "ผู้ส่ง", "שולח", "مرسل", "فرستنده", "प्रेषक",
)  # fmt: skip
"""Without one of these nobody speaks of a sender."""
_SENDER = re.compile(
    r"\b(?:your (?:(?:e-?mail|mail|user|host|source|return|local) )?(?:address|account|mailbox|user|domain|host|hostname|name|server|id|ip)\b"
    r"|(?:mail )?sender(?:'?s)?\b|sending (?:\w+ )?(?:address|user|account|host|domain|server|system|mailbox|party)\b|(?:mail|envelope|header|smtp)?[ -]?from (?:address|user|domain|header|line|field)\b"
    r"|envelope[ -]from\b|mail[ -]from\b|return[ -]?path\b|originat(?:or|ing)\b|(?:helo|ehlo)\b|bounce address|reply-to\b|author\b|client (?:host|name|address)\b"
    r"|(?:user|person|one|account|address) (?:who|that) (?:sent|submitted)\b)"
    # "su", "suo" and "seu" are as often hers
    r"|\b(?:ihre?|deine?) (?:e-?mail-?|mail-?)?(?:adresse|konto|postfach|domain|domäne)\b|\bvo(?:tre|s) (?:adresse|compte|domaine|boîte)\b|\bvostr[oa] (?:indirizzo|account|dominio|casella)\b|\b(?:uw|je) (?:adres|account|domein|mailbox)\b"
    r"|\b(?:tw[oó]j|twoje|twoja|państwa) (?:adres|konto|domena|skrzynka)\b|\bваш\w{0,2} (?:адрес|уч[её]тная|аккаунт|домен|ящик)|\bva[sš](?:e|a)? (?:adresa|účet|doména|schránka)\b|\bváš účet\b|\b(?:din|ditt) (?:adresse?|konto|domän|domæne|postkasse)\b"
    r"|adresiniz|hesabınız|alan adınız|[您你](?:的)?(?:账号|帐号|账户|帳號|地址|邮箱|郵箱|域名|域)|귀하의|dumneavoastră"
    r"|absend|expéditeur|expediteur|remitente|mittente|remetente|afzender|avsändar|avsender|afsender|lähettäj|nadawc|odes[íi]latel|odosielate|feladó|expeditor|подател|отправител|відправник|gönder(?:en|ici)"
    r"|αποστολ|pošiljatel|pošiljalac|差出人|送信者|発信者|发件人|發件人|寄件|보낸 ?사람|발신자|송신자|người gửi|pengirim|ผู้ส่ง|השולח|המוען|المرسل|فرستنده|प्रेषक"
)
_RECIPIENT = re.compile(
    r"(?<!for )(?<!for this )(?<!for the )(?:recipient|rcpt)|addressee|\bto\b|empfäng|destinat|ontvang|mottag|modtag|mottak|odbior|príjem|příjem|címzett|получател|одержувач|alıcı|宛先|受信|收件|수신|받는"
)
_CLAUSE = re.compile(r"(?:(?<!&lt)(?<!&gt)(?<!&amp);)|[,:()|!?，。；：、（）]|\. | - ")


def is_said_of_sender(text: str, start: int, end: int) -> bool:
    """Whether words that would condemn an address, from `start` to `end` of a text in small letters, are said of the sender's."""
    begin = max(0, start - NEAR)
    near = text[begin:end]
    for sign in _SIGNS:
        if sign in near:
            break
    else:
        return False
    for mark in _CLAUSE.finditer(text, begin, start):
        begin = mark.end()
    found = _SENDER.search(text, begin, end)
    # "mail from you to an unknown recipient"
    return found is not None and not _RECIPIENT.search(text, min(found.end(), end), end)
