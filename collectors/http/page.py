"""The page on which one unsubscribes. It loads nothing, runs nothing and remembers nothing, and nothing that a stranger wrote stands in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from string import Template
from typing import NamedTuple

from starlette.responses import HTMLResponse


class Words(NamedTuple):
    """What the page says, in one language."""

    title: str
    ask: str
    button: str
    done: str
    wrong: str  # of a link that is not ours
    later: str  # of an unsubscription that could not be kept


WORDS = {
    "en": Words(
        "Unsubscribe", "Do you want to stop receiving these messages?", "Unsubscribe", "You have been unsubscribed.",
        "This link is incomplete or was changed. Please use the link in the message.", "This did not work just now. Please try again in a minute.",
    ),
    "de": Words(
        "Abmelden", "Möchten Sie diese Nachrichten nicht mehr erhalten?", "Abmelden", "Sie sind abgemeldet.",
        "Dieser Link ist unvollständig oder wurde verändert. Bitte verwenden Sie den Link in der Nachricht.", "Das hat gerade nicht geklappt. Bitte versuchen Sie es in einer Minute noch einmal.",
    ),
    "fr": Words(
        "Se désabonner", "Souhaitez-vous ne plus recevoir ces messages\u00a0?", "Se désabonner", "Vous êtes désabonné(e).",
        "Ce lien est incomplet ou a été modifié. Veuillez utiliser le lien du message.", "Cela n’a pas fonctionné. Veuillez réessayer dans une minute.",
    ),
    "es": Words(
        "Cancelar la suscripción", "¿Quiere dejar de recibir estos mensajes?", "Cancelar la suscripción", "Su suscripción ha sido cancelada.",
        "Este enlace está incompleto o ha sido modificado. Utilice el enlace del mensaje.", "No ha funcionado en este momento. Inténtelo de nuevo en un minuto.",
    ),
    "it": Words(
        "Annulla l’iscrizione", "Non vuole più ricevere questi messaggi?", "Annulla l’iscrizione", "La sua iscrizione è stata annullata.",
        "Questo link è incompleto o è stato modificato. Usi il link nel messaggio.", "Al momento non ha funzionato. Riprovi tra un minuto.",
    ),
}  # fmt: skip
_STYLE = """
:root { color-scheme: light dark }
body { font: 1.125rem/1.5 system-ui, sans-serif; margin: 15vh auto 0; max-width: 32rem; padding: 0 1.25rem }
h1 { font-size: 1.5rem; line-height: 1.25 }
button { background: #0b57d0; border: 0; border-radius: .5rem; color: #fff; font: inherit; min-height: 3rem; padding: .75rem 1.5rem }
button:focus-visible { outline: 3px solid currentColor; outline-offset: 3px }
"""
_PAGE = Template("""<!doctype html>
<html lang="$language">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
<h1>$title</h1>
<p$role>$said</p>
$form</main>
</body>
</html>
""")
# the button sends what mail programs send (RFC 8058 §3.2), to the address of the page itself
_FORM = Template("""<form method="post">
<input type="hidden" name="List-Unsubscribe" value="One-Click">
<button>$button</button>
</form>
""")
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; img-src data:; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # its address is somebody's
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language",
}


def language(accepted: str) -> str:
    """The language of ours that a browser likes best, by its Accept-Language (RFC 9110 §12.5.4); else English."""
    liked: dict[str, float] = {}
    for item in accepted[:500].split(","):
        tag, _, weight = item.strip().partition(";")
        name = tag.strip().lower().partition("-")[0]
        try:
            liked.setdefault(name, float(weight.strip().removeprefix("q=") or 1))
        except ValueError:
            continue
    ours = [name for name in liked if name in WORDS and liked[name] > 0]
    return max(ours, key=liked.__getitem__, default="en")  # of equals the first


def page(accepted: str, state: str, status: int = 200, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """The page in one of its states: "ask", "done", "wrong" or "later"."""
    name = language(accepted)
    words = WORDS[name]
    form = _FORM.substitute(button=words.button) if state in {"ask", "later"} else ""
    role = ' role="status"' if state != "ask" else ""  # read out by itself
    body = _PAGE.substitute(language=name, title=words.title, style=_STYLE, role=role, said=getattr(words, state), form=form)
    return HTMLResponse(body, status, {**HEADERS, "Content-Language": name, **(headers or {})})
