"""Access tokens: got, held, renewed; refused with a sentence that says what to click, and never shown."""

from __future__ import annotations

import base64
import logging
import traceback
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from analyzer.config import ConfigError
from analyzer.inbox import Inbox
from analyzer.sources import OAuth
from collectors.base import SourceFailed
from collectors.imap import ImapCollector
from collectors.imap.advice import LOGIN, TOKEN
from collectors.imap.oauth import AccessTokens
from tests.servers.dovecot import Dovecot, Mailbox, running
from tests.servers.imap import impostor

pytestmark = pytest.mark.servers
SECRETS = ("s3cret-of-client", "1//refresh", "ya29.access-token", "rotated-")


def failure(collector: ImapCollector) -> str:
    """The sentence with which it fails; no secret stands in it, nor in its traceback."""
    with pytest.raises(SourceFailed) as told:
        collector.collect(lambda *_: 0, dict)
    everything = "".join(traceback.format_exception(told.value))
    assert not any(secret in everything for secret in SECRETS)
    return str(told.value)


@pytest.fixture(scope="module")
def standard() -> Iterator[Dovecot]:
    """A server that knows the standard's mechanism alone."""
    with running("auth_mechanisms = plain oauthbearer\n") as server:
        yield server


def test_a_user_has_consented(mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    """The request is RFC 6749's; nothing secret is logged, even where everything is."""
    caplog.set_level(logging.DEBUG)
    collector = ImapCollector("b", mailbox.source_by_token(scope="mail offline"))
    assert "by XOAUTH2" in collector.check()[0]
    assert mailbox.server.provider.asked == [
        {
            "grant_type": "refresh_token",
            "client_id": mailbox.user,
            "client_secret": "s3cret-of-client",
            "refresh_token": "1//refresh",
            "scope": "mail offline",
        }
    ]
    token = next(iter(mailbox.server.provider.holds))
    spoken = base64.b64encode(f"user={mailbox.user}\1auth=Bearer {token}\1\1".encode()).decode()
    assert not any(secret in caplog.text for secret in (*SECRETS, spoken))
    assert "method=XOAUTH2" in mailbox.server.log()


def test_the_application_signs_in_by_itself(mailbox: Mailbox) -> None:
    ImapCollector("b", mailbox.source_by_token(refresh_token=None)).check()
    assert [(form["grant_type"], "refresh_token" in form) for form in mailbox.server.provider.asked] == [("client_credentials", False)]


def test_a_server_that_knows_the_standard_alone(standard: Dovecot, tmp_path: Path) -> None:
    mailbox, inbox = standard.mailbox(), Inbox(tmp_path / "i")
    mailbox.deliver(b"Subject: 1\n\n1\n")
    collector = ImapCollector("b", mailbox.source_by_token())
    assert "by OAUTHBEARER" in collector.check()[0]
    assert collector.collect(inbox.keep, partial(inbox.cursor, "b")).kept == 1
    assert "method=OAUTHBEARER" in standard.log()


def test_a_token_is_held_until_shortly_before_it_expires(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    now, asked = 1000.0, mailbox.server.provider.asked
    monkeypatch.setattr("collectors.imap.oauth.time.monotonic", lambda: now)
    collector = ImapCollector("b", mailbox.source_by_token())
    for now, requests in ((1000.0, 1), (1000.0 + 3600 - 301, 1), (1000.0 + 3600 - 299, 2)):  # noqa: B007 - the clock reads it
        collector.check()
        assert len(asked) == requests


def test_a_token_that_was_withdrawn_is_renewed_once(mailbox: Mailbox) -> None:
    provider, collector = mailbox.server.provider, ImapCollector("b", mailbox.source_by_token())
    collector.check()
    provider.holds.clear()
    collector.check()
    assert len(provider.asked) == 2
    # and when the new one is refused as well, that is said
    provider.holds.clear()
    provider.refusal = 200, {"access_token": "ya29.access-token-of-nobody"}
    said = failure(collector)
    assert "the server refused the access token" in said and "check that user is the mailbox" in said
    assert len(provider.asked) == 3


def test_a_newer_refresh_token_is_used_from_then_on(mailbox: Mailbox) -> None:
    provider, collector = mailbox.server.provider, ImapCollector("b", mailbox.source_by_token())
    provider.rotates, provider.life = True, 0
    for _ in range(3):
        collector.check()
    first, second, third = (form["refresh_token"] for form in provider.asked)
    assert first == "1//refresh" and second.startswith("rotated-") and third.startswith("rotated-") and second != third


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}, "consent again and put the new one"),
        (401, {"error": "invalid_client", "error_description": "The OAuth client was not found."}, "compare them with the provider's console"),
        (401, {"error": "unauthorized_client"}, "must come from the same client_id"),
        (
            401,
            {
                "error": "invalid_client",
                "error_description": "AADSTS7000215: Invalid client secret provided. s3cret-of-client Trace ID: 1",
            },
            "copy its Value, not its Secret ID",
        ),
        (400, {"error": "unauthorized_client", "error_description": "AADSTS700016: Application with identifier"}, "compare client_id and tenant"),
        (400, {"error": "invalid_grant", "error_description": "AADSTS65001: The user or administrator has not"}, "click Grant admin consent"),
        (400, {"error": "invalid_grant", "error_description": "AADSTS50076: Due to a configuration change"}, "second factor"),
        (400, {"error": "invalid_grant", "error_description": "AADSTS700082: The refresh token has expired"}, "not used for 90 days"),
        (400, {"error": "invalid_grant", "error_description": "AADSTS7000829: new, and not in our table"}, "consent again"),
        (503, b"<html>busy</html>", "HTTP 503): the provider has a fault; it is tried again"),
        (404, b"", "check token_url and tenant"),
        (418, ["not an object"], "compare oauth in the configuration with docs/imap.md"),
        (200, {"token_type": "Bearer"}, "answered without an access token"),
        (200, b"[" * 100_000, "answered without an access token"),
        (200, {"access_token": "two\nlines"}, "answered without an access token"),
    ],
)  # fmt: skip
def test_a_refused_token_request_says_what_to_click(mailbox: Mailbox, status: int, body: Any, said: str) -> None:
    mailbox.server.provider.refusal = status, body
    assert said in failure(ImapCollector("b", mailbox.source_by_token()))


def test_a_token_server_that_is_not_there_or_not_trusted_or_none(mailbox: Mailbox) -> None:
    nowhere = "https://127.0.0.1:1/token"
    assert f"cannot reach {nowhere}" in failure(ImapCollector("b", mailbox.source_by_token(token_url=nowhere)))
    tokens = AccessTokens(OAuth(client_id="c", client_secret="s", token_url=mailbox.server.provider.token_url), "b", None)
    with pytest.raises(SourceFailed, match="CERTIFICATE_VERIFY_FAILED"):
        tokens.get()
    an_imap_server = f"https://localhost:{mailbox.server.tls}/"
    assert "does not speak HTTP" in failure(ImapCollector("b", mailbox.source_by_token(token_url=an_imap_server)))


def test_the_presets_know_where_to_ask_and_for_what() -> None:
    def asked(**given: Any) -> tuple[str, str]:
        tokens = AccessTokens(OAuth.model_validate({"client_id": "c"} | given), "b", None)
        return tokens._url, tokens._scope

    microsoft = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"
    assert asked(preset="google", refresh_token="r") == ("https://oauth2.googleapis.com/token", "https://mail.google.com/")
    assert asked(preset="microsoft365", tenant="contoso.example", refresh_token="r") == (
        microsoft,
        "https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
    )
    assert asked(preset="microsoft365", tenant="contoso.example", client_secret="s") == (
        microsoft,
        "https://outlook.office365.com/.default",
    )
    assert asked(preset="google", refresh_token="r", scope="mine")[1] == "mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("[ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page", "turn IMAP on for this mailbox: in Gmail"),
        ("[ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833", "make an app password"),
        ("[AUTHENTICATIONFAILED] Invalid credentials (Failure)", "Gmail wants an app password or oauth"),
        ("AUTHENTICATE failed: BasicAuthBlocked", "Microsoft takes no passwords any more"),
        ("User is authenticated but not connected.", "Add-MailboxPermission"),
    ],
)  # fmt: skip
def test_a_refused_password_says_what_to_click(words: str, said: str) -> None:
    with impostor(LOGIN=b"%s NO " + words.encode() + b"\r\n") as source, pytest.raises(SourceFailed) as told:
        ImapCollector("b", source).check()
    assert said in str(told.value) and words[:40] in str(told.value)


def test_a_server_that_repeats_the_token_does_not_bring_it_to_the_screen(mailbox: Mailbox) -> None:
    """Plainly or as it was spoken, and however long it is."""
    provider, long = mailbox.server.provider, "ya29.access-token-" + "x" * 2000
    provider.refusal = 200, {"access_token": long}
    spoken = base64.b64encode(f"user=u\1auth=Bearer {long}\1\1".encode())
    for told in (long.encode(), spoken):
        oauth = mailbox.source_by_token().oauth
        with impostor(
            changes={"password": None, "oauth": oauth, "ca_file": mailbox.server.ca}, AUTHENTICATE=b"%s BAD do not know " + told + b"\r\n"
        ) as source:
            said = failure(ImapCollector("b", source))
        assert "do not know (secret)" in said and spoken.decode()[:20] not in said


def test_secrets_that_are_nowhere_are_a_sentence(mailbox: Mailbox) -> None:
    source = mailbox.source_by_token(client_secret=None, client_secret_env="MAILHEALTH_NO_SUCH_SECRET")
    for offline in (True, False):
        with pytest.raises(
            ConfigError, match=r"the client_secret of OAuth client .* in the environment variable MAILHEALTH_NO_SUCH_SECRET"
        ):
            ImapCollector("b", source).check(offline)


def test_every_piece_of_advice_is_a_sentence() -> None:
    for sentence in (*TOKEN.values(), *LOGIN.values()):
        assert sentence.endswith(".") and len(sentence) > 20
