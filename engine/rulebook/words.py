"""Every name that the rules define, and which of them may stand where."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from forestall.engine.language.check import Vocabulary, check
from forestall.engine.language.functions import FUNCTIONS
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.model.expression import (
    Call,
    Comparison,
    Expression,
    Kind,
    Literal,
    Membership,
    Name,
    NameRole,
    Term,
    walk,
)
from forestall.engine.rulebook.certain import never_false, never_true
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import MapNode, ScalarNode

_WORD = re.compile(r"\"[^\"]*\"|'[^']*'|([A-Za-z_][A-Za-z0-9_]*)")
_PERSONAL = "it is personal, and personal facts appear in messages only."


def identifiers(text: str) -> Iterator[str]:
    """The words of an expression outside of quotes."""
    return (found.group(1) for found in _WORD.finditer(text) if found.group(1))


# Texts of which nothing had to be said, among the same names, as (text, term): rules loaded again have most of them.
_SOUND: dict[tuple[str, int, Kind | None], tuple[str, Term]] = {}
_NUMBERS: dict[object, int] = {}      # of what a vocabulary allows; none is given twice
_NUMBER = count()
MOST_SOUND, MOST_NUMBERS = 5000, 500

# What the history itself says of an account and a day (see engine/detect/history_sql.py).
COLUMNS = frozenset({"account", "as_of", "day", "first_day", "named_day", "back"})


@dataclass(slots=True)
class Words:
    """What is known about names while the files are read.

    `broken` names exist but are wrong themselves, `wrong_roles` name a metric that does not fit, and `incomplete` says
    that a whole file of names could not be read: what follows from these is not said again. `used` is every name that
    occurs somewhere.
    """

    metrics: dict[str, Name] = field(default_factory=dict)
    personal: set[str] = field(default_factory=set)
    per_day: set[str] = field(default_factory=set)
    one_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    signals: dict[str, ScalarNode] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    tiers: tuple[str, ...] = ()
    broken: set[str] = field(default_factory=set)
    wrong_roles: set[str] = field(default_factory=set)
    incomplete: bool = False
    used: set[str] = field(default_factory=set)
    _vocabularies: dict[tuple[object, ...], Vocabulary] = field(default_factory=dict)
    _numbers: dict[int, int] = field(default_factory=dict)

    def conditions(self) -> Vocabulary:
        """For triggers, goals and stop_if: metrics, signals, the score and the tier."""
        return self._once(("conditions",), self._conditions)

    def _conditions(self) -> Vocabulary:
        names = self._metrics(personal=False)
        names |= {name: Name(name, Kind.NUMBER, NameRole.SIGNAL) for name in self.signals}
        names |= {"score": Name("score", Kind.NUMBER, NameRole.SCORE), "tier": Name("tier", Kind.TEXT, NameRole.TIER)}
        absent = dict.fromkeys(self.personal, _PERSONAL)
        absent |= {part: f"it is a part of the signal {signal}; use the signal, or the part's metric."
                   for part, signal in self.parts.items()}
        return Vocabulary(names, absent, per_day=frozenset(self.per_day))

    def metrics_only(self, why: str, *, personal: bool = False, history: bool = True) -> Vocabulary:
        """Metrics alone; `why` says why the score and what makes it may not stand there."""
        return self._once((why, personal, history), lambda: self._metrics_only(why, personal, history))

    def _metrics_only(self, why: str, personal: bool, history: bool) -> Vocabulary:
        absent = dict.fromkeys([*self.signals, *self.parts, "score", "tier"], why)
        if not personal:
            absent |= dict.fromkeys(self.personal, _PERSONAL)
        return Vocabulary(self._metrics(personal), absent, history=history, per_day=frozenset(self.per_day))

    def expression(self, written: ScalarNode | None, vocabulary: Vocabulary, want: Kind | None, what: str,
                   findings: Findings) -> Expression | None:
        """The checked expression; None when it is missing or wrong, which is then said."""
        if written is None or not isinstance(written.value, str):
            return None
        self.used.update(identifiers(written.text))
        key = (written.text, self._number(vocabulary), want)
        if key in _SOUND:
            return Expression(*_SOUND[key], location=written.place(len(written.text) - len(written.text.lstrip())))
        said = findings.count
        checked = check(written.text, written.place, vocabulary, want, what)
        if checked.expression is None:
            follows = self.broken.intersection(identifiers(written.text))
            findings.extend(problem for problem in checked.problems
                            if not follows and not (self.incomplete and problem.code == "unknown-name"))
            return None
        strange = list(self._strange_texts(checked.expression.term))
        for text, name, options in strange:
            at = max(written.text.find(f'"{text}"'), written.text.find(f"'{text}'"), 0)
            kind = "tier" if name == "tier" else f"value of {name}"
            findings.say(written.place(at), "unknown-text", f"in {what}, no {kind} is called \"{text}\".",
                         did_you_mean(text, options) or f"There are: {', '.join(options)}.", word=text)
        if want is Kind.FLAG and not strange:
            self._certain(checked.expression, what, findings)
        if findings.count == said:
            if len(_SOUND) >= MOST_SOUND:
                _SOUND.clear()
            _SOUND[key] = checked.expression.text, checked.expression.term
        return checked.expression

    def _certain(self, condition: Expression, what: str, findings: Findings) -> None:
        """Warn of a condition that needs no account to be answered."""
        texts = {**self.one_of, "tier": self.tiers}
        reason = never_true(condition.term, texts)
        if reason:
            findings.warn(condition.location, "never-true", f"{what} can never be true: {reason}.",
                          "Look at its numbers and texts, and whether `or` is meant where `and` stands.")
        elif never_false(condition.term, texts):
            findings.warn(condition.location, "always-true",
                          f"{what} is true for every account whose facts are known.",
                          "Look at its numbers and texts, and whether `and` is meant where `or` stands.")

    def _once(self, which: tuple[object, ...], make: Callable[[], Vocabulary]) -> Vocabulary:
        """The vocabulary of all that is known by now; only metrics become more while the files are read."""
        key = (*which, len(self.metrics), len(self.signals))
        if key not in self._vocabularies:
            self._vocabularies[key] = make()
        return self._vocabularies[key]

    def _number(self, vocabulary: Vocabulary) -> int:
        """The same for vocabularies that allow the same."""
        if id(vocabulary) not in self._numbers:
            if len(_NUMBERS) >= MOST_NUMBERS:
                _NUMBERS.clear()
            allows = (frozenset(vocabulary.names.values()), vocabulary.history, vocabulary.per_day, self.tiers,
                      frozenset(self.one_of.items()))
            self._numbers[id(vocabulary)] = _NUMBERS.setdefault(allows, next(_NUMBER))
        return self._numbers[id(vocabulary)]

    def _metrics(self, personal: bool) -> dict[str, Name]:
        return {name: found for name, found in self.metrics.items() if personal or name not in self.personal}

    def _strange_texts(self, term: Term) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """The texts that a name with a known list of texts is compared with, and can never be."""
        for one in walk(term):
            match one:
                case Comparison(left=left, right=Literal(value=str(text))):
                    compared = [(left, text)]
                case Comparison(left=Literal(value=str(text)), right=right):
                    compared = [(right, text)]
                case Membership(operand=operand, options=options):
                    compared = [(operand, option.value) for option in options if isinstance(option.value, str)]
                case _:
                    continue
            for side, text in compared:
                name = _behind(side)
                known = self.tiers if name == "tier" else self.one_of.get(name, ())
                if known and text not in known:
                    yield text, name, known


def _behind(term: Term) -> str:
    """The name itself, or the one inside `ago(…)`."""
    if isinstance(term, Call) and term.function == "ago":
        return _behind(term.arguments[0])
    return term.name if isinstance(term, Name) else ""


def scan(metrics: MapNode, weights: MapNode, findings: Findings) -> Words:
    """The names of all signals, parts and tiers, and the problems of names that mean two things."""
    words = Words(tiers=tuple(weights.map("tiers").entries))
    owners: dict[str, tuple[str, str]] = {}
    for entry in metrics.map("metrics"):
        if not entry.key.text.isidentifier():
            words.broken.add(entry.key.text)
        _claim(entry.key, "metric", "", owners, findings)
    profiles = [node for node in weights.items("profiles") if isinstance(node, MapNode)]
    for group in [weights, *profiles]:
        for entry in group.map("signals"):
            if not isinstance(entry.value, MapNode) or not entry.key.text.isidentifier():
                words.broken.add(entry.key.text)
            _claim(entry.key, "signal", "", owners, findings)
            words.signals.setdefault(entry.key.text, entry.key)
            for part in entry.value.map("of") if isinstance(entry.value, MapNode) else ():
                _claim(part.key, "part", entry.key.text, owners, findings)
                words.parts.setdefault(part.key.text, entry.key.text)
    for entry in weights.map("tiers"):
        if entry.key.text in ("tier", "unscored", "all"):
            findings.say(entry.key.location, "reserved-name", f"a tier cannot be called `{entry.key.text}`.",
                         "Choose another name.")
    return words


def _claim(key: ScalarNode, kind: str, signal: str, owners: dict[str, tuple[str, str]], findings: Findings) -> None:
    name = key.text
    if name in FUNCTIONS or name in ("score", "tier", "true", "false") or keyword.iskeyword(name):
        what = "a function" if name in FUNCTIONS else "a word of the language"
        findings.say(key.location, "reserved-name", f"a {kind} cannot be called `{name}`: that is {what}.",
                     "Choose another name.")
        return
    if kind == "metric" and name.casefold() in COLUMNS:
        findings.say(key.location, "reserved-name", f"a metric cannot be called `{name}`: the history has a column of "
                     "this name.", "Choose another name.")
        return
    alike = next((other for other in owners if other != name and other.casefold() == name.casefold()), None)
    if alike is not None:
        findings.say(key.location, "name-taken", f"the {kind} `{name}` and `{alike}` differ only in capital letters.",
                     "Rename one of them.")
    before = owners.setdefault(name, (kind, signal))
    if before != (kind, signal):
        owners[name] = (kind, signal)       # said once: profiles repeat the names of signals
        other = f"the part of {before[1]}" if before[0] == "part" else f"the {before[0]}"
        findings.say(key.location, "name-taken", f"the {kind} `{name}` has the same name as {other} `{name}`.",
                     "One name means one thing: rename one of them.")
