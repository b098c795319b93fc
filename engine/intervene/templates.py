"""Templates to messages: what a story gives to a template, and the checks before any message is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from jinja2 import TemplateError

from forestall.engine.errors import Location, Problem, RulesError
from forestall.engine.intervene import template_check
from forestall.engine.intervene.environment import Link, Missing, UnfitError, compiled
from forestall.engine.intervene.story import AlertStory, Rendered, Story
from forestall.engine.intervene.wording import one_line
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.evaluation import Facts
from forestall.engine.model.people import Person
from forestall.engine.model.rulebook import Template

__all__ = ["AlertStory", "Rendered", "Story", "problems", "render"]

_LONGEST_SUBJECT = 200
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
    subject = _filled(template, story, failures, body=False)
    body = _filled(template, story, failures, body=True)
    if failures:
        raise RulesError(failures)
    subject = one_line(subject)
    if len(subject) > _LONGEST_SUBJECT:
        subject = f"{subject[:_LONGEST_SUBJECT - 1].rstrip()}…"
    return Rendered(subject, _GAP.sub("\n\n", body).strip() + "\n")


def _failures(template: Template, story: Story) -> tuple[Problem, ...]:
    try:
        render(template, story)
    except RulesError as error:
        return error.problems
    return ()


def _filled(template: Template, story: Story, failures: list[Problem], body: bool) -> str:
    try:
        return compiled(template.body if body else template.subject, body).render(_values(story))
    except UnfitError as error:
        failures.append(_failure(template, error, f"{error}.", body))
    except TypeError as error:
        failures.append(_failure(template, error, "values of different kinds are compared.", body))
    except (TemplateError, ArithmeticError, ValueError) as error:
        failures.append(_failure(template, error, f"this cannot be worked out: {error}.", body))
    return ""


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


def _values(story: Story) -> dict[str, object]:
    """The names that a template can use; one that has no value is missing."""
    alert = story.alert
    return {
        "account": _Named({"id": story.account, "name": story.name}),
        "csm": _person(story.csm),
        "executive": _person(story.executive),
        "contact": _Named({"email": story.contact}),
        "now": _facts(story.now, story.tiers),
        "before": Missing() if story.before is None else _facts(story.before, story.tiers, story.days_ago),
        "alert": Missing() if alert is None else _Named({
            "name": alert.name, "about": alert.about, "opened_on": alert.opened_on, "severity": alert.severity,
            "reason": alert.reason,
        }),
        "play": _Named({"name": story.play, "within": story.within}),
        "resources": [Link(_safe(link)) for link in story.resources],
    }


def _person(person: Person | None) -> object:
    return Missing() if person is None else _Named({"name": person.name, "email": person.email})


def _facts(facts: Facts, tiers: Mapping[str, str], days_ago: int | None = None) -> _Named:
    tier = tiers.get(facts.tier, facts.tier) if facts.tier else None
    return _Named({**facts.values, "score": facts.score, "tier": tier, "day": facts.day, "days_ago": days_ago})


def _safe(link: str) -> str:
    """An address that cannot end the link it is put into."""
    return re.sub(r"[\s<>()\[\]\\\"]", lambda found: f"%{ord(found.group()):02X}", link)


@dataclass(frozen=True, slots=True)
class _Named:
    """Values under names: what stands left of a dot in a template."""

    _values: Mapping[str, object]

    def __getattr__(self, name: str) -> object:
        value = self._values.get(name) if not name.startswith("_") else None
        if value is None or value == "":
            raise AttributeError(name)
        return value
