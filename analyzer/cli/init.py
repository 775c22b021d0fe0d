"""`mailhealth init`: a commented mailhealth.toml."""

from __future__ import annotations

from pathlib import Path

import click

from analyzer.cli import Fault

TEMPLATE = """\
# Mailhealth's configuration. Paths are relative to this file. `mailhealth check` says what is wrong with it.

# Where everything that arrives is kept: the inbox, the lake, the key. Back it up.
store = "mailhealth-data"

# A folder of rules of your own, heard before those that come with Mailhealth; `mailhealth rules check` tries them.
#rules = "rules"

# Your own sending domains.
sending_domains = []            # ["news.example.com", "shop.example.com"]

# --- Sources: where reports and logs come from. Each has a name of your choice. -------------------------------------------

# The mailbox that bounces come back to (the Return-Path of your mail). It is only read: nothing is marked, moved or deleted.
#[sources.bounces]
#type = "imap"
#host = "imap.example.com"
#user = "bounces@example.com"
#password_env = "BOUNCES_PASSWORD"     # the environment variable that holds the password
#folders = ["INBOX"]                   # also patterns: "Bounces/*"
#after = "nothing"                     # or "flag", "move" (to move_to = "Mailhealth/read"), "delete", once a message is kept

# A mailbox at Microsoft 365 or Gmail, which want OAuth; docs/imap.md says what to click there.
#[sources.complaints]
#type = "imap"
#host = "outlook.office365.com"
#user = "complaints@example.com"
#[sources.complaints.oauth]
#preset = "microsoft365"               # or "google", with refresh_token_env
#tenant = "example.onmicrosoft.com"
#client_id = "00000000-0000-0000-0000-000000000000"
#client_secret_env = "M365_SECRET"

# Reports that lie in files: .eml, folders of them, a Maildir or an mbox; .gz and .zst too.
#[sources.archive]
#type = "files"
#path = "old-bounces.mbox"

# What Google's Postmaster Tools and Microsoft's SNDS say of your mail, in files saved from there; docs/receiver-reports.md.
#[sources.snds]
#type = "receiver-statistics"
#provider = "microsoft"          # or "google"
#path = "snds"                   # a file, or a folder of files

# An SMTP server of our own that takes reports for these domains only.
#[sources.sink]
#type = "smtp-sink"
#host = "127.0.0.1"
#port = 2525
#domains = ["bounces.example.com"]
#cert_file = "fullchain.pem"        # offers STARTTLS; with key_file, unless the key is in the same file

# An HTTP server for the webhooks of SMTP providers: POST /webhooks/sendgrid, ... It speaks no TLS: put a proxy that does before it.
# docs/webhooks.md says for each provider what to set there. Only providers that have a table here are answered.
#[sources.hooks]
#type = "http"
#host = "127.0.0.1"
#port = 8025
#[sources.hooks.amazon-ses]
#topics = ["arn:aws:sns:eu-west-1:123456789012:ses-events"]   # only these may speak
#[sources.hooks.sendgrid]
#secret_env = "SENDGRID_PUBLIC_KEY"   # of "Signed Event Webhook"
#[sources.hooks.mailgun]
#secret_env = "MAILGUN_SIGNING_KEY"
#[sources.hooks.resend]
#secret_env = "RESEND_SIGNING_SECRET" # whsec_...
#[sources.hooks.mandrill]
#secret_env = "MANDRILL_WEBHOOK_KEY"
#url = "https://hooks.example.com/webhooks/mandrill"   # exactly as it stands at Mandrill, which signs it
#[sources.hooks.postmark]             # and brevo, kumomta, mailjet, sparkpost, which sign nothing: a secret of your choice
#secret_env = "POSTMARK_SECRET"       # as the password in the address, as bearer token, or as its last part
#[sources.hooks.events]               # POST /v1/events: rows from systems of your own, by bearer token
#secret_env = "EVENTS_TOKEN"
#[sources.hooks.tracking]             # links of your own: open pixel, clicks, one-click unsubscription; docs/tracking.md
#url = "https://t.example.com"        # the public address that they begin with
#keep_prefix = false                  # keep the client's network, /24 or /48; its address never is

# The log of a mail server of your own: what became of each message, as it happens; see docs/logs.md.
#[sources.log]
#type = "log"
#path = "/var/log/mail.log"      # with what is rotated of it; or a folder, or a pattern: "/var/log/pmta/acct-*.csv"
#mta = "postfix"                 # postfix, exim, kumomta, powermta
#timezone = "Europe/Berlin"      # of times that do not tell

# What was sent: without it there are counts, but no rates. One row per message and recipient, CSV or JSON Lines.
# Columns that are not named like ours are named here: our name = "their name".
#[sources.sends]
#type = "table"
#path = "sends.csv"
#kind = "sent"                  # sent, delivered, delayed, bounced, opened, clicked, unsubscribed, complained, converted
#columns = { message_id = "msgid", recipient = "email", at = "sent_at" }

# --- By what an outcome finds its message, besides Message-ID and envelope id; docs/tracking.md. --------------------------
#[join]
#headers = ["X-Shop-Mail"]      # header fields of your mail that hold your own id of it; your sends name it as `header_id`

# --- Hosts that send for you: for test sends and for mailing reports. ----------------------------------------------------
#[smtp.main]
#host = "smtp.example.com"
#port = 587
#user = "apikey"
#password_env = "SMTP_PASSWORD"

# --- Seed mailboxes: addresses of yours at mailbox providers, to see where test mail lands. -------------------------------
#[seeds.gmail]
#address = "seed@example.com"
#[seeds.gmail.imap]
#type = "imap"
#host = "imap.example.com"
#user = "seed@example.com"
#password_env = "SEED_PASSWORD"

# --- The health report. ---------------------------------------------------------------------------------------------------
#[report]
#sender = "mailhealth@example.com"
#recipients = ["team@example.com"]
#via = "main"

[dashboard]
host = "127.0.0.1"              # it has no login of its own: keep it here, or put one before it
port = 8501
"""


@click.command("init")
@click.option("--force", is_flag=True, help="Overwrite the file that is there.")
@click.pass_obj
def command(path: Path, force: bool) -> None:
    """Write a commented mailhealth.toml to start from."""
    if path.exists() and not force:
        raise Fault(f"{path}: is there already; `mailhealth init --force` would overwrite it.")
    try:
        # a password may come to stand in it
        path.touch(mode=0o600)
        path.write_text(TEMPLATE, encoding="utf-8")
    except OSError as e:
        raise Fault(f"{path}: cannot be written ({e.strerror}).") from None
    click.echo(f"Wrote {path}. Next: fill in a source, then `mailhealth check`, then `mailhealth collect`.")
