"""Reads `mailhealth.toml`: where the store is, which sources to collect, through whom to send.

Unknown keys are errors that say where they stand and which key was probably meant.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError

from analyzer.model import ConfigError as ConfigError  # what reading it raises
from analyzer.sources import HTTP_TABLES, SOURCES, ImapSource, OAuth, Source, Table, Tracking, secret_of

_T = TypeVar("_T", bound=Table)


class SmtpProvider(Table):
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
        return secret_of(self.password, self.password_env, f"SMTP user {self.user} on {self.host}") if self.user else None


class Seed(Table):
    """A mailbox of ours at a mailbox provider, to which test mails go. `imap` names how to look into it."""

    address: str
    imap: ImapSource


class ReportSettings(Table):
    """The scheduled health report: who gets it, from whom, through which SMTP provider."""

    sender: str | None = None
    recipients: tuple[str, ...] = ()
    via: str | None = None  # a key of `smtp`


class DashboardSettings(Table):
    host: str = "127.0.0.1"
    port: int = Field(default=8501, ge=1, le=65535)


HeaderName = Annotated[str, Field(pattern=r"^[!-9;-~]{1,76}$")]  # a field's name (RFC 5322 §2.2), short enough for a line
"""The name of a header field."""


class JoinSettings(Table):
    """By what, besides its ids, an outcome finds the message that it is about."""

    # fields that hold the sender's own id of a message, the surest first; None: the usual ones
    headers: tuple[HeaderName, ...] | None = Field(default=None, max_length=20)


RESERVED = frozenset({"flusher", "dashboard"})  # the other parts of `mailhealth serve`


def _source_name(name: str) -> str:
    if name in RESERVED or not name.strip() or name.startswith("-") or not name.isprintable():
        raise ValueError(f"is no name for a source; choose one that is not {' or '.join(sorted(RESERVED))} and does not begin with '-'")
    return name


SourceName = Annotated[str, AfterValidator(_source_name)]


class Config(Table):
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
    join: JoinSettings = JoinSettings()


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
        return _absolute(value, base) if isinstance(value, Table) else value

    return table.model_copy(update={name: absolute(getattr(table, name)) for name in type(table).model_fields})


def _known_keys(loc: tuple[Any, ...]) -> list[str]:
    """The keys that the table around an unknown key may hold."""
    tables: dict[str, type[BaseModel]] = {
        "smtp": SmtpProvider, "seeds": Seed, "report": ReportSettings, "dashboard": DashboardSettings, "join": JoinSettings,
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
