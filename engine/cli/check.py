"""`forestall check`: whether the rules can be used, and what they hold."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from forestall.engine.cli.console import PAGE, as_json, counted, print_problems
from forestall.engine.errors import Location, Problem, Severity
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.rulebook import loader, schema, source
from forestall.engine.rulebook.weights import shares
from forestall.engine.settings import FILE, Settings, adapter_problems, inspect_settings

_UNSURE = frozenset({"unknown-key", "wrong-type", "empty", "missing-key", "wrong-name", "unknown-channel"})


@dataclass(frozen=True, slots=True)
class _Finding:
    """Everything that `check` found, by place; errors before warnings."""

    rulebook: Rulebook | None
    problems: tuple[Problem, ...]
    files: tuple[str, ...]

    @property
    def errors(self) -> int:
        return sum(problem.severity is Severity.ERROR for problem in self.problems)


@click.command("check")
@click.option("--project", type=click.Path(path_type=Path), default=Path(), show_default="this folder",
              help="The folder where forestall.yaml stands.")
@click.option("--rules", type=click.Path(path_type=Path), default=None, show_default="PROJECT/rules",
              help="The folder with the rules.")
@click.option("--format", "form", type=click.Choice(["text", "json", "github", "sarif"]), default="text",
              show_default=True, help="json: as schemas/output/check.json describes it; github: annotations of a "
                                      "workflow; sarif: SARIF 2.1.0, for code scanning and editors.")
def command(project: Path, rules: Path | None, form: str) -> None:
    """Check the rules and forestall.yaml, and say what they hold.

    Every problem comes with its file, line and column, and with a cure. Exit code 1 when the rules cannot be used.
    """
    found = _look(project, rules or project / "rules")
    match form:
        case "json":
            click.echo(json.dumps(_document(found), indent=2, ensure_ascii=False))
        case "github":
            from forestall.engine.cli import reports

            for line in reports.github(found.problems):
                click.echo(line)
        case "sarif":
            from forestall.engine.cli import reports

            click.echo(json.dumps(reports.sarif(found.problems), indent=2, ensure_ascii=False))
        case _:
            _print(found)
    if found.errors:
        sys.exit(1)


def _look(project: Path, rules: Path) -> _Finding:
    problems: list[Problem] = []
    settings: Settings | None = None
    files: tuple[str, ...] = ()
    unsure = False      # a destination may be missing only because forestall.yaml is wrong: not said again
    if (project / FILE).exists():
        settings, wrong = inspect_settings(project)
        problems.extend(wrong)
        unsure = any(problem.code in _UNSURE for problem in wrong)
        files = (str(project / FILE),)
        if settings is not None:
            problems.extend(adapter_problems(settings))
    else:
        problems.append(Problem(Location(str(project / FILE)), "no-settings",
                                "there is no such file, so people, channels and destinations were not checked.",
                                "`forestall init DIR` writes an example.", Severity.WARNING))
    inspection = loader.inspect(rules, None if unsure else settings)
    problems.extend(inspection.problems)
    if settings is not None and inspection.rulebook is not None:
        problems.extend(_not_in_the_facts(settings, inspection.rulebook))
    stories = sorted((rules / "tests").glob("*.yaml"))
    for story in stories:
        document = source.read(story)
        problems.extend(document.problems)
        if document.root is not None:
            problems.extend(schema.check(document.root, "story"))
    files = (*files, *inspection.files, *(str(story) for story in stories))
    problems.sort(key=lambda one: (one.severity is Severity.WARNING, one.location, one.code, one.message))
    return _Finding(inspection.rulebook, tuple(problems), files)


def _not_in_the_facts(settings: Settings, rulebook: Rulebook) -> Iterator[Problem]:
    """What the sources leave out, and what looks further back than the history reaches; imported only where needed."""
    for described in settings.sources:
        wrong = described.joining.wrong(described.name, rulebook.catalogue) if described.joining else None
        if wrong is not None:
            yield wrong
    if settings.sources:
        from forestall.engine.supplied import unsupplied

        yield from unsupplied(settings, rulebook.catalogue)
    if (settings.state / "history").exists():
        from forestall.engine.detect.manifest import read_manifest
        from forestall.engine.score.look_back import beyond

        held = read_manifest(settings.state / "history").held
        if held is not None:
            yield from beyond(rulebook, held)


def _print(found: _Finding) -> None:
    print_problems(found.problems)
    if found.problems:
        click.echo(f"\n{PAGE} explains each code in brackets.")
    warned = len(found.problems) - found.errors
    warnings = f", {counted(warned, 'warning')}" if warned else ""
    if found.errors or found.rulebook is None:
        click.echo(f"\n{counted(found.errors, 'error')}{warnings}. The rules cannot be used like this.")
        return
    if warned:
        click.echo()
    rulebook = found.rulebook
    click.echo(f"The rules can be used. {counted(len(found.files), 'file')} read{warnings}.\n")
    for profile in rulebook.scorecard.profiles:
        name = f"Signals ({profile.name})" if profile.name else "Signals"
        _row(name, [f"{signal} {share:.3g} %" for signal, share in shares(profile).items()])
    _row("Tiers", [f"{tier.name} {tier.low}-{tier.high}" for tier in rulebook.scorecard.tiers])
    _row("Triggers", list(rulebook.triggers))
    _row("Plays", list(rulebook.plays))
    _row("Templates", [str(len(rulebook.templates))])


def _row(name: str, values: list[str]) -> None:
    from textwrap import wrap

    lines = wrap(", ".join(value.replace(" ", "\0") for value in values), 88, break_on_hyphens=False) or ["none"]
    for index, line in enumerate(lines):
        click.echo(f"{'' if index else name:<22}{line}".replace("\0", " "))


def _document(found: _Finding) -> dict[str, object]:
    return {"ok": not found.errors, "files": list(found.files),
            "problems": [as_json(problem) for problem in found.problems],
            "summary": None if found.rulebook is None or found.errors else _summary(found.rulebook)}


def _summary(rulebook: Rulebook) -> dict[str, object]:
    return {
        "metrics": len(rulebook.catalogue.metrics),
        "profiles": [
            {"name": profile.name, "applies_to": profile.applies_to.text if profile.applies_to else "",
             "signals": [{"name": name, "share": round(share, 6)} for name, share in shares(profile).items()]}
            for profile in rulebook.scorecard.profiles
        ],
        "tiers": [{"name": tier.name, "low": float(tier.low), "high": float(tier.high)}
                  for tier in rulebook.scorecard.tiers],
        "triggers": list(rulebook.triggers),
        "plays": list(rulebook.plays),
        "templates": len(rulebook.templates),
        "digest": rulebook.digest,
    }
