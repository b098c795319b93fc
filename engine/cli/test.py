"""`forestall test`: run the stories of `rules/tests/`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from forestall.engine.cli.console import counted
from forestall.engine.cli.junit import junit
from forestall.engine.cli.progress import shown
from forestall.engine.cli.record import record_story
from forestall.engine.runtime import Project, open_project
from forestall.engine.stories.coverage import Reached, coverage
from forestall.engine.stories.outcome import Told
from forestall.engine.stories.stories import read_stories
from forestall.engine.stories.telling import tell

DAY = click.DateTime(["%Y-%m-%d"])
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("test", short_help="Run the stories in rules/tests/.")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--rules", type=FOLDER, help="The rules, where they are not in the project's `rules`.")
@click.option("--coverage", "covered", is_flag=True, help="Say what of the rules no story reaches.")
@click.option("--record", "account", metavar="ACCOUNT", help="Write a story of what happened to this account.")
@click.option("--from", "begin", type=DAY, help="The first day to record.")
@click.option("--to", "end", type=DAY, help="The last day to record (default: the last day of the history).")
@click.option("--name", help="What the recorded story is called.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A new file for the recorded story.")
@click.option("--format", "form", type=click.Choice(["text", "json", "junit"]), default="text")
def command(project: Path, rules: Path | None, covered: bool, account: str | None, begin: datetime | None,
            end: datetime | None, name: str | None, out: Path | None, form: str) -> None:
    """Tell every story through the engine and say where it went otherwise than expected.

    Exit code 1 when a story fails. With --record no story is told: one is written.
    """
    opened = open_project(project, rules)
    if account is not None:
        if begin is None:
            raise click.UsageError("--record needs --from, the first day to record.")
        record_story(opened, account, begin.date(), end.date() if end else None, name, out)
        return
    if begin or end or name or out:
        raise click.UsageError("--from, --to, --name and --out belong to --record ACCOUNT.")
    folder = (rules or project / "rules") / "tests"
    stories = read_stories(folder, opened.rulebook)
    with shown() as progress:
        told = list(tell(opened.evaluator, opened.directory, stories, progress))
    failed = [one for one in told if one.misses]
    reached = coverage(opened.rulebook, told) if covered else None
    if form == "json":
        click.echo(json.dumps(_document(opened, told, reached), ensure_ascii=False))
    elif form == "junit":
        click.echo(junit(told), nl=False)
    else:
        _print(told, failed, folder)
        _print_coverage(reached or ())
    if failed:
        raise click.exceptions.Exit(1)


def _print(told: Sequence[Told], failed: Sequence[Told], folder: Path) -> None:
    if not told:
        click.echo(f"There is no story in {folder}. A story says what must happen to a made-up account; "
                   "docs/stories.md shows how.")
        return
    for one in failed:
        click.echo(click.style("failed", fg="red") + f"  {one.story.name}")
        for miss in one.misses:
            click.echo(f"        {miss.expectation.location}: day {miss.day}: expected {miss.expected}; {miss.got}")
            click.echo(f"            {miss.because}")
    passed = len(told) - len(failed)
    click.echo(f"{counted(len(told), 'story', 'stories')}: {passed} passed, {len(failed)} failed.")


def _print_coverage(reached: Sequence[Reached]) -> None:
    for one in reached:
        click.echo(f"{one.name:<10}{len(one.all) - len(one.missing):>3} of {len(one.all)}"
                   + (f"; no story reaches: {', '.join(one.missing)}" if one.missing else "")
                   + (f"; cannot happen to one account: {', '.join(one.cannot)}" if one.cannot else ""))


def _document(project: Project, told: Sequence[Told], reached: Sequence[Reached] | None) -> dict[str, object]:
    return {
        "version": 1, "rulebook": project.rulebook.digest, "passed": sum(not one.misses for one in told),
        "failed": sum(bool(one.misses) for one in told),
        "stories": [{
            "name": one.story.name, "file": one.story.location.file, "line": one.story.location.line,
            "passed": not one.misses,
            "misses": [{"day": miss.day, "expected": miss.expected, "got": miss.got, "because": miss.because,
                        "file": miss.expectation.location.file, "line": miss.expectation.location.line}
                       for miss in one.misses]} for one in told],
        "coverage": None if reached is None else {
            one.name: {"all": list(one.all), "missing": list(one.missing), "cannot": list(one.cannot)}
            for one in reached}}
