"""What to click when a token server or an IMAP server refuses: their words -> a sentence.

https://learn.microsoft.com/entra/identity-platform/reference-error-codes
https://developers.google.com/identity/protocols/oauth2#expiration
RFC 6749 §5.2
"""

from __future__ import annotations

TOKEN = {
    # Microsoft's numbers tell more than the names of RFC 6749, so they are looked for first
    "AADSTS7000215": "client_secret is not the secret's Value: in Entra under Certificates & secrets make a new client secret and copy its Value, not its Secret ID.",
    "AADSTS7000222": "the client secret has expired: in Entra under Certificates & secrets make a new one and put its Value into client_secret.",
    "AADSTS7000218": "the application is not a public client and wants its client_secret; or allow public client flows under Authentication in Entra.",
    "AADSTS700025": "the application is a public client, which has no secret: take client_secret out.",
    "AADSTS700016": "this directory does not know the application: compare client_id and tenant with the Overview page of the app registration in Entra.",
    "AADSTS90002": "there is no such directory: compare tenant with Directory (tenant) ID on the Overview page of the app registration in Entra.",
    "AADSTS900023": "tenant is neither an id nor a domain: take the Directory (tenant) ID from the Overview page of the app registration in Entra.",
    "AADSTS65001": "nobody has consented yet: in Entra under API permissions add IMAP.AccessAsUser.All (IMAP.AccessAsApp for the application by itself) and click Grant admin consent.",
    "AADSTS500011": "this directory knows no resource of that name: compare scope with docs/imap.md.",
    "AADSTS70011": "scope is not valid here: take it out, so that the preset's is used.",
    "AADSTS50076": "the user must confirm with a second factor: sign in and consent again for a new refresh_token, or let the application sign in by itself.",
    "AADSTS50079": "the user must first set up a second factor: sign in once in a browser, then consent again for a new refresh_token.",
    "AADSTS53003": "a Conditional Access policy stands in the way: have an administrator except this application, or the address of this machine.",
    "AADSTS50057": "the user account is disabled: have an administrator enable it in Entra.",
    "AADSTS50034": "the directory has no such user: consent again with the account that the mailbox belongs to.",
    "AADSTS50173": "the password was changed since: consent again for a new refresh_token.",
    "AADSTS700082": "the refresh token was not used for 90 days: consent again for a new one.",
    "AADSTS70008": "the refresh token has expired: consent again for a new one.",
    "AADSTS70000": "the refresh token is damaged, or was made for another client_id or scope: consent again for a new one.",
    "AADSTS9002313": "the request is malformed: compare client_id, refresh_token and scope with docs/imap.md.",
    "invalid_grant": "the refresh token has expired or was withdrawn (a changed password does that, and at Google seven days while the app's publishing status is Testing): consent again and put the new one into refresh_token.",
    "invalid_client": "client_id or client_secret is wrong: compare them with the provider's console.",
    "unauthorized_client": "this client may not ask in this way: the refresh token must come from the same client_id, and the client must be allowed this flow.",
    "invalid_scope": "scope is not valid here: take it out, so that the preset's is used.",
    "access_denied": "the provider does not allow it: have an administrator consent to the application.",
    "unsupported_grant_type": "the provider does not know this flow: with a refresh_token it is the user's, without one the application's.",
    "temporarily_unavailable": "the provider is busy; it is tried again.",
    "HTTP 404": "check token_url and tenant.",
    "HTTP 429": "too many requests; it is tried again.",
    "HTTP 5": "the provider has a fault; it is tried again.",
}

LOGIN = {
    "not enabled for imap": "turn IMAP on for this mailbox: in Gmail under Settings, Forwarding and POP/IMAP (in Workspace the administrator must allow it too).",
    "authenticated but not connected": "Exchange took the token and does not open the mailbox: turn IMAP on for it (Microsoft 365 admin center, the user, Mail, Manage email apps), and give the application FullAccess with Add-MailboxPermission.",
    "imap is disabled": "turn IMAP on for this mailbox in its provider's settings.",
    "imap access is disabled": "turn IMAP on for this mailbox in its provider's settings.",
    "application-specific password": "make an app password (Google account, Security, App passwords) and give that one, or use oauth.",
    "app-specific password": "make an app password in the account's security settings and give that one.",
    "app password": "make an app password in the account's security settings and give that one.",
    "web browser": "sign in once in a browser and confirm that it was you; then an app password or oauth.",
    "basicauthblocked": "Microsoft takes no passwords any more: use oauth, as docs/imap.md says.",
    "basic authentication is disabled": "Microsoft takes no passwords any more: use oauth, as docs/imap.md says.",
    "privacyrequired": 'the server takes no password over a connection that is not encrypted: set tls = "tls" or "starttls".',
    "too many simultaneous": "close other mail programs on this mailbox, or wait: the server allows no more connections.",
    "unavailable": "the server's sign-in has a fault; it is tried again.",
}

OTHERWISE = {
    "password": "check user and password. Gmail wants an app password or oauth, Microsoft 365 wants oauth; see docs/imap.md.",
    "access token": "check that user is the mailbox that was consented for. For Microsoft 365 without a refresh token: New-ServicePrincipal with the Object ID of the enterprise application (not of the app registration), and Add-MailboxPermission; see docs/imap.md.",
}


def after_token_refusal(code: str, words: str) -> str:
    """What to do when a token server has refused with this code and these words."""
    for sign, sentence in TOKEN.items():
        # a number must not be found as the beginning of another: Microsoft writes "AADSTS70000: ..."
        if code == sign or f"{sign}:" in words or (sign == "HTTP 5" and code.startswith(sign)):
            return sentence
    return "compare oauth in the configuration with docs/imap.md."


def after_login_refusal(what: str, words: str) -> str:
    """What to do when an IMAP server has refused the password or the access token (`what`) with these words."""
    return next((sentence for sign, sentence in LOGIN.items() if sign in words.lower()), OTHERWISE[what])
