"""The story of an alert as ready-made Markdown: `{{ story }}` in a template, or one part of it like `story.chart`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from forestall.engine.message.story import Story
from forestall.engine.message.wording import day, short_day

PARTS = ("changes", "chart", "stakes", "next", "rule")

CHART = "chart"      # the kind of a block of code: by twos a name and a line of bars, and the days below

Put = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the story that a template can print; false when there is nothing to tell."""

    written: Callable[[Put], str]
    there: bool

    def __bool__(self) -> bool:
        return self.there


class Telling:
    """`story` in a template: printed as a whole, or one part of it."""

    __slots__ = ("_story",)

    def __init__(self, story: Story) -> None:
        self._story = story

    def __bool__(self) -> bool:
        return any(self.part(name) for name in PARTS)

    def part(self, name: str) -> Piece:
        """One of PARTS."""
        story, write = self._story, _WRITTEN[name]
        there = {
            "changes": bool(story.changes), "chart": bool(story.charts), "stakes": bool(story.stakes),
            "next": bool(story.ahead),
            "rule": story.inside and story.alert is not None and bool(story.alert.rule),
        }[name]
        return Piece(lambda put: f"\n\n{write(story, put)}\n\n" if there else "", there)

    def written(self, put: Put) -> str:
        """All parts, in their order."""
        return "".join(self.part(name).written(put) for name in PARTS)


def heading(story: Story, worded: frozenset[str]) -> tuple[str, str]:
    """What a message says above all else where it is no step of the play: a word for the subject, and the first line.

    Empty where the template words it itself (`alert.reminder`, `play.overdue`).
    """
    if story.overdue and story.due is not None:
        return ("", "") if "overdue" in worded else ("Overdue", f"Overdue since {day(story.due)}.")
    if story.reminder and story.alert is not None:
        return ("", "") if "reminder" in worded else ("Reminder", f"Reminder: open since {day(story.alert.opened_on)}.")
    return "", ""


def _changes(story: Story, put: Put) -> str:
    then = put(short_day(story.before.day)) if story.before else ""
    rows = [("", then, put(short_day(story.now.day))), ("---", "---:", "---:")]
    rows += [(put(change.label), put(change.then), put(change.now)) for change in story.changes]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _chart(story: Story, put: Put) -> str:
    lines: list[str] = []
    for chart in story.charts:
        lines += [put(f"{chart.label}  {chart.first} → {chart.last}"), put(chart.line)]
    first, last = (short_day(one) for one in (story.charts[0].since, story.now.day))
    gap = max(len(story.charts[0].line) - len(first) - len(last), 2)
    return "\n".join([f"```{CHART}", *lines, put(f"{first}{' ' * gap}{last}"), "```"])


def _stakes(story: Story, put: Put) -> str:
    return f"**At stake:** {put(story.stakes)}."


def _next(story: Story, put: Put) -> str:
    return "\n".join(["**What happens by itself**", "",
                      *(f"- {put(one.when)}: {put(one.what)}" for one in story.ahead)])


def _rule(story: Story, put: Put) -> str:
    """Small print: why this message came."""
    alert = story.alert
    if alert is None:
        return ""
    open_for = (story.now.day - alert.opened_on).days
    since = "today" if open_for == 0 else f"{day(alert.opened_on)}"
    said = [f"**Since** {put(since)}", f"**Because** {put(alert.rule)}"]
    if alert.condition:
        said[-1] += f" (`{put(alert.condition)}`)"
    if story.due is not None:
        said.append(f"**Due** {put(short_day(story.due))}")
    return "> " + " · ".join([*said, f"**Alert** {put(alert.name)}, **play** {put(story.play.replace('_', ' '))}"])


_WRITTEN: Mapping[str, Callable[[Story, Put], str]] = {
    "changes": _changes, "chart": _chart, "stakes": _stakes, "next": _next, "rule": _rule,
}
