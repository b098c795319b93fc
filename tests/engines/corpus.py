"""The written cases of `tests/conformance`: what an expression must answer on the last day of a history."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import pyarrow as pa
import yaml

from engines.statements import forms
from forestall.engine.errors import Location
from forestall.engine.language.check import Vocabulary, check
from forestall.engine.language.per_account import AccountEvaluator
from forestall.engine.model.expression import Expression, Kind, Name, NameRole

FOLDER = Path(__file__).parents[1] / "conformance"
TODAY = (date(2026, 3, 31) - date(1970, 1, 1)).days
KINDS = {name: kind for kind, names in (
    (Kind.NUMBER, ("logins", "errors", "seats", "tickets")), (Kind.TEXT, ("plan", "sponsor")),
    (Kind.FLAG, ("paying", "asked")), (Kind.DATE, ("joined", "renews"))) for name in names}
WORDS = Vocabulary({name: Name(name, kind, NameRole.METRIC) for name, kind in KINDS.items()},
                   per_day=frozenset({"tickets"}))
ARROW = {Kind.NUMBER: pa.float64(), Kind.TEXT: pa.string(), Kind.FLAG: pa.bool_(), Kind.DATE: pa.int64()}
KEYS = {"expression", "history", "answer", "why"}


@dataclass(frozen=True)
class Case:
    """One expression, the days of one account (metric → values, the last one today) and the answer of today."""

    place: str
    expression: Expression
    days: tuple[dict, ...]
    answer: object

    @property
    def first_day(self):
        return TODAY - len(self.days) + 1


def topics():
    """The files, by name without ending."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@cache
def cases(topic):
    """The cases of one file. ValueError for one that is not written as README.md says."""
    path = FOLDER / f"{topic}.yaml"
    written = yaml.compose(path.read_text(encoding="utf-8"))
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(_case(f"{path.name}:{node.start_mark.line + 1}", one)
                 for node, one in zip(written.value, values, strict=True))


def _case(place, written):
    if not written.keys() <= KEYS or not written.keys() >= KEYS - {"why"}:
        raise ValueError(f"{place}: a case has an expression, a history, an answer and perhaps a `why`")
    expression = read(written["expression"], place)
    series = {name: [_value(place, KINDS[name], one) for one in many] for name, many in written["history"].items()}
    if len({len(many) for many in series.values()}) != 1:
        raise ValueError(f"{place}: the history names at least one metric, and all have as many days")
    days = tuple({name: series[name][number] if name in series else None for name in KINDS}
                 for number in range(len(next(iter(series.values())))))
    return Case(place, expression, days, _value(place, expression.kind, written["answer"]))


def read(text, place="the test"):
    """An expression over the metrics of the cases. ValueError for one that the language refuses."""
    checked = check(text, lambda offset: Location(place, 1, 1 + offset), WORDS, None, place)
    if checked.expression is None:
        raise ValueError("; ".join(str(one) for one in checked.problems))
    return checked.expression


def _value(place, kind, written):
    match kind, written:
        case _, None:
            return None
        case Kind.NUMBER, int() | float() if not isinstance(written, bool):
            return float(written)
        case (Kind.TEXT, str()) | (Kind.FLAG, bool()):
            return written
        case Kind.DATE, date():
            return (written - date(1970, 1, 1)).days
    raise ValueError(f"{place}: {written!r} is no {kind}")


def alone(case):
    """What the evaluator of one account answers."""
    rows = {case.first_day + number: row for number, row in enumerate(case.days)}
    account = AccountEvaluator(lambda name, day: rows[day][name], case.first_day, lambda day: None)
    return account.value(case.expression, TODAY)


def history(some):
    """The histories of these cases as one table: each case is an account."""
    rows = [{"account": case.place, "day": case.first_day + number, "first_day": case.first_day,
             "named_day": case.first_day + number} | row for case in some for number, row in enumerate(case.days)]
    fixed = [(name, pa.string() if name == "account" else pa.int64())
             for name in ("account", "day", "first_day", "named_day")]
    return pa.Table.from_pylist(rows, pa.schema([*fixed, *((name, ARROW[kind]) for name, kind in KINDS.items())]))


def disagreements(engine, some):
    """Where an engine answers otherwise than written, in any form, asked about today, in words."""
    expressions = [case.expression for case in some]
    engine.load(history(some))
    wrong = []
    for form in forms(engine):
        rows, answered = form.ask(engine, expressions, [TODAY], KINDS)
        for number in answered:
            case, answer = some[number], rows[some[number].place, TODAY][f"e{number}"]
            if not same(case.answer, answer):
                wrong.append(f"{case.place}, {form.name}: {case.expression.text} is {answer!r}, not {case.answer!r}")
    return wrong


def same(right, found):
    """Numbers to 1e-9, everything else exactly."""
    if isinstance(right, float) and isinstance(found, float):
        return abs(right - found) <= 1e-9 * max(1.0, abs(right), abs(found))
    return type(right) is type(found) and right == found
