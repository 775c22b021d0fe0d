"""The composition root: the `mailhealth` command. The only place that knows collectors, the store and the surfaces together.

Commands are imported when they are called, so that `mailhealth --help` answers at once.
"""

from __future__ import annotations

import _thread
import importlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from analyzer.config import Config

COMMANDS = {
    "demo": "See a simulated month of a shop in the dashboard",
    "init": "Write a commented mailhealth.toml to start from",
    "check": "Try the configuration: files, permissions, connections",
    "collect": "Take what is there now from the configured sources",
    "serve": "Collect, file and show, until stopped",
    "run": "Run one part of `serve` by itself",
    "dash": "Open the dashboard",
    "classify": "Say what each report means, one JSON object a message",
    "explain": "Say what one report means, and how we know",
    "report": "Write the health report, or mail it",
    "test-send": "Send a test mail and see where it lands",
    "replay": "Judge all that was kept by today's rules; show what changed",
    "rules": "Check rules of your own, or have some suggested",
    "tokens": "Make and read the signed links of your own tracking",
    "lake": "Look after the store: compact, vacuum",
}
"""Name -> what `mailhealth --help` says of it. The command stands in the module of that name ('-' as '_')."""


class Fault(click.ClickException):
    """Something the operator can mend: its sentence, and exit code 2."""

    exit_code = 2

    def show(self, file: object = None) -> None:
        """The sentence on standard error, in red where there is colour."""
        click.echo(click.style("error: ", fg="red", bold=True) + self.message, err=True)


def settings(path: Path, store: Path | None = None) -> Config:
    """The configuration, with its rules and header names in force for this process and those it starts. Raises ConfigError, RulesError.

    With a `store` of the operator's own choice the file need not be there.
    """
    from analyzer.config import Config, load

    config = Config() if store is not None and not path.exists() else load(path)
    if config.rules:
        from analyzer.classify import use_rules

        use_rules(config.rules)
    if config.join.headers is not None:
        from analyzer.parse.own import use_headers

        use_headers(config.join.headers)
    return config.model_copy(update={"store": store}) if store is not None else config


def stopped_by(*numbers: signal.Signals) -> threading.Event:
    """An event that any of these signals sets from now on. To be called in the main thread."""
    stop = threading.Event()
    for number in numbers:
        # set by another thread: the signal may interrupt this one in the event's own lock, which it would wait for without end
        signal.signal(number, lambda *_: _thread.start_new_thread(stop.set, ()))
    return stop


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, from its module."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"analyzer.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


EPILOG = """\b
First steps:
  mailhealth demo                         look around in simulated data
  mailhealth classify bounces.mbox        what do these reports say?
  mailhealth init && mailhealth check     connect a real mailbox
  mailhealth serve                        and keep it running
"""


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mailhealth", prog_name="mailhealth")
@click.option(
    "-c",
    "--config",
    "config",
    type=click.Path(path_type=Path),
    default=Path("mailhealth.toml"),
    envvar="MAILHEALTH_CONFIG",
    show_default=True,
    help="The configuration.",
)
@click.pass_context
def cli(ctx: click.Context, config: Path) -> None:
    """Mailhealth says what happened to every message you sent, why, who can mend it, and what to do next."""
    ctx.obj = config


def main(args: Sequence[str] | None = None) -> None:
    """Runs the command line; what the operator can mend ends with one sentence and exit code 2."""
    try:
        code = cli.main(args, prog_name="mailhealth", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except click.ClickException as e:
        e.show()
        sys.exit(e.exit_code)
    except BrokenPipeError:
        _give_up_output()  # its reader has seen enough, as `head` does
        sys.exit(1)
    except OSError as e:
        Fault(f"{e.filename or 'the output'}: {e.strerror or e}.").show()
        _give_up_output()
        sys.exit(2)
    except Exception as e:
        if not _operators(e):
            raise
        Fault(str(e)).show()
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


def _give_up_output() -> None:
    """Lets go of what cannot be written: Python would try again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _operators(e: Exception) -> bool:
    """Whether an exception speaks to the operator. By name, since importing them all would slow every command."""
    return type(e).__name__ in {"ConfigError", "StoreError", "KeepFailed", "SourceFailed", "RulesError", "SendFailed", "PeriodError"}
