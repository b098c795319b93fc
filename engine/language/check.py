"""Names, kinds and arguments checked before anything runs: a text becomes an Expression, or a list of problems."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from forestall.engine.errors import Location, Problem
from forestall.engine.language.functions import FUNCTIONS, Function, Reach
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.language.syntax import NotParsed, check_allowed, flat, offset_of, one_line, parse
from forestall.engine.model.expression import (
    Arithmetic,
    Call,
    Choice,
    Comparison,
    Expression,
    Junction,
    Kind,
    Literal,
    Membership,
    Name,
    NameRole,
    Negation,
    Negative,
    Term,
    Window,
    names,
)

LONGEST_WINDOW = 1100      # days: three years
FLAGS = {"true": True, "false": False}
OPERATORS: Mapping[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Eq: "==", ast.NotEq: "!=", ast.And: "and", ast.Or: "or",
}
WORDS = {Kind.NUMBER: "a number", Kind.TEXT: "a text", Kind.FLAG: "true or false", Kind.DATE: "a date"}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that an expression may use, and why others that exist may not stand in it."""

    names: Mapping[str, Name]
    absent: Mapping[str, str] = field(default_factory=dict)
    history: bool = True        # whether functions that look at other days are allowed
    per_day: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a text: an expression, or the problems that a person has to mend."""

    expression: Expression | None
    problems: tuple[Problem, ...] = ()


def check(text: str, place: Callable[[int], Location], vocabulary: Vocabulary, want: Kind | None, what: str) -> Checked:
    """Check one expression. `place` turns an offset in `text` into a place in the file; `what` names it in sentences.

    `want` is the kind that its value must have (None: any).
    """
    line = flat(text)
    lead = len(line) - len(line.lstrip())
    try:
        tree = parse(text)
    except NotParsed as error:
        return Checked(None, tuple(
            Problem(place(one.offset), one.code, f"in {what}, {one.message}", one.hint) for one in error.refusals))
    stripped = line[lead:]
    refused = check_allowed(stripped, tree)
    if refused:
        return Checked(None, tuple(
            Problem(place(one.offset + lead), one.code, f"in {what}, {one.message}", one.hint) for one in refused))
    reader = _Reader(stripped, lead, place, vocabulary, what)
    term = reader.term(tree)
    if term is not None and want is not None and term.kind is not want:
        reader.problem(tree, "wrong-kind", f"the whole is {WORDS[term.kind]}, and {WORDS[want]} is needed.",
                       "Compare it with something: logins_14d < 3." if want is Kind.FLAG else "")
    if reader.problems or term is None:
        return Checked(None, tuple(reader.problems))
    return Checked(Expression(text=one_line(text), term=term, location=place(lead)))


class _Reader:
    """Turns a syntax tree into terms, collecting every problem on the way."""

    def __init__(self, text: str, lead: int, place: Callable[[int], Location], vocabulary: Vocabulary,
                 what: str) -> None:
        self._text, self._lead, self._place = text, lead, place
        self._vocabulary, self._what = vocabulary, what
        self.problems: list[Problem] = []

    def problem(self, node: ast.AST, code: str, message: str, hint: str = "", word: str = "") -> None:
        location = self._place(offset_of(self._text, node) + self._lead)
        self.problems.append(Problem(location, code, f"in {self._what}, {message}", hint, word=word))

    def term(self, node: ast.expr) -> Term | None:
        match node:
            case ast.Constant(value=value):
                return _literal(value)
            case ast.Name(id=name):
                return self._name(node, name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self._of_kind(operand, Kind.NUMBER, "a minus sign")
                if isinstance(inner, Literal) and isinstance(inner.value, float):
                    return Literal(-inner.value, Kind.NUMBER)
                return inner and Negative(inner)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._of_kind(operand, Kind.FLAG, "`not`")
                return inner and Negation(inner)
            case ast.BinOp(op=operator, left=left, right=right):
                sign = OPERATORS[type(operator)]
                one, two = (self._of_kind(side, Kind.NUMBER, f"`{sign}`") for side in (left, right))
                return Arithmetic(sign, one, two) if one is not None and two is not None else None
            case ast.BoolOp(op=operator, values=values):
                sign = OPERATORS[type(operator)]
                terms = [self._of_kind(value, Kind.FLAG, f"`{sign}`") for value in values]
                good = tuple(term for term in terms if term is not None)
                return Junction(sign, good) if len(good) == len(terms) else None
            case ast.Compare():
                return self._comparison(node)
            case ast.IfExp():
                return self._choice(node)
            case ast.Call(func=ast.Name(id=name)):
                return self._call(node, name)
            case ast.List():
                self.problem(node, "wrong-kind", "a list can stand only behind `in` or `not in`.")
        return None

    def _name(self, node: ast.Name, name: str) -> Term | None:
        if name in FLAGS:
            return Literal(FLAGS[name], Kind.FLAG)
        found = self._vocabulary.names.get(name)
        if found is not None:
            return found
        if name in self._vocabulary.absent:
            self.problem(node, "name-not-usable", f"`{name}` cannot be used here: {self._vocabulary.absent[name]}")
        elif name in FUNCTIONS:
            self.problem(node, "unknown-name", f"`{name}` is a function and needs brackets.",
                         f"Write {FUNCTIONS[name].signature()}.")
        else:
            hint = did_you_mean(name, [*self._vocabulary.names, *self._vocabulary.absent, *FUNCTIONS])
            if name in ("today", "now"):
                hint = "Days are counted from today: days_since(…) or days_until(…)."
            self.problem(node, "unknown-name", f"nothing is called `{name}`.",
                         hint or "Metrics are listed in metrics.yaml, signals in weights.yaml; texts stand in quotes.",
                         word=name)
        return None

    def _of_kind(self, node: ast.expr, kind: Kind, whose: str) -> Term | None:
        term = self.term(node)
        if term is not None and term.kind is not kind:
            hint = "Compare it with something first." if kind is Kind.FLAG else ""
            if kind is Kind.NUMBER and term.kind is Kind.DATE:
                hint = "Turn it into days with days_since(…) or days_until(…)."
            self.problem(node, "wrong-kind",
                         f"{whose} needs {WORDS[kind]}, and `{ast.unparse(node)}` is {WORDS[term.kind]}.", hint,
                         word=_named(term))
            return None
        return term

    def _comparison(self, node: ast.Compare) -> Term | None:
        links: list[Term | None] = []
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, (ast.In, ast.NotIn)):
                links.append(self._membership(left, right, isinstance(operator, ast.NotIn)))
            else:
                links.append(self._link(left, OPERATORS[type(operator)], right))
            left = right
        good = tuple(link for link in links if link is not None)
        if len(good) < len(links):
            return None
        return good[0] if len(good) == 1 else Junction("and", good)

    def _link(self, left: ast.expr, sign: str, right: ast.expr) -> Term | None:
        one, two = self.term(left), self.term(right)
        if one is None or two is None:
            self._maybe_text(right if two is None else left, one or two)
            return None
        if one.kind is not two.kind:
            self.problem(right, "wrong-kind", f"`{ast.unparse(left)}` is {WORDS[one.kind]} and "
                         f"`{ast.unparse(right)}` is {WORDS[two.kind]}; they cannot be compared.",
                         _compare_hint(one, two), word=_named(one) or _named(two))
            return None
        if sign not in ("==", "!=") and one.kind in (Kind.TEXT, Kind.FLAG):
            self.problem(left, "wrong-kind", f"`{sign}` has no meaning between "
                         f"{'texts' if one.kind is Kind.TEXT else 'flags'}.", "Use == or !=.")
            return None
        return Comparison(sign, one, two)

    def _maybe_text(self, node: ast.expr, other: Term | None) -> None:
        """An unknown name beside a text is most likely a text without its quotes."""
        if isinstance(node, ast.Name) and other is not None and other.kind is Kind.TEXT:
            last = self.problems[-1]
            if last.word == node.id:
                self.problems[-1] = replace(last, hint=f'If it is a text, put it in quotes: "{node.id}".')

    def _membership(self, left: ast.expr, right: ast.expr, negated: bool) -> Term | None:
        operand = self.term(left)
        if not isinstance(right, ast.List) or not right.elts:
            self.problem(right, "wrong-kind", "behind `in` stands a list in square brackets.",
                         'Write: tier in ["healthy", "monitor"].')
            return None
        options: list[Literal] = []
        for element in right.elts:
            option = self.term(element)
            if not isinstance(option, Literal):
                self.problem(element, "wrong-kind", "a list holds only written numbers and texts.",
                             "Texts stand in quotes.")
            elif operand is not None and option.kind is not operand.kind:
                self.problem(element, "wrong-kind", f"`{ast.unparse(left)}` is {WORDS[operand.kind]} and "
                             f"`{ast.unparse(element)}` is {WORDS[option.kind]}; they cannot be compared.")
            else:
                options.append(option)
        if operand is None or len(options) < len(right.elts):
            return None
        return Membership(operand, tuple(options), negated)

    def _choice(self, node: ast.IfExp) -> Term | None:
        condition = self._of_kind(node.test, Kind.FLAG, "`if`")
        yes, no = self.term(node.body), self.term(node.orelse)
        if condition is None or yes is None or no is None:
            return None
        if yes.kind is not no.kind:
            self.problem(node, "wrong-kind", f"both sides of `if … else` must be of one kind; here they are "
                         f"{WORDS[yes.kind]} and {WORDS[no.kind]}.")
            return None
        return Choice(condition, yes, no, yes.kind)

    def _call(self, node: ast.Call, name: str) -> Term | None:
        function = FUNCTIONS.get(name)
        if function is None:
            is_name = name in self._vocabulary.names
            hint = "It is a metric or a signal; leave the brackets out." if is_name else did_you_mean(name, FUNCTIONS)
            self.problem(node, "unknown-function", f"no function is called `{name}`.",
                         hint or "docs/language.md lists them.")
            return None
        if function.reach is not Reach.TODAY and not self._vocabulary.history:
            self.problem(node, "no-history-here", f"`{name}` looks at other days, which cannot be done here.")
            return None
        arguments = self._arguments(node, function)
        too_many = len(node.args) > len(function.takes) and not function.variadic      # the window, most likely: said
        window = None if too_many else self._window(node, function)
        if arguments is None or (function.reach is not Reach.TODAY and window is None):
            return None
        if function.reach in (Reach.DAYS, Reach.DAYS_OR_WEEKS) and not any(names(term) for term in arguments):
            self.problem(node, "looks-at-nothing", f"`{ast.unparse(node)}` looks at no metric, so it never changes.",
                         "Name a metric inside.")
            return None
        return self._built(node, function, arguments, window)

    def _built(self, node: ast.Call, function: Function, arguments: tuple[Term, ...],
               window: Window | None) -> Term | None:
        if function.name == "total":
            carried = [name.name for term in arguments for name in names(term)
                       if name.role is not NameRole.METRIC or name.name not in self._vocabulary.per_day]
            if carried:
                self.problem(node, "total-of-carried", f"`total` takes only metrics marked `per: day`, and "
                             f"`{carried[0]}` is not: a carried value would be counted again each day.",
                             "Use average, or mark the metric `per: day` in metrics.yaml.")
                return None
        kind = function.result or arguments[0].kind
        if function.result is None and any(term.kind is not kind for term in arguments):
            self.problem(node, "wrong-kind", f"the values inside `{function.name}` must be of one kind.")
            return None
        return Call(function.name, arguments, kind, window)

    def _arguments(self, node: ast.Call, function: Function) -> tuple[Term, ...] | None:
        least, given = len(function.takes), len(node.args)
        if given < least or (given > least and not function.variadic):
            self.problem(node, "wrong-arguments", f"`{function.name}` is written {function.signature()}; here it has "
                         f"{given} {'value' if given == 1 else 'values'}.",
                         "Name the window: days=7." if given > least and function.reach is not Reach.TODAY else "")
            return None
        terms: list[Term] = []
        for index, argument in enumerate(node.args):
            kinds = function.takes[min(index, least - 1)]
            term = self._of_kind(argument, next(iter(kinds)), f"`{function.name}`") if len(kinds) == 1 \
                else self.term(argument)
            if term is not None:
                terms.append(term)
        return tuple(terms) if len(terms) == given else None

    def _window(self, node: ast.Call, function: Function) -> Window | None:
        allowed = {Reach.TODAY: (), Reach.DAYS: ("days",), Reach.DAYS_OR_WEEKS: ("days", "weeks"),
                   Reach.ROWS: ("days",)}[function.reach]
        for keyword in node.keywords:
            if keyword.arg not in allowed:
                self.problem(keyword.value, "wrong-arguments", f"`{function.name}` is written "
                             f"{function.signature()}; `{keyword.arg}=` is not part of it.")
                return None
        if not allowed:
            return None
        if len(node.keywords) != 1:
            self.problem(node, "wrong-window", f"`{function.name}` needs to know how far to look.",
                         f"Write {function.signature().replace('=n', '=7')}.")
            return None
        value, weekly = node.keywords[0].value, node.keywords[0].arg == "weeks"
        most = LONGEST_WINDOW // 7 if weekly else LONGEST_WINDOW
        if not (isinstance(value, ast.Constant) and type(value.value) is int and 1 <= value.value <= most):
            self.problem(value, "wrong-window", f"`{node.keywords[0].arg}=` takes a whole number from 1 to {most}, and "
                         f"`{ast.unparse(value)}` is none.")
            return None
        return Window(value.value, weekly)


def _literal(value: object) -> Literal | None:
    if isinstance(value, bool):
        return Literal(value, Kind.FLAG)
    if isinstance(value, (int, float)):
        return Literal(float(value), Kind.NUMBER)
    return Literal(value, Kind.TEXT) if isinstance(value, str) else None


def _named(term: Term) -> str:
    return term.name if isinstance(term, Name) else ""


def _compare_hint(one: Term, two: Term) -> str:
    kinds = {one.kind, two.kind}
    if kinds == {Kind.NUMBER, Kind.TEXT} and any(isinstance(term, Literal) and term.kind is Kind.TEXT
                                                 for term in (one, two)):
        return "Numbers stand without quotes."
    if Kind.DATE in kinds and Kind.NUMBER in kinds:
        return "Turn the date into days with days_since(…) or days_until(…)."
    return ""
