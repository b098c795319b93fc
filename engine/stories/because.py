"""Why a day of a story went as it did, in one line: what `explain` would show of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from forestall.engine.model.alert import Alert, AlertStatus
from forestall.engine.model.delivery import Delivery, RunStatus, Silence
from forestall.engine.model.expression import Expression, Truth
from forestall.engine.model.play import Play
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.score.account import Account
from forestall.engine.score.evaluations import to_epoch
from forestall.engine.score.reason import said, truth, why
from forestall.engine.stories.outcome import DayTold, Difference
from forestall.engine.stories.stories import ALL

WORDS: Mapping[Truth, str] = {Truth.TRUE: "true", Truth.FALSE: "false", Truth.UNKNOWN: "unknown"}


class Because:
    """Answers for one story. `account` knows every day of it; None where nothing ever arrived."""

    def __init__(self, rulebook: Rulebook, account: Account | None, first: date) -> None:
        self._rulebook, self._account, self._first = rulebook, account, first

    def line(self, difference: Difference, told: DayTold) -> str:
        """One line for one difference on the day `told`."""
        match difference.about:
            case "tier" | "score":
                return self._score(told)
            case "alerts":
                return self._alert(difference.name, told)
            case "no_alerts":
                names = sorted(told.alerts) if difference.name == ALL else [difference.name]
                return "; ".join(self._alert(name, told) for name in names)
            case "deliveries":
                return self._not_planned(difference.name.rpartition(".")[0], told)
            case "no_deliveries":
                return self._planned(difference.name, told)
            case _:
                return "; ".join(_quiet(one) for one in told.decisions.silences) or "nothing was held back on this day"

    # -- the score ---------------------------------------------------------------------------------------------------

    def _score(self, told: DayTold) -> str:
        if self._account is None:
            return "nothing has arrived by this day"
        scored = self._account.scored(to_epoch(told.day))
        signals = ", ".join(
            f"{one.signal.name} {said(one.points, 1)}" + ("" if one.points is None else f" x {one.share:.0%}")
            for one in scored.signals)
        return f"no score: {scored.unscored_because} ({signals})" if told.score is None else \
            f"score {said(told.score, 1)}: {signals}"

    # -- alerts ------------------------------------------------------------------------------------------------------

    def _alert(self, name: str, told: DayTold) -> str:
        """Why an alert is open, or is not."""
        trigger = self._rulebook.triggers.get(name)
        alert = told.known.get(name)
        is_open = alert is not None and alert.status is AlertStatus.OPEN
        if trigger is None:
            since = f", open since day {self._number(alert.opened_on)}" if alert is not None and is_open else ""
            return f"{name}: the account is {told.tier}{since}; {self._score(told)}"
        holds, line = self._condition(trigger.when, told.day)
        line = f"{name}: {line}"
        if alert is None:
            return line
        if is_open and holds is not Truth.TRUE:
            line += f"; open since day {self._number(alert.opened_on)}"
            if trigger.clear_when is not None:
                line += f", and `clear_when` {self._condition(trigger.clear_when, told.day)[1]}"
        elif not is_open and holds is Truth.TRUE:
            line += self._rests(alert, trigger.cooldown)
        return line

    def _rests(self, alert: Alert, cooldown: int) -> str:
        opened = self._number(alert.opened_on)
        if alert.status is AlertStatus.SPENT:
            return f"; but it was open from day {opened} and has expired: it opens again once it was false"
        return f"; but it opened on day {opened} and rests for {cooldown} days"

    def _condition(self, condition: Expression, day: date) -> tuple[Truth, str]:
        if self._account is None:
            return Truth.UNKNOWN, "nothing has arrived by this day"
        holds = truth(self._account.value(condition, to_epoch(day)))
        text = " ".join(condition.text.split())
        return holds, f"`{text}` is {WORDS[holds]}: {why(condition, self._account, day)}"

    # -- deliveries --------------------------------------------------------------------------------------------------

    def _not_planned(self, name: str, told: DayTold) -> str:
        """Why a play plans nothing of that kind."""
        quiet = [_quiet(one) for one in told.decisions.silences if one.play == name]
        if quiet:
            return "; ".join(quiet)
        mine = next((run for run in told.runs if run.play == name and run.status is RunStatus.RUNNING), None)
        if mine is not None and mine.next_on is not None:
            return f"{name} runs since day {self._number(mine.occurrence)}, its next step is due on day " \
                   f"{self._number(mine.next_on)}"
        play = self._rulebook.plays[name]
        if play.recurring:
            return f"{name} starts by the calendar, and this account's day is another one; it is {told.tier}"
        return self._not_started(play, told)

    def _not_started(self, play: Play, told: DayTold) -> str:
        if not told.alerts & set(play.alert_names()):
            return "; ".join(self._alert(alert, told) for alert in play.alert_names())
        ended = next((run for run in reversed(told.runs) if run.play == play.name), None)
        if ended is not None:
            return f"{play.name} began on day {self._number(ended.occurrence)} and is {ended.status.value}" + (
                f": {ended.reason}" if ended.reason else "")
        if play.applies_to is not None:
            holds, line = self._condition(play.applies_to, told.day)
            if holds is not Truth.TRUE:
                return f"`applies_to` of {play.name}: {line}"
        others = [run.play for run in told.runs if run.status is RunStatus.RUNNING]
        return f"{play.name} did not start" + (f": {', '.join(others)} is running" if others else "")

    def _planned(self, name: str, told: DayTold) -> str:
        """What set it in motion."""
        found = [one for one in told.decisions.deliveries if name in (ALL, one.play, f"{one.play}.{one.kind.value}")]
        return "; ".join(dict.fromkeys(self._started(one, told) for one in found))

    def _started(self, delivery: Delivery, told: DayTold) -> str:
        if delivery.group == delivery.play:
            return f"{delivery.play} starts by the calendar, and this is this account's day"
        began = f"{delivery.play} answers {delivery.group}, which opened on day {self._number(delivery.occurrence)}"
        trigger = self._rulebook.triggers.get(delivery.group)
        if trigger is None:      # a tier
            return f"{began}; {self._score(told)}"
        return f"{began}: {self._condition(trigger.when, delivery.occurrence)[1]}"

    def _number(self, day: date) -> int:
        """A date as a day of the story."""
        return (day - self._first).days + 1


def _quiet(one: Silence) -> str:
    step = f".{one.step}" if one.step else ""
    return f"{one.play}{step} was kept quiet: {one.reason.value}" + (f", {one.detail}" if one.detail else "")
