"""Letters in which mail systems of many years and languages say in words that a delivery failed: written by us, in their manner."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.model import Kind


@dataclass(frozen=True)
class Letter:
    """A mail in short: who wrote it, what it is called, what it says; and what it means."""

    sender: str
    subject: str
    body: str
    expected: tuple[tuple[str | None, str], ...]  # recipient and reason
    kind: Kind = Kind.BOUNCED
    to: str = "bounces@shop.example"
    headers: str = ""

    @property
    def raw(self) -> bytes:
        return f"{self.headers}From: {self.sender}\nTo: {self.to}\nSubject: {self.subject}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{self.body}".encode()


DAEMON = "Mail Delivery System <MAILER-DAEMON@relay.example>"
RETURNED = """
Received: from out.shop.example by relay.example; Mon, 9 Nov 2026 08:00:00 +0000
From: News <news@shop.example>
To: {to}
Subject: Virus of the month: full mailboxes
Message-ID: <n-1@shop.example>
Date: Mon, 9 Nov 2026 08:00:00 +0000

Dear reader
"""

LETTERS = {
    "names alone, each with its reason beside it": Letter(
        "<Mailer-Daemon@works.example>", "Message status - undeliverable",
        "The message that you sent was undeliverable to the following:\n\tnurse_lopez (user not found)\n\tsupply.dept (mailbox is full)\n\nPossibly truncated original message follows:\n",
        (("nurse_lopez@works.example", "user-unknown"), ("supply.dept@works.example", "mailbox-full")),
    ),
    "an appliance that says it again for each message": Letter(
        DAEMON, "Delivery Status Notification (Failure)",
        "The following message to <ann@far.example> was undeliverable.\nThe reason for the problem:\n5.1.0 - Unknown address error 550-'no such user'\n\n"
        "The following message to <bob@far.example> was undeliverable.\nThe reason for the problem:\n5.2.2 - Mailbox full 552-'over quota'\n",
        (("ann@far.example", "user-unknown"), ("bob@far.example", "mailbox-full")),
    ),
    "a gateway that repeats the heads of the message it stopped": Letter(
        "Guard Administrator <mailmarshal@works.example>", "A prohibited attachment was detected in your message",
        "The gateway has stopped the following message:\n\n   From:    bounces@shop.example\n   To:      ann@works.example, bob@works.example\n   Subject: Tariff\n\nThe attachment TARIFF.EXE is an executable file.\n",
        (("ann@works.example", "content-rejected"), ("bob@works.example", "content-rejected")),
    ),
    "an Italian server that will not try again": Letter(
        DAEMON, "Delivery failure (ann@far.example)",
        "Il sistema di posta non ha potuto consegnare il messaggio.\n\nDestinatario: <ann@far.example>\nMotivo: 550 5.1.1 utente sconosciuto\n\nNon saranno effettuati altri tentativi.\n",
        (("ann@far.example", "user-unknown"),),
    ),
    "a server that says it twice, to people and after that with the reply": Letter(
        "<MicrosoftExchange329e@works.example>", "Undeliverable: News",
        "Delivery has failed to these recipients or distribution lists:\n\n ann@works.example \n The recipient's mailbox cannot take it now.\n\n bob@works.example \n The address could not be used.\n\n\n"
        "Diagnostic information for administrators:\n\n  ann@works.example\n #554 5.2.2 mailbox full ##\n\n  bob@works.example\n #550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n",
        (("ann@works.example", "mailbox-full"), ("bob@works.example", "user-unknown")),
    ),
    "a gateway that speaks Ukrainian and puts the addresses behind labels": Letter(
        "Захист пошти <postmaster@zavod.example>", "Повідомлення про лист",
        "Ваш лист видалено і не передано одержувачу.\n\nВідправник: bounces@shop.example\nОдержувач: sklad@zavod.example\nПричина: вкладення .js заборонено\n",
        (("sklad@zavod.example", "content-rejected"),),
    ),
    "a hoster that lists them under a Vietnamese heading": Letter(
        "Sao Mai Hosting <no-reply@saomai.example>", "Thư chưa được gửi",
        "Thư của Quý khách gửi tới các địa chỉ sau chưa được gửi:\n\n  1. ha@bien.example\n  2. nam@nui.example\n\nLý do: vượt quá số thư trong ngày.\n",
        (("ha@bien.example", "rate-limited"), ("nam@nui.example", "rate-limited")),
    ),
    "a notice in Norwegian that speaks of your mail in a sentence": Letter(
        "Fjordby kommune <ikke-svar@fjordby.example>", "Ikke levert",
        "E-posten du sendte til kari@fjordby.example ble ikke levert. Postboksen er full.\n",
        (("kari@fjordby.example", "mailbox-full"),),
    ),
    "a filter whose daemon writes in its own name": Letter(
        "Drweb <drweb-daemon@mx.fabrika.example>", "Проверка почты",
        "Письмо не доставлено: в нём найден вирус.\n\nПолучатель: <otdel@fabrika.example>\n",
        (("otdel@fabrika.example", "virus-detected"),),
    ),
    "a gateway that lists names with the reason in brackets": Letter(
        DAEMON, "Returned Mail: User unknown",
        "The original message was received on Monday\nfrom news@shop.example\n\n---The following addresses had delivery errors---\n\nolga@far.example [User unknown]\n",
        (("olga@far.example", "user-unknown"),),
    ),
    "an Internet Mail Service that names X.400 parts": Letter(
        "System Administrator <postmaster@firm.example>", "Undeliverable: Virus warning for your inbox",
        "Your message\n\n  To:      news-readers@shop.example\n  Subject: Virus warning for your inbox\n  Sent:    Mon, 9 Nov 2026 08:00:00 +0000\n\ndid not reach the following recipient(s):\n\n"
        "c=DE;a= ;p=FIRM;o=HQ;dda:SMTP=paul@firm.example; on Mon, 9 Nov 2026\n08:00:01 +0000\n    The recipient name is not recognized\n\tThe MTS-ID of the original message is: c=de;a=;p=firm;l=HQ1-2611090800Z-17\n    MSEXCH:IMS:FIRM:HQ:HQ1 0 (000C05A6) Unknown Recipient\n",
        (("paul@firm.example", "user-unknown"),),
    ),
    "a server that has one sentence and a colon": Letter(
        '"Postmaster" <postmaster@small.example>', "Undeliverable Mail",
        "User mailbox exceeds allowed size: quinn@small.example\n\n\nOriginal message follows.\n" + RETURNED.format(to="quinn@small.example"),
        (("quinn@small.example", "mailbox-full"),),
    ),
    "a phone gateway with the envelope's commands as labels": Letter(
        "post_master@texts.example", "Re:News",
        "Error: Invalid user address\n\nError message below:\n550 - Requested action not taken: no such user here\n\nMessage details:\n  Subject: News\n  MAIL FROM: news@shop.example\n  RCPT TO: 15550100@texts.example\n  Size (in bytes): 39\n",
        (("15550100@texts.example", "user-unknown"),),
    ),
    "a notice of delay with the address in quotes": Letter(
        "<Postmaster@provider.example>", "Mail Delivery Warning",
        'This is an advisory-only email.  Please do not reply to it.\n\nDelivery of email to this address\n\n"rosa@provider.example"\n\nhas been postponed because the mailbox is full.\n\nWe will continue to try to deliver your message over the next few days.\n',
        (("rosa@provider.example", "mailbox-full"),), Kind.DELAYED,
    ),
    "a session with several hosts, in the manner of old sendmail": Letter(
        "Mail Delivery Subsystem <MAILER-DAEMON@old.example>", "Returned mail: User unknown",
        "   ----- Transcript of session follows -----\nWhile talking to mx.one.example:\n>>> MAIL From:<news@shop.example>\n<<< 501 <news@shop.example>... no access from an open relay\n554 <sam@one.example>... Remote protocol error\n"
        "550 two.example (smtp)... 550 Host unknown\n554 <tina@two.example>... 550 Host unknown (Authoritative answer from name server)\nWhile talking to mx.three.example:\n>>> RCPT To:<ulf@three.example>\n<<< 550 No such user here\n550 <ulf@three.example>... User unknown\n\n   ----- Unsent message follows -----\n"
        + RETURNED.format(to="sam@one.example"),
        (("sam@one.example", "relay-denied"), ("tina@two.example", "domain-unknown"), ("ulf@three.example", "user-unknown")),
    ),
    "a queue that gave up": Letter(
        "MAILER-DAEMON@provider.example", "failure delivery",
        "Message from  provider.example.\nUnable to deliver message to the following address(es).\n\n<vera@gone.example>:\nSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\nI'm not going to try again; this message has been in the queue too long.\n\n--- Original message follows.\n"
        + RETURNED.format(to="vera@gone.example"),
        (("vera@gone.example", "network-error"),),
    ),
    "a server that refused our name": Letter(
        "MAILER-DAEMON@mail.guest.example", "failure notice",
        "Hi. This is the qmail-send program at mail.guest.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\n<will@strict.example>:\nConnected to 192.0.2.1 but my name was rejected.\nRemote host said: 501 5.0.0 Invalid domain name\n",
        (("will@strict.example", "sender-rejected"),),
    ),
    "a bounce to ourselves": Letter(
        "MAILER-DAEMON@shop.example", "failure notice",
        "Hi. This is the qmail-send program at shop.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\n<bounces@shop.example>:\n192.0.2.1 does not like recipient.\nRemote host said: 552 Error: disk quota exceeded\nGiving up on 192.0.2.1.\n",
        (("bounces@shop.example", "mailbox-full"),),
    ),
    "an alias with a target": Letter(
        DAEMON, "Mail delivery failed: returning message to sender",
        "A message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  xenia@private.example\n    (generated from office@firm.example)\n    host mx.private.example [192.0.2.7]\n    SMTP error from remote mail server after RCPT TO:<xenia@private.example>:\n    552 5.2.2 mailbox is full\n",
        (("office@firm.example", "mailbox-full"),),
    ),
    "a report that names only the VERP address it went to": Letter(
        DAEMON, "Undeliverable: News", "Your message could not be delivered. The account has been disabled.\n",
        (("yann@provider.example", "mailbox-disabled"),), to="bounces+yann=provider.example@shop.example",
    ),
    "a report that names nobody": Letter(DAEMON, "Undeliverable mail", "The following mail could not be delivered.\nReason: exceeded maximum delivery attempts.\n", ((None, "expired"),)),
    "a name without a domain": Letter(
        "Mail Delivery Subsystem <MAILER-DAEMON@provider.example>", "Mail Delivery Problem",
        "Your mail to the following recipients could not be delivered because they were rejected by the recipient's filter:\n\tscreenname\n",
        (("screenname@provider.example", "recipient-refused"),),
    ),
    "a report forwarded by hand, its fields in the text": Letter(
        "Zoe <zoe@shop.example>", "Fwd: Returned mail: see transcript for details",
        "Look at this.\n\nBegin forwarded message:\n\n> From: Mail Delivery Subsystem <MAILER-DAEMON>\n> Subject: Returned mail\n>\n> Reporting-MTA: dns; mx.shop.example\n>\n> Final-Recipient: RFC822; adam@far.example\n> Action: failed\n> Status: 5.1.1\n> Remote-MTA: DNS; mx.far.example\n> Diagnostic-Code: SMTP; 550 5.1.1 <adam@far.example>... User unknown\n>\n> Return-Path: <news@shop.example>\n",
        (("adam@far.example", "user-unknown"),),
    ),
    "a GroupWise agent": Letter(
        "Mailer-Daemon@gw.school.example", "Message status - undeliverable",
        "The message that you sent was undeliverable to the following:\n\tberta@gw.school.example (user not found)\n\nPossibly truncated original message follows:\n" + RETURNED.format(to="berta@gw.school.example"),
        (("berta@gw.school.example", "user-unknown"),),
    ),
    "a Domino router": Letter(
        "postmaster@notes.firm.example", "DELIVERY FAILURE: User carl (carl@notes.firm.example) not listed in Domino Directory",
        "Your message\n\n  Subject: News\n\nwas not delivered to:\n\n  carl@notes.firm.example\n\nbecause:\n\n  User carl (carl@notes.firm.example) not listed in Domino Directory\n",
        (("carl@notes.firm.example", "user-unknown"),),
    ),
    "a German provider": Letter(
        "Mailer-Daemon@post.beispiel.example", "Unzustellbar: News",
        "Ihre Nachricht konnte an folgende Empfänger nicht zugestellt werden:\n\ndieter@beispiel.example\n\nDas Postfach des Empfängers ist voll.\n",
        (("dieter@beispiel.example", "mailbox-full"),),
    ),
    "a French provider": Letter(
        "postmaster@courrier.example", "Non remis : News",
        "Votre message n'a pas pu être remis aux destinataires suivants :\n\n  <elise@courrier.example>\n\nAdresse inconnue.\n",
        (("elise@courrier.example", "user-unknown"),),
    ),
    "a Spanish provider": Letter(
        "postmaster@correo.example", "No se pudo entregar el mensaje",
        "No se pudo entregar su mensaje a los siguientes destinatarios:\n\nfelipe@correo.example: el usuario no existe\n",
        (("felipe@correo.example", "user-unknown"),),
    ),
    "a Japanese provider": Letter(
        "MAILER-DAEMON@tegami.example", "配信不能通知",
        "以下の宛先にメールを配信できませんでした。\n\n<gen@tegami.example>\n\n宛先のメールアドレスが存在しません。\n",
        (("gen@tegami.example", "user-unknown"),),
    ),
    "a Chinese provider": Letter(
        "postmaster@youjian.example", "系统退信", "您的邮件无法投递到以下地址：\n\nhua@youjian.example\n\n该用户不存在\n", (("hua@youjian.example", "user-unknown"),)
    ),
    "a content filter before the mail server": Letter(
        "MailMarshal <postmaster@gate.example>", "Message blocked: News",
        "MailMarshal (an automated content monitoring gateway) has not delivered the following message:\n\n   Message: B0001\n   From:    news@shop.example\n   To:      ida@gate.example\n   Subject: News\n\nThis is because it contains an attachment of a type that is not allowed.\n",
        (("ida@gate.example", "content-rejected"),),
    ),
    "a server that writes the reply under the address": Letter(
        "Mail Administrator <postmaster@communi.example>", "Undeliverable mail: News",
        "Failed to deliver to 'jens@communi.example'\nSMTP module(domain communi.example) reports:\n host mx.communi.example says:\n 550 5.7.1 Your server's address is listed by a block list, rejected using dnsbl.example\n",
        (("jens@communi.example", "blocklisted"),),
    ),
    "a provider's web mail": Letter(
        "postmaster@hotpost.example", "Delivery Status Notification (Failure)",
        "This is an automatically generated Delivery Status Notification.\n\nDelivery to the following recipients failed.\n\n       karin@hotpost.example\n\n",
        (("karin@hotpost.example", "undetermined"),),
    ),
    "a MDaemon": Letter(
        "MDaemon@mail.firm.example", "Permanent Delivery Failure",
        "The attached message had PERMANENT fatal delivery errors!\n\nAfter one or more unsuccessful delivery attempts the attached message has\nbeen removed from the mail queue on this server.\n\nThe following address(es) failed:\n  lena@gone.example\n\n--- Session Transcript ---\n 08:00:01: Attempting SMTP connection to [192.0.2.5:25]\n 08:00:02: --> RCPT To:<lena@gone.example>\n 08:00:02: <-- 550 Unknown user\n",
        (("lena@gone.example", "user-unknown"),),
    ),
    "a Courier": Letter(
        '"Courier mail server at mx.post.example" <@>', "NOTICE: mail delivery status.",
        "This is a delivery status notification from mx.post.example,\nrunning the Courier mail server, version 0.60.\n\nThe original message was received on Mon, 9 Nov 2026 08:00:00 +0000\n\n---------------------------------------------------------------------------\n\n                           UNDELIVERABLE MAIL\n\nYour message to the following recipients cannot be delivered:\n\n<max@far.example>:\n    mx.far.example [192.0.2.8]:\n>>> RCPT TO:<max@far.example>\n<<< 550 No such user\n",
        (("max@far.example", "user-unknown"),),
    ),
    "a provider that tells the delivery problem after the names": Letter("postmaster@isp.example","Returned mail: see transcript for details","   ----- The following addresses had delivery problems -----\nolaf@isp.example\n\n   ----- Non-delivered information -----\nThe number of messages in recipient's mailbox exceeded the local limit.\n\n   ----- Original message follows -----\n",(("olaf@isp.example","mailbox-full"),)),
    "an appliance with 'failed with:'": Letter("MAILER-DAEMON@appliance.example","Message delivery has failed","This is a message from your mail appliance.\n\nUnable to deliver message to: <pam@far.example>\nDelivery failed for the following reason:\nServer mx22.far.example[192.0.2.222] failed with: 550 <pam@far.example> No such user here\n\nThis has been a permanent failure.\n",(("pam@far.example","user-unknown"),)),
    "a session beside arrows": Letter("MAILER-DAEMON@hunter.example","FAILURE NOTICE :","  ----- The following addresses had permanent fatal errors -----\n\n  >>> rolf@far.example <rolf@far.example>\n\n  ----- Transcript of session follows -----\n  550 sorry, no mailbox here by that name (#5.1.1 - chkusr)\n",(("rolf@far.example","user-unknown"),)),
    "a filter with a transcript of attempts": Letter("postmaster@filter.example","Undeliverable Message","Your message could not be sent.\nA transcript of the attempts to send the message follows.\nThe number of attempts made: 1\nAddressed To: sue@far.example\n\nThu 29 Oct 2026 23:34:45 +0900\nFailed to send to identified host,\nsue@far.example: [192.0.2.5], 550 sue@far.example... No such user\n--- Message non-deliverable.\n",(("sue@far.example","user-unknown"),)),
    "a server that counts its errors": Letter("mail system <postmaster@six.example>","There was an error sending your mail","We had trouble delivering your message. Full details follow:\n\nSubject: 'Nyaan'\nDate: 'Thu, 29 Oct 2026 23:34:45 +0000'\n\n1 error(s):\n\nSMTP Server <mx.far.example> rejected recipient <ted@far.example> (Error following RCPT command). It responded as follows: [550 5.1.1 User unknown]\n",(("ted@far.example","user-unknown"),)),
    "a web mail with technical details": Letter("Mail Delivery Subsystem <mailer-daemon@gpost.example>","Delivery Status Notification (Failure)","Delivery to the following recipient failed permanently:\n\n     uma@far.example\n\nTechnical details of permanent failure:\nGpost tried to deliver your message, but it was rejected by the recipient domain. We recommend contacting the other email provider for further information about the cause of this error. The error that the other server returned was: 554 554 5.7.1 <uma@far.example>: Relay access denied (state 14).\n\n----- Original message -----\n\nMIME-Version: 1.0\nReceived: by 10.0.0.1\nFrom: news@shop.example\nTo: uma@far.example\n",(("uma@far.example","relay-denied"),)),
    "codes in the manner of a form": Letter("mailer-daemon@mail.zpost.example","Undelivered Mail Returned to Sender","This message was created automatically by mail delivery software.\n A message that you sent could not be delivered to one or more of its recipients. This is a permanent error. \n\nvic@far.example Invalid Address, ERROR_CODE :550, ERROR_CODE :5.1=2E1 Requested action not taken: mailbox unavailable\n",(("vic@far.example","user-unknown"),)),
    "an Exchange of 2003": Letter("System Administrator <postmaster@firm.example>","Undeliverable: Nyaan","Your message did not reach some or all of the intended recipients.\n\n      Subject:\tNyaan\n      Sent:\t2026/10/29 23:34\n\nThe following recipient(s) could not be reached:\n\n      wim@firm.example on 2026/10/29 23:34\n            The e-mail account does not exist at the organization this message was sent to.  Check the e-mail address, or contact the recipient directly to find out the correct address.\n            <mx.firm.example #5.1.1>\n",(("wim@firm.example","user-unknown"),)),
    "an Office in the cloud": Letter("Microsoft Outlook <postmaster@firm.example>","Undeliverable: News","Your message to xaver@firm.example couldn't be delivered.\n\nxaver wasn't found at firm.example.\n\nnews                          Office 365                     xaver\nAction Required                                          Recipient\n\nUnknown To address\n\nHow to Fix It\nThe address may be misspelled or may not exist.\n\nOriginal Message Details\nCreated Date: 10/29/2026\nSender Address: news@shop.example\nRecipient Address: xaver@firm.example\nSubject: News\n\nError Details\nReported error: 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient xaver@firm.example not found by SMTP address lookup\n",(("xaver@firm.example","user-unknown"),)),
    "a Messaging Server: the reason first, then who": Letter("Mail Administrator <Postmaster@ns.example>","Mail System Error - Returned Mail","This Message was undeliverable due to the following reason:\n\nThe user(s) account is temporarily over quota.\n\n<yve@ns.example>\n\nPlease reply to Postmaster@ns.example\nif you feel this message to be in error.\n",(("yve@ns.example","mailbox-full"),)),
    "a Messaging Server whose target does not answer": Letter("Mail Administrator <Postmaster@ns.example>","Mail System Error - Returned Mail","This Message was undeliverable due to the following reason:\n\nYour message was not delivered because the destination computer was\nnot reachable within the allowed queue period.\n\nHost far.example is not responding.\n\nThe following recipients did not receive this message:\n\n     <zac@far.example>\n\nPlease reply to Postmaster@ns.example\nif you feel this message to be in error.\n",(("zac@far.example","network-error"),)),
    "a Russian provider": Letter("mailer-daemon@pochta.example","Не доставлено: News","Ваше письмо не доставлено следующим получателям:\n\ncyril@pochta.example\n\nТакого пользователя не существует.\n",(("cyril@pochta.example","user-unknown"),)),
    "an Italian provider": Letter("postmaster@posta.example","Mancata consegna: News","Impossibile recapitare il messaggio ai seguenti destinatari:\n\ndario@posta.example\n\nLa casella del destinatario è piena.\n",(("dario@posta.example","mailbox-full"),)),
    "a Portuguese provider": Letter("postmaster@correio.example","Mensagem não entregue","A sua mensagem não pôde ser entregue aos seguintes destinatários:\n\neva@correio.example\n\nUsuário desconhecido\n",(("eva@correio.example","user-unknown"),)),
    "a Dutch provider": Letter("postmaster@post.example","Niet afgeleverd: News","Uw bericht kon niet worden afgeleverd aan de volgende ontvanger:\n\nfred@post.example\n\nDe mailbox is vol.\n",(("fred@post.example","mailbox-full"),)),
    "a Polish provider": Letter("postmaster@poczta.example","Wiadomość niedostarczona","Wiadomość nie została dostarczona do:\n\ngosia@poczta.example\n\nUżytkownik nie istnieje.\n",(("gosia@poczta.example","user-unknown"),)),
    "a sendmail that tells the cause in its own reply": Letter("Mail Delivery Subsystem <MAILER-DAEMON@lists.example>","Returned mail: Service unavailable","   ----- The following addresses had permanent fatal errors -----\n<ivo@far.example>\n\n   ----- Transcript of session follows -----\n552 5.3.4 Message is too large; 10485760 bytes max\n554 5.0.0 <ivo@far.example>... Service unavailable\n",(("ivo@far.example","message-too-big"),)),
    "an Exim that is still trying": Letter("Mail Delivery System <Mailer-Daemon@relay.example>","Warning: message 1kABCD-0001 delayed 24 hours","This message was created automatically by mail delivery software.\nA message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours on the queue on relay.example.\n\nThe message identifier is:     1kABCD-0001\nThe subject of the message is: News\n\nThe address to which the message has not yet been delivered is:\n\n  jan@far.example\n    Delay reason: Connection timed out\n\nNo action is required on your part. Delivery attempts will continue for\nsome time, and this warning may be repeated at intervals if the message\nremains undelivered.\n",(("jan@far.example","network-error"),),Kind.DELAYED),
    "an OpenSMTPD": Letter("Mailer Daemon <MAILER-DAEMON@openbsd.example>","Delivery status notification: error","    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this email.\n\n    An error has occurred while attempting to deliver a message for\n    the following list of recipients:\n\nlou@far.example: No MX found for domain\n\n    Below is a copy of the original message:\n\nReceived: from x\nFrom: news@shop.example\nTo: lou@far.example\nMessage-ID: <1@shop.example>\nSubject: x\n",(("lou@far.example","domain-unknown"),)),
    "a Domino that quotes a reply": Letter("postmaster@notes.firm.example","DELIVERY FAILURE: 550 5.1.1 <mia@far.example>: Recipient address rejected: User unknown","Your message\n\n  Subject: News\n\nwas not delivered to:\n\n  mia@far.example\n\nbecause:\n\n  550 5.1.1 <mia@far.example>: Recipient address rejected: User unknown in virtual mailbox table\n",(("mia@far.example","user-unknown"),)),
    "a group that may not exist": Letter("Mail Delivery Subsystem <mailer-daemon@groups.example>","Delivery Status Notification (Failure)","Hello news@shop.example,\n\nWe're writing to let you know that the group you tried to contact (friends) may not exist, or you may not have permission to post messages to the group.\n\n * You might have spelled or formatted the group name incorrectly.\n",((None,"recipient-refused"),)),
    "a gateway that quotes a limit": Letter("postmaster@edge.example","Mail delivery failed","The following message could not be delivered to <nils@far.example>:\n\nReason: Remote server said: 421 4.7.0 Too many connections from your IP\nWe tried for 3 days.\n",(("nils@far.example","rate-limited"),)),
    "a Messaging Server with two names and one reason": Letter("Mail Administrator <Postmaster@ns.example>", "Mail System Error - Returned Mail", "This Message was undeliverable due to the following reason:\n\nYour message was not delivered because the destination computer was\nnot reachable within the allowed queue period.\n\nHost far.example is not responding.\n\nThe following recipients did not receive your message:\n\n     <zac@far.example>\nThe following recipients did not receive your message:\n\n     <zoe@far.example>\n\nPlease reply to Postmaster@ns.example\nif you feel this message to be in error.\n", (("zac@far.example", "network-error"), ("zoe@far.example", "network-error"))),
    "a provider whose receivers are not found": Letter("CompuServe Postmaster <postmaster@cs.example>","Undeliverable Message","Receiver not found: abel\n\nYour message could not be delivered as addressed.\n\n--- Returned message ---\nSender: news@shop.example\nReceived: from x by cs.example\nFrom: news@shop.example\nTo: abel@cs.example\nSubject: x\nMessage-ID: <1@shop.example>\n",(("abel@cs.example","user-unknown"),)),
    "a family's filter": Letter("postmaster@family.example","Your message was blocked","Your message to bea@family.example was rejected. The recipient only accepts mail from people in the address book.\n",(("bea@family.example","recipient-refused"),)),
    "a Korean provider": Letter("postmaster@uche.example","반송된 메일","다음 수신자에게 메일을 전송하지 못했습니다.\n\nhana@uche.example\n\n550 존재하지 않는 사용자\n",(("hana@uche.example","user-unknown"),)),
    "a server with a failure reason": Letter("MAILER-DAEMON@haraka.example","failure notice","Hi. This is the mail server at haraka.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\nIntended Recipients: <kay@far.example>\nFailure Reason: 550 5.7.1 Message rejected due to content\n\nYour message: \n",(("kay@far.example","content-rejected"),)),
    "mail to a list of ours: its subscriber is whom it is about": Letter(
        DAEMON,
        "Returned mail",
        "The message was not accepted.\n\nUser ANNA@FAR.EXAMPLE: no such local user\nUser bo@far.example: mailbox full\n"
        + RETURNED.format(to="gardeners@lists.shop.example"),
        (("ANNA@FAR.EXAMPLE", "user-unknown"), ("bo@far.example", "mailbox-full")),
        to="owner-gardeners@lists.shop.example",
    ),
    "a list of ours, and nobody named": Letter(
        DAEMON,
        "Mail could not be delivered",
        "The following mail could not be delivered. Reason: delivery attempts exceeded.\n" + RETURNED.format(to="gardeners@lists.shop.example"),
        ((None, "expired"),),
        to="gardeners-bounces@lists.shop.example",
    ),
    "the label at the head of a line names the reason": Letter(
        DAEMON,
        "Returned mail",
        "This message was undeliverable due to the following reason:\n\nEach of the following recipients was rejected by a remote mail server.\n\n"
        "    Recipient: <anna@far.example>\n    Reason:    message infected with a virus\n",
        (("anna@far.example", "virus-detected"),),
    ),
    "reasons before the names, and nothing after the last": Letter(
        DAEMON,
        "Mail System Error - Returned Mail",
        "The user(s) account is temporarily limited.\n\n<anna@far.example>\n\nThe user(s) account is disabled.\n\n<bo@far.example>\n",
        (("anna@far.example", "mailbox-unavailable"), ("bo@far.example", "mailbox-disabled")),
    ),
    "nobody's mail that lists whom it missed, in Polish": Letter(
        "Administrator poczty <admin-poczty@far.example>",
        "Zwrot wiadomości",
        "Twoja wiadomość nie mogła zostać doręczona do poniższych adresatów:\n\n   anna@far.example  -  nie ma takiego konta\n   bo@far.example    -  skrzynka jest pełna\n",
        (("anna@far.example", "user-unknown"), ("bo@far.example", "mailbox-full")),
        headers="Return-Path: <>\n",
    ),
    "a hub with an empty return path, under a subject of its own": Letter(
        "MailHub <hub@far.example>",
        "Your email was not sent on",
        'We took your email for "Anna" <anna@far.example> but her other provider would not have it. They said:\n\n    553 5.1.8 sender domain shop.example does not resolve\n',
        (("anna@far.example", "sender-rejected"),),
        headers="Return-Path: <>\n",
    ),
    "an answer's subject and an empty return path": Letter(
        "Accounts <accounts@far.example>",
        "Re: Spring offers",
        'You tried to send mail to "anna@far.example". This account has been suspended and your mail has been discarded.\n',
        (("anna@far.example", "mailbox-disabled"),),
        headers="Return-Path: <>\nPrecedence: junk\n",
    ),
    "a table of two": Letter(
        DAEMON,
        "Undeliverable",
        "Your mail could not be delivered to the following recipients:\n\nanna@far.example\t no such user\t\nbo@near.example\t mailbox full\t\n",
        (("anna@far.example", "user-unknown"), ("bo@near.example", "mailbox-full")),
    ),
    "a code in brackets at the end of a line": Letter(
        DAEMON, "Undeliverable", "Could not be delivered:\n\n    anna@far.example\n    >>> no such user (550)\n", (("anna@far.example", "user-unknown"),)
    ),
}  # fmt: skip
