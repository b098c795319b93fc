"""The checks of a template's text: every name, filter and tag, at its place in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from jinja2 import TemplateSyntaxError, nodes

from forestall.engine.errors import Location, Problem
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.message.environment import FILTERS, TESTS, sandbox
from forestall.engine.message.names import LISTED, kinds_of
from forestall.engine.message.story import Ahead, AlertStory, Change, Chart, ListedTask, Story
from forestall.engine.message.telling import PARTS
from forestall.engine.message.template_kinds import children, everything, surely_fits
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.evaluation import Facts, Value
from forestall.engine.model.expression import Kind
from forestall.engine.model.people import Person
from forestall.engine.model.rulebook import Template

_ATTRIBUTES = {
    "account": ("id", "name"),
    "csm": ("name", "email"),
    "executive": ("name", "email"),
    "contact": ("email",),
    "alert": ("name", "about", "opened_on", "severity", "reason", "rule", "condition", "reminder"),
    "play": ("name", "within", "about", "due", "overdue"),
    "story": PARTS,
}
_OF_DAY = ("score", "tier", "day")
_TAGS: dict[type[nodes.Node], str] = {
    nodes.Include: "include", nodes.Import: "import", nodes.FromImport: "from", nodes.Extends: "extends",
    nodes.Macro: "macro", nodes.CallBlock: "call", nodes.Block: "block", nodes.FilterBlock: "filter",
    nodes.AssignBlock: "set", nodes.ScopedEvalContextModifier: "autoescape",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with the text of a template; `sure` when rendering it cannot fail either."""

    problems: tuple[Problem, ...]
    sure: bool


def checked(template: Template, catalogue: Catalogue, signals: tuple[str, ...]) -> Checked:
    """Check the text of a template: every place, not only the first."""
    return _checked(template, (*catalogue.metrics, *signals), tuple(kinds_of(catalogue, signals).items()))


@lru_cache(maxsize=1024)
def _checked(template: Template, names: tuple[str, ...], items: tuple[tuple[tuple[str, ...], Kind], ...]) -> Checked:
    """The same answer for the same message and names: whoever loads rules again has most of them still."""
    kinds = dict(items)
    subject = _Text(template, template.subject, template.location.line or 1, len("Subject: "))
    body = _Text(template, template.body, template.body_line, 0)
    found: list[Problem] = []
    sure = True
    for text in (subject, body):
        tree = _tree(text)
        if isinstance(tree, Problem):
            found.append(tree)
            continue
        whole = everything(tree)
        found.extend(_text_problems(tree, whole, text, names))
        sure = sure and surely_fits(whole, kinds)
    return Checked(tuple(dict.fromkeys(found)), sure and not found)


def used(text: str) -> frozenset[str]:
    """The names that a text uses; none where it cannot be read."""
    tree = _parsed(text)
    return frozenset(one.name for one in tree.find_all(nodes.Name)) if isinstance(tree, nodes.Template) else frozenset()


def needed(text: str) -> frozenset[str]:
    """What a text that was checked tells of the story: changes, charts, ahead, stakes and reason, where it does; and
    whether it says itself that it is a reminder, or that something is overdue."""
    parts = {"changes": "changes", "chart": "charts", "stakes": "stakes", "next": "ahead"}
    tree = _parsed(text)
    found: set[str] = set()
    whole = 0
    for node in everything(tree) if isinstance(tree, nodes.Template) else ():
        match node:
            case nodes.Name(name=name) if name in LISTED:
                found.add(name)
            case nodes.Name(name="story"):
                whole += 1
            case nodes.Getattr(node=nodes.Name(name="story"), attr=name):
                whole -= 1
                found.add(parts.get(name, name))
            case nodes.Getattr(node=nodes.Name(name="alert"), attr="reason" | "reminder" as name):
                found.add(name)
            case nodes.Getattr(node=nodes.Name(name="play"), attr="overdue"):
                found.add("overdue")
    return frozenset(found | (set(parts.values()) if whole > 0 else set()))


def samples(catalogue: Catalogue, signals: tuple[str, ...]) -> tuple[Story, Story]:
    """A story in which everything is known, and one in which nothing is."""
    day, before = date(2026, 1, 12), date(2026, 1, 5)
    values: dict[str, Value] = dict.fromkeys(signals, 50.0)
    for metric in catalogue.metrics.values():
        values[metric.name] = _sample(metric.kind, metric.one_of)
    person = Person("sample", "Sample", "sample@example.com")
    alert = AlertStory("Sample", "Sample", day, "Sample", "Sample.", "sample", "sample > 1")
    full = Story(
        account="sample", name="Sample", now=Facts("sample", day, 50.0, "sample", values),
        before=Facts("sample", before, 60.0, "sample", values), days_ago=7, tiers={"sample": "Sample"},
        personal=frozenset(), csm=person, executive=person, contact="sample@example.com", alert=alert, play="sample",
        within=3, resources=("https://example.com",), about="Sample", due=day, changes=(Change("Sample", "2", "1"),),
        charts=(Chart("Sample", "▇▁", "2", "1", before),), ahead=(Ahead("Today", "sample"),), stakes="sample",
        inside=True, tasks=(ListedTask("Sample", "Sample", "sample", "Sample", day),), reminder=True, overdue=True,
    )
    bare = Story(account="sample", name="", now=Facts("sample", day, None, None, {}), before=None, days_ago=7, tiers={},
                 personal=frozenset())
    return full, bare


def _sample(kind: Kind, one_of: tuple[str, ...]) -> Value:
    match kind:
        case Kind.NUMBER:
            return 12.0
        case Kind.FLAG:
            return True
        case Kind.DATE:
            return date(2026, 1, 1)
        case Kind.TEXT:
            return one_of[0] if one_of else "Sample"


@dataclass(frozen=True, slots=True)
class _Text:
    """A part of a template's file: its text, the line where it begins, and how far its first column is shifted."""

    template: Template
    text: str
    line: int
    shift: int

    @property
    def subject(self) -> bool:
        """Whether it is the subject, which is one line."""
        return self.shift > 0

    def problem(self, line: int, word: str, code: str, message: str, hint: str = "", name: str = "") -> Problem:
        """A problem in line `line` of this text, at `word` where that is found in it; `name` is what it is about."""
        lines = self.text.splitlines() or [""]
        written = lines[min(line, len(lines)) - 1]
        found = re.search(rf"(?<![\w.]){word}(?!\w)", written) if word else None
        column = self.shift + (found.start() if found else 0) + 1
        where = Location(self.template.location.file, self.line + line - 1, column)
        return Problem(where, code, f"message {self.template.name}: {message}", hint, word=name)


@lru_cache(maxsize=1024)
def _parsed(text: str) -> nodes.Template | TemplateSyntaxError:
    """The tree, which nobody changes: whoever loads rules again has the same messages."""
    try:
        return sandbox(True).parse(text)
    except TemplateSyntaxError as error:
        return error


def _tree(text: _Text) -> nodes.Template | Problem:
    found = _parsed(text.text)
    if isinstance(found, TemplateSyntaxError):
        error = found
        said = (error.message or "it cannot be read").split(". ")[0].rstrip(".")
        return text.problem(error.lineno, "", "template-syntax", f"{said[:1].lower()}{said[1:]}.",
                            "Values stand in {{ }}, and every {% if %} needs its {% endif %}.")
    return found


def _text_problems(tree: nodes.Template, whole: tuple[nodes.Node, ...], text: _Text,
                   names: tuple[str, ...]) -> list[Problem]:
    own = {node.name for node in whole if isinstance(node, nodes.Name) and node.ctx == "store"}
    listed: dict[str, str] = {}
    for node in whole:
        if isinstance(node, nodes.For):
            own.add("loop")
            if isinstance(node.iter, nodes.Name) and node.iter.name in LISTED and isinstance(node.target, nodes.Name):
                listed[node.target.name] = node.iter.name
    return list(_walk(tree, text, _Scope(names, frozenset(own), listed)))


@dataclass(frozen=True, slots=True)
class _Scope:
    """The names that may follow `now.` and `before.`, and those that the template itself sets."""

    names: tuple[str, ...]
    own: frozenset[str]
    listed: Mapping[str, str]      # names of {% for %} → the list that they walk through

    def attributes(self, root: str) -> tuple[str, ...]:
        """What may follow `root.`; nothing follows `resources`."""
        if root == "now":
            return (*self.names, *_OF_DAY)
        if root == "before":
            return (*self.names, *_OF_DAY, "days_ago")
        return _ATTRIBUTES.get(root, ())

    def top(self) -> tuple[str, ...]:
        """The names that stand by themselves or left of a dot."""
        return (*_ATTRIBUTES, "now", "before", "resources", *LISTED, *sorted(self.own))


def _walk(node: nodes.Node, text: _Text, scope: _Scope) -> Iterator[Problem]:
    """The problems of a node and of everything below it."""
    if isinstance(node, nodes.TemplateData):
        return
    chain = _chain(node)
    if chain:
        yield from _name(chain, node.lineno, text, scope)
        return
    yield from _node(node, text, scope)
    # What is called is told as a call, not once more as a name.
    called = node.node if isinstance(node, nodes.Call) else None
    for child in children(node):
        if child is not called:
            yield from _walk(child, text, scope)


def _node(node: nodes.Node, text: _Text, scope: _Scope) -> Iterator[Problem]:
    """What is wrong with this node by itself."""
    match node:
        case nodes.Filter(name=name) if name not in FILTERS:
            yield text.problem(node.lineno, re.escape(name), "unknown-filter", f"there is no filter `{name}`.",
                               did_you_mean(name, FILTERS) or f"There are: {', '.join(sorted(FILTERS))}.")
        case nodes.Test(name=name) if name not in TESTS:
            yield text.problem(node.lineno, re.escape(name), "unknown-test", f"there is no test `is {name}`.",
                               did_you_mean(name, TESTS) or "Use `is defined`, or a comparison like > 3.")
        case nodes.Call():
            yield text.problem(node.lineno, "", "not-in-templates", "a template cannot call functions.",
                               f"Use a filter instead: {', '.join(sorted(FILTERS))}.")
        case nodes.Pow():
            yield text.problem(node.lineno, "", "not-in-templates", "`**` is not part of templates.",
                               "Use + - * / only.")
        case nodes.Concat():
            yield text.problem(node.lineno, "", "not-in-templates", "`~` is not part of templates.",
                               "Write the values one after another: {{ a }} {{ b }}.")
        case nodes.CondExpr(expr2=None):
            yield text.problem(node.lineno, "", "not-in-templates", "`A if B` needs an `else`.",
                               'Write `A if B else ""`.')
        case nodes.Getattr(attr=attribute) if attribute.startswith("_"):
            yield _underscore(text, node.lineno, attribute)
        case nodes.Getitem(node=nodes.Name(name=root)) if root in (*_ATTRIBUTES, "now", "before"):
            yield text.problem(node.lineno, re.escape(root), "not-in-templates",
                               f"`{root}[…]` does not say which value is meant.", f"Write {root}.NAME.")
        case _ if type(node) in _TAGS:
            yield text.problem(node.lineno, "", "not-in-templates",
                               f"{{% {_TAGS[type(node)]} %}} is not part of templates.",
                               "Use {% if %}, {% for %} and {% set %} only.")


def _chain(node: nodes.Node) -> tuple[str, ...]:
    """`now.score` as (now, score), `now["score"]` as well; empty for other than a name with its attributes."""
    match node:
        case nodes.Name(name=name, ctx="load"):
            return (name,)
        case nodes.Getattr(node=below, attr=attribute):
            chain = _chain(below)
            return (*chain, attribute) if chain else ()
        case nodes.Getitem(node=below, arg=nodes.Const(value=str(attribute))):
            chain = _chain(below)
            return (*chain, attribute) if chain else ()
    return ()


def _name(chain: tuple[str, ...], line: int, text: _Text, scope: _Scope) -> Iterator[Problem]:
    """What is wrong with a name and what follows it."""
    root, *attributes = chain
    written = r"\s*\.\s*".join(re.escape(part) for part in chain)
    hidden = [attribute for attribute in attributes if attribute.startswith("_")]
    if hidden:
        yield _underscore(text, line, hidden[0], written)
    elif root in scope.listed and attributes:
        known = LISTED[scope.listed[root]]
        if attributes[0] not in known:
            yield text.problem(line, written, "unknown-name", f"`{root}.{attributes[0]}` does not exist.",
                               did_you_mean(attributes[0], known)
                               or f"There are: {', '.join(f'{root}.{name}' for name in known)}.", attributes[0])
    elif root in scope.own:
        return
    elif root == "story" and text.subject:
        yield text.problem(line, written, "not-in-templates", "the story does not fit into a subject.",
                           "Name single values there, like {{ now.score }}.")
    elif root not in scope.top():
        hint = f"Write now.{root} or before.{root}." if root in scope.attributes("now") \
            else did_you_mean(root, scope.top()) or f"There are: {', '.join(scope.top())}."
        yield text.problem(line, written, "unknown-name", f"`{root}` is not a name that templates know.", hint)
    elif attributes and attributes[0] not in scope.attributes(root):
        known = scope.attributes(root)
        hint = did_you_mean(attributes[0], known) or (
            f"There are: {', '.join(f'{root}.{name}' for name in known)}." if root in _ATTRIBUTES
            else "Metrics stand in metrics.yaml, signals in weights.yaml.")
        yield text.problem(line, written, "unknown-name", f"`{root}.{attributes[0]}` does not exist.", hint,
                           attributes[0])
    elif len(attributes) > 1:
        yield text.problem(line, written, "unknown-name",
                           f"`{root}.{attributes[0]}` is one value and has no `{attributes[1]}`.",
                           f"Write {root}.{attributes[0]}, with a filter if need be.")


def _underscore(text: _Text, line: int, attribute: str, written: str = "") -> Problem:
    return text.problem(line, written, "not-in-templates", f"`{attribute}` begins with an underscore.",
                        "Templates can only use the values of metrics.yaml and weights.yaml.")
