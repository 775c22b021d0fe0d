"""`mailhealth rules`: rules of one's own."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("rules")
def command() -> None:
    """Check rules of your own.

    They are TOML files in the folder that `rules` in mailhealth.toml names, and are heard before those that come with Mailhealth:

    \b
    [our-relay-asleep]
    reason = "greylisted"
    phrases = ["relay is asleep"]
    source = "what our relay says at night"
    examples = ["451 4.3.2 The relay is asleep"]
    counter = ["550 5.1.1 asleep@customer.example: no such user"]
    """


@command.command("check")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.pass_obj
def check(config: Path, paths: tuple[Path, ...]) -> int:
    """Read rule files (or folders of them) and try their examples.

    Without PATHS, the configured folder, and the rules that come with Mailhealth. Exit code 2 when something is wrong.
    """
    from analyzer.classify.rules import check_examples
    from analyzer.config import load

    wrong = check_examples(paths) if paths else check_examples()
    if not paths and config.exists() and (mine := load(config).rules):
        wrong += check_examples([mine])
    for sentence in wrong:
        click.echo(click.style("!! ", fg="red") + sentence)
    click.echo(f"{len(wrong)} to mend." if wrong else "All examples hold. Next: `mailhealth replay --dry-run` shows what they change.")
    return 2 if wrong else 0
