"""Starts that a guard holds: which of them, and what becomes of those that wait for a person to say yes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import Enum

from forestall.engine.intervene import courtesy, guards
from forestall.engine.intervene.accounts import OneAccount, in_the_way, same_opening
from forestall.engine.intervene.guards import HELD_DAYS
from forestall.engine.model.delivery import OutcomeStatus, PlayRun, RunStatus, Silence, SilenceReason
from forestall.engine.model.evaluation import AccountDay
from forestall.engine.model.play import Play
from forestall.engine.model.rulebook import Limits, Rulebook
from forestall.engine.model.state import Approval, State, identity
from forestall.engine.model.supply import Supply

Identity = tuple[str, str, str, date]
IN_DOUBT = "the facts are in doubt: "      # how the reason of the outage guard begins; the run keeps it


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a pass knows besides rules, facts and state. `holdouts` False: nobody is left out. `moment`: when it is,
    None where days have no hours. `supply`: how well the facts arrived. `approve`: what the guards hold goes at once,
    as in a simulation, and is only counted."""

    holdouts: bool = True
    moment: datetime | None = None
    supply: Supply = field(default_factory=Supply)
    approve: bool = False


USUAL = Circumstances()


class Verdict(Enum):
    """What becomes of a start that is held."""

    WAITS = "waits"
    GOES = "goes"
    ENDS = "ends"


@dataclass(frozen=True, slots=True)
class Guards:
    """Both guards on one day. `doubts`: alert → why what it would start may only answer an outage."""

    limits: Limits
    state: State
    day: date
    doubts: Mapping[str, str]
    approve: bool = False

    @classmethod
    def of(cls, rulebook: Rulebook, state: State, day: date, known: Circumstances) -> Guards:
        """The guards of a pass."""
        return cls(rulebook.limits, state, day, guards.unbelievable(rulebook, known.supply), known.approve)

    def held(self, started: Iterable[PlayRun], free: frozenset[Identity]) -> dict[Identity, str]:
        """Of the runs that started: those that are held, with the reason. `free` are those that a person let go."""
        asked = [run for run in started if identity(run) not in free]
        doubted = {identity(run): IN_DOUBT + self.doubts[run.group] for run in asked if run.group in self.doubts}
        rest = [run for run in asked if identity(run) not in doubted]
        many = {play: guards.too_many(self.limits, count + self.earlier(play), self.state.starts.get(play, ()),
                                      self.day)
                for play, count in courtesy.counted(run.play for run in rest).items()}
        return doubted | {identity(run): many[run.play] for run in rest if many[run.play]}

    def earlier(self, play: str) -> int:
        """How often a play started in earlier passes of this day."""
        return sum(count for on, count in self.state.starts.get(play, ()) if on == self.day)

    def starts(self, plays: Iterable[str], started: Iterable[PlayRun]) -> dict[str, int]:
        """Play → its starts of this day, for all plays."""
        fresh = courtesy.counted(run.play for run in started)
        return {play: self.earlier(play) + fresh.get(play, 0) for play in plays}

    def again(self, run: PlayRun, unwanted: str) -> tuple[Verdict, str]:
        """What becomes of a run that was held by an earlier pass; `unwanted` says why nobody needs it any more, or "".

        A run without `since` was let go already, and only waits until no other play runs.
        """
        if unwanted:
            return Verdict.ENDS, unwanted
        approval: Approval | None = self.state.approvals.get(run.play)
        if run.since is None or self.approve:
            return Verdict.GOES, ""
        if approval is not None and approval.cancelled:
            return Verdict.ENDS, f"{approval.given_by} said no"
        if approval is not None:
            return Verdict.GOES, ""
        if self.believed_again(run):
            return Verdict.GOES, ""
        if guards.lapsed(run.since, self.day):
            return Verdict.ENDS, f"not approved within {HELD_DAYS} days"
        return Verdict.WAITS, run.reason

    def believed_again(self, run: PlayRun) -> bool:
        """Whether the outage guard held it, and its facts are no longer in doubt."""
        return run.reason.startswith(IN_DOUBT) and run.group not in self.doubts

    def let_go(self, run: PlayRun) -> bool:
        """Whether a person let it go, so that no guard holds it again."""
        return run.since is None or run.play in self.state.approvals


def no_longer_wanted(rulebook: Rulebook, run: PlayRun, account: OneAccount,
                     applies: Callable[[Play, AccountDay], bool]) -> str:
    """Why nobody needs a start any more that is held, or ""."""
    play, row = rulebook.plays[run.play], account.row
    if row is None or run.outcome is OutcomeStatus.MET:
        return "its goal is met" if row is not None else ""
    if play.recurring:
        return "" if row.tier == play.tier and applies(play, row) else f"no longer in {play.tier}"
    if not any(same_opening(alert, run) for alert in account.alerts):
        return "its alert closed"
    chosen = next((one for one in rulebook.plays_for(run.group) if applies(one, row)), None)
    if chosen is None or chosen.name != play.name:
        return f"{chosen.name} comes first for this alert" if chosen else "the play is no longer for this account"
    return ""


def told_behind(silences: Iterable[Silence], held: Iterable[PlayRun]) -> list[Silence]:
    """The silences, where those of plays that wait behind a start that is held say so: no play is running."""
    waits = {(run.account, in_the_way(run)): in_the_way(replace(run, status=RunStatus.HELD)) for run in held}
    return [replace(one, detail=waits.get((one.account, one.detail), one.detail))
            if one.reason is SilenceReason.ANOTHER_PLAY else one for one in silences]
