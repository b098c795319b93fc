"""Steps on which plays still run though the rules say others by now: read back from what was written down of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from forestall.engine.errors import Location
from forestall.engine.model.expression import Name, NameRole
from forestall.engine.model.play import Begun, PlaySteps
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.rulebook import source
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import ScalarNode
from forestall.engine.rulebook.steps import Addresses, StepReader
from forestall.engine.rulebook.words import Words

_FILE = "the steps that it began with"


def going_on(rulebook: Rulebook, running: Collection[PlaySteps], written: Mapping[PlaySteps, str]) -> Rulebook:
    """The same rules, with the steps on which plays are `running` though the rules say others by now.

    `written` says how steps were once written (see `Play.written`). The rulebook itself when it has just those.
    """
    wanted = _needed(rulebook, running) & written.keys()
    if wanted == rulebook.begun.keys():
        return rulebook
    words = _words(rulebook)
    return replace(rulebook, begun={key: _read(rulebook, words, key[0], written[key]) for key in wanted})


def _needed(rulebook: Rulebook, running: Collection[PlaySteps]) -> frozenset[PlaySteps]:
    """Of the steps on which plays run, those that the rules do not say any more. What was taken out needs none."""
    return frozenset((play, digest) for play, digest in running
                     if play in rulebook.plays and rulebook.plays[play].digest != digest)


def _read(rulebook: Rulebook, words: Words, play: str, text: str) -> Begun:
    """Whoever cannot be reached any more is said when it comes to that step; a condition must be understood at once."""
    document = source.parse(f'{{"steps": {text}}}', _FILE)
    if document.root is None:
        return Begun((), document.problems[0].message)
    findings = Findings()
    nodes = document.root.items("steps")
    steps = StepReader(words, Addresses(rulebook.catalogue.roles), findings).steps(nodes, play)
    if len(steps) < len(nodes):
        return Begun((), next((problem.message for problem in findings.sorted()), "they cannot be read"))
    return Begun(steps)


def _words(rulebook: Rulebook) -> Words:
    """The names of a rulebook that is read already."""
    metrics = rulebook.catalogue.metrics.values()
    nowhere = Location(_FILE)
    signals = {signal.name: ScalarNode(signal.name, signal.name, nowhere)
               for profile in rulebook.scorecard.profiles for signal in profile.signals}
    return Words(
        metrics={one.name: Name(one.name, one.kind, NameRole.METRIC if one.supplied else NameRole.DERIVED)
                 for one in metrics},
        personal={one.name for one in metrics if one.personal},
        per_day={one.name for one in metrics if one.per_day},
        one_of={one.name: one.one_of for one in metrics if one.one_of},
        signals=signals, tiers=tuple(tier.name for tier in rulebook.scorecard.tiers))
