"""Our own labelled messages: every answer is right, or stands here with the reason why it is not yet."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from analyzer.parse import parse_message
from benchmarks.score import SHELVES, messages

UNSOLVED = {
    "mix2/mailmarshal-01.eml": "mail from an address in brackets reads as mail from a sender",
    "mix2/sendgrid-json-01.eml": "a webhook's body sent on by mail",
    "mix2/yandex-01.eml": "the message was cut off in the middle of the address",
    "mix4/exim4-01.eml": "Orange says no more than that it refuses; its code 506 stands for spam",
    "mix5/arf-aol-01.eml": "a redacted address is kept as it is printed; other labels of ours ask for that",
    "mix5/faxgw-01.eml": "a fax that was not sent: no mail",
    "mix5/fetchmail-01.eml": "of a local name: the words name the mailed address too, as somebody else's",
    "mix7/arf-aol-86.eml": "a redacted address is kept as it is printed; other labels of ours ask for that",
    "mix7/sendmail5-16.eml": "the second recipient's fate stands under his host's name alone",
    "mix8/ironport-01.eml": "a signature that must have a certificate: whose refusal is it?",
    "mix8/libero-01.eml": "the reply stands in a line of its own, after both recipients",
    "mix8/mirapoint-01.eml": "the name of a rule says more than the words of the refusal",
    "mix8/sendmail-alias-01.eml": "of the alias's second target, a program, nothing but 'unknown mailer error' is said",
    "mix8/slmail-01.eml": "an address with a space in it",
    "mix9/domino-de.eml": "an address with a space in it",
    "mix9/ezmlm-warning.eml": "a list tells its subscriber that his mail comes back, and encloses a report",
    "mix9/mailgun-suppressed.eml": "605 is no code of SMTP",
    "mix9/openmail-x400style.eml": "an address of X.400",
    "mix9/rt-refuses.eml": "a ticket system that opens no ticket for strangers",
    "mix9/sendmail86-loop.eml": "two lines of one refusal, each with a code of its own",
    "mix9/smail3-badaddr.eml": "an address with two @",
    "mix9/uucp-bounce.eml": "an address of UUCP",
    "mix10/x52.eml": "the words of Facebook's codes stand the other way round in its documentation",
    "mix10/x56.eml": "two recipients, and the words of both in one transcript",
    "mix11/a06-vacation-pl.eml": "absent, written in a program in which people write",
    "mix11/d03-delayed-but-final.eml": "Action says delayed, the words say that it is over",
    "mix11/p05-gfi.eml": "the names of a module and a rule say more than the words",
    "mix11/p38-cox.eml": "Cox calls it a refused sender, the words a limit",
    "mix11/p48-discourse.eml": "a forum that takes mail from its members alone",
    "mix11/p53-jira.eml": "a program that writes from the address that was mailed",
    "mix12/p02-scanmail-fr.eml": "names a person, and no address of hers",
    "mix12/p15-callout-cs.eml": "a call-back to the sender, in a transcript",
    "mix12/p20-rt-noperm.eml": "a ticket system that does not say which address was mailed",
    "mix12/p22-hubspot-bcc.eml": "a log of sales that takes no mail of strangers",
    "mix12/p24-salesforce-loop.eml": "an error of a ticket system, told to its owner",
    "mix12/p28-gitlab-project.eml": "whom it was for is not told; its From is the next best",
    "mix12/p30-listserv-dup.eml": "a post that was posted before",
    "mix12/p51-hoster-ro.eml": "the contract of the hosted domain has ended",
    "mix12/p60-esp-suppressed-fr.eml": "a sending service lists whom it left out",
    "mix12/a08-zendesk-register.eml": "a desk that wants its customers to register: challenge or ticket?",
    "mix12/d05-failed-words-delayed.eml": "a code of spam, and words of a first contact",
    "mix13/coremail-163-connect.eml": "network or system: the words leave it open",
    "mix13/arf-aol-redacted.eml": "a redacted address is kept as it is printed; other labels of ours ask for that",
    "mix15/m010.eml": "Status and the reply of our own smarthost disagree; the reply is nearer to what happened",
    "mix15/m058.eml": "a colleague forwards a report with a request that is a question",
    "mix20/de-shop-ruecklaeufer.eml": "a shop's own list of what came back, attached as a table",
    "mix20/fetchmail-mda-emptyds.eml": "the report names a local address only, the returned message that of a provider",
    "mix20/homegrown-campaign-table.eml": "a sender's own list of what came back, in HTML",
    "mix20/ja-meruma-ichiran.eml": "a provider's list of what came back",
    "mix20/ko-portal-jamgim.eml": "a table, and in it the time beside the address",
    "mix20/pt-encaminhada-humano.eml": "forwarded below a question",
    "mix20/pt-envio-suprimido.eml": "a provider's list of what came back",
    "mix20/ro-script-politica.eml": "a shop's own program writes it, under the shop's name",
    "mix20/spamcop-report.eml": "a service whose name nobody has",
    "mix20/tr-gecersiz-adres.eml": "an address with a blank in it",
    "mix20/zh-big5-hinet.eml": "a reason of five characters between two recipients",
    "mix20/zh-coremail-url.eml": "Coremail's code DT:SUM stands for spam, the words for a link",
    "mix21/saas-07.eml": "the reply says 5.7.8, the Status of our own relay 4.7.8",
    "mix23/036-google-groups.eml": "permission denied: to write to the group, or to a file?",
    "mix23/071-coremail.eml": "NetEase's code for a sender beside the words for a user",
    "mix23/077-postfix-seven.eml": "access denied for mailing lists: the recipient's rule or the receiver's?",
    "mix23/079-lsmtp.eml": "mailto: is no part of an address",
    "mix23/089-arf-aol.eml": "a redacted address is kept as it is printed; other labels of ours ask for that",
    "mix23/100-coremail-complaint.eml": "a complaint in HTML, without the message",
    "mix24/ccmail-link.eml": "a comma in a local part",
    "mix24/exch2000-size-and-dns.eml": "two recipients, one of them by a name alone",
    "mix24/firstclass-ndn.eml": "somebody named without an address",
    "mix24/quickmail-full.eml": "a blank in a local part",
    "mix24/xmail-bounce.eml": "the cause stands in fields of the program's own",
    "mix24/zh-coremail-pinlv.eml": "NetEase's code MI:CEL stands for too many errors, the words for too much mail",
    "mix26/hu-ex2003.eml": "Hungarian: not allowed to write to this recipient",
    "mix27/s3-22.eml": "a person's wish in Turkish, at the address for unsubscriptions",
    "mix30/ml-006.eml": "(à) in the place of the @",
    "mix30/ml-033.eml": "named as post office and user, the address stands in the returned message alone",
    "mix30/ml-034.eml": "a local user's name in the middle of a sentence",
    "mix30/ml-036.eml": "an address of FidoNet, and no word for a failure that mail knows",
    "mix30/ml-037.eml": "an address of UUCP",
    "mix30/ml-038.eml": "a fax that was not sent: no mail",
    "mix30/ml-039.eml": "a pager's message: no mail",
    "mix30/ml-043.eml": "of three recipients one is only queued, in a transcript",
    "mix30/ml-058.eml": "Action says delayed, the code is final, and the text says that it is a warning",
    "mix30/ml-059.eml": "Status is misspelled",
    "mix30/ml-063.eml": "the message was cut off in the middle of the address",
    "mix30/ml-066.eml": "the code stands in fields about the sender",
    "mix30/ml-075.eml": "retired, under a subject that says away",
    "mix30/ml-077.eml": "a notice of another address: the message was forwarded",
    "mix30/ml-081.eml": "a desk without any mark of one",
    "mix30/ml-086.eml": "a list server's answer to a mail that is no command",
    "mix30/ml-092.eml": "a complaint of a provider that returns the message without a word",
    "mix30/ml-093.eml": "the list was mailed, and the provider hides who complains",
    "mix30/ml-096.eml": "a service whose name nobody has",
    "mix30/ml-100.eml": "two recipients within one sentence of a gateway",
    "mix30/ml-102.eml": "a person forwards a report with a question",
    "mix32/e01-generated-from.eml": "the Status of our own relay, and the code in the reply",
    "mix32/e13-czech-helo.eml": "the Status of our own relay, and the code in the reply",
    "mix32/e15-badlocal.eml": "the Status of our own relay, and the code in the reply",
    "mix32/f04-fastmail-redact-verp.eml": "the complainer is hidden, and the sender's envelope stands in a field",
    "mix32/o05-ironport.eml": "the Status of our own relay, and the code in the reply",
    "mix32/o06-ironport-5.x.3.eml": "the Status of our own relay, and the code in the reply",
    "mix32/o08-opensmtpd.eml": "the Status of our own relay, and the code in the reply",
    "mix32/o18-korean.eml": "the reporter's words, and a refusal in the field",
    "mix32/o19-chinese-core.eml": "NetEase's code against words in a part that names the wrong charset",
    "mix32/o25-auth-smarthost.eml": "the reply says 5.7.8, the Status of our own relay 4.7.8",
    "mix32/p20-relay-quotes-dnsbl.eml": "the Status of our own relay, and the code in the reply",
    "mix32/q06-moved-de.eml": "a rule of the organisation in the field, and in the text that she has left",
    "mix32/s04-expired-lastreply.eml": "the last of two replies in a transcript",
    "mix32/x06-ms-515.eml": "the Status of our own relay, and the code in the reply",
    "mix35/d005-tonline-depot.eml": "a relay's own code before the receiver's",
    "mix35/d020-hornet-spam.eml": "the Status of our own relay, and the code in the reply",
    "mix35/d025-sender-verify.eml": "the Status of our own relay, and the code in the reply",
    "mix35/j026-rfc-violating.eml": "dots at both ends, in quotes in the one place and without in the other",
    "mix35/u016-barracuda-perm.eml": "the Status of our own relay, and the code in the reply",
    "mta/msmtp-01.eml": "the program's own lines follow the reply without a break",
    "other2/other-listserv-help.eml": "a list server's help",
    "other2/outlookcom-sv.eml": "in the country, without internet: a vacation without the word",
    "other2/plain-noheaders-th.eml": "Thai, without a mark of any kind",
    "other2/procmail-en.eml": "not back until Monday: a vacation without the word",
    "other2/webde-abwesenheit-de.eml": "not at home: a vacation without the word",
}
"""Messages that are answered wrong, and why."""
LEAST = {
    "mix2": 100,
    "mix3": 136,
    "mix12": 90,
    "mix13": 110,
    "mix15": 100,
    "mix18": 130,
    "mix20": 110,
    "mix21": 130,
    "mix23": 120,
    "mix24": 120,
    "mix26": 90,
    "mix27": 100,
    "mix30": 120,
    "mix32": 150,
    "mix35": 150,
    "mix4": 85,
    "mix5": 110,
    "mix6": 110,
    "mix7": 110,
    "mix8": 90,
    "mix9": 100,
    "mix10": 110,
    "mix11": 100,
    "mta": 80,
    "ordinary": 150,
    "ordinary2": 110,
    "other": 110,
    "other2": 150,
    "provider": 80,
}


@pytest.mark.parametrize("shelf", sorted(p.parent.name for p in SHELVES.glob("*/labels.jsonl")))
def test_labelled_messages_are_answered_right(shelf: str) -> None:
    wrong: dict[str, list[str]] = defaultdict(list)
    seen: set[str] = set()
    for judged in messages(SHELVES / shelf):
        seen.add(judged.where)
        if not judged.right:
            wrong[judged.where].append(f"{judged.what}: expected {judged.expected}, got {judged.got} ({judged.note})")
    assert {where: said for where, said in wrong.items() if where not in UNSOLVED} == {}
    assert sorted(set(UNSOLVED) & seen) == sorted(wrong), "some are solved: take them out of UNSOLVED"
    assert len(list((SHELVES / shelf).glob("*.eml"))) >= LEAST.get(shelf, 1)


def test_pythons_own_mail_reports_nothing_but_what_is_a_report() -> None:
    """The mail on which Python tests its `email` package: three of it are bounces."""
    data = pytest.importorskip("test.test_email", reason="this Python comes without its own tests")
    files = sorted((Path(data.__file__).parent / "data").glob("msg_*.txt"))
    assert len(files) > 40
    assert {f.name for f in files if parse_message(f.read_bytes()).outcomes} == {"msg_16.txt", "msg_25.txt", "msg_43.txt"}
