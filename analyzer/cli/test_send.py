"""`mailhealth test-send`: a test mail, and where it lands."""

from __future__ import annotations

from pathlib import Path

import click

from analyzer.cli import Fault
from analyzer.config import load


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
    """
    from analyzer.parse.mime import read
    from analyzer.parse.original import sender_of
    from analyzer.pipeline import flush
    from analyzer.store import Store
    from collectors.test_send import test_send

    config = load(path)
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
    found = test_send(message, via, config.smtp[via], {n: config.seeds[n] for n in seeds}, sender, store.inbox.keep, timeout)
    flush(store)
    for p in found:
        if dialogue:
            click.echo("\n".join(p.dialogue))
        if p.failed:
            click.echo(f"{click.style('!!', fg='red')}  {p.seed} ({p.address}): not taken: {p.failed}")
        elif p.folder is None:
            click.echo(f"{click.style('!!', fg='red')}  {p.seed} ({p.address}): taken ({p.reply}), and not found within {timeout:.0f} s")
        else:
            mark = click.style("!!", fg="yellow") if p.junk else click.style("ok", fg="green")
            click.echo(
                f"{mark}  {p.seed} ({p.address}): found in {p.folder} after {p.seconds:.1f} s; {p.authentication or 'the receiver noted no authentication'}"
            )
    return 2 if any(p.failed or p.folder is None for p in found) else 0
