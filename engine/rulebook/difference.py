"""What changed between two rulebooks, in words. Layout, comments and the order of keys are no change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import StrEnum

from forestall.engine.model.play import Play
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.scorecard import Profile
from forestall.engine.rulebook.told import (
    Told,
    told_limits,
    told_metric,
    told_play,
    told_roles,
    told_scorecard,
    told_signal,
    told_step,
    told_template,
    told_tier,
    told_trigger,
)
from forestall.engine.rulebook.weights import shares


class Section(StrEnum):
    """The part of the rules that changed, in the order in which it is told."""

    SCORE = "score"
    TIERS = "tiers"
    TRIGGERS = "triggers"
    PLAYS = "plays"
    LIMITS = "limits"
    TEMPLATES = "templates"
    METRICS = "metrics"


class ChangeKind(StrEnum):
    """What happened to it."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """One change: to `subject` (trigger inactivity) or to one thing that it says, `what` (when).

    `before` and `after` are as people write them, empty where there is none.
    """

    section: Section
    subject: str
    kind: ChangeKind
    what: str = ""
    before: str = ""
    after: str = ""

    @property
    def sentence(self) -> str:
        """The change in one sentence."""
        what = f"`{self.what}`" if self.what.isidentifier() else self.what
        whole = f"{what} of {self.subject}" if self.what else self.subject
        match self.kind:
            case ChangeKind.ADDED:
                return _ended(f"{whole} is new: {self.after}" if self.after else f"{whole} is new")
            case ChangeKind.REMOVED:
                return _ended(f"{whole} is gone: {self.before}" if self.before else f"{whole} is gone")
        if not self.before and not self.after:
            return f"{whole} has changed."
        return _ended(f"{whole} was {self.before}, and is now {self.after}")


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def difference(before: Rulebook, after: Rulebook) -> tuple[Change, ...]:
    """Every change, by part of the rules and in the order of the files."""
    return (*_score(before, after), *_tiers(before, after), *_triggers(before, after), *_plays(before, after),
            *_compared(Section.LIMITS, "the limits", told_limits(before), told_limits(after)),
            *_templates(before, after), *_metrics(before, after))


def _score(before: Rulebook, after: Rulebook) -> Iterator[Change]:
    yield from _compared(Section.SCORE, "the score", told_scorecard(before), told_scorecard(after))
    then, now = ({one.name: one for one in book.scorecard.profiles} for book in (before, after))
    for_everybody = tuple(_signals(then[""], now[""]))
    yield from for_everybody
    for name in _named(then, now):
        if name in then and name in now:
            told = [_conditions(one) for one in (then[name], now[name])]
            yield from _compared(Section.SCORE, f"profile {name}", *told)
            # what a profile only takes over from the signals for everybody is said there
            yield from (replace(one, subject=f"{one.subject} for {name}")
                        for one in _signals(then[name], now[name]) if one not in for_everybody)
        else:
            yield _whole(Section.SCORE, f"profile {name}", name in now)
    yield from _order(Section.SCORE, "the profiles", [one for one in then if one], [one for one in now if one])


def _conditions(profile: Profile) -> Told:
    return {"applies_to": " ".join(profile.applies_to.text.split())} if profile.applies_to else {}


def _signals(before: Profile, after: Profile) -> Iterator[Change]:
    then, now = ({one.name: one for one in profile.signals} for profile in (before, after))
    share = [shares(before), shares(after)]
    for name in _named(then, now):
        subject = f"signal {name}"
        if name in then and name in now:
            told = [told_signal(one[name], each[name]) for one, each in zip((then, now), share, strict=True)]
            if then[name].weight == now[name].weight:      # another signal's weight has changed, and so its share
                told = [{**one, "weight": f"{each[name]:.3g} % of the score"}
                        for one, each in zip(told, share, strict=True)]
            yield from (replace(one, what="the share") if one.what == "weight" and then[name].weight == now[name].weight
                        else one for one in _compared(Section.SCORE, subject, *told))
        elif name in now:
            yield Change(Section.SCORE, subject, ChangeKind.ADDED, after=f"{share[1][name]:.3g} % of the score")
        else:
            yield _whole(Section.SCORE, subject, added=False)


def _tiers(before: Rulebook, after: Rulebook) -> Iterator[Change]:
    then, now = ({one.name: told_tier(one) for one in book.scorecard.tiers} for book in (before, after))
    for name in _named(then, now):
        yield from _one(Section.TIERS, f"tier {name}", then.get(name), now.get(name), "range")


def _triggers(before: Rulebook, after: Rulebook) -> Iterator[Change]:
    heirs = {name: old for name, trigger in after.triggers.items() if name not in before.triggers
             for old in reversed(trigger.renamed_from) if old in before.triggers and old not in after.triggers}
    for name in _named(before.triggers, after.triggers):
        if name in heirs.values():
            continue
        then, now = (told_trigger(book.triggers[name]) if name in book.triggers else None
                     for name, book in ((heirs.get(name, name), before), (name, after)))
        if name in heirs:
            yield Change(Section.TRIGGERS, f"trigger {name}", ChangeKind.CHANGED, "the name", heirs[name], name)
        yield from _one(Section.TRIGGERS, f"trigger {name}", then, now, "when")


def _plays(before: Rulebook, after: Rulebook) -> Iterator[Change]:
    for name in _named(before.plays, after.plays):
        then, now = before.plays.get(name), after.plays.get(name)
        if then and now:
            yield from _compared(Section.PLAYS, f"play {name}", told_play(then), told_play(now))
            yield from _steps(then, now)
        else:
            yield from _one(Section.PLAYS, f"play {name}", told_play(then) if then else None,
                            told_play(now) if now else None, "about")
    yield from _order(Section.PLAYS, "the plays", list(before.plays), list(after.plays))


def _steps(before: Play, after: Play) -> Iterator[Change]:
    """Steps found again wherever they stand; one that stands in the place of another has changed."""
    then, now = [told_step(one) for one in before.steps], [told_step(one) for one in after.steps]
    subject = f"play {after.name}"
    for tag, a, b, c, d in SequenceMatcher(None, then, now, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        both = min(b - a, d - c)
        for offset in range(both):
            yield Change(Section.PLAYS, subject, ChangeKind.CHANGED, f"step {c + offset + 1}", then[a + offset],
                         now[c + offset])
        for index in range(a + both, b):
            yield Change(Section.PLAYS, subject, ChangeKind.REMOVED, f"step {index + 1}", before=then[index])
        for index in range(c + both, d):
            yield Change(Section.PLAYS, subject, ChangeKind.ADDED, f"step {index + 1}", after=now[index])


def _templates(before: Rulebook, after: Rulebook) -> Iterator[Change]:
    for name in _named(before.templates, after.templates):
        then, now = before.templates.get(name), after.templates.get(name)
        if then and now:
            if told_template(then) != told_template(now):
                yield Change(Section.TEMPLATES, f"template {name}", ChangeKind.CHANGED)
        else:
            yield _whole(Section.TEMPLATES, f"template {name}", now is not None)


def _metrics(before: Rulebook, after: Rulebook) -> Iterator[Change]:
    yield from _compared(Section.METRICS, "the roles", told_roles(before), told_roles(after))
    then, now = ({name: told_metric(one) for name, one in book.catalogue.metrics.items()} for book in (before, after))
    for name in _named(then, now):
        yield from _one(Section.METRICS, f"metric {name}", then.get(name), now.get(name), "kind")


def _one(section: Section, subject: str, before: Told | None, after: Told | None, key: str) -> Iterator[Change]:
    """The changes of something that may be new or gone; when new, `key` says what it is."""
    if before is not None and after is not None:
        yield from _compared(section, subject, before, after)
    elif after is not None:
        yield Change(section, subject, ChangeKind.ADDED, after=after.get(key, ""))
    else:
        yield _whole(section, subject, added=False)


def _whole(section: Section, subject: str, added: bool) -> Change:
    return Change(section, subject, ChangeKind.ADDED if added else ChangeKind.REMOVED)


def _compared(section: Section, subject: str, before: Told, after: Told) -> Iterator[Change]:
    for what in _named(before, after):
        then, now = before.get(what, ""), after.get(what, "")
        if then != now:
            kind = ChangeKind.CHANGED if then and now else ChangeKind.ADDED if now else ChangeKind.REMOVED
            yield Change(section, subject, kind, what, then, now)


def _order(section: Section, subject: str, before: list[str], after: list[str]) -> Iterator[Change]:
    """Who stands higher goes first, so a new order is a change even where nothing else is."""
    then = [name for name in before if name in after]
    now = [name for name in after if name in before]
    if then != now:
        yield Change(section, subject, ChangeKind.CHANGED, "the order", ", ".join(then), ", ".join(now))


def _named(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Every name, in the order of the file as it is now; what is gone comes last."""
    return [*after, *(name for name in before if name not in after)]
