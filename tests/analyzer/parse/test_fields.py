"""Delivery status notifications as they really come: RFC 3464 bent in every way that mail systems bend it. Written by us."""

from __future__ import annotations

from base64 import b64encode

import pytest

from analyzer.classify import classify
from analyzer.model import FAILURES
from analyzer.parse import parse_message

Expected = tuple[str | None, str, str | None, str | None, str | None]
"""Recipient, kind, reason, status, reply code."""
TOP = "From: Mail Delivery System <MAILER-DAEMON@mx.example>\nTo: b@shop.example\nSubject: Undelivered Mail\n"


def dsn(
    fields: str, text: str = "Your message could not be delivered.", top: str = TOP, ct: str = "message/delivery-status", enc: str = ""
) -> bytes:
    return (
        f'{top}MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary="x"\n\n--x\nContent-Type: text/plain\n\n{text}\n\n'
        f"--x\nContent-Type: {ct}\n{enc}\n{fields}\n--x\nContent-Type: message/rfc822\n\nReturn-Path: <b@shop.example>\nFrom: news@shop.example\nTo: anna@far.example\n"
        "Message-ID: <1@shop.example>\nSubject: News\n\nx\n--x--\n"
    ).encode()


FIELDS = "Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; anna@far.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 <anna@far.example>: User unknown\n"
CASES: dict[str, tuple[bytes, list[Expected]]] = {
"names with blanks":(dsn(FIELDS.replace("Final-Recipient","Final Recipient").replace("Diagnostic-Code","Diagnostic Code").replace("Action:","Action :")),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"values in the next line":(dsn(FIELDS.replace("Recipient: ","Recipient:\n").replace("Action: ","Action:\n").replace("Status: ","Status:\n").replace("Code: ","Code:\n")),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"crlf in base64":(dsn(b64encode(FIELDS.replace("\n","\r\n").encode()).decode(),enc="Content-Transfer-Encoding: base64\n"),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"names the sender":(dsn(FIELDS.replace("rfc822; anna@far.example","rfc822; b@shop.example").replace("Diagnostic-Code: smtp; 550 5.1.1 <anna@far.example>: User unknown\n",""),text="Your message to anna@far.example was rejected: user unknown."),[("anna@far.example","bounced","user-unknown",None,None)]),
"octet stream in mixed":(dsn(FIELDS,ct='application/octet-stream; name="ATT00001.dat"').replace(b"multipart/report; report-type=delivery-status;",b"multipart/mixed;").replace(b"MAILER-DAEMON@",b"gateway@").replace(b"Mail Delivery System",b"Gateway"),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"exit code":(dsn(FIELDS.replace("smtp; 550 5.1.1 <anna@far.example>: User unknown","X-Unix; 77").replace("5.1.1","5.3.0"),text="   ----- Transcript of session follows -----\nmaildrop: maildir over quota.\n550 5.0.0 <anna@far.example>... Can't create output"),[("anna@far.example","bounced","mailbox-full","5.3.0","550")]),
"wrong boundary":(dsn(FIELDS).replace(b'boundary="x"',b'boundary="other"'),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"plain":(dsn(FIELDS),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"base64 status":(dsn(b64encode(FIELDS.encode()).decode(),enc="Content-Transfer-Encoding: base64\n"),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"qp status":(dsn(FIELDS.replace("=","=3D"),enc="Content-Transfer-Encoding: quoted-printable\n"),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"untyped recipient":(dsn(FIELDS.replace("rfc822; anna@far.example","<anna@far.example>")),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"local type":(dsn(FIELDS.replace("Final-Recipient: rfc822; anna@far.example","Original-Recipient: rfc822;anna@far.example\nFinal-Recipient: LOCAL; anna")),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"local only":(dsn(FIELDS.replace("rfc822; anna@far.example","X-LOCAL; anna")),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"no action":(dsn(FIELDS.replace("Action: failed\n","")),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"no action delay":(dsn("Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; anna@far.example\nStatus: 4.4.1\nDiagnostic-Code: X-Mx; Connection timed out\n"),[("anna@far.example","delayed","network-error","4.4.1",None)]),
"blank lines between fields":(dsn(FIELDS.replace("\n","\n\n")),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"two recipients no blank":(dsn("Reporting-MTA: dns; mx.example\nFinal-Recipient: rfc822; anna@far.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 user unknown\nFinal-Recipient: rfc822; bo@far.example\nAction: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 5.2.2 mailbox full\n"),[("anna@far.example","bounced","user-unknown","5.1.1","550"),("bo@far.example","bounced","mailbox-full","5.2.2","552")]),
"mixed results":(dsn("Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; anna@far.example\nAction: delivered\nStatus: 2.0.0\n\nFinal-Recipient: rfc822; bo@far.example\nAction: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 5.2.2 mailbox full\n"),[("anna@far.example","delivered",None,"2.0.0",None),("bo@far.example","bounced","mailbox-full","5.2.2","552")]),
"octet stream status":(dsn(FIELDS,ct='application/octet-stream; name="details.txt"'),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"text status":(dsn(FIELDS,ct='text/plain; name="delivery-status.txt"'),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"no boundary param":(dsn(FIELDS).replace(b'; boundary="x"',b''),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"no content-type at all":(dsn(FIELDS).replace(b'Content-Type: multipart/report; report-type=delivery-status; boundary="x"\n',b''),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"forwarded as attachment":(b"From: Zoe <zoe@shop.example>\nTo: ops@shop.example\nSubject: FW: bounce\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=y\n\n--y\nContent-Type: text/plain\n\nsee attached\n--y\nContent-Type: message/rfc822\n\n"+dsn(FIELDS)+b"\n--y--\n",[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"lmtp":(dsn(FIELDS.replace("smtp; 550","lmtp; 550")),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"unix":(dsn(FIELDS.replace("smtp; 550 5.1.1 <anna@far.example>: User unknown","x-unix; can't create user output file. disk quota exceeded").replace("5.1.1","5.2.2")),[("anna@far.example","bounced","mailbox-full","5.2.2",None)]),
"empty diag text says":(dsn(FIELDS.replace("Diagnostic-Code: smtp; 550 5.1.1 <anna@far.example>: User unknown\n","").replace("5.1.1","5.0.0"),text="<anna@far.example>: host mx.far.example[192.0.2.1] said: 554 5.7.1 message rejected as spam (in reply to end of DATA command)"),[("anna@far.example","bounced","spam-content","5.7.1","554")]),
"reply multi-line":(dsn(FIELDS.replace("550 5.1.1 <anna@far.example>: User unknown","550-5.7.26 Unauthenticated email from shop.example is not accepted due to\n    550-5.7.26 domain's DMARC policy. Please contact the administrator of\n    550 5.7.26 shop.example domain - gsmtp").replace("Status: 5.1.1","Status: 5.7.26")),[("anna@far.example","bounced","authentication-failed","5.7.26","550")]),
"utf8 global":(dsn(FIELDS.replace("rfc822; anna@far.example","utf-8; ann\\x{e4}@far.example"),ct="message/global-delivery-status"),[("annä@far.example","bounced","user-unknown","5.1.1","550")]),
"xtext":(dsn(FIELDS.replace("rfc822; anna@far.example","rfc822; anna+2Bnews@far.example").replace("anna+2Bnews","anna+news")),[("anna+news@far.example","bounced","user-unknown","5.1.1","550")]),
"imcea":(dsn(FIELDS.replace("rfc822; anna@far.example","RFC822;IMCEAEX-_O=FIRM_OU=HQ_CN=RECIPIENTS_CN=anna@firm.example")),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"expired with cause":(dsn(FIELDS.replace("550 5.1.1 <anna@far.example>: User unknown","450 4.2.0 greylisted, see http://x.example").replace("Status: 5.1.1","Status: 4.2.0")),[("anna@far.example","bounced","greylisted","4.2.0","450")]),
"action failed 4.4.7":(dsn(FIELDS.replace("Diagnostic-Code: smtp; 550 5.1.1 <anna@far.example>: User unknown","Diagnostic-Code: smtp; 550 4.4.7 QUEUE.Expired; message expired").replace("Status: 5.1.1","Status: 4.4.7")),[("anna@far.example","bounced","expired","4.4.7","550")]),
"list headers kept":(dsn(FIELDS,top="List-Id: <l.example>\nFrom: MAILER-DAEMON@mx.example\nTo: l@shop.example\nSubject: Undelivered\n"),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"german text":(dsn("Reporting-MTA: dns;mx.example\n\nFinal-Recipient: rfc822;anna@far.example\nAction: failed\nStatus: 5.0.0\n",text="Fehler bei der Nachrichtenzustellung an folgende Empfaenger:\n\nanna@far.example\nDas Postfach ist voll"),[("anna@far.example","bounced","mailbox-full","5.0.0",None)]),
"status words":(dsn("Reporting-MTA: dns;mx.example\n\nFinal-Recipient: rfc822;anna@far.example\nAction: failed\nStatus: 5.2.2 (mailbox full)\n"),[("anna@far.example","bounced","mailbox-full","5.2.2",None)]),
"action words":(dsn(FIELDS.replace("Action: failed","Action: failed (permanently)")),[("anna@far.example","bounced","user-unknown","5.1.1","550")]),
"smtp code as status":(dsn(FIELDS.replace("Status: 5.1.1","Status: 550").replace("550 5.1.1 <anna","550 <anna")),[("anna@far.example","bounced","user-unknown",None,"550")]),
"remote-mta message":(dsn("Reporting-MTA: dns;mx.example\n\nFinal-Recipient: rfc822;anna@far.example\nAction: failed\nStatus: 5.7.1\nRemote-MTA: dns;mx.far.example\nX-Supplementary-Info: <mx.far.example #5.7.1 smtp;550 5.7.1 blocked using dnsbl.example>\n"),[("anna@far.example","bounced","blocklisted","5.7.1","550")]),
"two status parts":(dsn(FIELDS)[:-6]+b"\n--x\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx2\n\nFinal-Recipient: rfc822; bo@far.example\nAction: failed\nStatus: 5.2.2\n\n--x--\n",[("anna@far.example","bounced","user-unknown","5.1.1","550"),("bo@far.example","bounced","mailbox-full","5.2.2",None)]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_report_is_read_however_its_fields_are_written(name: str) -> None:
    raw, expected = CASES[name]
    report = parse_message(raw)
    found = [
        (o.recipient, o.kind.value, classify(o, report).reason if o.kind in FAILURES else None, o.status, o.reply_code)
        for o in report.outcomes
    ]
    assert found == expected
