"""`forestall simulate --as-was DAY`: a past day decided again from the decision log."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from forestall import __version__
from forestall.engine.cli.as_was_text import document, lines
from forestall.engine.detect.as_it_was import as_it_was, corrected, day_read
from forestall.engine.detect.manifest import read_manifest
from forestall.engine.errors import Location, RulesError, UsageError
from forestall.engine.model.decision_log import Logged
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.rulebook.earlier import commit_of
from forestall.engine.rulebook.loader import load
from forestall.engine.runtime import chosen_engine, history_of, reached, settings_that_matter, store_path
from forestall.engine.score.engine import Engine
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.settings import EngineName, Settings, read_settings
from forestall.engine.simulate.as_was import (
    Again,
    Cause,
    Reason,
    decide_again,
    differences,
    first_day,
    reach,
    reasons,
    with_steps,
)
from forestall.engine.store import Store

OTHERS = ("base", "first", "last", "warm_up", "segment", "csm", "horizon", "sweep", "fail_over", "by_day")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The day to decide again, and the account that is told of ("": all). `rules` is where git is asked."""

    project: Path
    rules: Path
    day: date
    account: str = ""
    engine: EngineName | None = None


def only_as_was(given: Mapping[str, object]) -> None:
    """UsageError when something is asked besides that does not go together with --as-was."""
    for name in OTHERS:
        if given.get(name):
            option = {"first": "from", "last": "to", "by_day": "days"}.get(name, name.replace("_", "-"))
            raise UsageError.one(Location(f"--{option}"), "not-with-as-was",
                                 f"--as-was decides one day as it was, and --{option} is for a comparison.",
                                 "Leave one of them out.")
    if given.get("form") not in (None, "text", "json"):
        raise UsageError.one(Location("--format"), "not-with-as-was", "--as-was answers as text or json.",
                             "Name one of them.")


def answer(wanted: Wanted) -> tuple[Again, ...]:
    """Every pass of the day in the log, decided again. UsageError where there is none."""
    settings = read_settings(wanted.project)
    with Store.open(store_path(settings), read_only=True) as store:
        days, first = store.days_decided()
        if wanted.day not in days:
            raise _no_pass(settings, wanted.day, days)
        found = store.decided_on(wanted.day)
    if not found:
        raise UsageError.one(
            Location("--as-was"), "not-in-the-log", f"{wanted.day} was decided before Forestall kept a decision log.",
            f"The first day in the log is {first}." if first else "The next pass begins it.")
    kept_from = read_manifest(settings.state / "history").kept_from
    if kept_from is not None and wanted.day < kept_from:
        raise UsageError.one(Location("--as-was"), "not-kept", f"the history of {wanted.day} is not kept any more: "
                             f"`forestall history compact` has left the days from {kept_from} on.",
                             "Name a later day; `retention` in forestall.yaml says how long days are kept.")
    engine = chosen_engine(settings, wanted.engine)
    engine.start()
    return tuple(_again(wanted, settings, engine, logged) for logged in found)


def _no_pass(settings: Settings, day: date, days: list[date]) -> UsageError:
    before = max((one for one in days if one < day), default=None)
    after = min((one for one in days if one > day), default=None)
    near = " and ".join(str(one) for one in (before, after) if one)
    which = "live" if settings.live else "rehearsal"
    return UsageError.one(Location("--as-was"), "no-pass", f"no pass has decided {day} ({which}).",
                          f"The nearest that have been decided: {near}." if near else
                          "None has decided any day yet: `forestall run --send` does.")


def _again(wanted: Wanted, settings: Settings, engine: Engine, logged: Logged) -> Again:
    basis = logged.basis
    rulebook, unlike = _rules(settings, logged)
    before = rulebook.with_existing(basis.existing) if basis.existing else rulebook
    evaluator = with_steps(Evaluator(before, engine), logged.before)
    first = first_day(logged.day, reach(evaluator))
    history = history_of(settings, engine, basis.gone_after)
    with tempfile.TemporaryDirectory(prefix="forestall-") as folder:
        then = as_it_was(history, Path(folder), basis.generation, rulebook.catalogue, basis.gone_after, first,
                         logged.day)
        read = day_read(then, rulebook.catalogue, basis.gone_after, logged.day)
        decided = decide_again(logged, evaluator, reached(settings), then)
    found = (*reasons(logged, rulebook, __version__, settings_that_matter(settings), read,
                      history.manifest.generation), *unlike, *_not_kept(history.manifest.kept_from, first))
    since = first_day(first, rulebook.catalogue.longest_carry())
    count, values = corrected(history, basis.generation, rulebook.catalogue, since, logged.day, wanted.account)
    return Again(logged, __version__, commit_of(wanted.rules, basis.files), read, decided.tiers,
                 tuple(differences(logged, decided, found, wanted.account)), found, count, values)


def _not_kept(kept_from: date | None, first: date) -> Iterator[Reason]:
    """Whether the rules look back to days that were taken away."""
    if kept_from is not None and first < kept_from:
        yield Reason(Cause.HISTORY, f"the rules look back to {first}, and the history is kept from {kept_from} on.")


def _rules(settings: Settings, logged: Logged) -> tuple[Rulebook, list[Reason]]:
    """The rules that the pass had, by the log; where they name people or places that are gone, that is a reason."""
    digest, files = logged.decided.digest, logged.basis.files
    if not files:
        raise UsageError.one(Location("--as-was"), "rules-not-kept-then",
                             f"the rules of pass {logged.number} ({digest[:12]}) are not in the decision log.",
                             "Only the day can be looked at: `forestall explain ACCOUNT --day DAY`.")
    with tempfile.TemporaryDirectory(prefix="forestall-") as folder:
        for name, text in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        try:
            return load(Path(folder), replace(settings, gone_after=logged.basis.gone_after)), []
        except RulesError as error:
            said = error.problems[0]
        try:
            rulebook = replace(load(Path(folder), None), gone_after=logged.basis.gone_after)
        except RulesError as error:
            said = error.problems[0]
            at = f"{Path(said.location.file).name}:{said.location.line}"
            raise UsageError.one(
                Location("--as-was"), "rules-of-then",
                f"Forestall {__version__} does not accept the rules of {logged.day} "
                f"({at}: {said.message.rstrip('.')}).",
                f"Forestall {logged.basis.version} decided by them: use that version."
                if logged.basis.version != __version__ else
                "Somebody has changed them in the state database: look at a backup of it.") from None
    return rulebook, [Reason(Cause.SETTINGS, "forestall.yaml has not everything any more that the rules of that day "
                             f"name: {said.message}")]


def told(found: tuple[Again, ...], wanted: Wanted, form: str) -> str:
    """The answer as people read it, or as a document."""
    if form == "json":
        return json.dumps(document(found, wanted.day, wanted.account), ensure_ascii=False) + "\n"
    return "\n".join("".join(f"{line}\n" for line in lines(one, wanted.account)) for one in found)
