"""The judge: one account at a time, all accounts on every day, and all accounts on one day give the same answer.

Expressions are made up with a fixed seed, over metrics of all four kinds, derived metrics, signals, the score and the
tier; histories with missing values, days that carry nothing, one-row accounts, zero divisors, values at the very edge
of a comparison, NaN and infinities. Truths, texts and the score must be equal, other numbers to 1e-9.
"""

import math
import random
from decimal import Decimal

import duckdb
import ibis
import pyarrow as pa
import pytest

from forestall.engine.errors import Location
from forestall.engine.language.check import Vocabulary, check
from forestall.engine.language.columnar import Columns
from forestall.engine.language.functions import FUNCTIONS
from forestall.engine.language.latest import NotPointwise, OneDay
from forestall.engine.model.catalogue import Catalogue, Metric, Roles
from forestall.engine.model.expression import Call, Kind, Name, NameRole, names, walk
from forestall.engine.model.rulebook import (
    Limits,
    Measure,
    MissingPolicy,
    Part,
    Points,
    Profile,
    Rulebook,
    Scorecard,
    Signal,
    Steps,
    Tier,
)
from forestall.engine.score.account import Account
from forestall.engine.score.columns import add_scorecard

HERE = Location("agreement", 1, 1)
BATCHES, EXPRESSIONS, ACCOUNTS, FIRST_DAY = 14, 45, 9, 20000
NUMBERS, TEXTS, FLAGS, DATES = ("a", "b", "n"), ("s", "t"), ("f", "g"), ("on", "off")
PER_DAY = frozenset({"n"})
SUPPLIED = {name: kind for kind, group in (
    (Kind.NUMBER, NUMBERS), (Kind.TEXT, TEXTS), (Kind.FLAG, FLAGS), (Kind.DATE, DATES)) for name in group}
DERIVED = {
    "ratio": "a / b", "huge": "a * 1000000000000000", "spread": "abs(a - b) if f else max(a, b)",
    "either": "f or g", "where": "coalesce(s, t)", "when": "coalesce(on, off)", "age": "days_since(on)",
}
ARROW = {Kind.NUMBER: pa.float64(), Kind.TEXT: pa.string(), Kind.FLAG: pa.bool_(), Kind.DATE: pa.int64()}
# 3, and numbers that are and are not 3 to people; the parts of 78.1 - 63.1 >= 15; divisors that count as zero
SAID_NUMBERS = (0.0, -0.0, 1.0, -1.0, 2.0, 2.5, -2.5, 3.0, 3.0 + 3e-10, 3.0 - 3e-10, 3.0 + 7e-8, 0.1, 0.2, 0.3, 15.0,
                14.0, 63.1, 78.1, 100.0, 1e-10, math.nan, math.inf, -math.inf, 1e15, -1e15, 1.1e15)
WRITTEN_NUMBERS = ("0", "1", "2", "2.5", "3", "0.1", "0.3", "14", "15", "63.1", "78.1", "100", "1e3")
WRITTEN_TEXTS = ('"x"', "'y'", '"z  z"', '"it\'s"', '""', '"50%"', '"ö – #"')
SAID_TEXTS = ("x", "y", "z  z", "z z", "it's", "", "50%", "ö – #", "X")


class Author:
    """Makes up expressions of a wanted kind."""

    def __init__(self, seed, scored):
        self.random = random.Random(seed)
        self.scored = scored

    def pick(self, *options):
        return self.random.choice(options)

    def days(self):
        return f"days={self.pick(1, 1, 2, 3, 5, 8)}"

    def look(self):
        return f"weeks={self.pick(1, 2, 3)}" if self.random.random() < 0.4 else self.days()

    def of(self, kind, depth):
        return {Kind.NUMBER: self.number, Kind.TEXT: self.text, Kind.FLAG: self.flag, Kind.DATE: self.date}[kind](depth)

    def any_kind(self):
        return self.pick(*Kind)

    def number(self, depth):
        if depth <= 0 or self.random.random() < 0.15:
            named = [*NUMBERS, "ratio", "huge", "spread", "age"] + (["score", "usage", "depth"] if self.scored else [])
            return self.pick(*named, *named, *WRITTEN_NUMBERS[:6], f"-{self.pick(*WRITTEN_NUMBERS)}")
        inner = depth - 1
        one, two, three = (self.number(inner) for _ in range(3))
        return self.pick(
            lambda: f"({one} {self.pick('+', '-', '*', '/')} {two})",
            lambda: f"({one} {self.pick('+', '-', '/')} {two})",
            lambda: f"{self.pick('ago', 'drop', 'rise', 'drop_percent', 'rise_percent')}({one}, {self.days()})",
            lambda: f"{self.pick('average', 'minimum', 'maximum', 'usual')}({self.tame(inner)}, {self.days()})",
            lambda: f"total(n, {self.days()})", lambda: f"times({self.flag(inner)}, {self.look()})",
            lambda: f"{self.pick('min', 'max')}({one}, {two}{self.pick('', ', ' + three)})",
            lambda: f"{self.pick('abs', 'round', 'floor')}({one})", lambda: f"clamp({one}, {two}, {three})",
            lambda: f"coalesce({one}, {two}{self.pick('', ', ' + three)})", lambda: f"scale({one}, {two}, {three})",
            lambda: f"{self.pick('days_since', 'days_until')}({self.date(inner)})", lambda: f"-({one})",
            lambda: f"({one} if {self.flag(inner)} else {two})",
        )()

    def tame(self, depth):
        """A number of moderate size: the order of summation may change the last bits, and 1e15 would magnify them."""
        return self.pick(f"clamp({self.number(depth)}, -50, 120)", "n", "n", "age")

    def text(self, depth):
        if depth <= 0 or self.random.random() < 0.3:
            return self.pick(*TEXTS, *TEXTS, "where", *WRITTEN_TEXTS, *(["tier", "tier"] if self.scored else []))
        inner = depth - 1
        return self.pick(
            lambda: f"ago({self.text(inner)}, {self.days()})",
            lambda: f"coalesce({self.text(inner)}, {self.text(inner)})",
            lambda: f"({self.text(inner)} if {self.flag(inner)} else {self.text(inner)})")()

    def date(self, depth):
        if depth <= 0 or self.random.random() < 0.4:
            return self.pick(*DATES, "when")
        inner = depth - 1
        return self.pick(
            lambda: f"ago({self.date(inner)}, {self.days()})",
            lambda: f"coalesce({self.date(inner)}, {self.date(inner)})",
            lambda: f"({self.date(inner)} if {self.flag(inner)} else {self.date(inner)})")()

    def flag(self, depth):
        if depth <= 0 or self.random.random() < 0.1:
            return self.pick(*FLAGS, "either", self.comparison(0), self.comparison(0), "true", "False")
        inner = depth - 1
        return self.pick(
            lambda: self.comparison(inner), lambda: self.comparison(inner), lambda: self.membership(inner),
            lambda: f"({self.flag(inner)} {self.pick('and', 'or')} {self.flag(inner)})",
            lambda: f"({self.flag(inner)} and {self.flag(inner)} or {self.flag(inner)})",
            lambda: f"(not {self.flag(inner)})", lambda: f"held({self.flag(inner)}, {self.look()})",
            lambda: f"held({self.flag(inner)}, {self.look()})",
            lambda: f"changed({self.of(self.any_kind(), inner)}, {self.days()})",
            lambda: f"known_for({self.days()})",
            lambda: f"{self.pick('known', 'missing')}({self.of(self.any_kind(), inner)})",
            lambda: f"ago({self.flag(inner)}, {self.days()})", lambda: f"coalesce({self.flag(inner)}, {self.flag(0)})",
            lambda: f"({self.flag(inner)} if {self.flag(inner)} else {self.flag(inner)})",
        )()

    def comparison(self, depth):
        kind = self.pick(Kind.NUMBER, Kind.NUMBER, Kind.NUMBER, *Kind)
        signs = ("==", "!=") if kind in (Kind.TEXT, Kind.FLAG) else ("<", "<=", ">", ">=", "==", "!=")
        if kind is Kind.NUMBER and self.random.random() < 0.25:
            return (f"({self.pick(*WRITTEN_NUMBERS)} {self.pick('<', '<=')} {self.number(depth)} "
                    f"{self.pick('<', '<=')} {self.pick(*WRITTEN_NUMBERS)})")
        right = self.pick(*WRITTEN_NUMBERS) if kind is Kind.NUMBER and self.random.random() < 0.6 \
            else self.of(kind, depth)
        return f"({self.of(kind, depth)} {self.pick(*signs)} {right})"

    def membership(self, depth):
        kind = self.pick(Kind.NUMBER, Kind.TEXT)
        written = {Kind.NUMBER: WRITTEN_NUMBERS, Kind.TEXT: WRITTEN_TEXTS}[kind]
        options = ", ".join(self.random.sample(written, self.pick(1, 2, 3)))
        return f"({self.of(kind, depth)} {self.pick('in', 'not in')} [{options}])"


def vocabulary(scored):
    known = {name: Name(name, kind, NameRole.METRIC) for name, kind in SUPPLIED.items()}
    known |= {name: Name(name, one.kind, NameRole.DERIVED) for name, one in derived().items()}
    if scored:
        known |= {name: Name(name, Kind.NUMBER, NameRole.SIGNAL) for name in ("usage", "depth")}
        known |= {"score": Name("score", Kind.NUMBER, NameRole.SCORE), "tier": Name("tier", Kind.TEXT, NameRole.TIER)}
    return Vocabulary(known, per_day=PER_DAY)


def expression(text, words, want=None):
    checked = check(text, lambda offset: HERE.moved(offset), words, want, "the test")
    assert checked.expression is not None, (text, checked.problems)
    return checked.expression


def derived():
    words = Vocabulary({name: Name(name, kind, NameRole.METRIC) for name, kind in SUPPLIED.items()}, history=False)
    return {name: expression(text, words) for name, text in DERIVED.items()}


def written(author, words, count):
    """`count` checked expressions. What the checker refuses, it must refuse for a reason that the author risks."""
    found = []
    while len(found) < count:
        kind = author.any_kind() if author.random.random() < 0.5 else Kind.FLAG
        text = author.of(kind, author.pick(2, 3, 3, 4))
        checked = check(text, lambda offset: HERE.moved(offset), words, kind, "the test")
        if checked.expression is None:
            assert {one.code for one in checked.problems} <= {"looks-at-nothing", "expression-too-large",
                                                              "expression-too-long"}, (text, checked.problems)
        elif names(checked.expression.term):
            found.append(checked.expression)
    return found


def history(seed):
    """Account → (first day, its rows by day): consecutive days, each value as a source might have said it."""
    luck = random.Random(seed)
    found = {}
    for number in range(ACCOUNTS):
        first = FIRST_DAY + luck.randrange(12)
        days = 1 if number == 0 else luck.randrange(2, 30)
        habit = luck.choice((0.0, 0.1, 0.5))
        few = luck.random() < 0.4
        numbers = luck.sample(SAID_NUMBERS, 3) if few else SAID_NUMBERS
        rows = {}
        for day in range(first, first + days):
            silent = luck.random() < 0.1
            rows[day] = {name: None if silent or luck.random() < habit else said(luck, kind, day, numbers)
                         for name, kind in SUPPLIED.items()}
            if rows[day]["n"] is not None:
                rows[day]["n"] = luck.choice((0.0, 1.0, 0.1, 0.2, 7.0))
            if day > first and luck.random() < 0.6:      # carried
                rows[day] |= {name: rows[day - 1][name] for name in SUPPLIED if name != "n"}
        found[f"account {number}"] = (first, rows)
    return found


def said(luck, kind, day, numbers):
    match kind:
        case Kind.NUMBER:
            return luck.choice(numbers)
        case Kind.TEXT:
            return luck.choice(SAID_TEXTS)
        case Kind.FLAG:
            return luck.random() < 0.7
        case Kind.DATE:
            return day - luck.choice((-3, 0, 0, 1, 2, 14, 400))


def at_the_door(value):
    return None if isinstance(value, float) and not abs(value) <= 1e15 else value


def table(accounts):
    """The same history as the table that all columns are computed from."""
    rows = [{"account": account, "day": day, "first_day": first, "named_day": day} | values
            for account, (first, days) in accounts.items() for day, values in days.items()]
    random.Random(0).shuffle(rows)
    schema = pa.schema([("account", pa.string()), ("day", pa.int64()), ("first_day", pa.int64()),
                        ("named_day", pa.int64()), *((name, ARROW[kind]) for name, kind in SUPPLIED.items())])
    connection = duckdb.connect()
    connection.register("said", pa.Table.from_pylist(rows, schema))
    doors = ", ".join(f"CASE WHEN abs({name}) <= 1e15 THEN {name} END AS {name}" for name in NUMBERS)
    connection.execute(f"CREATE TABLE stored AS SELECT * REPLACE ({doors}) FROM said; "
                       "CREATE VIEW history AS FROM stored")
    return connection


def scorecard(seed):
    """A scorecard with profiles, parts, curves of both forms, policies, coverage and a tier with `when`."""
    luck = random.Random(seed)
    words = vocabulary(scored=False)

    def metric(text, curve=None):
        return Measure(expression(text, words), curve)

    line, stairs = Points(((0.0, 0.0), (3.0, 55.5), (15.0, 100.0))), Steps(((0.0, 100.0), (3.0, 60.0), (14.0, 0.0)))
    usage = Signal("usage", 40, HERE, parts=(Part("logins", 50, metric("a", line)),
        Part("uses", 30, metric("b", stairs)),
                                             Part("days", 20, metric("total(n, days=3)", line))),
                   missing=luck.choice(list(MissingPolicy)))
    depth = Signal("depth", 30, HERE, metric("100 * a / b"), missing=luck.choice(list(MissingPolicy)))
    recency = Signal("recency", 10.5, HERE, metric("age", stairs))
    tiers = tuple(Tier(name, Decimal(low), Decimal(high), None if below is None else Decimal(below), HERE, when)
                  for name, low, high, below, when in (
                      ("healthy", 80, 100, None, None), ("monitor", 60, 79, 80, None), ("at_risk", 40, 59, 60, None),
                      ("critical", 20, 39, 40, expression('g and s == "x"', words)),
                      ("churning", 0, 19, 20, expression("a < 0", words))))
    other = Profile("other", (depth, recency), expression('t == "y"', words))
    return Scorecard((other, Profile("", (usage, depth, recency))) if luck.random() < 0.7 else (
        Profile("", (usage, depth, recency)),), tiers, luck.choice((0.0, 0.5)), luck.choice((0, 3)))


def rulebook(card, since):
    metrics = {name: Metric(name, kind, HERE, per_day=name in PER_DAY) for name, kind in SUPPLIED.items()}
    metrics |= {name: Metric(name, one.kind, HERE, derived=one) for name, one in derived().items()}
    return Rulebook(Catalogue(metrics, Roles(since=since)), card, {}, {}, Limits(), {}, "test")


def together(connection, expressions, book, scored):
    """Every expression, the score and the tier for every account and day, as columns: (account, day) → values."""
    columns = Columns(SUPPLIED, derived())
    outputs = {}
    if scored:
        since = book.catalogue.roles.since
        outputs["score"], outputs["tier"] = add_scorecard(columns, book.scorecard, since)
    columns.share([one.term for one in expressions])
    outputs |= {f"e{number}": columns.column(one.term) for number, one in enumerate(expressions)}
    statement = str(ibis.to_sql(columns.table(outputs), dialect="duckdb"))
    rows = connection.sql(statement).to_arrow_table().to_pylist()
    return {(row["account"], row["day"]): row for row in rows}


def one_day(expressions, book, scored):
    """The query about a single day, without windows, and the expressions that it can answer."""
    def new():
        return OneDay(SUPPLIED, derived(), lambda values: add_scorecard(
            values, book.scorecard, book.catalogue.roles.since))

    possible = {}
    for number, one in enumerate(expressions):
        try:
            new().at(0).column(one.term)
        except NotPointwise:
            continue
        possible[f"e{number}"] = one.term
    query = new()
    today = query.at(0)
    outputs = {}
    if scored:
        outputs["score"] = today.column(Name("score", Kind.NUMBER, NameRole.SCORE))
        outputs["tier"] = today.column(Name("tier", Kind.TEXT, NameRole.TIER))
    today.share(possible.values())
    outputs |= {name: today.column(term) for name, term in possible.items()}
    return str(ibis.to_sql(query.table(outputs), dialect="duckdb"))


def on_single_days(connection, statement, days):
    """(account, day) → values, each day asked for by itself, as a pass does."""
    found = {}
    for day in days:
        connection.execute(f"CREATE OR REPLACE VIEW history AS SELECT *, {day} - day AS back FROM stored "
                           f"WHERE day <= {day}")
        rows = connection.sql(statement).to_arrow_table().to_pylist()
        found |= {(row["account"], row["day"]): row for row in rows}
    return found


def same(kind, one, two):
    if one is None or two is None or kind is not Kind.NUMBER:
        return one is two or (type(one) is type(two) and one == two)
    return math.isfinite(two) and abs(one - two) <= 1e-9 * max(1.0, abs(one), abs(two))


def alone(book, accounts):
    """Account → how it answers by itself."""
    return {name: Account(book, {day: {key: at_the_door(value) for key, value in row.items()}
                                 for day, row in rows.items()}, first) for name, (first, rows) in accounts.items()}


def differences(expressions, account, found, scored):
    """What the rows of a query say otherwise than the account itself: (text, account, day, alone, together)."""
    wrong = []
    for (name, day), answers in found.items():
        if scored:
            now = account[name].scored(day)
            if (now.score, now.tier) != (answers["score"], answers["tier"]):
                wrong.append(("score", name, day, (now.score, now.tier), (answers["score"], answers["tier"])))
        for number, one in enumerate(expressions):
            if f"e{number}" in answers:
                value = account[name].value(one, day)
                if not same(one.kind, value, answers[f"e{number}"]):
                    wrong.append((one.text, name, day, value, answers[f"e{number}"]))
    return sorted(wrong, key=lambda one: (len(one[0]), one[1:3]))


@pytest.mark.parametrize("batch", range(BATCHES))
def test_all_evaluators_agree(batch):
    scored = batch % 2 == 1
    author = Author(batch, scored)
    expressions = written(author, vocabulary(scored), EXPRESSIONS)
    accounts = history(batch)
    book = rulebook(scorecard(batch), author.pick("", "on", "when"))
    judge, connection = alone(book, accounts), table(accounts)
    every_day = together(connection, expressions, book, scored)
    assert len(every_day) == sum(len(days) for _, days in accounts.values())
    wrong = differences(expressions, judge, every_day, scored)
    assert not wrong, f"{len(wrong)} differ on every day: " + "\n".join(map(str, wrong[:5]))
    statement = one_day(expressions, book, scored)
    days = [FIRST_DAY + after for after in (9, 14, 23)]
    single = on_single_days(connection, statement, days)
    assert {(name, day) for name, day in every_day if day in days} == set(single)
    wrong = differences(expressions, judge, single, scored)
    assert not wrong, f"{len(wrong)} differ on a single day: " + "\n".join(map(str, wrong[:5]))


def test_every_function_occurs():
    """The judge has seen every function of the language, and those that look at other days within one another."""
    seen, nested = set(), set()
    for batch in range(BATCHES):
        for one in written(Author(batch, batch % 2 == 1), vocabulary(batch % 2 == 1), EXPRESSIONS):
            calls = [term for term in walk(one.term) if isinstance(term, Call)]
            seen |= {call.function for call in calls}
            nested |= {inner.function for call in calls if call.window for part in call.arguments
                       for inner in walk(part) if isinstance(inner, Call)}
    assert seen == set(FUNCTIONS)
    assert nested >= {"ago", "rise_percent", "average", "total", "held", "times", "changed", "known_for", "min"}
