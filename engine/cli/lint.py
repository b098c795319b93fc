"""`forestall lint`: advice about rules that can be used."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import click

from forestall.engine.cli.console import as_json, counted, print_problems
from forestall.engine.cli.progress import shown
from forestall.engine.detect.manifest import Manifest
from forestall.engine.errors import Severity
from forestall.engine.lint.book import Book, read_texts
from forestall.engine.lint.lint import Linted, lint
from forestall.engine.lint.observed import Observed, observe
from forestall.engine.rulebook.loader import load
from forestall.engine.runtime import Project, open_project
from forestall.engine.settings import FILE

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
DAYS = 365


@click.command("lint", short_help="Give advice about the rules.")
@click.option("--project", type=FOLDER, default=".", help="The folder with forestall.yaml.")
@click.option("--rules", type=FOLDER, help="The rules, where they are not in the project's `rules`.")
@click.option("--days", type=click.IntRange(min=0), default=DAYS, show_default=True,
              help="How many of the last days of the history to look at; 0 looks at the rules alone.")
@click.option("--strict", is_flag=True, help="Exit code 1 when there is any advice that no comment excuses.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(project: Path, rules: Path | None, days: int, strict: bool, form: str) -> None:
    """Say what is allowed but seldom wise, in the rules and in what they did over the stored history.

    A comment `# lint: allow CODE: reason` on the line, or above it, excuses a finding.
    """
    folder = rules or project / "rules"
    opened = open_project(project, rules) if (project / FILE).exists() else None
    rulebook = opened.rulebook if opened is not None else load(folder, None)
    alone = opened is None or (not days and opened.evaluator.engine.far)      # no server for the rules alone
    manifest = Manifest() if opened is None or alone else opened.history.manifest
    observed = _observed(opened, manifest, days) if opened is not None and days else None
    found = lint(Book(rulebook, read_texts(folder), manifest.held), observed)
    if form == "json":
        click.echo(json.dumps(_document(rulebook.digest, found, observed), ensure_ascii=False))
    else:
        _print(found, observed, days)
    if (strict and found.findings) or any(one.severity is Severity.ERROR for one in found.findings):
        raise click.exceptions.Exit(1)


def _observed(opened: Project, manifest: Manifest, days: int) -> Observed | None:
    if manifest.first is None or manifest.through is None:
        return None
    first = max(manifest.first, manifest.through - timedelta(days=days - 1))
    with shown() as progress:
        opened.evaluator.engine.start()
        return observe(opened.evaluator, opened.history, first, manifest.through, progress)


def _print(found: Linted, observed: Observed | None, days: int) -> None:
    print_problems(found.findings)
    if found.findings:
        click.echo()
    errors, warnings, notes = (sum(one.severity is wanted for one in found.findings)
                               for wanted in (Severity.ERROR, Severity.WARNING, Severity.NOTE))
    said = [counted(errors, "error")] if errors else []
    said += [counted(number, word) for number, word in ((warnings, "warning"), (notes, "note")) if number]
    excused = f", {len(found.excused)} excused by a comment" if found.excused else ""
    click.echo(f"{', '.join(said) or 'Nothing to say'}{excused}.")
    if observed is not None:
        click.echo(f"The triggers were looked at on {counted(observed.days, 'day')} of the history, "
                   f"through {observed.last}.")
    elif days:
        click.echo("There is no history yet, so no trigger was looked at for being dead, noisy or a twin.")


def _document(digest: str, found: Linted, observed: Observed | None) -> dict[str, object]:
    seen = None if observed is None else {
        "first": observed.first.isoformat(), "last": observed.last.isoformat(), "account_days": observed.rows}
    return {"version": 1, "rulebook": digest, "history": seen,
            "findings": [as_json(one) for one in found.findings],
            "excused": [{**as_json(one.problem), "reason": one.reason} for one in found.excused]}
