"""What refusals mean, in sentences of our own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analyzer.classify import classify, classify_reply
from analyzer.classify.rules import RulesError, check_examples, load, read
from analyzer.model import Kind, Outcome, Severity, Stage

REPLIES = Path(__file__).parents[1] / "corpus" / "replies.jsonl"
UNSOLVED = {
    "421 4.3.2 Your IP(192.0.2.9) is filtered and this connection will be closed. You must register your IP to http://realip.naver.com": "filtered: a list or a view of its own?",
    "421 4.4.5 CCRT 192.0.2.58: Connection refused. Server is busy(RT)": "Naver's code, and the words for a connection",
    "450 4.7.1 Mail from 192.0.2.18 deferred using Trend Micro Email Reputation database. Please see <http://www.mail-abuse.com/cgi-bin/lookup?192.0.2.18>": "a vendor's list that calls itself one of reputation",
    "550 5.1.6 recipient no longer on server: t.okafor@uni-enugu.example": "Oracle's code for moved, and the words for gone",
    "552 5.5.2 message size (content filter)": "two words of a filter",
    "550 5.5.0 Message refused, contact postmaster@kreis-lahn.example quoting ref 8F31A": "a bare refusal reads as one by policy",
    "451 DT:SPM delayed on purpose, unknown triplet, please queue it": "NetEase's code for spam before the words of a first contact",
    "451 4.7.1 Filter says yes but the inner server 192.0.2.140 slammed the connection before the final dot": "a connection within the receiver's system",
    "554 Message refused by the scanner": "scanned for spam or for viruses?",
    "450 4.2.1 Das Postfach wird gerade auf einen neuen Server umgezogen": "a mailbox that moves to another server, with the word for a mailbox between",
    "550 DENIED": "one word",
    "552 5.5.4 SIZE=0 in MAIL FROM makes no sense, mend your program": "MAIL FROM is named, and it is the syntax",
    "550 5.0.0 Delivery to <k@firm.example> was refused by the next machine, it did not tell why": "refused by another, who did not say why",
    "550 5.7.1 [RBL] Your mail server's domain is a high volume spam source on a global list we buy": "a list, and the words for volume",
    "554 IP=203.0.113.181 - A problem occurred. (Ask your postmaster for help or to contact tobr@rx.t-online.de to clarify.)": "so T-Online words its block of an IP, without saying so",
    "550 You (news@shop.example) are not allowed to send from here: sender denied": "reads as a matter of SPF; both are the sender's to mend",
    "450 4.7.1 more than 500 messages an hour from your IP, wait": "a count without a word for limit",
    "555 5.5.2 Syntax error, cannot decode response. RCPT TO:<“julie@shaw.ca”> not RFC 5321 compliant": "the words for a header's form",
    "554 5.7.1 <hime@plala.example>: Recipient address rejected: mail.box.full": "written as the name of a host",
    "550 5.7.1 Service refuse. Veuillez essayer plus tard. service refused, please try later. LPN007_510": "La Poste says no more than that it refuses; its code 510 stands for spam",
    "451 4.3.2 Cyren lookup failed, please retry": "a filter's look-up that failed reads as one of the DNS",
    "550 Requested mail action not taken: Invalid IP": "two words, and no rule for them",
    "553 Requested action not taken: Local user only, m23": "for its own people alone: a relay or a closed mailbox?",
    "554 go away, bulk mailer": "bulk reads as spam; it is no more than a refusal",
    "550 Requested action aborted [7.2] 33210, please visit www.symanteccloud.com/troubleshooting": "an aborted action reads as a system in trouble",
    "554 5.7.1 Message rejected because of unacceptable content (PMX 87% spam)": "unacceptable content, and the name of a filter",
    "550 odmitnuto": "a bare refusal reads as one by policy",
    "550 refusé": "a bare refusal reads as one by policy",
    "554 5.7.1 nein / non / no": "the code says policy, the words nothing",
    "550 5.5.0 Service refuse. Veuillez essayer plus tard. service refused, please try later. LPN007_510": "La Poste says no more than that it refuses; its code 510 stands for spam",
    "550 Mailbox unavailable or access denied [MYlFs1sVwX2L9yqK3zT0 IP: 192.0.2.140]. https://service.mail.qq.com/detail/0/1000": "one of two things; it does not say which",
    "450 Temporarily rejected. Try again later.": "a bare refusal for now reads as a system in trouble",
    "554 mail server permanently rejected message (#5.3.0)": "what qmail says when its own filter refuses: no cause is named",
    "550 Suspected bounce attacks. http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=20022&&no=1000727": "a view of the sender, as QQ means it; the label says policy",
    "421 Server temporarily unavailable. Try again later. IB101": "the words for a host that does not answer",
    "554 vsmtp21.tin.example. Server not available - access denied": "the words for a host that does not answer",
    "550 5.1.1 prapt karta ka khata band hai": "Hindi in Latin letters, and a code that is believed first",
    "451 Please try again later.": "a bare refusal for now reads as a system in trouble",
    "550 5.7.1 recipient <ops@kunde-nord.example> black listed #139": "an address stands between the recipient and his list",
    "550 Odosielatel je na ciernej listine prijemcu": "a list without a name, of the recipient's own",
    "421 4.2.1 Connection refused OXSUS0001_140": "the words for a host that does not answer",
    "554 One or more of the sender or recipients in your email are invalid and not accepted.": "one of two things; it does not say which",
    "553 5.3.0 <kathrin@privatserver.example>... burnt address, it was sold to spammers in 2016": "spammers are named, and it is not the sender",
    "550-Your message was rejected by this user and was not delivered.\n550-Reason: Messages from your location are rejected, bad or missing identifier (HELO). Contact your email administrator\n550-Protection provided by: MagicSpam 2.1-4.1 (http://www.magicspam.com)\n550 For more information, please visit the URL: http://www.linuxmagic.example/best_practices/valid_helo_domain.html": "a policy by its first words, a HELO by its second",
    "501 Ugyldig modtageradresse": "an invalid address reads as one that is unknown",
    "Адрес находится в стоп-листе рассылочного сервиса, отправка на него не производилась": "a list of the sending service reads as a block list",
    "550 5.7.1 Отправка писем от имени домена sport-tovary.example с этого сервера запрещена его SPF-записью": "sending in the name of a domain is forbidden: SPF, or a policy?",
    "550 Iletideki baglanti zararli siteler listesinde oldugundan reddedildi": "the same word for a link and a connection",
    "554 投递失败，对方服务器拒收": "refused by the other server: by whom there?",
    "该收件地址在本平台的无效地址库中，系统未进行投递": "a service that keeps its own list, in Chinese",
    "수신거부 및 반송 이력이 있는 주소로 발송 대상에서 제외되었습니다": "a service that keeps its own list, in Korean",
    "421 4.3.0 [internal] Resources temporarily unavailable. Please try again later [#4.16.1].": "Yahoo's words for too much mail read as a system in trouble",
    "554 5.7.1 - ERROR: Mail refused - <192.0.2.20> - See http://postmaster.rr.com/amIBlockedByRR?ip=192.0.2.20": "only the address of a page speaks of a block",
    "554 smtp-35.iol.local smtp-35.iol.local 203.0.113.64 blocked. ERROR CODE: LIB_102": "blocked, and a code of Libero's that is not documented",
    "host lsean.ezweb.ne.jp[192.0.2.195] refused to talk to me: 421 Service not available, closing channel": "the words for a system in trouble, said at the door",
    "554 Email rejected due to security policies - MCSpamSignature.x.41 - https://community.mimecast.com/docs/DOC-1369#554 [P2a7W.uk99]": "a signature for spam, and the words for content",
    "550 5.7.1 Message rejected: ZixProtect filter SPAMCONTENT-31": "only the name of a filter tells",
    "450 [S09] Try Again Later": "a bare refusal for now reads as a system in trouble",
    "550-Callout verification failed:\n550\n550 5.1.1 <ventas@tubosdelsur.cl>... User unknown": "a call-back, and the back end's answer about the recipient",
    "551 this man already change his mail box, new one is kevin.liu@opto-brite.com.tw please resend": "his new one is named, in odd English",
    "550 Requested action not taken: Local user only": "for its own people alone: a relay or a closed mailbox?",
    "550 5.1.1 Deze mailbox bestaat niet meer, gebruik info@waterschap-noord.nl": "gone, and whom to write to: both in one sentence",
    "550 5.1.1 user unknown; continued attempts will put your IP on our blacklist": "a threat with a block list after the cause",
    "550 Blocked: 192.0.2.111 is in all.s5h.net": "a list that only its host's name tells",
    "550 5.7.1 The user or domain that you are sending to (or from) has a policy that prohibited the mail that you sent. Please contact your domain administrator for further details.": "whose policy is it?",
    "421 4.2.1 [192.0.2.41] Connection refused. OXSUS0001_110": "the words for a host that does not answer",
}
"""Replies that are judged wrong, and why."""


def test_replies_of_many_systems_and_languages_are_judged_by_what_they_say() -> None:
    replies = [json.loads(line) for line in REPLIES.read_text(encoding="utf-8").splitlines()]
    assert len(replies) > 800
    wrong = []
    for told in replies:
        verdict = classify_reply(told["reply"], told.get("provider"))
        right = verdict.reason in {told["reason"], *told.get("also", ())}
        if right is (told["reply"] in UNSOLVED):
            wrong.append((told["reply"], told["reason"], verdict.reason, verdict.rule))
    assert wrong == []


def test_no_refused_sender_is_called_a_dead_address() -> None:
    reasons = load().reasons
    for told in map(json.loads, REPLIES.read_text(encoding="utf-8").splitlines()):
        meant = {reasons[name].severity for name in (told["reason"], *told.get("also", ()))}
        if Severity.HARD not in meant:
            assert classify_reply(told["reply"], told.get("provider")).severity is not Severity.HARD, told["reply"]


def test_rules_are_named_once() -> None:
    names = [rule.id for rule in load().rules]
    assert len(names) == len(set(names))


def test_every_example_and_counter_example_holds() -> None:
    assert check_examples() == []


def test_every_reason_has_a_severity_a_fault_and_something_to_do() -> None:
    reasons = load().reasons
    assert len(reasons) == 31
    assert all(r.action and r.meaning and r.fault for r in reasons.values())


@pytest.mark.parametrize(
    ("reply", "provider", "reason"),
    [
        ("552 5.2.2 mailbox for this user is full", None, "mailbox-full"),
        ("550 5.4.1 Recipient address rejected: Access denied. [x.mail.protection.outlook.com]", "Microsoft", "user-unknown"),
        ("554 5.7.1 <a@b.example>: Recipient address rejected: Access denied", None, "policy"),
        ("550 5.7.1 Service unavailable; client host [192.0.2.3] blocked using zen.spamhaus.org", None, "blocklisted"),
        ("421 4.7.28 unusual rate of unsolicited mail from your address - gsmtp", "Gmail", "poor-reputation"),
        ("550 5.7.26 unauthenticated email is not accepted due to the domain's DMARC policy - gsmtp", "Gmail", "authentication-failed"),
        ("450 4.7.1 Greylisted, please try again later", None, "greylisted"),
        ("554 5.7.1 the message contains a URL that is listed by multi.surbl.org", None, "content-rejected"),
        ("553 5.1.8 sender address rejected: domain does not exist", None, "sender-rejected"),
        ("554 5.4.6 too many hops", None, "routing-error"),
        ("connect to mx.far.example[192.0.2.9]:25: Connection timed out", None, "network-error"),
        ("4.4.7 retry time exceeded; last error: mailbox is full", None, "mailbox-full"),
        ("550 Empfänger unbekannt", None, "user-unknown"),
        ("552 message size exceeds the limit of this server", None, "message-too-big"),
        ("554 Message not allowed", None, "undetermined"),
        ("550 relay access denied", None, "relay-denied"),
    ],
)
def test_the_receivers_words_decide(reply: str, provider: str | None, reason: str) -> None:
    assert classify_reply(reply, provider).reason == reason


def test_mailbox_full_is_soft_even_with_a_5xx_code() -> None:
    assert classify_reply("552 5.2.2 over quota").severity is Severity.SOFT


def test_host_names_and_addresses_do_not_speak() -> None:
    said = Outcome(
        Kind.BOUNCED, "full@virus.example", diagnostic="550 5.1.1 <full@virus.example> no such user at mx10.mailspamprotection.com"
    )
    assert classify(said).reason == "user-unknown"


def test_before_a_recipient_was_named_nothing_is_said_of_the_address() -> None:
    said = Outcome(Kind.BOUNCED, "a@b.example", diagnostic="550 the domain shop.example does not exist", reply_code="550", stage=Stage.MAIL)
    assert classify(said).severity is Severity.BLOCK


def test_without_words_it_is_undetermined() -> None:
    verdict = classify(Outcome(Kind.BOUNCED, "a@b.example", status="5.0.0"))
    assert (verdict.reason, verdict.severity) == ("undetermined", Severity.UNDETERMINED)


def test_the_words_that_decided_are_marked_where_they_stand() -> None:
    verdict = classify_reply("550 5.1.1  Sorry,\tUSER   UNKNOWN here")
    text = "550 5.1.1  Sorry,\tUSER   UNKNOWN here"
    assert verdict.span is not None
    assert verdict.matched == text[slice(*verdict.span)]


def test_a_reply_of_several_lines_is_read_as_one_sentence() -> None:
    text = "550-5.1.1 The mailbox that you tried\r\n550-5.1.1 to reach does\r\n550 5.1.1 not exist here."
    verdict = classify_reply(text)
    assert verdict.reason == "user-unknown"
    assert verdict.span is not None
    assert (verdict.matched, text[verdict.span[1] :]) == (text[slice(*verdict.span)], " here.")


def test_a_gap_ends_with_the_sentence() -> None:
    assert classify_reply("550 The mailbox is fine. Your message is full of errors").reason != "mailbox-full"


def test_mailbox_unavailable_condemns_only_for_good() -> None:
    assert classify_reply("550 Requested action not taken: mailbox unavailable").severity is Severity.HARD
    assert classify_reply("450 Requested mail action not taken: mailbox unavailable").reason == "mailbox-unavailable"


def test_a_providers_rules_apply_where_it_answered() -> None:
    assert classify_reply("421 4.7.28 try later", "Gmail").reason == "poor-reputation"
    assert classify_reply("550 5.1.1 <a@gmail.com> CXBL", "mx.example.com").provider != "google"


@pytest.mark.timeout(20)
def test_a_megabyte_of_words_is_judged_in_linear_time() -> None:
    for words in ("mailbox * " * 100_000, "quota " * 160_000, "a" * 1_000_000, "@" * 500_000 + "." * 500_000):
        classify(Outcome(Kind.BOUNCED, "a@b.example", diagnostic=words, prose=words))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            '["x"]\nreason = "mailbox-ful"\nphrases = ["a b"]\n',
            'mine.toml: mine.x: reason "mailbox-ful" is not in taxonomy.toml (did you mean "mailbox-full"?)',
        ),
        ('["x"]\nreason = "policy"\nphrase = ["a b"]\n', "mine.toml: mine.x: unknown key 'phrase' (did you mean \"phrases\"?)"),
        (
            '["x"]\nreason = "policy"\nphrases = ["a * "]\n',
            "mine.toml: mine.x: phrases: found 'a *', expected words before and after each gap.",
        ),
        (
            '["x"]\nreason = "policy"\nphrases = ["a~ b"]\n',
            "mine.toml: mine.x: phrases: found 'a~ b', expected ~ at its end only, and {a|b} not within another.",
        ),
        ('["x"]\nreason = "policy"\nphrases = []\n', "mine.toml: mine.x: phrases: expected at least one, none of them empty."),
    ],
)
def test_a_broken_rule_is_named_with_what_was_expected(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(RulesError) as told:
        read(file, load().reasons)
    assert str(told.value) == sentence


@pytest.mark.parametrize(
    ("reply", "scope", "retry"),
    [
        ("550 5.7.1 blocked: the reputation of your domain is low", "domain", False),
        ("421 4.7.0 this host has a poor reputation, slow down", "ip", True),
        ("550 5.7.1 blocked using zen.spamhaus.org", "ip", False),
        ("554 5.7.1 the sender domain shop.example is listed on dbl.spamhaus.org", "domain", False),
        ("450 4.1.8 sender address rejected: domain not found", "domain", True),
        ("550 5.1.7 <orders@shop.example>: sender rejected", "sender", False),
        ("550 5.1.1 no such user", "recipient", False),
        ("452 4.2.2 mailbox full", "recipient", True),
        ("550 only members may write to this list", "recipient", False),
        ("552 5.3.4 message too big", "message", False),
        ("550 no", None, True),
    ],
)
def test_what_is_refused_and_whether_trying_again_can_help(reply: str, scope: str | None, retry: bool) -> None:
    verdict = classify_reply(reply)
    assert (verdict.scope, verdict.retry) == (scope, retry)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("550 wang@gongsi.example不存在", "user-unknown"),
        ("550 宛先hana@kaisha.exampleは存在しません", "user-unknown"),
        ("550 未通过SPF检查", "authentication-failed"),
        ("550 İstifadəçi tapılmadı", "user-unknown"),
        ("550 no-such-user@far.example", "undetermined"),
        ("550 größe-voll@übung.example", "undetermined"),
    ],
)
def test_words_of_a_script_without_spaces_may_stand_against_an_address(reply: str, reason: str) -> None:
    """And what stands within one is a stranger's name in any script."""
    assert classify_reply(reply).reason == reason
