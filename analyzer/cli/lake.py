"""`mailhealth lake`: care of the store."""

from __future__ import annotations

from pathlib import Path

import click

from analyzer.cli import settings
from analyzer.store import Store


@click.group("lake")
def command() -> None:
    """Look after the store."""


@command.command("compact")
@click.pass_obj
def compact(path: Path) -> None:
    """Join the many small files that regular filing leaves."""
    for name, fewer in Store(settings(path).store, create=False).lake.compact().items():
        click.echo(f"{name}: {fewer} files fewer")


@command.command("vacuum")
@click.option("--hours", type=click.IntRange(1), default=24, show_default=True, help="Readers may still use what is younger.")
@click.pass_obj
def vacuum(path: Path, hours: int) -> None:
    """Delete files that were replaced."""
    for name, count in Store(settings(path).store, create=False).lake.vacuum(hours).items():
        click.echo(f"{name}: {count} files deleted")
