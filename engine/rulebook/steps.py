"""The steps of a play: what they send, to whom, and the names by which they are known again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from forestall.engine.language.nearest import did_you_mean
from forestall.engine.model.catalogue import Roles
from forestall.engine.model.expression import Kind
from forestall.engine.model.people import Directory
from forestall.engine.model.play import (
    EmailStep,
    MessageStep,
    SlackStep,
    Step,
    StopIfStep,
    TaskStep,
    WaitStep,
    WebhookStep,
)
from forestall.engine.rulebook import durations
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import Entry, MapNode, Node, ScalarNode, plain
from forestall.engine.rulebook.words import Words

COLLEAGUES = ("csm", "executive", "csm.manager")
ROLES = ("contact", *COLLEAGUES)
_OWN_CHANNELS = ("email", "slack", "webhook")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Whom the rules can name. `directory` None: there is no forestall.yaml, so destinations are not checked.

    `adapters` is the adapter of each channel.
    """

    roles: Roles
    directory: Directory | None = None
    adapters: Mapping[str, str] = field(default_factory=dict)


def digest(node: Node | None) -> str:
    """A short hash of what stands there, whatever its layout and comments."""
    return hashlib.sha256(written(node).encode()).hexdigest()[:16]


def written(node: Node | None) -> str:
    """What stands there as JSON, whatever its layout and comments."""
    return json.dumps(plain(node) if node is not None else None, ensure_ascii=False)


class StepReader:
    """Reads steps; `templates` collects every template that a step names, with its places."""

    def __init__(self, words: Words, addresses: Addresses, findings: Findings) -> None:
        self._words, self._addresses, self._findings = words, addresses, findings
        self._vocabulary = words.conditions()
        self.templates: dict[str, list[ScalarNode]] = {}

    def steps(self, nodes: tuple[Node, ...], play: str) -> tuple[Step, ...]:
        """The usable steps of a play, in order."""
        ids: set[str] = set()
        found: list[Step] = []
        before: Node | None = None
        for number, node in enumerate(nodes, start=1):
            if before is not None and plain(node) == plain(before):
                self._findings.warn(node.location, "step-repeated",
                                    f"step {number} of play {play} says the same as the step before it.",
                                    "It would be done twice; take one away, or say it in one step.")
            before = node
            if isinstance(node, MapNode) and len(node.entries) == 1:
                step = self._step(next(iter(node)), ids, f"step {number} of play {play}")
                if step is not None:
                    found.append(step)
        return tuple(found)

    def escalation(self, node: MapNode, play: str) -> MessageStep | None:
        """The one message of `escalate`: to a colleague or a destination, never to the customer."""
        if len(node.entries) != 1:
            return None      # the schema has said it
        entry = next(iter(node))
        written = entry.value.scalar("to") if isinstance(entry.value, MapNode) else None
        if written is not None and written.text == "contact":
            self._findings.say(written.location, "wrong-recipient",
                               f"`escalate` of play {play} cannot go to contact: it is for colleagues.",
                               "Name csm, executive, csm.manager or a destination.")
            return None
        step = self._step(entry, set(), f"`escalate` of play {play}")
        if isinstance(step, (EmailStep, SlackStep, WebhookStep)):
            return replace(step, id=f"escalate-{step.id}")
        return None

    def role(self, written: ScalarNode | None, what: str) -> str:
        """A colleague's role, such as the owner of a play; "" when it is missing or wrong."""
        if written is None or not isinstance(written.value, str):
            return ""
        if written.text not in COLLEAGUES:      # the schema has said it
            return ""
        return self._played(written, what)

    def _step(self, entry: Entry, ids: set[str], what: str) -> Step | None:
        kind, node, place = entry.key.text, entry.value, entry.key.location
        name = self._id(kind, node, ids, what)
        what = f"`{kind}` of {what}"
        if kind == "wait" and isinstance(node, ScalarNode) and node.value is not None:
            count = durations.whole_days(node, what, self._findings)
            return None if count is None else WaitStep(name, count[0], place, business=count[1])
        if kind == "stop_if" and isinstance(node, ScalarNode):
            condition = self._words.expression(node, self._vocabulary, Kind.FLAG, what, self._findings)
            return None if condition is None else StopIfStep(name, condition, place)
        if not isinstance(node, MapNode):
            return None
        template = self._template(node)
        match kind:
            case "email":
                to = self._to(node, ROLES, "email", what)
                return EmailStep(name, to, template, place, self.role(node.scalar("from"), f"`from` of {what}"))
            case "slack":
                return SlackStep(name, self._to(node, COLLEAGUES, "slack", what), template, place)
            case "webhook":
                return WebhookStep(name, self._to(node, (), "webhook", what), template, place)
            case "task":
                person = self.role(node.scalar("for"), f"`for` of {what}")
                done_when = self._words.expression(node.scalar("done_when"), self._vocabulary, Kind.FLAG,
                                                   f"`done_when` of {what}", self._findings)
                return TaskStep(name, person, self._to(node, COLLEAGUES, "", what), template, place, done_when)
        return None

    def _id(self, kind: str, node: Node, ids: set[str], what: str) -> str:
        given = node.scalar("id") if isinstance(node, MapNode) else None
        if given is not None and given.text in ids:
            self._findings.say(given.location, "duplicate-id", f"`id` of {what} is taken: `{given.text}`.",
                               "Give every step of a play its own id.")
        name = wanted = given.text if given is not None else f"{kind}-{digest(node)[:8]}"
        count = 1
        while name in ids:
            count += 1
            name = f"{wanted}-{count}"
        ids.add(name)
        return name

    def _template(self, node: MapNode) -> str:
        written = node.scalar("template")
        if written is None or not isinstance(written.value, str):
            return ""
        self.templates.setdefault(written.text, []).append(written)
        return written.text

    def _to(self, node: MapNode, roles: tuple[str, ...], channel: str, what: str) -> str:
        """The role or destination of `to`; "" when it is missing or wrong."""
        written, what = node.scalar("to"), f"`to` of {what}"
        if written is None or not isinstance(written.value, str):
            return ""
        if written.text in roles:
            return self._played(written, what)
        directory = self._addresses.directory
        if written.text in ROLES:
            reason = {"slack": "a customer is not in your Slack", "webhook": "a webhook goes to a destination"}
            self._findings.say(written.location, "wrong-recipient",
                               f"{what} cannot be {written.text}: {reason.get(channel, 'work is for colleagues')}.",
                               f"Name {', '.join(roles)} or a destination." if roles else
                               "Name a destination of forestall.yaml.")
            return ""
        if directory is None:
            return written.text
        destination = directory.destinations.get(written.text)
        if destination is None:
            self._unknown(written, what, (*roles, *directory.destinations))
            return ""
        adapter = self._addresses.adapters.get(destination.channel, channel)
        if channel and adapter in _OWN_CHANNELS and adapter != channel:
            self._findings.say(written.location, "wrong-recipient",
                               f"{what} is {destination.name}, which is reached by {adapter} and not by {channel}.",
                               f"Make it a step `{adapter}`, or name another destination.")
        return destination.name

    def _played(self, written: ScalarNode, what: str) -> str:
        """The role, said to be missing when no metric plays it."""
        role = written.text
        plays = role.split(".")[0]
        said = self._words.incomplete or plays in self._words.wrong_roles
        if not said and not getattr(self._addresses.roles, plays):
            self._findings.say(written.location, "role-not-played",
                               f"{what} is {role}, but no metric says who that is.",
                               f"Add `{plays}: NAME_OF_A_METRIC` below `account:` in metrics.yaml.", word=role)
        return role

    def _unknown(self, written: ScalarNode, what: str, known: tuple[str, ...]) -> None:
        self._findings.say(written.location, "unknown-recipient", f"{what} names nobody: `{written.text}`.",
                           did_you_mean(written.text, known) or f"There are: {', '.join(known)}.", word=written.text)
