"""`mailhealth tokens`: the signed links and addresses of tracking of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import click

from analyzer.cli import Fault, settings

if TYPE_CHECKING:
    from analyzer.tokens import Keys, Maker, Token

_MEANS = {"open": "a pixel", "click": "a link", "unsubscribe": "an unsubscription", "identify": "a header"}
_KEY_FILE = click.option(
    "--key-file", type=click.Path(path_type=Path, dir_okay=False), help="What `mailhealth tokens key` printed; without it, the store's key."
)
_URL = click.option("--url", help="The receiver's public address; without it, that of the tracking table.")


def _links(command: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments of commands that make a link of one message to one recipient."""
    for add in (_URL, _KEY_FILE, click.argument("recipient"), click.argument("message_id")):
        command = add(command)
    return command


@click.group("tokens")
def command() -> None:
    """Make and read the signed links of tracking of your own: pixel, click, unsubscription, VERP.

    Your sending system makes them with `analyzer.tokens.Maker` (docs/tracking.md); these commands make one by hand, to look at or to try.

    \b
      mailhealth tokens key --to tokens.key                       the key for the sending system
      mailhealth tokens headers '<n-1@shop.example>' anna@example.com
      mailhealth tokens verp n-1-anna bounces.shop.example
      mailhealth tokens read 'https://t.shop.example/u/Eg...'     what is this?
    """


@command.command("key")
@click.option("--to", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file, readable by its owner alone.")
@click.pass_obj
def key(path: Path, file: Path | None) -> None:
    """Print the key that the sending system works with.

    It is derived from the store's key and does not tell it. Whoever has it can forge opens, clicks and unsubscriptions, make links of your tracking host
    that lead anywhere, and try whether a keyed hash is that of an address he knows. Keep it as you keep a password. It stays the same as long as the
    store's key does.
    """
    text = _keys(path, None).text()
    if file is None:
        click.echo(text)
        return
    try:
        file.touch(mode=0o600, exist_ok=False)
        file.write_text(text + "\n", encoding="ascii")
    except FileExistsError:
        raise Fault(f"{file}: is there already; remove it first.") from None
    click.echo(f"Wrote {file}. Next: bring it to the system that sends, and read docs/tracking.md.")


@command.command("pixel")
@_links
@click.pass_obj
def pixel(path: Path, message_id: str, recipient: str, key_file: Path | None, url: str | None) -> None:
    """Print the address of a picture that tells of an open.

    Put it into the HTML as `<img src="..." width="1" height="1" alt="">`, at its end.
    """
    with _faults():
        click.echo(_maker(path, key_file, url).pixel(message_id, recipient))


@command.command("link")
@_links
@click.argument("target")
@click.pass_obj
def link(path: Path, message_id: str, recipient: str, target: str, key_file: Path | None, url: str | None) -> None:
    """Print a link to TARGET that tells of a click.

    The signature covers TARGET: a link whose target was changed leads nowhere.
    """
    with _faults():
        click.echo(_maker(path, key_file, url).link(message_id, recipient, target))


@command.command("headers")
@_links
@click.option("--mailto", help="The mailbox that takes unsubscriptions by mail: one of your sources must read it.")
@click.pass_obj
def headers(path: Path, message_id: str, recipient: str, mailto: str | None, key_file: Path | None, url: str | None) -> None:
    """Print the header fields of one-click unsubscription (RFC 8058), and X-Mailhealth-Id.

    DKIM must sign the first two, or mail programs show no button. A report that returns the third tells message and recipient, whatever was taken out of it.
    """
    with _faults():
        maker = _maker(path, key_file, url)
        fields = maker.unsubscribe_headers(message_id, recipient, mailto) | maker.id_header(message_id, recipient)
    for name, value in fields.items():
        click.echo(f"{name}: {value}")


@command.command("verp")
@click.argument("envelope_id")
@click.argument("domain")
@click.option("--prefix", default="bounces", show_default=True, help="What stands before the +: the mailbox that bounces come to.")
@_KEY_FILE
@click.pass_obj
def verp(path: Path, envelope_id: str, domain: str, prefix: str, key_file: Path | None) -> None:
    """Print a VERP envelope sender.

    A bounce that comes back to it tells which message it is about. Use it as MAIL FROM of the one message with this ENVELOPE_ID (a to z, digits, '.', '_' and '-'), and give the id in your table of sends as `envelope_id`.
    """
    with _faults():
        click.echo(_keys(path, key_file).verp(envelope_id, domain, prefix))


@command.command("read")
@click.argument("text")
@_KEY_FILE
@click.pass_obj
def read(path: Path, text: str, key_file: Path | None) -> None:
    """Say what a token, link or VERP address is.

    And whether we made it: TEXT is a link as it stands in a mail, the token alone, or an address.
    """
    keys = _keys(path, key_file)
    if "@" in text and "://" not in text:
        envelope_id = keys.read_verp(text.strip("<> "))
        if envelope_id is None:
            raise Fault("this is no VERP address of ours: its form or its signature is wrong, or it was made with another key.")
        click.echo(f"a VERP address of envelope id {envelope_id}")
        return
    parts = urlsplit(text)
    target = parse_qs(parts.query).get("u", [""])[0]
    token = keys.read(parts.path.rpartition("/")[2].removesuffix(".gif"), url=target)
    if token is None:
        raise Fault(
            "this is no token of ours: it was changed or made with another key. (Of a link give the whole address: its target is signed too.)"
        )
    click.echo(
        f"{_MEANS[token.use]} of message {token.message_id} to {_whose(path, key_file, token)}" + (f"; leads to {target}" if target else "")
    )


def _whose(path: Path, key_file: Path | None, token: Token) -> str:
    """The recipient, by address where this store knows it."""
    if key_file is None:
        from analyzer.store import Store

        known = Store(settings(path).store, create=False).inbox.addresses([token.recipient])
        if known:
            return known[token.recipient]
    return f"the recipient with the key {token.recipient}"


def _keys(path: Path, key_file: Path | None) -> Keys:
    from analyzer.store import Store
    from analyzer.tokens import Keys

    if key_file is None:
        return Keys.of(Store(settings(path).store).key)
    return Keys.parse(key_file.read_text(encoding="utf-8", errors="replace"))


def _maker(path: Path, key_file: Path | None, url: str | None) -> Maker:
    from analyzer.tokens import Maker

    return Maker(_keys(path, key_file), url or _configured(path))


def _configured(path: Path) -> str:
    """The public address that the configuration names. Raises Fault unless it is one."""
    from analyzer.sources import HttpSource

    sources = settings(path).sources.values()
    urls = {source.tracking.url for source in sources if isinstance(source, HttpSource) and source.tracking}
    if len(urls) != 1:
        found = f"there are {len(urls)}: {', '.join(sorted(urls))}" if urls else "there is none"
        raise Fault(f"{path}: one [sources.NAME.tracking] table was expected, {found}; name the receiver's public address with --url.")
    return urls.pop()


@contextmanager
def _faults() -> Iterator[None]:
    """What cannot be put into a token is the operator's to mend."""
    try:
        yield
    except ValueError as e:
        raise Fault(f"{e}.") from None
