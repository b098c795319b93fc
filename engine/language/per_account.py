"""One account: checked expressions evaluated through simpleeval, on any day of its history.

The reference for the columnar path, and what explanations are made with. The checker has seen every expression before,
so simpleeval meets only the allowed subset; its nodes are replaced where the language means something else: Kleene's
three values, comparisons within the tolerance, and history functions whose first argument is not a value but a node
that is evaluated on other days.
"""

from __future__ import annotations

import ast
import math
import threading
from collections.abc import Callable, Mapping
from typing import Any

from simpleeval import SimpleEval

from forestall.engine.language.check import FLAGS
from forestall.engine.language.functions import FUNCTIONS, POINT_TO_POINT, TOLERANCE, Reach, slack
from forestall.engine.language.syntax import parse
from forestall.engine.model.evaluation import Value
from forestall.engine.model.expression import Expression, Window

LARGEST = 1e15
BUILDING = threading.Lock()      # simpleeval touches the process-wide warning filters when it is constructed

Resolve = Callable[[str, int], Value]
Pattern = Callable[[int], object]


class AccountEvaluator:
    """Evaluates expressions for one account. Not for use by two threads at once.

    `resolve(name, day)` answers metrics, derived metrics, signals, score and tier; numbers as float, dates as days
    since 1970. `first_day` is the account's first row. `pattern(day)` tells which signals have data: where it differs,
    `ago` of the bare score or tier is missing.
    """

    def __init__(self, resolve: Resolve, first_day: int, pattern: Pattern,
                 before: tuple[AccountEvaluator, int] | None = None) -> None:
        """`before`: another evaluator of the same account and a day; what it knows of earlier days holds here too."""
        self.resolve, self.first_day, self.pattern = resolve, first_day, pattern
        self._trees: dict[str, ast.expr] = {}
        self._known: dict[int, dict[int, Value]] = {}      # by day, by node
        if before is not None:
            other, changed = before
            self._trees = other._trees
            self._known = {day: known for day, known in other._known.items() if day < changed}
        self.day = 0
        with BUILDING:
            self._evaluator = _Nodes(self)

    def value(self, expression: Expression, day: int) -> Value:
        """The value of an expression on a day (days since 1970); None is missing."""
        if expression.text not in self._trees:
            self._trees[expression.text] = parse(expression.text)
        return self.at(self._trees[expression.text], day)

    def at(self, node: ast.expr, day: int) -> Value:
        """The value of a node on a day, remembered."""
        known = self._known.setdefault(day, {})
        if id(node) not in known:
            before, self.day = self.day, day
            try:
                known[id(node)] = self._evaluator.answer(node)
            finally:
                self.day = before
        return known[id(node)]


class _Look:
    """A node seen from one day."""

    def __init__(self, account: AccountEvaluator, node: ast.expr, guarded: bool) -> None:
        self._account, self._node, self._day, self._guarded = account, node, account.day, guarded

    @property
    def rows(self) -> int:
        return self._day - self._account.first_day + 1

    def at(self, back: int) -> Value:
        account, day = self._account, self._day - back
        if day < account.first_day:
            return None
        if self._guarded and back and account.pattern(day) != account.pattern(self._day):
            return None
        return account.at(self._node, day)


class _Names:
    """simpleeval reads names through this; it must have nothing else that could be called."""

    def __init__(self, account: AccountEvaluator) -> None:
        self._account = account

    def __getitem__(self, name: str) -> Value:
        return self._account.resolve(name, self._account.day)


class _Nodes(SimpleEval):  # type: ignore[misc]
    """simpleeval with the nodes of our language in the place of its own."""

    def __init__(self, account: AccountEvaluator) -> None:
        super().__init__(names=_Names(account), functions={})
        self._account = account
        self.nodes = {
            ast.Constant: self._constant, ast.Name: self._name, ast.UnaryOp: self._unary, ast.BinOp: self._binary,
            ast.BoolOp: self._junction, ast.Compare: self._comparison, ast.IfExp: self._choice, ast.Call: self._called,
        }

    def answer(self, node: ast.expr) -> Value:
        """The value of a node on the account's day."""
        value: Value = self._eval(node)
        return value

    def _constant(self, node: ast.Constant) -> Value:
        value = node.value
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value  # type: ignore[return-value]

    def _name(self, node: ast.Name) -> Value:
        return FLAGS[node.id] if node.id in FLAGS else self.names[node.id]

    def _unary(self, node: ast.UnaryOp) -> Value:
        value = self._eval(node.operand)
        if value is None:
            return None
        return not value if isinstance(node.op, ast.Not) else -value

    def _binary(self, node: ast.BinOp) -> Value:
        left, right = self._eval(node.left), self._eval(node.right)
        if left is None or right is None:
            return None
        match node.op:
            case ast.Add():
                answer = left + right
            case ast.Sub():
                answer = left - right
            case ast.Mult():
                answer = left * right
            case _:
                answer = left / right if abs(right) > TOLERANCE else None
        return answer if answer is None or math.isfinite(answer) else None

    def _junction(self, node: ast.BoolOp) -> Value:
        values = [self._eval(value) for value in node.values]
        decisive = isinstance(node.op, ast.Or)
        if any(value is decisive for value in values):
            return decisive
        return None if any(value is None for value in values) else not decisive

    def _comparison(self, node: ast.Compare) -> Value:
        answers: list[Value] = []
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, (ast.In, ast.NotIn)) and isinstance(right, ast.List):
                answers.append(self._membership(left, right, isinstance(operator, ast.NotIn)))
            else:
                answers.append(self._link(left, operator, right))
            left = right
        if any(answer is False for answer in answers):
            return False
        return None if any(answer is None for answer in answers) else True

    def _membership(self, left: ast.expr, right: ast.List, negated: bool) -> Value:
        found = [self._link(left, ast.Eq(), option) for option in right.elts]
        if any(one is None for one in found):
            return None
        return any(found) != negated

    def _link(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Value:
        one, two = self._eval(left), self._eval(right)
        if one is None or two is None:
            return None
        if not isinstance(one, float) or not isinstance(two, float):
            return _exact(operator, one, two)
        literal = next((number for number in (_literal(right), _literal(left)) if number is not None), None)
        room = slack(literal) if literal is not None else slack(one, two)
        return _near(operator, one - two, room)

    def _choice(self, node: ast.IfExp) -> Value:
        test = self._eval(node.test)
        if test is None:
            return None
        value: Value = self._eval(node.body if test else node.orelse)
        return value

    def _called(self, node: ast.Call) -> Value:
        assert isinstance(node.func, ast.Name)
        function = FUNCTIONS[node.func.id]
        if function.reach is Reach.TODAY:
            return function.per_account(self._account.day, *(self._eval(argument) for argument in node.args))
        keyword = node.keywords[0]
        count = ast.literal_eval(keyword.value)      # the checker has seen that it is a whole number
        window = Window(int(count), keyword.arg == "weeks")
        looked = node.args[0] if node.args else node.func
        bare = isinstance(looked, ast.Name) and looked.id in ("score", "tier") and function.name in POINT_TO_POINT
        return function.per_account(_Look(self._account, looked, bare), window)


def _literal(node: ast.expr) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inside = _literal(node.operand)
        return -inside if inside is not None else None
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return float(node.value)
    return None


def _exact(operator: ast.cmpop, left: Any, right: Any) -> bool:
    match operator:
        case ast.Eq():
            return bool(left == right)
        case ast.NotEq():
            return bool(left != right)
        case ast.Lt():
            return bool(left < right)
        case ast.LtE():
            return bool(left <= right)
        case ast.Gt():
            return bool(left > right)
        case _:
            return bool(left >= right)


def _near(operator: ast.cmpop, difference: float, room: float) -> bool:
    match operator:
        case ast.Eq():
            return abs(difference) <= room
        case ast.NotEq():
            return not abs(difference) <= room
        case ast.GtE():
            return difference >= -room
        case ast.LtE():
            return difference <= room
        case ast.Gt():
            return difference > room
        case _:
            return difference < -room


Rows = Mapping[int, Mapping[str, Value]]
