"""The sources that `mailhealth.toml` may name: a table for each type, with its keys, its defaults and what cannot be meant."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from analyzer.model import ConfigError

ROW_KINDS = Literal["sent", "delivered", "delayed", "bounced", "opened", "clicked", "unsubscribed", "complained", "converted"]


class Table(BaseModel):
    """A table of the configuration: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def secret_of(inline: SecretStr | None, variable: str | None, whose: str, what: str = "password") -> str:
    """A secret from the environment, else from the file. Raises ConfigError when it is in neither."""
    if variable:
        value = os.environ.get(variable)
        if value is None:
            raise ConfigError(f"the {what} of {whose} should be in the environment variable {variable}, which is not set.")
    elif inline is None:
        raise ConfigError(f"no {what} for {whose}: set `{what}_env` to the name of an environment variable that holds it.")
    else:
        value = inline.get_secret_value()
    if not value and what == "secret":  # an empty one would be anybody's
        raise ConfigError(f"the secret of {whose} is empty.")
    return value


class FilesSource(Table):
    """Mail in files: .eml, folders of them, Maildir, mbox; plain, .gz or .zst. And reports of receivers: .xml, .json, .zip."""

    type: Literal["files"]
    path: Path


class TableSource(Table):
    """Rows of sends, deliveries, opens, clicks, unsubscriptions or orders, in CSV or JSON Lines."""

    type: Literal["table"]
    path: Path
    kind: ROW_KINDS | None = None  # None: the column named by columns["kind"] tells
    format: Literal["csv", "jsonl"] | None = None  # None: by the file's name
    columns: dict[str, str] = Field(default_factory=dict)  # our field -> their column
    smtp_provider: str | None = None  # of rows that do not say
    timezone: str = "UTC"  # of times without an offset


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("is no time zone; write it as in Europe/Berlin or UTC") from None
    return name


class StatisticsSource(Table):
    """What Google's Postmaster Tools or Microsoft's SNDS say of us, in files that were saved from there."""

    type: Literal["receiver-statistics"]
    provider: Literal["google", "microsoft"]
    path: Path  # a file, or a folder of files
    domain: str | None = None  # of Google's CSV, whose rows do not name it
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"  # of SNDS's times, which name none


class LogSource(Table):
    """The log of a mail server of one's own: what became of each message that it sent."""

    type: Literal["log"]
    path: Path  # a file, with what was rotated of it; a folder of files; or a pattern as in mail-*.log
    mta: Literal["postfix", "exim", "kumomta", "powermta"]
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"  # of times without an offset
    host: str | None = None  # whose log it is, where its lines do not say: Exim's, PowerMTA's
    job_id: Literal["campaign", "mail_type"] | None = None  # what PowerMTA's jobId is to the sender


class OAuth(Table):
    """How access tokens are got (RFC 6749): with a refresh token in the name of a user, without one by the application itself."""

    preset: Literal["google", "microsoft365"] | None = None  # fills token_url and scope
    client_id: str
    client_secret: SecretStr | None = None
    client_secret_env: str | None = None
    refresh_token: SecretStr | None = None
    refresh_token_env: str | None = None
    tenant: str | None = Field(default=None, pattern=r"^[A-Za-z0-9.-]+$")  # Microsoft's directory, by id or domain
    token_url: str | None = Field(default=None, pattern=r"^https://")
    scope: str | None = None

    @property
    def for_user(self) -> bool:
        """Is it a user who has consented, and not the application by itself?"""
        return bool(self.refresh_token or self.refresh_token_env)

    @model_validator(mode="after")
    def _complete(self) -> OAuth:
        if not (self.preset or self.token_url):
            raise ValueError('needs preset = "google" or "microsoft365", or the token_url of another provider')
        if self.preset == "microsoft365" and not (self.tenant or self.token_url):
            raise ValueError("needs tenant: the Directory (tenant) ID on the Overview page of the app registration")
        if not self.for_user and self.preset == "google":
            raise ValueError("needs refresh_token_env: Gmail gives no mailbox to an application by itself")
        if not (self.for_user or self.client_secret or self.client_secret_env):
            raise ValueError("needs client_secret_env (the application signs in by itself) or refresh_token_env (in the name of a user)")
        return self

    def secrets(self) -> dict[str, str]:
        """What the token request must not do without: client_secret, refresh_token, as far as they are configured. Raises ConfigError."""
        whose = f"OAuth client {self.client_id}"
        found = {}
        if self.client_secret or self.client_secret_env:
            found["client_secret"] = secret_of(self.client_secret, self.client_secret_env, whose, "client_secret")
        if self.for_user:
            found["refresh_token"] = secret_of(self.refresh_token, self.refresh_token_env, whose, "refresh_token")
        return found


DELETE = "yes, delete them"
"""What `delete_after_keeping` must say."""


class ImapSource(Table):
    """A mailbox, read over IMAP; nothing in it is changed unless `after` says so."""

    type: Literal["imap"]
    host: str
    port: int | None = None  # None: 993 with tls, else 143
    tls: Literal["tls", "starttls", "none"] = "tls"
    ca_file: Path | None = None  # further certificate authorities, PEM
    user: str
    password: SecretStr | None = None
    password_env: str | None = None  # the environment variable that holds the password
    oauth: OAuth | None = None  # instead of a password
    folders: tuple[str, ...] = Field(default=("INBOX",), min_length=1)  # names, and patterns with *; / parts the levels
    after: Literal["nothing", "flag", "move", "delete"] = "nothing"  # what is done with a message once it is kept
    flag: str = Field(default="\\Seen", pattern=r"^(\\Seen|\\Flagged|\\Answered|[A-Za-z0-9$_.-]+)$")  # for after = "flag"
    move_to: str = "Mailhealth/read"  # for after = "move"; made when it is not there
    delete_after_keeping: str | None = None  # for after = "delete"
    idle: bool = True  # wait for news with IDLE where the server has it, else poll
    poll_seconds: float = Field(default=60.0, gt=0, le=86_400)
    max_message_bytes: int = Field(default=64 * 1024 * 1024, gt=0)

    @model_validator(mode="after")
    def _meant(self) -> ImapSource:
        if self.oauth and (self.password or self.password_env):
            raise ValueError("has a password and oauth; keep the one that the server wants")
        if self.after == "move" and self.move_to in self.folders:
            raise ValueError(f"move_to {self.move_to!r} is among folders; what was moved there would be read again")
        if self.after == "delete" and self.delete_after_keeping != DELETE:
            raise ValueError(
                f'after = "delete" takes mail off the server for good, and then the only copy is ours; if you mean it, add delete_after_keeping = "{DELETE}"; after = "move" is the safer way'
            )
        return self

    def secret(self) -> str:
        """The password. Raises ConfigError when it is nowhere."""
        return secret_of(self.password, self.password_env, f"imap mailbox {self.user} on {self.host}")


class SmtpSinkSource(Table):
    """An SMTP server that accepts reports for the domains named, and nothing else."""

    type: Literal["smtp-sink"]
    host: str = "127.0.0.1"
    port: int = Field(default=2525, ge=1, le=65535)
    domains: tuple[str, ...] = Field(min_length=1)  # recipients' domains that are accepted
    max_message_bytes: int = Field(default=64 * 1024 * 1024, gt=0)
    max_recipients: int = Field(default=1000, gt=0)
    cert_file: Path | None = None  # certificate for STARTTLS, PEM; None: no TLS is offered
    key_file: Path | None = None  # its key, where the certificate's file does not hold it


class _Secret(Table):
    secret: SecretStr | None = None
    secret_env: str | None = None  # the environment variable that holds the secret

    def value(self, whose: str) -> str:
        """The secret. Raises ConfigError when it is nowhere."""
        return secret_of(self.secret, self.secret_env, whose, "secret")


class Shown(_Secret):
    """A secret that is shown with each request: as bearer token, as password (HTTP Basic), or at the end of the address."""

    user: str | None = None  # of HTTP Basic; None: any


class Signing(_Secret):
    """The key that a provider signs its requests with; of SendGrid, the public key that it shows."""

    max_age_seconds: float = Field(default=300.0, gt=0, le=7 * 86_400)  # older signatures are refused


class MandrillSigning(_Secret):
    """Mandrill's key, and the address that it calls, exactly as it stands there: it signs both."""

    url: str = Field(pattern=r"^https?://")


class Topics(Table):
    """The topics of Amazon SNS that may speak to us: anyone's topic has valid signatures."""

    topics: tuple[Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w.-]+$")], ...] = Field(min_length=1)


_PUBLIC = re.compile(r"(?:https://[a-z0-9.-]+|http://(?:localhost|127\.0\.0\.1))(?::\d{1,5})?(?:/[\w./-]*)?", re.ASCII)


def _public(url: str) -> str:
    if not _PUBLIC.fullmatch(url):
        raise ValueError(
            "is no address for links in mail; expected https:// and the host that your proxy answers for (http:// on localhost only)"
        )
    return url.rstrip("/")


class Tracking(Table):
    """Tracking links of one's own: open pixel, signed redirect, one-click unsubscription."""

    url: Annotated[str, AfterValidator(_public)]  # what the links begin with, as people's mail programs reach it
    keep_prefix: bool = False  # keep the client's network too, /24 or /48; its address is never kept


class HttpSource(Table):
    """An HTTP server that takes the webhooks of SMTP providers, rows from systems of one's own, and hits on tracking links."""

    type: Literal["http"]
    host: str = "127.0.0.1"
    port: int = Field(default=8025, ge=1, le=65535)
    max_body_bytes: int = Field(default=10 * 1024 * 1024, gt=0)
    body_seconds: float = Field(default=30.0, gt=0, le=3600)  # from a request's first byte to its last
    max_connections: int = Field(default=200, gt=0)  # at once; further ones are asked to come again
    events: Shown | None = None  # POST /v1/events, by bearer token
    amazon_ses: Topics | None = Field(default=None, alias="amazon-ses")
    brevo: Shown | None = None
    kumomta: Shown | None = None
    mailgun: Signing | None = None
    mailjet: Shown | None = None
    mandrill: MandrillSigning | None = None
    postmark: Shown | None = None
    resend: Signing | None = None
    sendgrid: Signing | None = None
    sparkpost: Shown | None = None
    tracking: Tracking | None = None


HTTP_TABLES: dict[str, type[Table]] = {
    "events": Shown, "amazon-ses": Topics, "brevo": Shown, "kumomta": Shown, "mailgun": Signing, "mailjet": Shown, "mandrill": MandrillSigning,
    "postmark": Shown, "resend": Signing, "sendgrid": Signing, "sparkpost": Shown,
}  # fmt: skip
"""The tables within a source of type http that name somebody who calls us."""
SOURCES: dict[str, type[Table]] = {
    "files": FilesSource, "table": TableSource, "receiver-statistics": StatisticsSource, "log": LogSource, "imap": ImapSource, "smtp-sink": SmtpSinkSource, "http": HttpSource,
}  # fmt: skip
SERVERS = SmtpSinkSource | HttpSource
"""The sources that others come to: they hold a port, and there is nothing to collect at them."""
Source = Annotated[
    FilesSource | TableSource | StatisticsSource | LogSource | ImapSource | SmtpSinkSource | HttpSource, Field(discriminator="type")
]
