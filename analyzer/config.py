"""Reads `mailhealth.toml`: where the store is, which sources to collect, through whom to send.

Unknown keys are errors that say where they stand and which key was probably meant.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from analyzer.model import ConfigError as ConfigError  # what reading it raises

ROW_KINDS = Literal["sent", "delivered", "delayed", "bounced", "opened", "clicked", "unsubscribed", "complained", "converted"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_T = TypeVar("_T", bound=_Table)


class FilesSource(_Table):
    """Mail in files: .eml, folders of them, Maildir, mbox; plain, .gz or .zst."""

    type: Literal["files"]
    path: Path


class TableSource(_Table):
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


class LogSource(_Table):
    """The log of a mail server of one's own: what became of each message that it sent."""

    type: Literal["log"]
    path: Path  # a file, with what was rotated of it; a folder of files; or a pattern as in mail-*.log
    mta: Literal["postfix", "exim", "kumomta", "powermta"]
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"  # of times without an offset
    host: str | None = None  # whose log it is, where its lines do not say: Exim's, PowerMTA's
    job_id: Literal["campaign", "mail_type"] | None = None  # what PowerMTA's jobId is to the sender


class OAuth(_Table):
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
            found["client_secret"] = _secret(self.client_secret, self.client_secret_env, whose, "client_secret")
        if self.for_user:
            found["refresh_token"] = _secret(self.refresh_token, self.refresh_token_env, whose, "refresh_token")
        return found


DELETE = "yes, delete them"
"""What `delete_after_keeping` must say."""


class ImapSource(_Table):
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
        return _secret(self.password, self.password_env, f"imap mailbox {self.user} on {self.host}")


class SmtpSinkSource(_Table):
    """An SMTP server that accepts reports for the domains named, and nothing else."""

    type: Literal["smtp-sink"]
    host: str = "127.0.0.1"
    port: int = Field(default=2525, ge=1, le=65535)
    domains: tuple[str, ...] = Field(min_length=1)  # recipients' domains that are accepted
    max_message_bytes: int = Field(default=64 * 1024 * 1024, gt=0)
    max_recipients: int = Field(default=1000, gt=0)
    cert_file: Path | None = None  # certificate for STARTTLS, PEM; None: no TLS is offered
    key_file: Path | None = None  # its key, where the certificate's file does not hold it


class _Secret(_Table):
    secret: SecretStr | None = None
    secret_env: str | None = None  # the environment variable that holds the secret

    def value(self, whose: str) -> str:
        """The secret. Raises ConfigError when it is nowhere."""
        return _secret(self.secret, self.secret_env, whose, "secret")


class Shown(_Secret):
    """A secret that is shown with each request: as bearer token, as password (HTTP Basic), or at the end of the address."""

    user: str | None = None  # of HTTP Basic; None: any


class Signing(_Secret):
    """The key that a provider signs its requests with; of SendGrid, the public key that it shows."""

    max_age_seconds: float = Field(default=300.0, gt=0, le=7 * 86_400)  # older signatures are refused


class MandrillSigning(_Secret):
    """Mandrill's key, and the address that it calls, exactly as it stands there: it signs both."""

    url: str = Field(pattern=r"^https?://")


class Topics(_Table):
    """The topics of Amazon SNS that may speak to us: anyone's topic has valid signatures."""

    topics: tuple[Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w.-]+$")], ...] = Field(min_length=1)


_PUBLIC = re.compile(r"(?:https://[a-z0-9.-]+|http://(?:localhost|127\.0\.0\.1))(?::\d{1,5})?(?:/[\w./-]*)?", re.ASCII)


def _public(url: str) -> str:
    if not _PUBLIC.fullmatch(url):
        raise ValueError(
            "is no address for links in mail; expected https:// and the host that your proxy answers for (http:// on localhost only)"
        )
    return url.rstrip("/")


class Tracking(_Table):
    """Tracking links of one's own: open pixel, signed redirect, one-click unsubscription."""

    url: Annotated[str, AfterValidator(_public)]  # what the links begin with, as people's mail programs reach it
    keep_prefix: bool = False  # keep the client's network too, /24 or /48; its address is never kept


class HttpSource(_Table):
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


HTTP_TABLES: dict[str, type[_Table]] = {
    "events": Shown, "amazon-ses": Topics, "brevo": Shown, "kumomta": Shown, "mailgun": Signing, "mailjet": Shown, "mandrill": MandrillSigning,
    "postmark": Shown, "resend": Signing, "sendgrid": Signing, "sparkpost": Shown,
}  # fmt: skip
"""The tables within a source of type http that name somebody who calls us."""
SOURCES: dict[str, type[_Table]] = {
    "files": FilesSource, "table": TableSource, "log": LogSource, "imap": ImapSource, "smtp-sink": SmtpSinkSource, "http": HttpSource,
}  # fmt: skip
SERVERS = SmtpSinkSource | HttpSource
"""The sources that others come to: they hold a port, and there is nothing to collect at them."""
Source = Annotated[FilesSource | TableSource | LogSource | ImapSource | SmtpSinkSource | HttpSource, Field(discriminator="type")]


class SmtpProvider(_Table):
    """A host that takes our mail for sending: for test sends and for mailing reports."""

    host: str
    port: int = Field(default=587, ge=1, le=65535)
    tls: Literal["tls", "starttls", "none"] = "starttls"
    ca_file: Path | None = None
    user: str | None = None
    password: SecretStr | None = None
    password_env: str | None = None

    def secret(self) -> str | None:
        """The password, or None where no user is configured. Raises ConfigError when it is nowhere."""
        return _secret(self.password, self.password_env, f"SMTP user {self.user} on {self.host}") if self.user else None


class Seed(_Table):
    """A mailbox of ours at a mailbox provider, to which test mails go. `imap` names how to look into it."""

    address: str
    imap: ImapSource


class ReportSettings(_Table):
    """The scheduled health report: who gets it, from whom, through which SMTP provider."""

    sender: str | None = None
    recipients: tuple[str, ...] = ()
    via: str | None = None  # a key of `smtp`


class DashboardSettings(_Table):
    host: str = "127.0.0.1"
    port: int = Field(default=8501, ge=1, le=65535)


RESERVED = frozenset({"flusher", "dashboard"})  # the other parts of `mailhealth serve`


def _source_name(name: str) -> str:
    if name in RESERVED or not name.strip() or name.startswith("-") or not name.isprintable():
        raise ValueError(f"is no name for a source; choose one that is not {' or '.join(sorted(RESERVED))} and does not begin with '-'")
    return name


SourceName = Annotated[str, AfterValidator(_source_name)]


class Config(_Table):
    """All of mailhealth.toml."""

    store: Path = Path("mailhealth-data")  # relative to the file
    rules: Path | None = None  # a folder of further rules
    bounce_window_days: int = Field(default=5, ge=1, le=30)  # younger cohorts are provisional
    conversion_window_days: int = Field(default=7, ge=1, le=90)
    flush_seconds: float = Field(default=5.0, gt=0, le=3600)
    sending_domains: tuple[str, ...] = ()
    sources: dict[SourceName, Source] = Field(default_factory=dict)
    smtp: dict[str, SmtpProvider] = Field(default_factory=dict)
    seeds: dict[str, Seed] = Field(default_factory=dict)
    report: ReportSettings = ReportSettings()
    dashboard: DashboardSettings = DashboardSettings()


def load(path: Path) -> Config:
    """The configuration in `path`, its relative paths made absolute. Raises ConfigError with a sentence per mistake."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file. `mailhealth init` writes one to start from.") from None
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path}: cannot be read ({e}). It must be a TOML file in UTF-8.") from None
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"{path}: not TOML: {e}. Strings need quotes; tables look like [sources.bounces].") from None
    return parse(table, path)


def parse(table: dict[str, Any], path: Path) -> Config:
    """As `load`, of a table already read; `path` is named in errors and is what relative paths start from."""
    try:
        config = Config.model_validate(table)
    except ValidationError as e:
        raise ConfigError("\n".join(_sentence(path, dict(error)) for error in e.errors())) from None
    return _absolute(config, path.resolve().parent)


def _absolute(table: _T, base: Path) -> _T:
    """The table with each path in it, and in the tables within, counted from `base`."""

    def absolute(value: Any) -> Any:
        if isinstance(value, Path):
            return base / value.expanduser()
        if isinstance(value, dict):
            return {k: absolute(v) for k, v in value.items()}
        return _absolute(value, base) if isinstance(value, _Table) else value

    return table.model_copy(update={name: absolute(getattr(table, name)) for name in type(table).model_fields})


def _secret(inline: SecretStr | None, variable: str | None, whose: str, what: str = "password") -> str:
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


def _known_keys(loc: tuple[Any, ...]) -> list[str]:
    """The keys that the table around an unknown key may hold."""
    tables: dict[str, type[BaseModel]] = {
        "smtp": SmtpProvider, "seeds": Seed, "report": ReportSettings, "dashboard": DashboardSettings,
    }  # fmt: skip
    model: type[BaseModel] | None
    if len(loc) == 1:
        return list(Config.model_fields)
    if "oauth" in loc[2:-1]:
        model = OAuth
    elif loc[0] == "sources":
        model = (HTTP_TABLES | {"tracking": Tracking}).get(str(loc[3])) if len(loc) > 4 else SOURCES.get(str(loc[2]))
    elif loc[0] == "seeds" and "imap" in loc[2:-1]:
        model = ImapSource
    else:
        model = tables.get(str(loc[0]))
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _sentence(path: Path, error: dict[str, Any]) -> str:
    """One pydantic error as: file: key: what was found, what was expected, what to do."""
    loc = tuple(error["loc"])
    tag = loc[2] if len(loc) > 2 and loc[0] == "sources" else None
    key = ".".join(str(p) for i, p in enumerate(loc) if not (i == 2 and p == tag and tag in SOURCES))
    if error["type"] == "extra_forbidden":
        known = _known_keys(loc)
        near = difflib.get_close_matches(str(loc[-1]), known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(known))}."
        return f"{path}: {key}: unknown key; {hint}"
    if error["type"] == "missing":
        return f"{path}: {key}: is missing; please add it."
    if error["type"] == "union_tag_not_found":
        return f"{path}: {key}.type: is missing; expected one of {', '.join(SOURCES)}."
    if error["type"] == "union_tag_invalid":
        return f"{path}: {key}.type: expected one of {', '.join(SOURCES)}, found {error['ctx']['tag']!r:.80}."
    found = error.get("input")
    # a table may hold a password, and so may what stands in a table's place, and a key whose name says so
    hidden = isinstance(found, dict | list) or error["type"].startswith("model_") or re.search("password|secret|token", key)
    told = "" if hidden else f", found {found!r:.80}"
    words = re.sub(r"valid dictionary.*", "table", str(error["msg"]).removeprefix("Value error, "))
    return f"{path}: {key.removesuffix('.[key]')}: {words[0].lower()}{words[1:]}{told}."
