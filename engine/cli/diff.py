"""`forestall diff BASE`: what changed between two revisions of the rules, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import click

from forestall.engine.cli.base_rules import Base, base_rules
from forestall.engine.cli.console import counted
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.rulebook import loader
from forestall.engine.rulebook.difference import Change, Section, difference

WIDTH = 100
ALIKE = 3      # changes of one kind that are told as one
_HEADINGS = {Section.SCORE: "Score", Section.TIERS: "Tiers", Section.TRIGGERS: "Triggers", Section.PLAYS: "Plays",
             Section.LIMITS: "Limits", Section.TEMPLATES: "Templates", Section.METRICS: "Metrics"}


@click.command("diff", short_help="Say in words what changed between two revisions of the rules.")
@click.argument("base")
@click.option("--project", type=click.Path(path_type=Path), default=Path(), show_default="this folder",
              help="The folder where forestall.yaml stands.")
@click.option("--rules", type=click.Path(path_type=Path), default=None, show_default="PROJECT/rules",
              help="The rules as they are now.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="json: as schemas/output/diff.json describes it.")
def command(base: str, project: Path, rules: Path | None, form: str) -> None:
    """Say what is different in the rules compared with BASE: a git revision, such as main or HEAD~3, or a folder.

    The rules as they are now are those in the folder, committed or not. Layout and comments are no change.
    """
    folder = rules or project / "rules"
    after = loader.load(folder, None)
    before = base_rules(base, folder)
    changes = difference(before.rulebook, after)
    if form == "json":
        click.echo(json.dumps(_document(before, after, changes), ensure_ascii=False))
        return
    for line in _lines(before.called, changes):
        click.echo(line)


def _lines(called: str, changes: Sequence[Change]) -> Iterator[str]:
    if not changes:
        yield f"Nothing has changed since {called}."
        return
    yield f"Since {called}:"
    for section, group in groupby(changes, key=lambda change: change.section):
        yield ""
        yield _HEADINGS[section]
        for change in _gathered(list(group)):
            sentence = change.sentence[0].upper() + change.sentence[1:]
            if len(sentence) <= WIDTH or not (change.before and change.after):
                yield f"  {sentence}"
                continue
            head = replace(change, before="", after="").sentence.removesuffix(" has changed.")
            yield f"  {head[0].upper()}{head[1:]}"
            yield f"    was  {change.before}"
            yield f"    is   {change.after}"
    yield ""
    yield f"{counted(len(changes), 'change')}."


def _gathered(changes: Sequence[Change]) -> Iterator[Change]:
    """The same change of many, as a new default makes it, told once."""
    alike: dict[tuple[str, ...], list[Change]] = {}
    for one in changes:
        alike.setdefault((one.what, one.kind, one.before, one.after, one.subject.split(" ")[0]), []).append(one)
    for one in changes:
        same = alike[one.what, one.kind, one.before, one.after, one.subject.split(" ")[0]]
        if len(same) < ALIKE or not one.what:
            yield one
        elif one is same[0]:
            noun = one.subject.split(" ")[0]
            names = ", ".join(other.subject.removeprefix(f"{noun} ") for other in same[:ALIKE])
            more = f" and {len(same) - ALIKE} more" if len(same) > ALIKE else ""
            yield replace(one, subject=f"{len(same)} {noun}s ({names}{more})")


def _document(before: Base, after: Rulebook, changes: Sequence[Change]) -> dict[str, object]:
    return {
        "version": 1, "base": before.called, "before": before.rulebook.digest, "after": after.digest,
        "changes": [{"section": str(one.section), "subject": one.subject, "kind": str(one.kind), "what": one.what,
                     "before": one.before, "after": one.after, "sentence": one.sentence} for one in changes],
    }
