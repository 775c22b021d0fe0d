"""Webhook bodies of our own writing, after each provider's published documentation: several events, several recipients, one unknown name."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

AT = 1794211200  # 2026-11-09T08:00:00Z
ISO = "2026-11-09T08:00:00.000Z"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15"
NO_USER = "550 5.1.1 The email account that you tried to reach does not exist."
FULL = "552 5.2.2 mailbox full"
LATER = "451 4.7.1 Greylisting in action, please come back later"

_SG: dict[str, Any] = {"timestamp": AT, "smtp-id": "<n-1@shop.example>", "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0", "category": ["autumn"], "mail_type": "newsletter"}  # fmt: skip
SENDGRID = [
    _SG | {"event": "processed", "email": "anna@far.example"},
    _SG | {"event": "delivered", "email": "anna@far.example", "response": "250 2.0.0 OK 1794211200 gsmtp", "ip": "192.0.2.1"},
    _SG | {"event": "deferred", "email": "bo@far.example", "response": LATER, "attempt": "3"},
    _SG | {"event": "bounce", "email": "cy@far.example", "reason": NO_USER, "status": "5.1.1", "type": "bounce", "bounce_classification": "Invalid Address"},
    _SG | {"event": "bounce", "email": "di@far.example", "reason": "550 5.7.1 blocked using zen.spamhaus.org", "status": "5.7.1", "type": "blocked"},
    _SG | {"event": "dropped", "email": "ed@far.example", "reason": "Bounced Address"},
    _SG | {"event": "open", "email": "anna@far.example", "useragent": SAFARI, "sg_machine_open": True, "ip": "198.51.100.1"},
    _SG | {"event": "click", "email": "anna@far.example", "useragent": SAFARI, "url": "https://shop.example/"},
    _SG | {"event": "spamreport", "email": "flo@far.example"},
    _SG | {"event": "group_unsubscribe", "email": "gil@far.example", "asm_group_id": 1},
    _SG | {"event": "group_resubscribe", "email": "gil@far.example"},
    _SG | {"event": "teleported", "email": "hal@far.example"},
]  # fmt: skip

_MG: dict[str, Any] = {
    "timestamp": AT + 0.25, "id": "CCXMjJ7nQi2N3BPigGOdgQ", "recipient": "anna@far.example", "tags": ["autumn"], "user-variables": {"mail_type": "newsletter"},
    "envelope": {"sending-ip": "192.0.2.1", "sender": "news@shop.example"},
    "message": {"headers": {"message-id": "n-1@shop.example", "from": "Shop <news@shop.example>", "subject": "News"}},
}  # fmt: skip
MAILGUN = {
    "accepted": _MG | {"event": "accepted"},
    "delivered": _MG | {"event": "delivered", "delivery-status": {"code": 250, "message": "OK", "mx-host": "mx.far.example"}},
    "permanent": _MG | {"event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": {"code": 550, "message": "5.1.1 The email account that you tried to reach does not exist.\n5.1.1 try again", "mx-host": "mx.far.example", "enhanced-code": "5.1.1"}},
    "temporary": _MG | {"event": "failed", "severity": "temporary", "reason": "greylisted", "delivery-status": {"code": 450, "message": "4.7.1 Greylisting in action, please come back later", "mx-host": "mx.far.example"}},
    "no mx": _MG | {"event": "failed", "severity": "temporary", "reason": "generic", "delivery-status": {"code": 498, "message": "No MX for far.example"}},
    "suppressed": _MG | {"event": "failed", "severity": "permanent", "reason": "suppress-bounce", "delivery-status": {"code": 605, "message": "Not delivering to previously bounced address"}},
    "rejected": _MG | {"event": "rejected", "reject": {"reason": "Sandbox subdomains are for test purposes only.", "description": ""}},
    "opened": _MG | {"event": "opened", "client-info": {"user-agent": "Mozilla/5.0", "bot": "apple"}},
    "clicked": _MG | {"event": "clicked", "client-info": {"user-agent": SAFARI, "bot": ""}, "url": "https://shop.example/"},
    "complained": _MG | {"event": "complained"},
    "unsubscribed": _MG | {"event": "unsubscribed"},
    "unknown": _MG | {"event": "teleported"},
}  # fmt: skip

_PM: dict[str, Any] = {
    "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
    "Tag": "autumn",
    "Metadata": {"mail_type": "newsletter"},
    "ServerID": 23,
}
_PM_BOUNCE = _PM | {"RecordType": "Bounce", "Email": "cy@far.example", "From": "news@shop.example", "BouncedAt": "2026-11-09T09:00:00.1234567+01:00", "Subject": "News"}  # fmt: skip
POSTMARK = {
    "delivered": _PM | {"RecordType": "Delivery", "Recipient": "anna@far.example", "DeliveredAt": ISO, "Details": "smtp;250 2.0.0 OK"},
    "bounced": _PM_BOUNCE | {"Type": "HardBounce", "TypeCode": 1, "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).", "Details": "smtp;" + NO_USER},
    "transient": _PM_BOUNCE | {"Type": "Transient", "TypeCode": 2, "Description": "The server could not temporarily deliver your message.", "Details": "smtp;" + LATER},
    "silent": _PM_BOUNCE | {"Type": "SpamNotification", "TypeCode": 512, "Description": "", "Details": ""},
    "away": _PM_BOUNCE | {"Type": "AutoResponder", "TypeCode": 64, "Details": ""},
    "complained": _PM_BOUNCE | {"RecordType": "SpamComplaint", "Type": "SpamComplaint", "TypeCode": 512},
    "opened": _PM | {"RecordType": "Open", "FirstOpen": True, "UserAgent": "Mozilla/5.0", "Recipient": "anna@far.example", "ReceivedAt": ISO},
    "clicked": _PM | {"RecordType": "Click", "OriginalLink": "https://shop.example/", "UserAgent": SAFARI, "Recipient": "anna@far.example", "ReceivedAt": ISO},
    "left": _PM | {"RecordType": "SubscriptionChange", "Recipient": "gil@far.example", "SuppressSending": True, "SuppressionReason": "ManualSuppression", "ChangedAt": ISO},
    "struck": _PM | {"RecordType": "SubscriptionChange", "Recipient": "cy@far.example", "SuppressSending": True, "SuppressionReason": "HardBounce", "ChangedAt": ISO},
    "back": _PM | {"RecordType": "SubscriptionChange", "Recipient": "gil@far.example", "SuppressSending": False, "SuppressionReason": None, "ChangedAt": ISO},
    "unknown": _PM | {"RecordType": "Teleport", "Recipient": "hal@far.example"},
}  # fmt: skip

_SP: dict[str, Any] = {"timestamp": str(AT), "transmission_id": "65832150921904138", "message_id": "000443ee14578172be22", "campaign_id": "autumn", "friendly_from": "news@shop.example", "subject": "News", "rcpt_meta": {"mail_type": "newsletter"}, "sending_ip": "192.0.2.1"}  # fmt: skip
SPARKPOST: list[Any] = [
    {"msys": {}},
    {"msys": {"message_event": _SP | {"type": "injection", "rcpt_to": "anna@far.example", "raw_rcpt_to": "Anna@far.example"}}},
    {"msys": {"message_event": _SP | {"type": "delivery", "rcpt_to": "anna@far.example", "ip_address": "203.0.113.5"}}},
    {"msys": {"message_event": _SP | {"type": "delay", "rcpt_to": "bo@far.example", "raw_reason": LATER, "reason": "451 4.7.1 ...", "bounce_class": "20", "error_code": "451"}}},
    {"msys": {"message_event": _SP | {"type": "bounce", "rcpt_to": "cy@far.example", "raw_reason": NO_USER, "bounce_class": "10", "error_code": "550"}}},
    {"msys": {"message_event": _SP | {"type": "bounce", "rcpt_to": "ida@far.example", "bounce_class": "60"}}},
    {"msys": {"gen_event": _SP | {"type": "generation_rejection", "rcpt_to": "ed@far.example", "raw_reason": "554 5.7.1 recipient address suppressed due to customer policy"}}},
    {"msys": {"track_event": _SP | {"type": "open", "rcpt_to": "anna@far.example", "user_agent": SAFARI, "is_prefetched": True}}},
    {"msys": {"track_event": _SP | {"type": "click", "rcpt_to": "anna@far.example", "user_agent": SAFARI}}},
    {"msys": {"message_event": _SP | {"type": "spam_complaint", "rcpt_to": "flo@far.example", "fbtype": "abuse"}}},
    {"msys": {"unsubscribe_event": _SP | {"type": "list_unsubscribe", "rcpt_to": "gil@far.example"}}},
    {"msys": {"message_event": _SP | {"type": "teleport", "rcpt_to": "hal@far.example"}}},
]  # fmt: skip

_BR: dict[str, Any] = {"id": 9, "message-id": "<n-1@shop.example>", "subject": "News", "tags": ["autumn"], "ts_event": AT, "ts_epoch": AT * 1000, "X-Mailin-custom": '{"mail_type": "newsletter"}', "sending_ip": "192.0.2.1"}  # fmt: skip
BREVO = [
    _BR | {"event": "request", "email": "anna@far.example"},
    _BR | {"event": "delivered", "email": "anna@far.example"},
    _BR | {"event": "deferred", "email": "bo@far.example", "reason": LATER},
    _BR | {"event": "soft_bounce", "email": "bo@far.example", "reason": FULL},
    _BR | {"event": "hard_bounce", "email": "cy@far.example", "reason": " RecipientError: " + NO_USER},
    _BR | {"event": "blocked", "email": "ed@far.example", "reason": "blocked : due to blacklist user"},
    _BR | {"event": "invalid_email", "email": "ed@far.example"},
    _BR | {"event": "unique_opened", "email": "anna@far.example", "user_agent": SAFARI},
    _BR | {"event": "proxy_open", "email": "anna@far.example"},
    _BR | {"event": "click", "email": "anna@far.example", "link": "https://shop.example/"},
    _BR | {"event": "spam", "email": "flo@far.example"},
    _BR | {"event": "unsubscribed", "email": "gil@far.example"},
    _BR | {"event": "teleported", "email": "hal@far.example"},
]  # fmt: skip

_MJ: dict[str, Any] = {"time": AT, "MessageID": 19421777835146490, "Message_GUID": "1ab23cd4", "customcampaign": "autumn", "Payload": '{"mail_type": "newsletter"}', "CustomID": ""}  # fmt: skip
MAILJET = [
    _MJ | {"event": "sent", "email": "anna@far.example", "smtp_reply": "sent (250 2.0.0 OK 1794211200 gsmtp)"},
    _MJ | {"event": "bounce", "email": "cy@far.example", "blocked": False, "hard_bounce": True, "error_related_to": "recipient", "error": "user unknown", "comment": NO_USER},
    _MJ | {"event": "bounce", "email": "di@far.example", "hard_bounce": False, "error_related_to": "recipient", "error": "quota exceeded", "comment": ""},
    _MJ | {"event": "bounce", "email": "bo@far.example", "hard_bounce": False, "error_related_to": "domain", "error": "greylisted"},
    _MJ | {"event": "blocked", "email": "ed@far.example", "error_related_to": "mailjet", "error": "preblocked"},
    _MJ | {"event": "open", "email": "anna@far.example", "agent": "Mozilla/5.0 (via ggpht.com GoogleImageProxy)", "ip": "198.51.100.1"},
    _MJ | {"event": "click", "email": "anna@far.example", "agent": SAFARI, "url": "https://shop.example/"},
    _MJ | {"event": "spam", "email": "flo@far.example", "source": "JMRPP"},
    _MJ | {"event": "unsub", "email": "gil@far.example", "agent": SAFARI},
    _MJ | {"event": "teleport", "email": "hal@far.example"},
]  # fmt: skip


def _md(event: str, email: str, outer: dict[str, Any] | None = None, **message: Any) -> dict[str, Any]:
    msg = {"ts": AT - 60, "_id": "exampleaaaaaaaaaaaaaaaaaaaaaaaaa", "email": email, "sender": "news@shop.example", "subject": "News", "tags": ["autumn"], "metadata": {"mail_type": "newsletter"}}  # fmt: skip
    return {"event": event, "ts": AT, "_id": "exampleaaaaaaaaaaaaaaaaaaaaaaaaa", "msg": msg | message} | (outer or {})


MANDRILL = [
    _md("send", "anna@far.example"),
    _md("delivered", "anna@far.example", smtp_events=[{"ts": AT, "type": "sent", "diag": "250 OK", "source_ip": "192.0.2.1", "destination_ip": "203.0.113.5"}]),
    _md("deferral", "bo@far.example", smtp_events=[{"ts": AT, "type": "deferred", "diag": LATER, "source_ip": "192.0.2.1", "destination_ip": "203.0.113.5"}]),
    _md("hard_bounce", "cy@far.example", bounce_description="bad_mailbox", bgtools_code=10, diag="smtp;" + NO_USER),
    _md("soft_bounce", "di@far.example", bounce_description="mailbox_full", bgtools_code=22),
    _md("reject", "ed@far.example", reject={"reason": "hard-bounce"}),
    _md("open", "anna@far.example", {"user_agent": "Mozilla/5.0"}),
    _md("click", "anna@far.example", {"user_agent": SAFARI, "url": "https://shop.example/"}),
    _md("spam", "flo@far.example"),
    _md("unsub", "gil@far.example"),
    {"type": "blacklist", "action": "add", "reject": {"email": "ed@far.example", "reason": "hard-bounce"}},
    _md("teleport", "hal@far.example"),
]  # fmt: skip

_RS: dict[str, Any] = {"email_id": "56761188-7520-42d8-8898-ff6fc54ce618", "from": "Shop <news@shop.example>", "subject": "News", "created_at": ISO, "tags": [{"name": "campaign", "value": "autumn"}, {"name": "mail_type", "value": "newsletter"}]}  # fmt: skip


def _rs(what: str, *to: str, **more: Any) -> dict[str, Any]:
    return {"type": f"email.{what}", "created_at": ISO, "data": _RS | {"to": list(to)} | more}


RESEND = {
    "sent": _rs("sent", "Anna <anna@far.example>"),
    "delivered": _rs("delivered", "anna@far.example"),
    "delayed": _rs("delivery_delayed", "bo@far.example"),
    "bounced": _rs("bounced", "cy@far.example", bounce={"message": "The recipient's mail server refused it.", "type": "Permanent", "subType": "General", "diagnosticCode": ["smtp; " + NO_USER]}),
    "suppressed": _rs("bounced", "ed@far.example", bounce={"message": "Resend has suppressed sending to this address because it is on the account-level suppression list.", "type": "Permanent", "subType": "Suppressed"}),
    "opened": _rs("opened", "anna@far.example"),
    "clicked": _rs("clicked", "anna@far.example", click={"link": "https://shop.example/", "userAgent": SAFARI, "timestamp": ISO}),
    "complained": _rs("complained", "flo@far.example"),
    "one of two": _rs("delivered", "anna@far.example", "bo@far.example"),
    "unknown": _rs("teleported", "hal@far.example"),
}  # fmt: skip


def _km(
    what: str, recipient: str, code: int = 250, dotted: tuple[int, int, int] | None = (2, 0, 0), content: str = "OK", **more: Any
) -> dict[str, Any]:
    enhanced = dict(zip(("class", "subject", "detail"), dotted, strict=True)) if dotted else None
    return {
        "type": what, "id": "1d98076abbbc11ed940250ebf67f93bd", "sender": "bounce@shop.example", "recipient": recipient, "queue": "autumn:shop@far.example",
        "response": {"code": code, "enhanced_code": enhanced, "content": content, "command": "RCPT TO:<x@far.example>"},
        "peer_address": {"name": "mx.far.example.", "addr": "203.0.113.5"}, "timestamp": AT, "headers": {"Message-ID": "<n-1@shop.example>", "From": "news@shop.example", "X-Mailhealth-Type": "newsletter"},
        "meta": {}, "source_address": {"address": "192.0.2.1:53210"}, "bounce_classification": "Uncategorized", "feedback_report": None,
    } | more  # fmt: skip


KUMOMTA = [
    _km("Reception", "anna@far.example"),
    _km("Delivery", "anna@far.example"),
    _km("TransientFailure", "bo@far.example", 451, (4, 7, 1), "Greylisting in action, please come back later"),
    _km("Bounce", "cy@far.example", 550, (5, 1, 1), "The email account that you tried to reach does not exist."),
    _km("Expiration", "di@far.example", 551, (5, 4, 7), "Next delivery time would be after the message expires"),
    _km("AdminBounce", "di@far.example", 551, (5, 7, 1), "Administrator bounced this"),
    _km("OOB", "cy@far.example", 552, (5, 2, 2), "mailbox full"),
    _km("Feedback", "fbl@shop.example", feedback_report={"feedback_type": "abuse", "original_rcpto_to": ["<flo@far.example>", "<fay@far.example>"]}),
    _km("Feedback", "fbl@shop.example", feedback_report={"feedback_type": "opt-out", "original_rcpto_to": ["<gil@far.example>"]}),
    _km("Rejection", "zed@far.example"),
    _km("Teleport", "hal@far.example"),
]  # fmt: skip

_SES_MAIL: dict[str, Any] = {
    "timestamp": ISO, "source": "Shop <news@shop.example>", "messageId": "0100-ses", "destination": ["anna@far.example"],
    "commonHeaders": {"messageId": "<n-1@shop.example>", "subject": "News"}, "headers": [{"name": "X-Mailhealth-Type", "value": "newsletter"}],
    "tags": {"campaign": ["autumn"], "ses:outgoing-ip": ["192.0.2.1"]},
}  # fmt: skip
_TWO = _SES_MAIL | {"destination": ["anna@far.example", "bo@far.example"]}


def _ses(what: str, key: str, detail: dict[str, Any], mail: dict[str, Any] | None = None, name: str = "eventType") -> dict[str, Any]:
    return {name: what, "mail": mail or _SES_MAIL, key: {"timestamp": ISO} | detail}


SES = {
    "send": _ses("Send", "send", {}, _TWO),
    "delivery": _ses("Delivery", "delivery", {"recipients": ["anna@far.example"], "smtpResponse": "250 2.6.0 Message received", "reportingMTA": "a8-70.smtp-out.amazonses.com", "remoteMtaIp": "203.0.113.5"}, name="notificationType"),
    "delay": _ses("DeliveryDelay", "deliveryDelay", {"delayType": "MailboxFull", "delayedRecipients": [{"emailAddress": "bo@far.example", "status": "4.2.2", "diagnosticCode": "smtp; 452 4.2.2 over quota"}]}),
    "bounce": _ses("Bounce", "bounce", {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [{"emailAddress": "cy@far.example", "status": "5.1.1", "diagnosticCode": "smtp; " + NO_USER}, {"emailAddress": "di@far.example", "diagnosticCode": "smtp; " + FULL}], "reportingMTA": "dsn; amazonses.com"}),
    "complaint": _ses("Complaint", "complaint", {"complainedRecipients": [{"emailAddress": "flo@far.example"}], "complaintFeedbackType": "abuse"}),
    "complaint not sent": _ses("Complaint", "complaint", {"complainedRecipients": [{"emailAddress": "flo@far.example"}], "complaintSubType": "OnAccountSuppressionList"}),
    "reject": _ses("Reject", "reject", {"reason": "Bad content"}),
    "open": _ses("Open", "open", {"userAgent": "Mozilla/5.0", "ipAddress": "198.51.100.1"}),
    "open of two": _ses("Open", "open", {"userAgent": SAFARI}, _TWO),
    "click": _ses("Click", "click", {"userAgent": SAFARI, "link": "https://shop.example/"}),
    "subscription": _ses("Subscription", "subscription", {"newTopicPreferences": {"unsubscribeAll": True}}),
    "rendering": _ses("Rendering Failure", "failure", {"templateName": "autumn", "errorMessage": "Attribute 'name' is not present in the rendering data."}),
    "unknown": _ses("Teleport", "teleport", {}),
}  # fmt: skip


def dumped(said: object) -> bytes:
    """As JSON."""
    return json.dumps(said).encode()


def form(said: object) -> bytes:
    """As Mandrill's form."""
    return urlencode({"mandrill_events": json.dumps(said)}).encode()


ONE = {
    "amazon-ses": dumped(SES["bounce"]), "sendgrid": dumped(SENDGRID), "mailgun": dumped(MAILGUN["permanent"]), "postmark": dumped(POSTMARK["bounced"]),
    "sparkpost": dumped(SPARKPOST), "brevo": dumped(BREVO), "mailjet": dumped(MAILJET), "mandrill": dumped(MANDRILL), "resend": dumped(RESEND["bounced"]), "kumomta": dumped(KUMOMTA),
}  # fmt: skip
"""A good body of each provider, before it is signed and wrapped."""
