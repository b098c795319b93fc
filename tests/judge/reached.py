"""What an evaluation of the cases came through: functions with a known and with a missing answer, patterns of missing
values, comparisons at equality. Counted in cases.

The observer asks the evaluator of one account for every part of an expression on every day, so it counts what was
evaluated, not what is written.
"""

import ast
from collections import Counter

from forestall.engine.language.functions import FUNCTIONS, POINT_TO_POINT, TOLERANCE, Reach, looks, slack
from forestall.engine.language.per_account import AccountEvaluator
from forestall.engine.language.syntax import parse
from forestall.engine.model.expression import Window

SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">",
         ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.And: "and", ast.Or: "or", ast.In: "in", ast.NotIn: "not in"}
TRUTHS = {True: "true", False: "false", None: "missing"}
OF_TWO = ("none missing", "left missing", "right missing", "both missing")
OF_MANY = ("none missing", "some missing", "all missing")
EQUAL, NEARLY, NOT_QUITE = "equal", "equal to people, not bit by bit", "just not equal to people"
OTHER_SIGNALS = "other signals have data on the two days"
OF_DAYS = ("all known", "some missing", "all missing", "today missing", "some before the first row",
           "all before the first row", "known only before")
NOT_POSSIBLE = {("ago", "some missing"), ("ago", "today missing"), ("ago", "some before the first row"),
                ("usual", "today missing"),
                *((name, "all before the first row") for name in FUNCTIONS if name not in ("ago", "usual"))}


def wanted():
    """Everything that has to be reached: (what, how)."""
    found = []
    for sign in ("<", "<=", ">", ">=", "==", "!="):
        found += [(sign, how) for how in (*OF_TWO, EQUAL, NEARLY, NOT_QUITE)] + [(sign, "equal dates")]
    found += [(sign, f"equal {what}") for sign in ("==", "!=") for what in ("texts", "flags")]
    for sign in ("in", "not in"):
        found += [(sign, how) for how in ("none missing", "all missing", EQUAL, NEARLY, NOT_QUITE, "equal texts")]
    found += [(sign, how) for sign in "+-*/" for how in OF_TWO]
    found += [("/", "by zero"), ("/", "by nearly zero"), ("minus", "known"), ("minus", "missing")]
    found += [(sign, f"{one} {sign} {two}") for sign in ("and", "or") for one in TRUTHS.values()
              for two in TRUTHS.values()]
    found += [("not", truth) for truth in TRUTHS.values()]
    found += [("if", f"{test}, {value}") for test in ("true", "false") for value in ("known", "missing")]
    found += [("if", "missing")]
    for name, function in FUNCTIONS.items():
        if function.reach is Reach.TODAY:
            found += [(name, how) for how in _patterns(len(function.takes))]
            found += [(name, how) for how in (OF_MANY if function.variadic else ())]
        elif function.reach is not Reach.ROWS:
            forms = (name, f"{name} in weeks") if function.reach is Reach.DAYS_OR_WEEKS else (name,)
            found += [(form, how) for form in forms for how in OF_DAYS if (name, how) not in NOT_POSSIBLE]
        if function.reach is Reach.ROWS:
            found += [(name, "true"), (name, "false")]
        else:
            found += [(name, "answer known")] + [(name, "answer missing")] * (name not in ("known", "missing"))
    found += [("changed", NEARLY), ("drop_percent", "from zero"), ("rise_percent", "from zero"),
              ("scale", "of an empty range")]
    return tuple(dict.fromkeys([*found, *((name, OTHER_SIGNALS) for name in sorted(POINT_TO_POINT))]))


def reached(batch):
    """(what, how) → in how many cases of this batch it was reached, and how often."""
    cases, times = Counter(), Counter()
    observers = [(_Observer(account), days) for name, account in batch.alone().items()
                 for days in [batch.accounts[name][1]]]
    trees = [parse(expression.text) for expression in batch.expressions]      # all kept: answers are known by node
    for tree in trees:
        seen = Counter()
        nodes = [node for node in ast.walk(tree) if type(node) in _Observer.LOOKS]
        for observer, days in observers:
            for day in days:
                for node in nodes:
                    seen.update(_Observer.LOOKS[type(node)](observer, node, day))
        cases.update(seen.keys())
        times.update(seen)
    return cases, times


class _Observer:
    """Looks at the operands of every operation of one account."""

    def __init__(self, account):
        self._evaluator = AccountEvaluator(account.metric, account.first_day, self._signals)
        self._account, self._first = account, account.first_day

    def _signals(self, day):
        scored = self._account.scored(day)
        return scored.profile, tuple(part.points is not None for one in scored.signals for part in one.parts)

    def _at(self, node, day):
        return self._evaluator.at(node, day) if day >= self._first else None

    def arithmetic(self, node, day):
        sign, left, right = SIGNS[type(node.op)], self._at(node.left, day), self._at(node.right, day)
        yield sign, _of(left, right)
        if sign == "/" and left is not None and right is not None and abs(right) <= TOLERANCE:
            yield sign, "by zero" if right == 0 else "by nearly zero"

    def unary(self, node, day):
        value = self._at(node.operand, day)
        if isinstance(node.op, ast.Not):
            yield "not", TRUTHS[value]
        elif not isinstance(node.operand, ast.Constant):
            yield "minus", "missing" if value is None else "known"

    def junction(self, node, day):
        sign, (one, two) = SIGNS[type(node.op)], (self._at(value, day) for value in node.values[:2])
        yield sign, f"{TRUTHS[one]} {sign} {TRUTHS[two]}"

    def comparison(self, node, day):
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            sign, one = SIGNS[type(operator)], self._at(left, day)
            if isinstance(right, ast.List):
                yield sign, _of(one)
                for option in right.elts:
                    yield from _compared(sign, one, self._at(option, day))
            else:
                two = self._at(right, day)
                yield sign, _of(one, two)
                yield from _compared(sign, one, two)
            left = right

    def choice(self, node, day):
        test = self._at(node.test, day)
        if test is None:
            yield "if", "missing"
        else:
            value = self._at(node.body if test else node.orelse, day)
            yield "if", f"{TRUTHS[test]}, {'missing' if value is None else 'known'}"

    def call(self, node, day):
        function, answer = FUNCTIONS[node.func.id], self._at(node, day)
        if function.reach is Reach.ROWS:
            yield function.name, TRUTHS[answer]
            return
        yield function.name, f"answer {'missing' if answer is None else 'known'}"
        if function.reach is Reach.TODAY:
            values = [self._at(argument, day) for argument in node.args]
            yield function.name, _of(*values)
            if function.name == "scale" and None not in values and abs(values[2] - values[1]) <= TOLERANCE:
                yield "scale", "of an empty range"
        else:
            yield from self._days(function, node, day)

    def _days(self, function, node, day):
        keyword, argument = node.keywords[0], node.args[0]
        window = Window(keyword.value.value, keyword.arg == "weeks")
        backs = _looked_at(function.name, window)
        form = f"{function.name} in weeks" if window.weekly else function.name
        values = [self._at(argument, day - back) for back in backs]
        missing = [value is None for value in values]
        yield form, "all missing" if all(missing) else "some missing" if any(missing) else "all known"
        if backs[0] == 0 and missing[0]:
            yield form, "today missing"
        before = [day - back < self._first for back in backs]
        if any(before):
            yield form, "all before the first row" if all(before) else "some before the first row"
        elif all(missing) and self._at(argument, day - backs[-1] - 1) is not None:
            yield form, "known only before"
        yield from self._edges(function.name, argument, day, values, day - backs[-1])

    def _edges(self, name, argument, day, values, then):
        if name == "changed" and isinstance(values[0], float) and any(
                _nearly(values[0], value) == NEARLY for value in values[1:] if value is not None):
            yield name, NEARLY
        if name.endswith("_percent") and None not in values and abs(values[1]) <= TOLERANCE:
            yield name, "from zero"
        if name in POINT_TO_POINT and isinstance(argument, ast.Name) and argument.id in ("score", "tier") \
                and None not in (values[-1], self._at(argument, day)) and self._signals(day) != self._signals(then):
            yield name, OTHER_SIGNALS

    LOOKS = {ast.BinOp: arithmetic, ast.UnaryOp: unary, ast.BoolOp: junction, ast.Compare: comparison,
             ast.IfExp: choice, ast.Call: call}


def _looked_at(name, window):
    if name == "ago":
        return (window.count,)
    if name in POINT_TO_POINT:
        return (0, window.count)
    if name == "usual":
        return range(7, window.count + 7)
    return range(window.count + 1) if name == "changed" else looks(window)


def _patterns(operands):
    return ("none missing", "all missing") if operands == 1 else OF_TWO if operands == 2 else OF_MANY


def _of(*values):
    missing = [value is None for value in values]
    if len(values) == 2:
        return OF_TWO[missing[0] + 2 * missing[1]]
    return "all missing" if all(missing) else "some missing" if any(missing) else "none missing"


def _compared(sign, one, two):
    if one is None or two is None:
        return
    if isinstance(one, float):
        if how := _nearly(one, two):
            yield sign, how
    elif one == two:
        yield sign, {str: "equal texts", bool: "equal flags", int: "equal dates"}[type(one)]


def _nearly(one, two):
    if one == two:
        return EQUAL
    apart, room = abs(one - two), slack(one, two)
    return NEARLY if apart <= room else NOT_QUITE if apart <= 10 * room else ""


def in_words(cases, times, least):
    """The table, what was reached too seldom first."""
    rows = sorted(wanted(), key=lambda key: cases[key])
    return "\n".join(f"{cases[key]:5} cases {times[key]:7} times  {key[0]}: {key[1]}"
                     + ("   TOO SELDOM" if cases[key] < least else "") for key in rows)
