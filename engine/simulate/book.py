"""Whom the answer is about: every account of the period with its segment, CSM and revenue, and the filters on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from pyarrow import compute

from forestall.engine.detect.history import History
from forestall.engine.errors import Location, UsageError
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.language.statement import quoted
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.evaluation import Value
from forestall.engine.model.expression import Kind
from forestall.engine.model.people import Directory
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.evaluations import from_epoch, to_epoch
from forestall.engine.simulate.sides import Asked, Book, Who

SEGMENT = "segment"
Row = dict[str, Value]


def segment_metric(catalogue: Catalogue) -> str:
    """The metric that says which segment an account is in: the one called `segment`, else the only text whose values
    the catalogue names (`one_of`). "" when there is none."""
    texts = [one for one in catalogue.metrics.values() if one.kind is Kind.TEXT]
    if any(one.name == SEGMENT for one in texts):
        return SEGMENT
    named = [one.name for one in texts if one.one_of and not one.personal]
    return named[0] if len(named) == 1 else ""


def read_book(evaluator: Evaluator, directory: Directory, history: History, asked: Asked) -> Book:
    """Every account with a row in the period, as it is on its last day there. UsageError for a filter on nobody."""
    catalogue = evaluator.rulebook.catalogue
    roles, segment = catalogue.roles, segment_metric(catalogue)
    wanted = {"name": roles.name, "segment": segment, "csm": roles.csm, "revenue": roles.revenue}
    rows = _rows(evaluator, history, asked, {metric for metric in wanted.values() if metric})
    everybody = {}
    for account, row in sorted(rows.items()):
        said = {what: row.get(metric) for what, metric in wanted.items()}
        csm = _text(said["csm"])
        person = directory.person(csm) if csm else None
        revenue = said["revenue"]
        everybody[account] = Who(
            account, _text(said["name"]) or account, _text(said["segment"]), person.key if person else csm,
            float(revenue) if isinstance(revenue, int | float) else None)
    if not everybody:
        begins = f" The history begins on {history.first}." if history.first and history.first > asked.last else ""
        raise UsageError.one(Location("--from"), "empty-period",
                             f"no account has a row from {asked.first} to {asked.last}.{begins}",
                             "Name days that the history holds.")
    return Book(everybody, _told(everybody, directory, asked, segment))


def _rows(evaluator: Evaluator, history: History, asked: Asked, metrics: set[str]) -> Mapping[str, Row]:
    """Account → the values of these metrics on its last day in the period."""
    catalogue, engine = evaluator.rulebook.catalogue, evaluator.engine
    supplied = sorted(name for name in metrics if catalogue.metrics[name].supplied)
    columns = ["account", *supplied]
    shown = ", ".join(quoted(columns, engine.dialect))
    found: dict[str, Row] = {}
    with engine.reading(history, catalogue, asked.last, asked.last) as reading:
        table = reading.rows(f"SELECT {shown} FROM history WHERE day = {to_epoch(asked.last)}")
    found |= {row["account"]: row for row in table.to_pylist()}
    days = dict.fromkeys(found, asked.last)
    with engine.reading(history, catalogue, asked.first, asked.last) as reading:
        ends = reading.rows("SELECT account, max(day) AS day FROM history GROUP BY account")
    ended = ends.filter(compute.less(ends["day"], to_epoch(asked.last)))
    if ended.num_rows:
        accounts = ended["account"].to_pylist()
        with engine.reading(history, catalogue, asked.first, asked.last, accounts) as reading:
            reading.lend("wanted", ended)
            table = reading.rows(
                f"SELECT {shown} FROM history WHERE (account, day) IN (SELECT account, day FROM wanted)")
        found |= {row["account"]: row for row in table.to_pylist()}
        days |= {account: from_epoch(day) for account, day in zip(accounts, ended["day"].to_pylist(), strict=True)}
    computed = sorted(metrics - set(supplied))
    if computed:
        _add_computed(evaluator, history, found, days, computed)
    return found


def _add_computed(evaluator: Evaluator, history: History, found: dict[str, Row], days: Mapping[str, date],
                  names: Iterable[str]) -> None:
    """Roles that the catalogue computes from other metrics."""
    by_day: dict[date, list[str]] = {}
    for account, day in days.items():
        by_day.setdefault(day, []).append(account)
    for (account, _), facts in evaluator.facts(history, by_day).items():
        found[account] |= {name: facts.values.get(name) for name in names}


def _told(everybody: Mapping[str, Who], directory: Directory, asked: Asked, segment: str) -> frozenset[str] | None:
    if not asked.filters:
        return None
    chosen = list(everybody.values())
    if asked.account:
        if asked.account not in everybody:
            raise UsageError.one(Location("--account"), "unknown-account",
                                 f"no account {asked.account} has a row in the period.",
                                 _meant(asked.account, everybody))
        chosen = [everybody[asked.account]]
    if asked.segment:
        if not segment:
            raise UsageError.one(Location("--segment"), "no-segment", "no metric says which segment an account is in.",
                                 "Call a text metric of metrics.yaml `segment`.")
        known = {who.segment for who in everybody.values() if who.segment}
        if asked.segment not in known:
            raise UsageError.one(Location("--segment"), "unknown-segment",
                                 f"no account has {asked.segment} as its {segment}.", _meant(asked.segment, known))
        chosen = [who for who in chosen if who.segment == asked.segment]
    if asked.csm:
        person = directory.person(asked.csm)
        name = person.key if person else asked.csm
        known = {who.csm for who in everybody.values() if who.csm}
        if name not in known:
            raise UsageError.one(Location("--csm"), "unknown-csm", f"no account has {asked.csm} as its CSM.",
                                 _meant(asked.csm, known))
        chosen = [who for who in chosen if who.csm == name]
    if not chosen:
        said = " and ".join(f"{name} {value}" for name, value in asked.filters.items())
        raise UsageError.one(Location("simulate"), "nobody-told", f"no account is in {said} at once.",
                             "Leave one of them out.")
    return frozenset(who.account for who in chosen)


def _meant(said: str, known: Iterable[str]) -> str:
    """The name that was probably meant, else some of those that there are."""
    names = sorted(known)
    return did_you_mean(said, names) or (f"There are: {', '.join(names[:8])}{', …' if len(names) > 8 else ''}."
                                         if names else "None is known in this period.")


def _text(value: Value) -> str:
    return value if isinstance(value, str) else ""
