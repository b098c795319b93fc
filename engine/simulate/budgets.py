"""What the candidate may bring at most: `--fail-over`, and the limits of its own playbook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from forestall.engine.errors import Location, UsageError
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.model.delivery import MessageKind
from forestall.engine.simulate.comparison import Budget, Comparison, Load
from forestall.engine.simulate.tally import MESSAGES, Tally

LIMITS = "limits"
_KINDS: Mapping[str, str] = {"emails": MessageKind.EMAIL, "slack": MessageKind.SLACK, "webhooks": MessageKind.WEBHOOK,
                             "tasks": MessageKind.TASK}
_PERSONS: Mapping[str, tuple[str, str]] = {"tasks-per-csm": (MessageKind.TASK, "tasks per day of"),
                                           "messages-per-person": (MESSAGES, "messages per day to")}
_WORDS: Mapping[str, str] = {"emails": "emails per day", "slack": "Slack messages per day",
                             "webhooks": "webhooks per day", "tasks": "tasks per day"}
NAMES = (*_KINDS, *_PERSONS, "deliveries", "alerts", "on-merge", LIMITS)


def asked_for(said: Iterable[str]) -> dict[str, float | None]:
    """`emails=200` and `limits`, as name → the most (None for `limits`). UsageError for anything else."""
    found: dict[str, float | None] = {}
    for one in said:
        name, equals, text = (part.strip() for part in one.partition("="))
        if name not in NAMES:
            raise UsageError.one(Location("--fail-over"), "fail-over", f"nothing can be counted as `{name}`.",
                                 did_you_mean(name, NAMES) or f"Name one of {', '.join(NAMES)}.")
        if name == LIMITS:
            if equals:
                raise UsageError.one(Location("--fail-over"), "fail-over", "`limits` has no number: playbook.yaml says "
                                     "them.", "Write `--fail-over limits`.")
            found[name] = None
            continue
        try:
            found[name] = float(text)
        except ValueError:
            found[name] = -1.0
        if not 0 <= (found[name] or 0.0) < float("inf"):
            raise UsageError.one(Location("--fail-over"), "fail-over", f"`{one}` does not say how many are too many.",
                                 f"Write the most that you allow, as in `--fail-over {name}=200`.")
    return found


def budgets(comparison: Comparison, candidate: Tally, asked: Mapping[str, float | None]) -> tuple[Budget, ...]:
    """What was asked for, then the limits of the playbook; these fail the gate only if they were asked for."""
    named = [_measured(comparison, name, limit) for name, limit in asked.items() if limit is not None]
    return (*named, *_of_playbook(comparison, candidate, gates=LIMITS in asked))


def _measured(comparison: Comparison, name: str, limit: float) -> Budget:
    """The peak of a day in the period, of everybody or of whoever has most."""
    if name in _KINDS:
        load = next(one for one in comparison.loads if (one.what, one.person) == (_KINDS[name], ""))
        return _budget(_WORDS[name], limit, load.candidate.peak)
    if name in _PERSONS:
        what, words = _PERSONS[name]
        most = _most(comparison, what)
        return _budget(f"{words} {most.person}", limit, most.candidate.peak) if most else _budget(
            words.rpartition(" ")[0] + " anybody", limit, 0)
    if name == "on-merge":
        merge = comparison.on_merge
        return _budget("deliveries on the first day", limit,
                       sum(pair.candidate for pair in merge.deliveries.values()) if merge else 0)
    peaks = [day.opened.candidate if name == "alerts" else day.deliveries.candidate for day in comparison.days]
    return _budget("alerts opened per day" if name == "alerts" else "deliveries per day", limit, max(peaks, default=0))


def _of_playbook(comparison: Comparison, candidate: Tally, *, gates: bool) -> Iterator[Budget]:
    """Each limit on whoever comes nearest to it, or breaks it."""
    limits = candidate.rulebook.limits
    for limit, (what, words) in zip((limits.tasks_per_csm, limits.messages_per_person), _PERSONS.values(), strict=True):
        most = _most(comparison, what)
        if limit is not None and most is not None:
            yield _budget(f"{words} {most.person}", limit, most.candidate.peak, gates=gates)
    starts = {play: max(days.values()) for play, days in candidate.starts.items() if days}
    if limits.per_play is not None and starts:
        play = max(starts, key=lambda name: (starts[name], name))
        yield _budget(f"starts per day of {play}", limits.per_play, starts[play], gates=gates)


def _most(comparison: Comparison, what: str) -> Load | None:
    persons = [one for one in comparison.loads if one.what == what and one.person]
    return max(persons, key=lambda one: one.candidate.peak, default=None)


def _budget(what: str, limit: float, measured: float, *, gates: bool = True) -> Budget:
    return Budget(what, limit, measured, measured > limit, gates)
