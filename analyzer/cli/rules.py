"""`mailhealth rules`: rules of one's own."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("rules")
def command() -> None:
    """Check rules of your own. They are TOML files in a folder that MAILHEALTH_RULES names; each block has a reason, phrases, examples."""


@command.command("check")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(files: tuple[Path, ...]) -> int:
    """Read rule files and try their examples. Without FILES, the rules that come with Mailhealth."""
    from analyzer.classify.rules import check_examples

    wrong = check_examples(files)
    for sentence in wrong:
        click.echo(click.style("!! ", fg="red") + sentence)
    click.echo(f"{len(wrong)} to mend." if wrong else "All examples hold.")
    return 2 if wrong else 0
