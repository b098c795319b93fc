"""The Jinja2 sandbox of the templates: few filters, no functions, and missing values that stay missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, ClassVar

from jinja2 import Template, Undefined, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from forestall.engine.message import wording
from forestall.engine.message.slots import Slots, without_reserved
from forestall.engine.message.telling import PARTS, Piece, Telling

SLOTS = "_slots"      # where a rendering keeps the values of its body; no template can say a name like this


class UnfitError(TypeError):
    """Values that cannot be worked with like this; the text is a sentence for the template's author."""


class Missing(Undefined):
    """A value that is not known: false, not `defined`, printed as `not known yet`; whatever is made of it is missing.

    Comparisons with it are missing as well, and so false.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __str__(self) -> str:
        return wording.NOT_KNOWN

    def __hash__(self) -> int:
        return hash(Missing)

    def _same(self, *_others: object) -> Missing:
        return self

    __getitem__ = __neg__ = __pos__ = __abs__ = __round__ = _same  # type: ignore[assignment]
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _same  # type: ignore[assignment]


class Named:
    """Values under names: what stands left of a dot in a template."""

    __slots__ = ("_more", "_values")

    def __init__(self, values: Mapping[str, object], more: Mapping[str, object] = MappingProxyType({})) -> None:
        self._values, self._more = values, more

    def value(self, name: str) -> object:
        """The value with this name; missing where it is not known."""
        found = self._values[name] if name in self._values else self._more.get(name)
        return _MISSING if found is None or found == "" else found


_MISSING = Missing()


class Link(str):
    """An address from the rulebook itself, printed as it is, so that it can be linked."""

    __slots__ = ()


class Sandbox(SandboxedEnvironment):
    """Arithmetic on numbers and days only; what cannot be computed is missing, as in the rules."""

    intercepted_binops: ClassVar[frozenset[str]] = frozenset(  # type: ignore[misc]
        {"+", "-", "*", "/", "//", "%", "**"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """What stands right of a dot. Names that begin with an underscore are never reached: no value has one."""
        if type(obj) is Named:
            return obj.value(attribute)
        if type(obj) is Telling and attribute in PARTS:
            return obj.part(attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`now["score"]` is now.score."""
        if type(obj) is Named and isinstance(argument, str):
            return obj.value(argument)
        return super().getitem(obj, argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """The result of `left operator right`. UnfitError for other than numbers, or two days to subtract."""
        if isinstance(left, Undefined) or isinstance(right, Undefined):
            return Missing()
        if operator == "-" and isinstance(left, date) and isinstance(right, date):
            return (left - right).days
        if not (_is_number(left) and _is_number(right)) or operator == "**":
            raise UnfitError(f"{_kind(left)} {operator} {_kind(right)} cannot be worked out")
        try:
            return super().call_binop(context, operator, left, right)
        except ArithmeticError:
            return Missing()


@lru_cache(maxsize=2)
def sandbox(markdown: bool) -> Sandbox:
    """The environment for bodies (values become slots of the Markdown) or for subjects (plain)."""
    environment = Sandbox(undefined=Missing, finalize=_markdown if markdown else _plain, autoescape=False)
    environment.globals.clear()
    environment.filters = dict(_FILTERS)
    environment.tests = {name: environment.tests[name] for name in TESTS}
    return environment


@lru_cache(maxsize=1024)
def compiled(source: str, markdown: bool) -> Template:
    """The template of this text. TemplateSyntaxError when it cannot be read."""
    return sandbox(markdown).from_string(without_reserved(source))


def _plain(value: object) -> str:
    """A value as it reads. UnfitError for what is no value (`{{ account }}`)."""
    if isinstance(value, Link):
        return str(value)
    if isinstance(value, Undefined) or value is None:
        return wording.NOT_KNOWN
    if isinstance(value, str | bool | int | float | date):
        return wording.value_text(value)
    raise UnfitError("this is not one value; name the one that is meant, like account.name")


@pass_context
def _markdown(context: Context, value: object) -> str:
    slots: Slots = context.parent[SLOTS]
    if type(value) is str:      # most values are one of these two, and there are many
        return slots.put(wording.one_line(value))
    if type(value) is float:
        return slots.put(wording.number(value))
    if isinstance(value, Link):
        return str(value)
    if isinstance(value, Piece | Telling):
        return value.written(slots.put)
    return slots.put(_plain(value))


def _plural(count: Any, one: str, many: str) -> str:
    return f"{wording.value_text(_number(count, 'plural'))} {one if count == 1 else many}"


def _round(value: Any, places: int = 0) -> float:
    exact = Decimal(repr(_number(value, "round")))
    return float(exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


def _join(values: Iterable[Any], between: str = ", ") -> str:
    return between.join(_plain(value) for value in values)


def _text(change: Callable[[str], str]) -> Callable[[Any], str]:
    return lambda value: change(_plain(value))


def _known(work: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, which leaves a missing value missing."""
    return lambda value, *rest: value if isinstance(value, Undefined) else work(value, *rest)


def _default(value: Any, instead: Any = "", if_false: bool = False) -> Any:
    return instead if isinstance(value, Undefined) or (if_false and not value) else value


def _number(value: Any, what: str) -> Any:
    if not _is_number(value):
        raise UnfitError(f"`{what}` needs a number, and this is {_kind(value)}")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "a flag"
    return {"str": "a text", "Link": "a text", "date": "a date"}.get(
        type(value).__name__, "a number" if _is_number(value) else "a list")


_FILTERS: dict[str, Callable[..., Any]] = {
    "default": _default,
    "d": _default,
    "plural": _known(_plural),
    "round": _known(_round),
    "int": _known(lambda value: int(_number(value, "int"))),
    "abs": _known(lambda value: abs(_number(value, "abs"))),
    "upper": _known(_text(str.upper)),
    "lower": _known(_text(str.lower)),
    "capitalize": _known(_text(lambda text: text[:1].upper() + text[1:])),
    "title": _known(_text(str.title)),
    "trim": _known(_text(str.strip)),
    "length": _known(len),
    "join": _known(_join),
}
FILTERS = tuple(_FILTERS)
TESTS = ("defined", "undefined", "in", "eq", "ne", "lt", "le", "gt", "ge", "divisibleby", "even", "odd", "number",
         "string")
