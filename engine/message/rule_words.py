"""A condition of the rules as a person would say it: `drop(score, days=7) >= 15` → health score fell by 15 or more."""

from __future__ import annotations

import re
from functools import lru_cache

from forestall.engine.message.wording import value_text
from forestall.engine.model.expression import (
    Arithmetic,
    Call,
    Choice,
    Comparison,
    Junction,
    Literal,
    Membership,
    Name,
    NameRole,
    Negation,
    Negative,
    Term,
    Window,
)

_WINDOW = re.compile(r"_(\d+)([dw])$")
_UNITS = {"d": "days", "w": "weeks"}
_SHORT = frozenset({"api", "arr", "crm", "csat", "id", "mrr", "nps", "roi", "sla", "url"})
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_IS = {"<": "is below {}", "<=": "is {} or less", ">": "is above {}", ">=": "is {} or more", "==": "is {}",
       "!=": "is not {}"}
_BY = {">=": "by {} or more", ">": "by more than {}", "<=": "by {} or less", "<": "by less than {}", "==": "by {}"}
_OF = {"average": "the average of {}", "minimum": "the lowest {}", "maximum": "the highest {}", "total": "all {}"}
_SIGNS = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}


@lru_cache(maxsize=4096)
def label(name: Name) -> str:
    """What people call a metric, a signal, the score or the tier: `logins_14d` → logins in 14 days."""
    if name.role is NameRole.SCORE:
        return "health score"
    said = _WINDOW.sub(lambda found: f" in {found[1]} {_UNITS[found[2]]}", name.name).replace("_", " ")
    return " ".join(word.upper() if word in _SHORT else word for word in said.split())


def headed(text: str) -> str:
    """The text with a capital at its start."""
    return f"{text[:1].upper()}{text[1:]}"


def in_words(term: Term) -> str:
    """A condition or a value in plain words."""
    match term:
        case Literal(value=value):
            return value.replace("_", " ") if isinstance(value, str) else value_text(value)
        case Name():
            return label(term)
        case Negative(operand=operand):
            return f"minus {in_words(operand)}"
        case Arithmetic(operator=operator, left=left, right=right):
            return f"{_inner(left)} {_SIGNS[operator]} {_inner(right)}"
        case Comparison():
            return _comparison(term)
        case Membership(operand=operand, options=options, negated=negated):
            listed = [_named(operand, option) for option in options]
            among = listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} or {listed[-1]}"
            return f"{in_words(operand)} is {'not ' if negated else ''}{among}"
        case Junction(operator=operator, operands=operands):
            return _junction(operator, operands)
        case Negation(operand=operand):
            return f"not ({in_words(operand)})"
        case Choice(condition=condition, yes=yes, no=no):
            return f"{in_words(yes)} if {in_words(condition)}, else {in_words(no)}"
        case Call():
            return _call(term)


def _comparison(term: Comparison) -> str:
    left, right, operator = term.left, term.right, term.operator
    if isinstance(left, Literal) and not isinstance(right, Literal):
        left, right, operator = right, left, _TURNED[operator]
    if isinstance(left, Call) and left.function in ("drop", "rise", "drop_percent", "rise_percent") \
            and isinstance(right, Literal) and operator in _BY:
        amount = in_words(right) + (" percent" if left.function.endswith("percent") else "")
        verb = "fell" if left.function.startswith("drop") else "rose"
        return f"{in_words(left.arguments[0])} {verb} {_BY[operator].format(amount)} in {_days(left.window)}"
    said = _named(left, right) if isinstance(right, Literal) else in_words(right)
    if isinstance(left, Call) and left.function == "ago":
        return f"{in_words(left.arguments[0])} {_IS[operator].replace('is', 'was', 1).format(said)} " \
               f"{_days(left.window)} before"
    return f"{in_words(left)} {_IS[operator].format(said)}"


def _named(left: Term, right: Literal) -> str:
    """A literal beside what it is compared with: tiers have names of their own, flags are yes and no."""
    if isinstance(left, Name) and left.role is NameRole.TIER:
        return str(right.value).replace("_", " ").title()
    return in_words(right)


def _junction(operator: str, operands: tuple[Term, ...]) -> str:
    between = _between(operands) if operator == "and" else ""
    if between:
        return between
    said = [f"({in_words(one)})" if isinstance(one, Junction) and one.operator != operator and not _is_range(one)
            else in_words(one) for one in operands]
    return f", {operator} ".join(said)


def _is_range(term: Term) -> bool:
    return isinstance(term, Junction) and bool(_between(term.operands))


def _between(operands: tuple[Term, ...]) -> str:
    """`14 <= x <= 60` as one saying; empty for whatever is no such range."""
    match operands:
        case (Comparison("<=", Literal() as low, middle), Comparison("<=", again, Literal() as high)) \
                if middle == again:
            return f"{in_words(middle)} is from {in_words(low)} to {in_words(high)}"
    return ""


def _call(call: Call) -> str:
    window = _days(call.window)
    said = [in_words(one) for one in call.arguments]
    match call.function:
        case "ago":
            return f"{said[0]} {window} before"
        case "drop" | "rise":
            return f"the {'fall' if call.function == 'drop' else 'rise'} of {said[0]} in {window}"
        case "drop_percent" | "rise_percent":
            verb = "fall" if call.function.startswith("drop") else "rise"
            return f"the {verb} of {said[0]} in {window}, in percent"
        case "average" | "minimum" | "maximum" | "total":
            return f"{_OF[call.function].format(said[0])} over {window}"
        case "usual":
            return f"the usual {said[0]} ({window})"
        case "held":
            unit = "weeks" if call.window and call.window.weekly else "days"
            return f"{said[0]}, for {call.window.count if call.window else 0} {unit} on end"
        case "times":
            return f"the times in {window} that {said[0]}"
        case "changed":
            return f"{said[0]} changed within {window}"
        case "known_for":
            return f"the account has been known for {window}"
        case "days_since" | "days_until":
            return f"days {call.function.removeprefix('days_')} {said[0].removesuffix(' on')}"
        case "known" | "missing":
            return f"{said[0]} is {'known' if call.function == 'known' else 'not known'}"
        case "coalesce":
            return f"{said[0]} (or {', '.join(said[1:])} where that is not known)"
    return f"{call.function}({', '.join(said)})"


def _inner(term: Term) -> str:
    said = in_words(term)
    return f"({said})" if isinstance(term, Arithmetic) else said


def _days(window: Window | None) -> str:
    if window is None:
        return ""
    unit = "week" if window.weekly else "day"
    return f"{window.count} {unit}{'' if window.count == 1 else 's'}"

