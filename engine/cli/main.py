"""The command `forestall`. Exit codes: 0 done, 1 a problem that the output names, 2 wrong usage, 130 interrupted."""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

import click

from forestall import __version__
from forestall.engine.errors import ForestallError, RulesError, SettingsError

GARBAGE_AFTER = 50_000      # new objects: reading rules makes many that stay, and Python would look for waste all along

# What each verb does, said here so that --help need not import any of them.
VERBS: Mapping[str, str] = MappingProxyType({
    "check": "Check the rules: say what is wrong and where, or what they hold.",
    "lint": "Give advice about rules that can be used.",
    "run": "Do one pass: collect, score, alert, plan. Sends only with --send.",
    "serve": "Do passes by the clock, and take over changed rules meanwhile.",
    "simulate": "Say what changed rules would have done to the past.",
    "alerts": "Show what is open, acknowledge it or put it off.",
    "outcome": "Record what became of an account, and show what is recorded.",
    "outbox": "Show what waits to be sent, send it again, approve or cancel it.",
    "explain": "Say why an account has its score, tier and alerts.",
    "preview": "Show the messages of a play as they would look, without sending.",
    "history": "Bring earlier facts into the history, show how it stands.",
    "source": "Write an adapter for a new source, or check that one keeps its promises.",
    "init": "Write a new folder with rules that are ready to edit.",
    "diff": "Say in words what changed between two revisions of the rules.",
    "schema": "Write schemas for editors that know the names of these rules.",
    "test": "Run the stories in rules/tests/.",
})


class _Verbs(click.Group):
    """Imports a verb only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        found: click.Command = import_module(f"forestall.engine.cli.{cmd_name}").command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from forestall.engine.language.nearest import nearest

            meant = nearest(args[0], VERBS)
            hint = f"Did you mean `{meant}`?" if meant else f"There are: {', '.join(VERBS)}."
            ctx.fail(f"there is no command `{args[0]}`. {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="forestall", message="%(prog)s %(version)s")
def cli() -> None:
    """Notice accounts at risk from daily facts, and start the right play, by rules that you write in YAML."""


def main() -> None:
    """Run the command line; every error that a person can cause becomes a sentence and an exit code."""
    gc.set_threshold(GARBAGE_AFTER)
    try:
        code = cli.main(prog_name="forestall", standalone_mode=False)
        sys.stdout.flush()
    except ForestallError as error:
        from forestall.engine.cli.console import print_briefly, print_problems

        if isinstance(error, RulesError | SettingsError):      # as `check` shows them
            print_problems(error.problems, err=True)
        else:
            print_briefly(error.problems)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        _forget_output()
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _forget_output() -> None:
    """Whoever read us has left: do not complain a second time when Python flushes on its way out."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
