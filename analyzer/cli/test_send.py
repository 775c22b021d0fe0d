"""`mailhealth test-send`: a test mail, and where it lands."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyzer.cli import Fault, settings

if TYPE_CHECKING:
    from collectors.test_send import Placement


@click.command("test-send")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--via", required=True, help="The SMTP provider: a name of [smtp.NAME].")
@click.option("--to", "seeds", multiple=True, required=True, help="A seed mailbox: a name of [seeds.NAME]. May be given several times.")
@click.option("--sender", help="The envelope sender.  [default: the message's From]")
@click.option("--timeout", type=click.FloatRange(1, 3600), default=120.0, show_default=True, help="Seconds to look for it.")
@click.option("--dialogue", is_flag=True, help="Show what was said to the SMTP provider.")
@click.pass_obj
def command(path: Path, file: Path, via: str, seeds: tuple[str, ...], sender: str | None, timeout: float, dialogue: bool) -> int:
    """Send FILE through an SMTP provider to seed mailboxes, and see where it lands: folder, time, SPF, DKIM, DMARC.

    \b
    mailhealth test-send newsletter.eml --via main --to gmail --to outlook

    Exit code 2 when a copy was refused, or not found in time. All of it is kept: `mailhealth dash` shows it under Test sends.
    """
    from analyzer.parse.mime import read
    from analyzer.parse.original import sender_of
    from analyzer.pipeline import flush
    from analyzer.store import Store
    from collectors.test_send import test_send

    config = settings(path)
    if via not in config.smtp:
        raise Fault(f"{path}: there is no SMTP provider {via!r}; there are {', '.join(config.smtp) or 'none: add a table [smtp.NAME]'}.")
    for name in seeds:
        if name not in config.seeds:
            raise Fault(f"{path}: there is no seed {name!r}; there are {', '.join(config.seeds) or 'none: add a table [seeds.NAME]'}.")
    try:
        message = file.read_bytes()
    except OSError as e:
        raise Fault(f"{file}: cannot be read ({e.strerror}).") from None
    sender = sender or sender_of(read(message).top)
    if not sender:
        raise Fault(f"{file}: has no From address; give one with --sender.")
    store = Store(config.store)
    chosen = {n: config.seeds[n] for n in seeds}
    found = test_send(message, via, config.smtp[via], chosen, sender, store.inbox.keep, timeout, partial(_tell, dialogue))
    flush(store)
    return 0 if all(p.folder is not None for p in found) else 2


def _tell(dialogue: bool, p: Placement) -> None:
    """One seed's line, with what was said before it."""
    if dialogue:
        click.echo("\n".join(p.dialogue))
    bad, whose = click.style("!!", fg="red"), f"{p.seed} ({p.address})"
    if p.failed:
        click.echo(f"{bad}  {whose}: {'refused' if p.reply else 'not sent'}: {p.failed}")
    elif p.folder is None and p.unseen:
        click.echo(f"{bad}  {whose}: taken ({p.reply}), then it could not be looked for: {p.unseen}")
    elif p.folder is None:
        click.echo(f"{bad}  {whose}: taken ({p.reply}), and not found within {p.waited:.0f} s; it may be late, or lost on the way")
    else:
        mark = click.style("!!", fg="yellow") if p.junk else click.style("ok", fg="green")
        authentication = p.authentication or "the receiver noted no authentication"
        click.echo(
            f"{mark}  {whose}: found in {p.folder}{', the junk folder,' if p.junk else ''} after {p.seconds:.1f} s; {authentication}"
        )
