"""`mailhealth replay`: all that was kept, judged by today's rules."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from analyzer.cli import settings


@click.command("replay")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--format", "form", type=click.Choice(["text", "jsonl"]), default="text", show_default=True)
@click.option("--store", type=click.Path(path_type=Path), help="A store other than the configured one.")
@click.pass_obj
def command(path: Path, dry_run: bool, form: str, store: Path | None) -> None:
    """Judge all that was kept by today's rules, file that in the place of what was said before, and print exactly what changed."""
    from analyzer.replay import replay
    from analyzer.store import Store

    count = 0
    for change in replay(Store(settings(path, store).store, create=False), dry_run, processes=os.cpu_count() or 1):
        count += 1
        if form == "jsonl":
            click.echo(json.dumps({"event_id": change.event_id, "changed": change.changed}, default=str))
            continue
        what = ", ".join(f"{name}: {a!r:.60} -> {b!r:.60}" for name, (a, b) in change.changed.items())
        click.echo(f"{change.event_id}  {what}")
    click.echo(f"{count} events {'would change' if dry_run else 'changed'}.", err=form == "jsonl")
