"""Whether a message is surely sound: a quick yes, without Jinja2. Only of the others Jinja2 is asked what is wrong.

Importing Jinja2 and letting it read every message takes longer than reading all of the rules, and most messages use few
forms. What is said here must never be more than what the whole check says: a form that is not known here is a no.
"""

from __future__ import annotations

import ast
import keyword
import re
from dataclasses import dataclass, field
from functools import lru_cache

from forestall.engine.message.names import LISTED, Kinds
from forestall.engine.message.telling import PARTS
from forestall.engine.model.expression import Kind
from forestall.engine.model.rulebook import Template

_TAG = re.compile(r"\{\{(?P<value>[^{}\n]*)\}\}|\{%(?P<statement>[^{}%\n]*)%\}|\{[{%#]|#\}")
_FOR = re.compile(r"for (?!(?:true|false|none|recursive|loop) )([a-z]+) in ([a-z]+)")
_PLAIN = re.compile(r"[A-Za-z0-9_.,:|()\[\]<>=!+*/ '\"-]*")      # no escapes, no letters that only some languages have
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_SIGNS = (ast.Add, ast.Sub, ast.Mult, ast.Div)
_COMPARED = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def surely_sound(template: Template, kinds: Kinds) -> bool:
    """Whether nothing is wrong with a message whose values have these kinds. False only means unsure."""
    return _sound(template.subject, _Reader(kinds, body=False)) and _sound(template.body, _Reader(kinds, body=True))


@dataclass(slots=True)
class _Reader:
    """Reads the tags of one text. `listed` is every name of a loop."""

    kinds: Kinds
    body: bool
    listed: dict[str, str] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    def statement(self, text: str) -> bool:
        word, _, rest = text.partition(" ")
        match word:
            case "if":
                self.open.append("if")
                return self._holds(_parsed(rest))
            case "elif":
                return self.open[-1:] == ["if"] and self._holds(_parsed(rest))
            case "else":
                if self.open[-1:] != ["if"] or rest:
                    return False
                self.open[-1] = "else"
                return True
            case "endif":
                return not rest and bool(self.open) and self.open.pop() in ("if", "else")
            case "for":
                return self._loop(text)
            case "endfor":
                return not rest and bool(self.open) and self.open.pop() == "for"
        return False

    def _loop(self, text: str) -> bool:
        found = _FOR.fullmatch(text)
        if found is None or not self.body or found[2] not in LISTED or keyword.iskeyword(found[1]):
            return False
        if found[1] in self.listed or any(found[1] in (root, "before", "story", "resources") for root, _ in self.kinds):
            return False
        self.listed[found[1]] = found[2]
        self.open.append("for")
        return True

    def value(self, text: str) -> bool:
        """Whether it can be printed."""
        node = _parsed(text)
        match node:
            case ast.BinOp(op=ast.BitOr(), left=left, right=ast.Call() as call) if _named(call) == "default":
                return self._kind(left) is not None and len(call.args) == 1 and self._kind(call.args[0]) is not None
        return node is not None and (self._told(node) or self._kind(node) is not None)

    def _told(self, node: ast.expr) -> bool:
        """Whether it is a part of the story, or of one in a list."""
        match node:
            case ast.Attribute(value=ast.Name(id="story"), attr=part):
                return self.body and part in PARTS
            case ast.Attribute(value=ast.Name(id=name), attr=part) if name in self.listed:
                return part in LISTED[self.listed[name]]
        return False

    def _holds(self, node: ast.expr | None) -> bool:
        """Whether it can be asked."""
        match node:
            case ast.BoolOp(values=values):
                return all(self._holds(one) for one in values)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._holds(operand)
            case ast.Compare(left=left, ops=[ast.Is() | ast.IsNot()], comparators=[ast.Name(id="defined")]):
                return isinstance(left, ast.Attribute) and self._kind(left) is not None
            case ast.Compare(left=left, ops=[sign], comparators=[right]) if isinstance(sign, _COMPARED):
                kind = self._kind(left)
                return kind is not None and kind is self._kind(right)
            case ast.Attribute():
                return self._told(node) or self._kind(node) is not None
            case ast.Name(id=name):
                return name in LISTED
        return False

    def _kind(self, node: ast.expr) -> Kind | None:
        """The kind of a value, None when that is not certain."""
        match node:
            case ast.Attribute(value=ast.Name(id=root), attr=name):
                return self.kinds.get((root, name))
            case ast.Subscript(value=ast.Name(id="resources"), slice=ast.Constant(value=int())):
                return Kind.TEXT
            case ast.Constant(value=bool() | None | bytes()):
                return None
            case ast.Constant(value=str()):
                return Kind.TEXT
            case ast.Constant(value=int() | float()):
                return Kind.NUMBER
            case ast.BinOp(op=sign, left=left, right=right) if isinstance(sign, _SIGNS):
                both = {self._kind(left), self._kind(right)}
                return Kind.NUMBER if both == {Kind.NUMBER} else None
            case ast.BinOp(op=ast.BitOr(), left=left, right=ast.Name(id="round")):
                return Kind.NUMBER if self._kind(left) is Kind.NUMBER else None
            case ast.BinOp(op=ast.BitOr(), left=left, right=ast.Call() as call):
                return self._filtered(_named(call), self._kind(left), [self._kind(one) for one in call.args])
        return None

    def _filtered(self, name: str, value: Kind | None, given: list[Kind | None]) -> Kind | None:
        if name == "plural" and value is Kind.NUMBER and given == [Kind.TEXT, Kind.TEXT]:
            return Kind.TEXT
        if name == "round" and value is Kind.NUMBER and given == [Kind.NUMBER]:
            return Kind.NUMBER
        if name == "default" and len(given) == 1 and given[0] is value:
            return value
        return None


def _sound(text: str, reader: _Reader) -> bool:
    for found in _TAG.finditer(text):
        value, statement = found["value"], found["statement"]
        if value is not None:
            if not reader.value(value.strip()):
                return False
        elif statement is None or not reader.statement(" ".join(statement.split())):
            return False
    return not reader.open


@lru_cache(maxsize=4096)
def _parsed(text: str) -> ast.expr | None:
    """Jinja2's expressions, in so far as Python reads them alike; None for all others."""
    if not _PLAIN.fullmatch(text) or "''" in text or '""' in text:
        return None
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree if all(_read_alike(node, text) for node in ast.walk(tree)) else None


def _read_alike(node: ast.AST, text: str) -> bool:
    match node:
        case ast.Constant(value=value):
            written = text[node.col_offset:node.end_col_offset]
            if isinstance(value, str):
                return written[1:-1] == value      # not two of them side by side
            return _NUMBER.fullmatch(written) is not None
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):      # a filter binds to what stands right before it
            brackets = r"\s*\)" if isinstance(left, ast.BinOp) and not isinstance(left.op, ast.BitOr) else ""
            return _between(left, right, text, brackets + r"\s*\|\s*")
        case ast.Compare(left=left, ops=[ast.Is() | ast.IsNot()], comparators=[right]):
            return _between(left, right, text, r"\s+is(\s+not)?\s+")
    return True


def _between(left: ast.expr, right: ast.expr, text: str, pattern: str) -> bool:
    between = text[left.end_col_offset:right.col_offset]
    return re.fullmatch(pattern, between) is not None and text[right.col_offset].isalpha()


def _named(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) and not call.keywords else ""
