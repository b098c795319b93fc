"""One account on one screen: at most a hundred columns, calm in a terminal and readable in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forestall.engine.cli.explain_alerts import alert_lines, other_lines
from forestall.engine.cli.report import MARGIN, amount, long_day, table
from forestall.engine.cli.screen import MOST_LINES, WIDTH, Detail, clipped, headed, near, signed, tenths, wrapped
from forestall.engine.cli.told import Known, Told
from forestall.engine.message.wording import value_text
from forestall.engine.model.alert import AlertStatus
from forestall.engine.model.expression import Truth
from forestall.engine.model.scorecard import MissingPolicy
from forestall.engine.score.earned import Cause, Moved, without_data
from forestall.engine.score.evaluations import to_epoch
from forestall.engine.score.explain import Earned, Explanation, Fact, TriggerExplained
from forestall.engine.score.reason import why

MOST_REASONS = 5
LEFT = {without_data(policy): short for policy, short in (
    (MissingPolicy.REWEIGHT, "left out"), (MissingPolicy.ZERO, "counts 0"), (MissingPolicy.NEUTRAL, "counts 50"))}
WORDS = {Truth.TRUE: "true", Truth.FALSE: "false", Truth.UNKNOWN: "unknown"}


def lines(told: Told, *, whole: bool = False) -> list[str]:
    """Everything, from the score to the silences. Without `whole` what matters least is shortened to fit one screen."""
    found = list(_screen(told, Detail.WHOLE))
    for detail in (Detail.WITHOUT_FALSE, Detail.ALERTS_IN_BRIEF) if not whole else ():
        if len(found) <= MOST_LINES:
            return found
        found = [*_screen(told, detail), "", "Shortened to one screen; --all shows the rest."]
    return found


def _screen(told: Told, detail: Detail) -> Iterator[str]:
    found = told.found
    yield f"{found.account}{_name(told)} on {long_day(found.day)}"
    yield ""
    yield from _health(told)
    yield ""
    yield from _signals(found)
    yield ""
    yield from _since(told)
    yield ""
    yield from _triggers(told, detail)
    yield ""
    yield from alert_lines(told, detail)
    yield from other_lines(told)


def _name(told: Told) -> str:
    role = told.rulebook.catalogue.roles.name
    value = next((fact.value for fact in told.found.facts if fact.name == role), None)
    return f", {value_text(value)}," if value is not None and value != told.found.account else ""


def _health(told: Told) -> Iterator[str]:
    scored, found = told.found.scored, told.found
    labels = {tier.name: tier.label for tier in told.rulebook.scorecard.tiers}
    tier = f", {labels[scored.tier]}{_forced(told)}" if scored.tier else ""
    if scored.score is None:
        yield from headed("Health", f"unscored{tier}: {scored.unscored_because}")
    else:
        profile = f"; profile {scored.profile}" if scored.profile else ""
        yield from headed("Health", f"{scored.score:g}{tier}; {scored.coverage:.0%} of the weight has data{profile}")
    if found.named_on != found.day:
        yield from headed("Last named", f"{near(found.named_on, found.day)}; values are carried from then")
    for index, one in enumerate(told.rulebook.catalogue.said_of(found.account, found.day)):
        personal = told.rulebook.catalogue.metrics[one.metric].personal
        value = "(personal)" if personal else value_text(one.value)
        yield from headed("" if index else "By hand", f"{one.metric}: {value}, says {one.by} until "
                          f"{near(one.until, found.day)}: {one.note}")


def _forced(told: Told) -> str:
    """Why the tier holds whatever the score, where a condition says so; the worst tier is asked first."""
    today = to_epoch(told.day)
    for tier in reversed(told.rulebook.scorecard.tiers):
        if tier.when is not None and told.found.subject.value(tier.when, today) is True:
            return f" whatever the score: {why(tier.when, told.found.subject, today)}"
    return ""


# -- signals ---------------------------------------------------------------------------------------------------------


def _signals(found: Explanation) -> Iterator[str]:
    leaves = [leaf for one in found.signals for leaf in (one.parts or (one,))]
    score = found.scored.score
    earned = tenths([leaf.earned or 0.0 for leaf in leaves], score or 0.0)
    missed = tenths([leaf.missed or 0.0 for leaf in leaves], 100 - score if score is not None else 0.0)
    cells = {id(leaf): (one, two) for leaf, one, two in zip(leaves, earned, missed, strict=True)}
    rows: list[tuple[str, ...]] = [("signal", "share", "points", "earned", "missed", "said", "from")]
    for one in found.signals:
        counted = [cells[id(leaf)] for leaf in (one.parts or (one,))]
        rows.append(_row(one, one.name, (sum(cell[0] for cell in counted), sum(cell[1] for cell in counted))))
        rows.extend(_row(part, f"  {part.name}", cells[id(part)]) for part in one.parts)
    if score is not None:
        rows.append(("together", "100%", f"{score:.1f}", f"{score:.1f}", f"{100 - score:.1f}", "", ""))
    for line in table(rows, indent=0):
        yield clipped(line)


def _row(one: Earned, name: str, sums: tuple[float, float]) -> tuple[str, ...]:
    points = "–" if one.points is None else f"{one.points:.1f}"
    counts = ("–", "–") if one.earned is None else (f"{sums[0]:.1f}", f"{sums[1]:.1f}")
    return name, f"{one.share:.0%}", points, *counts, "" if one.parts else _age(one.age), _from(one)


def _from(one: Earned) -> str:
    if one.parts:
        return one.without_data and f"no data: {LEFT[one.without_data]}"
    if one.points is not None:
        value = value_text(one.value) + (f" {one.unit}" if one.unit else "")
        return f"{one.text} = {value}" if one.text.isidentifier() else f"{value} = {one.text}"
    because = ", ".join(f"{fact.name} {_lacking(fact)}" for fact in one.lacking) or f"{one.text} has no value"
    return f"{because}: {LEFT[one.without_data]}" if one.without_data else because


def _lacking(fact: Fact) -> str:
    if fact.said is None:
        return "was never said"
    return f"too old after {amount(fact.stale_after, 'day', 'days')}" if fact.age else "is missing"


def _age(age: int | None) -> str:
    return "" if age is None else "today" if age == 0 else "1 day ago" if age == 1 else f"{age} days ago"


# -- what moved the score --------------------------------------------------------------------------------------------


def _since(told: Told) -> Iterator[str]:
    moved = told.found.movement
    day = f"{near(moved.since, told.day)} ({amount(told.since, 'day', 'days')})"
    if moved.then is None or moved.now is None:
        which = "on that day" if moved.then is None else "today"
        yield from headed("Since", f"{day}: nothing to compare, the account had no score {which}")
        return
    change = moved.now - moved.then
    causes = list(Cause)
    parts = tenths([moved.of(cause) for cause in causes], change)
    said = ", ".join(f"{cause.value} {signed(part)}" for cause, part in zip(causes, parts, strict=True)
                     if cause is not Cause.RULES or told.rules_then.known is Known.CHANGED)
    if not any(parts):
        yield from headed("Since", f"{day}: {moved.then:g} then, and nothing moved it")
    else:
        yield from headed("Since", f"{day}: {moved.then:g} → {moved.now:g}, {signed(change)}: {said}")
    yield from _rules(told)
    large = [one for one in _gathered(moved.moved) if abs(one.change) >= 0.05]
    for one in large[:MOST_REASONS]:
        yield clipped(f"  {signed(one.change):>6}  {one.cause.value:<9}  {_what(one)}")
    if rest := large[MOST_REASONS:]:
        yield f"  {signed(sum(one.change for one in rest)):>6}  in {len(rest)} smaller changes"


def _rules(told: Told) -> Iterator[str]:
    known = told.rules_then
    if known.known is Known.CHANGED:
        yield from headed("", f"The rules of the score were changed since; those of then are in commit "
                         f"{known.commit[:10]}.")
    elif known.known is Known.NOT_STORED:
        yield from headed("", "The rules of the score were changed since, and what they were is not stored: the score "
                         "of then is computed by today's rules.")


def _gathered(moved: Sequence[Moved]) -> list[Moved]:
    """Data that came or went by itself; what the others gained or lost in weight by it in one line."""
    own = [one for one in moved if one.cause is not Cause.DATA or one.before is None or one.after is None]
    shared = sum(one.change for one in moved if one not in own)
    if abs(shared) >= 0.05:
        own.append(Moved(Cause.DATA, shared, what="the other signals share the weight in another way"))
    return sorted(own, key=lambda one: -abs(one.change))


def _what(one: Moved) -> str:
    if one.what:
        return one.what
    name = f"{one.signal}, {one.part}" if one.part else one.signal
    if one.before is None:
        return f"{name}: has data now, {one.after:.0f} points" if one.after is not None else f"{name}: no data"
    return f"{name}: no data any more" if one.after is None else f"{name}: {one.before:.0f} → {one.after:.0f} points"


# -- triggers --------------------------------------------------------------------------------------------------------


def _triggers(told: Told, detail: Detail) -> Iterator[str]:
    if not told.found.triggers:
        yield from headed("Triggers", "none")
        return
    file = told.found.triggers[0].trigger.when.location.file
    room = WIDTH - MARGIN - 2
    yield from headed("Triggers", file if len(file) <= room else "…" + file[1 - room:])
    width = max(len(one.trigger.name) for one in told.found.triggers)
    order = {Truth.TRUE: 0, Truth.UNKNOWN: 1, Truth.FALSE: 2}
    told_of = [one for one in told.found.triggers if one.truth is not Truth.FALSE or detail is Detail.WHOLE]
    for one in sorted(told_of, key=lambda one: order[one.truth]):
        head = f"  {':' + str(one.trigger.when.location.line):>5}  {WORDS[one.truth]:<7}  {one.trigger.name:<{width}}  "
        room = WIDTH - len(head)
        yield from wrapped(head, _short(one.because, room) if one.truth is Truth.FALSE else
                           one.because + _standing(told, one))
    others = [one.trigger.name for one in told.found.triggers if one not in told_of]
    if others:
        yield from wrapped(f"         {WORDS[Truth.FALSE]:<7}  ", ", ".join(others))


def _short(because: str, room: int) -> str:
    """As many of the reasons as fit in a line, and at least one: each alone makes the condition false."""
    said = ""
    for reason in because.split("; "):
        if said and len(said) + 2 + len(reason) > room:
            break
        said = f"{said}; {reason}" if said else reason
    return said


def _standing(told: Told, one: TriggerExplained) -> str:
    """What its alert is doing meanwhile, where the truth alone does not say."""
    stood = next((alert for alert in told.answered.alerts if alert.alert.trigger == one.trigger.name), None)
    if stood is None or one.truth is not Truth.TRUE:
        return ""
    if stood.alert.status is AlertStatus.SPENT:
        return "; its alert expired, and opens again once this was false"
    if stood.alert.status is AlertStatus.CLEAR and stood.cooldown_until is not None:
        return f"; rests until {near(stood.cooldown_until, told.day)}"
    return ""
