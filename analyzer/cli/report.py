"""`mailhealth report`: the health report, printed or mailed."""

from __future__ import annotations

from datetime import UTC, datetime
from email.policy import SMTP
from email.utils import parseaddr
from pathlib import Path

import click

from analyzer.cli import Fault, settings
from analyzer.config import SmtpProvider


@click.command("report")
@click.option("--period", default="week", show_default=True, help="day, week, month, or 2026-11-01..2026-11-30; days of the send, UTC.")
@click.option("--format", "form", type=click.Choice(["html", "md", "json"]), default="md", show_default=True)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write to this file instead of printing.")
@click.option("--mail", is_flag=True, help="Mail it to report.recipients through report.via instead.")
@click.option("--store", type=click.Path(path_type=Path), help="A store other than the configured one.")
@click.pass_obj
def command(path: Path, period: str, form: str, output: Path | None, mail: bool, store: Path | None) -> None:
    """Write the health report: what happened, why, who can mend it, what to do next; the numbers with n and interval."""
    from analyzer.metrics import Numbers, Period
    from analyzer.reports import render, to_mail

    config = settings(path, store)
    span = Period.parse(period, datetime.now(UTC).date())
    numbers = Numbers.open(config.store, config.bounce_window_days, config.conversion_window_days)
    if mail:
        r = config.report
        if not (r.sender and r.recipients and r.via in config.smtp):
            raise Fault(
                f"{path}: to mail the report, set report.sender, report.recipients, and report.via to one of: {', '.join(config.smtp) or 'a [smtp.NAME] table'}."
            )
        envelope = [_address(path, "report.sender", r.sender), *(_address(path, "report.recipients", one) for one in r.recipients)]
        # the default would put a subject of just under one line below an empty first one, of which some readers show a blank
        message = to_mail(numbers, span, r.sender, list(r.recipients)).as_bytes(policy=SMTP.clone(max_line_length=400))
        _mail(message, config.smtp[r.via or ""], envelope[0], envelope[1:])
        return
    text = render(numbers, span, form)
    if output:
        output.write_text(text, encoding="utf-8")
        click.echo(f"Wrote {output}.")
    else:
        click.echo(text)


def _mail(message: bytes, provider: SmtpProvider, sender: str, recipients: list[str]) -> None:
    """Mails it; says who got it. Raises Fault when it was not taken for everybody."""
    from collectors.submit import submit

    sent = submit(provider, sender, recipients, message)
    if sent.failed:
        raise Fault(f"the report was not mailed: {sent.failed}")
    taken = [one for one in recipients if one not in sent.refused]
    click.echo(f"Mailed to {', '.join(taken)}: {sent.reply}")
    if sent.refused:
        raise Fault("the report was not taken for " + "; ".join(f"{one}: {reply}" for one, reply in sent.refused.items()))


def _address(path: Path, key: str, text: str) -> str:
    """The address in a mailbox as the configuration names it, "Team <team@example.com>". Raises Fault."""
    _, address = parseaddr(text)
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or any(c.isspace() for c in address):
        raise Fault(f'{path}: {key}: expected a mail address such as "Team <team@example.com>", found {text!r:.80}.')
    return address
