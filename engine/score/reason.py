"""Why a condition is true, false or unknown for one account, in one line: the comparisons that decided, with values."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import date

from forestall.engine.language.check import FLAGS
from forestall.engine.language.functions import FUNCTIONS, POINT_TO_POINT, Reach, looks
from forestall.engine.language.syntax import parse
from forestall.engine.model.evaluation import Value
from forestall.engine.model.expression import Expression, Truth, Window
from forestall.engine.score.account import Account
from forestall.engine.score.evaluations import from_epoch, to_epoch

MOST_PLACES = 9
_QUOTED = re.compile(r"""'([^'"\\]*)'""")
SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.In: "in",
         ast.NotIn: "not in"}
SHORT = {"<=": "≤", ">=": "≥", "==": "=", "!=": "≠"}
# `x is 30, < 50`: what is compared, which may hold commas in brackets or quotes, and with what.
_COMPARED = re.compile(r'(.+? is (?:"[^"]*"|[^"]*?)), (.+)', re.DOTALL)


def why(expression: Expression, account: Account, day: date | int) -> str:
    """One line such as `drop(score, days=7) is 9, not >= 15`: what made the condition true, false or unknown.

    `day` is a date, or days since 1970. What decided stands alone: of an `and` that is false, the parts that are false.
    """
    return _Reasons(account, to_epoch(day) if isinstance(day, date) else day, expression).line()


def briefly(expression: Expression, account: Account, day: date | int) -> tuple[str, ...]:
    """The same as short as can be, part by part: `score 74 → 61 in 7 days, 13 ≥ 12`, `logins_14d 3, not ≥ 10`."""
    return _Brief(account, to_epoch(day) if isinstance(day, date) else day, expression).parts()


def truth(value: Value) -> Truth:
    """A flag as one of three values."""
    return Truth.UNKNOWN if value is None else Truth.TRUE if value else Truth.FALSE


def said(value: Value, places: int = 2) -> str:
    """A value as it would stand in a rule: 1,200 and 3.5, dates as 2026-01-31, texts in quotes."""
    match value:
        case None:
            return "missing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            text = f"{value:,.{places}f}"
            text = text.rstrip("0").rstrip(".") if "." in text else text
            return "0" if text in ("-0", "") else text
        case date():
            return value.isoformat()
        case _:
            return '"' + "".join(letter if letter.isprintable() else " " for letter in value) + '"'


class _Reasons:
    """The reasons of one condition on one day."""

    def __init__(self, account: Account, day: int, expression: Expression) -> None:
        self._account, self._day, self._expression = account, day, expression

    def line(self) -> str:
        return "; ".join(self._merged(parse(self._expression.text)))

    def _merged(self, node: ast.expr) -> list[str]:
        """Each reason once; what is said of the same thing again only adds its comparison."""
        found: list[str] = []
        for reason in dict.fromkeys(self._reasons(node)):
            same = _COMPARED.match(reason)
            if same and found and found[-1].startswith(f"{same[1]}, "):
                found[-1] += f" and {same[2]}"
            else:
                found.append(reason)
        return found

    def _value(self, node: ast.expr) -> Value:
        text = ast.unparse(node)
        value = self._account.value(Expression(text, self._expression.term, self._expression.location), self._day)
        return from_epoch(value) if isinstance(value, int) and not isinstance(value, bool) else value

    def _reasons(self, node: ast.expr) -> Iterator[str]:
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield from self._reasons(operand)
            case ast.BoolOp(op=op, values=parts):
                yield from self._junction(isinstance(op, ast.Or), parts, self._value(node))
            case ast.Compare():
                yield from self._comparison(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                chosen = self._value(test)
                yield from self._reasons(test)
                if chosen is not None:
                    yield from self._reasons(body if chosen else orelse)
            case ast.Call(func=ast.Name(id="held")):
                yield from self._held(node)
            case ast.Constant() | ast.Name(id="true" | "false"):
                yield f"it says {said(self._value(node))}"
            case _:
                yield f"{written(node)} is {said(self._value(node))}"

    def _junction(self, decisive: bool, parts: list[ast.expr], whole: Value) -> Iterator[str]:
        """Of an `or` that is true, and of an `and` that is false, the parts that made it so; else every part that is
        as the whole is."""
        for part in parts:
            if whole is None or whole is decisive:
                if self._value(part) is whole:
                    yield from self._reasons(part)
            else:
                yield from self._reasons(part)

    def _comparison(self, node: ast.Compare) -> Iterator[str]:
        whole = self._value(node)
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            link = ast.Compare(left, [operator], [right])
            answer = self._value(link)
            if whole is True or answer is whole:
                yield self._link(link, answer)
            left = right

    def _link(self, link: ast.Compare, answer: Value) -> str:
        left, right, sign = _metric_first(link)
        one = self._value(left)
        two = None if isinstance(right, ast.List) else self._value(right)
        if answer is None:
            return self._missing(left if one is None else right)
        places = 2
        while one != two and said(one, places) == said(two, places) and places < MOST_PLACES:
            places += 1
        goal = written(right) if _fixed(right) else f"{written(right)}, which is {said(two, places)}"
        return f"{written(left)} is {said(one, places)}, {'' if answer else 'not '}{sign} {goal}"

    def _missing(self, node: ast.expr) -> str:
        """What is missing; of a comparison with an earlier day also on which of the two."""
        text = f"{written(node)} is missing"
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in POINT_TO_POINT:
            return text
        back, inside = int(ast.literal_eval(node.keywords[0].value)), node.args[0]
        if self._day - back < self._account.first_day:
            return f"{text}: the account had no row {back} days before"
        then = _Reasons(self._account, self._day - back, self._expression)._value(inside)
        if self._value(inside) is None and node.func.id != "ago":
            return f"{text}: {written(inside)} is missing today"
        if then is None:
            return f"{text}: {written(inside)} was missing {back} days before"
        other = isinstance(inside, ast.Name) and inside.id in ("score", "tier")
        return f"{text}: other signals had data {back} days before" if other else text

    def _held(self, node: ast.Call) -> Iterator[str]:
        """The latest look that was not true, and why."""
        keyword = node.keywords[0]
        window = Window(int(ast.literal_eval(keyword.value)), keyword.arg == "weeks")
        whole, inside = self._value(node), node.args[0]
        if whole is True:
            yield f"{written(node)} is true"
        for back in () if whole is True else looks(window):
            then = _Reasons(self._account, self._day - back, self._expression)
            before = self._day - back < self._account.first_day
            if before or then._value(inside) is whole:
                when = "today" if back == 0 else "yesterday" if back == 1 else f"{back} days before"
                because = "the account had no row" if before else "; ".join(then._merged(inside))
                yield f"{'not known to have held' if whole is None else 'not held'}: {when} {because}"
                return


class _Brief(_Reasons):
    """Reasons with signs for words. A comparison with an earlier day shows what was then and what is now."""

    def parts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._reasons(parse(self._expression.text))))

    def _link(self, link: ast.Compare, answer: Value) -> str:
        left, right, sign = _metric_first(link)
        if answer is None:
            return self._missing(left if self._value(left) is None else right)
        value = self._value(left)
        goal = written(right) if _fixed(right) else f"{written(right)} {said(self._value(right))}"
        sign = f"{'' if answer else 'not '}{SHORT.get(sign, sign)} {goal}"
        if isinstance(left, ast.Call) and isinstance(left.func, ast.Name) and left.func.id in POINT_TO_POINT - {"ago"}:
            back = int(ast.literal_eval(left.keywords[0].value))
            then = _Reasons(self._account, self._day - back, self._expression)._value(left.args[0])
            percent = " %" if left.func.id.endswith("percent") else ""
            return (f"{written(left.args[0])} {said(then)} → {said(self._value(left.args[0]))} in {back} "
                    f"{'day' if back == 1 else 'days'}, {said(value)}{percent}{'' if answer else ','} {sign}")
        name = written(left)
        if isinstance(left, ast.Call) and isinstance(left.func, ast.Name) and left.func.id == "ago":
            name = f"{written(left.args[0])} {int(ast.literal_eval(left.keywords[0].value))} days before"
        return f"{name} {said(value)}{'' if answer else ','} {sign}"


def _metric_first(link: ast.Compare) -> tuple[ast.expr, ast.expr, str]:
    """Both sides of a comparison and its sign: of `14 <= days` people read the metric first."""
    left, right, sign = link.left, link.comparators[0], SIGNS[type(link.ops[0])]
    if _fixed(left) and not _fixed(right):
        return right, left, {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(sign, sign)
    return left, right, sign


def written(node: ast.expr) -> str:
    """A part of a condition as people write it: texts in straight double quotes."""
    return _QUOTED.sub(r'"\1"', ast.unparse(node))


def outermost_calls(node: ast.AST) -> Iterator[ast.Call]:
    """The functions that look at other days, without those inside of another."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and (
            FUNCTIONS[node.func.id].reach is not Reach.TODAY):
        yield node
        return
    for child in ast.iter_child_nodes(node):
        yield from outermost_calls(child)


def _fixed(node: ast.expr) -> bool:
    """Whether it says itself what it is."""
    if isinstance(node, ast.List):
        return True
    inside = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(inside, ast.Constant) or (isinstance(inside, ast.Name) and inside.id in FLAGS)
