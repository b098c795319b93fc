"""Templates to messages: what a story gives to a template, and the checks before any message is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from jinja2 import Template as Compiled
from jinja2 import TemplateError

from forestall.engine.errors import Location, Problem, RulesError
from forestall.engine.message import template_check
from forestall.engine.message.environment import SLOTS, Link, Missing, Named, UnfitError, compiled
from forestall.engine.message.slots import Slots
from forestall.engine.message.story import AlertStory, Rendered, Story
from forestall.engine.message.telling import Telling, heading
from forestall.engine.message.wording import one_line
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.evaluation import Facts
from forestall.engine.model.people import Person
from forestall.engine.model.rulebook import Template

__all__ = ["AlertStory", "Rendered", "Story", "needed", "problems", "render"]

_LONGEST_SUBJECT = 200
_ENDS_LINK = re.compile(r"[\s<>()\[\]\\\"]")
_GAP = re.compile(r"[ \t]*\n(?:[ \t]*\n){2,}")


def problems(template: Template, catalogue: Catalogue, signals: tuple[str, ...]) -> list[Problem]:
    """Everything that is wrong with a template, each at its place in the file; an empty list when it can be used.

    `signals` are the names of the signals and their parts. When the text is sound but it is not certain that its
    values fit together, the template is tried with everything known and with nothing known.
    """
    checked = template_check.checked(template, catalogue, signals)
    found = list(checked.problems)
    if not found and not checked.sure:
        for story in template_check.samples(catalogue, signals):
            found.extend(_failures(template, story))
    return list(dict.fromkeys(found))


def render(template: Template, story: Story) -> Rendered:
    """The message that the template makes of a story. RulesError when the template cannot be used for it."""
    failures: list[Problem] = []
    slots = Slots()
    values: dict[str, object] = {name: _VALUES[name](story) for name in _named(template)}
    values[SLOTS] = slots
    subject = _filled(template, values, failures, body=False)
    body = _filled(template, values, failures, body=True)
    if failures:
        raise RulesError(failures)
    subject = one_line(subject)
    word, line = heading(story, needed(template)) if story.reminder or story.overdue else ("", "")
    if line:
        subject = subject if subject.casefold().startswith(word.casefold()) else f"{word}: {subject}"
        body = f"**{slots.put(line)}**\n\n{body}"
    if len(subject) > _LONGEST_SUBJECT:
        subject = f"{subject[:_LONGEST_SUBJECT - 1].rstrip()}…"
    return Rendered(subject, _tidy(body), tuple(slots.values))


@lru_cache(maxsize=4096)
def _tidy(body: str) -> str:
    """Without the empty lines that parts leave behind which are not told."""
    return _GAP.sub("\n\n", body).strip() + "\n"


@lru_cache(maxsize=1024)
def needed(template: Template) -> frozenset[str]:
    """What a template wants to know of the story that takes work to find: changes, charts, ahead, stakes, reason."""
    return template_check.needed(f"{template.subject}\n{template.body}")


@lru_cache(maxsize=1024)
def _named(template: Template) -> tuple[str, ...]:
    return tuple(sorted(template_check.used(f"{template.subject}\n{template.body}") & _VALUES.keys()))


def _failures(template: Template, story: Story) -> tuple[Problem, ...]:
    try:
        render(template, story)
    except RulesError as error:
        return error.problems
    return ()


def _filled(template: Template, values: dict[str, object], failures: list[Problem], body: bool) -> str:
    try:
        return _run(compiled(template.body if body else template.subject, body), values)
    except UnfitError as error:
        failures.append(_failure(template, error, f"{error}.", body))
    except TypeError as error:
        failures.append(_failure(template, error, "values of different kinds are compared.", body))
    except (TemplateError, ArithmeticError, ValueError) as error:
        failures.append(_failure(template, error, f"this cannot be worked out: {error}.", body))
    return ""


def _run(made: Compiled, values: dict[str, object]) -> str:
    """What `made.render(values)` gives, without the copies of `values` that it makes."""
    try:
        environment = made.environment
        context = environment.context_class(environment, values, made.name, made.blocks)
        return "".join(made.root_render_func(context))
    except (TemplateError, TypeError, ArithmeticError, ValueError):
        return made.render(values)      # fails again, and tells the line


def _failure(template: Template, error: Exception, message: str, body: bool) -> Problem:
    """The problem at the line that failed: Jinja2 puts the template's own lines into the trace."""
    line = getattr(error, "lineno", None) or 1
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    where = Location(template.location.file, template.body_line + line - 1 if body else template.location.line or 1, 1)
    return Problem(where, "template-fails", f"message {template.name}: {message}",
                   "Check the kinds of the values in metrics.yaml.")


@lru_cache(maxsize=1024)
def _links(resources: tuple[str, ...]) -> list[Link]:
    return [Link(_safe(link)) for link in resources]


@lru_cache(maxsize=1024)
def _person(person: Person | None) -> object:
    return Missing() if person is None else Named({"name": person.name, "email": person.email})


def _facts(facts: Facts, tiers: Mapping[str, str], days_ago: int | None = None) -> Named:
    tier = tiers.get(facts.tier, facts.tier) if facts.tier else None
    return Named({"score": facts.score, "tier": tier, "day": facts.day, "days_ago": days_ago}, facts.values)


def _safe(link: str) -> str:
    """An address that cannot end the link it is put into."""
    return _ENDS_LINK.sub(lambda found: f"%{ord(found.group()):02X}", link)


def _before(story: Story) -> object:
    return Missing() if story.before is None else _facts(story.before, story.tiers, story.days_ago)


def _alert(story: Story) -> object:
    alert = story.alert
    return Missing() if alert is None else Named({
        "name": alert.name, "about": alert.about, "opened_on": alert.opened_on, "severity": alert.severity,
        "reason": alert.reason, "rule": alert.rule, "condition": alert.condition, "reminder": story.reminder,
    })


# The names that a template can use; one that has no value is missing. Only those that it uses are looked up.
_VALUES: Mapping[str, Callable[[Story], object]] = {
    "account": lambda story: Named({"id": story.account, "name": story.name}),
    "csm": lambda story: _person(story.csm),
    "executive": lambda story: _person(story.executive),
    "contact": lambda story: Named({"email": story.contact}),
    "now": lambda story: _facts(story.now, story.tiers),
    "before": _before,
    "alert": _alert,
    "play": lambda story: Named({"name": story.play, "within": story.within, "about": story.about, "due": story.due,
                                 "overdue": story.overdue}),
    "resources": lambda story: _links(story.resources),
    "story": Telling,
    "changes": lambda story: [Named({"label": one.label, "then": one.then, "now": one.now}) for one in story.changes],
    "charts": lambda story: [Named({"label": one.label, "line": one.line, "first": one.first, "last": one.last,
                                    "since": one.since}) for one in story.charts],
    "tasks": lambda story: [Named({"title": one.title, "account": one.account, "play": one.play,
                                   "severity": one.severity, "due": one.due}) for one in story.tasks],
    "ahead": lambda story: [Named({"when": one.when, "what": one.what}) for one in story.ahead],
}
