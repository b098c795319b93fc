"""Writes expressions by chance: long ones of everything, and small ones that each look closely at one thing."""

import itertools
import random

from forestall.engine.language.functions import FUNCTIONS, POINT_TO_POINT, Reach
from forestall.engine.model.expression import Kind, names
from judge.histories import DATES, FLAGS, NUMBERS, TEXTS
from judge.rules import SIGNALS, checked, expression, vocabulary

WRITTEN_NUMBERS = ("0", "1", "2", "2.5", "3", "0.1", "0.3", "14", "15", "63.1", "78.1", "100", "1e3")
WRITTEN_TEXTS = ('"x"', "'y'", '"z  z"', '"it\'s"', '""', '"50%"', '"ö – #"')
WRITTEN = {Kind.NUMBER: WRITTEN_NUMBERS, Kind.TEXT: WRITTEN_TEXTS}
TIERS = ('"healthy"', '"monitor"', '"at_risk"', '"critical"', '"churning"')
OFTEN = ("average", "minimum", "maximum", "total", "usual", "round", "abs", "min", "max")      # seldom in long ones
ORDER, EQUALITY = ("<", "<=", ">", ">="), ("==", "!=")
RISKED = {"looks-at-nothing", "expression-too-large", "expression-too-long"}      # what the author may be refused for


class Author:
    """Writes expressions of a wanted kind."""

    def __init__(self, seed, scored):
        self.seed, self.random = seed, random.Random(seed)
        self.scored = scored

    def expressions(self, long, small):
        """So many of each, checked and each different."""
        words, found = vocabulary(self.scored), {}
        shapes = [*SHAPES, *(SCORED_SHAPES if self.scored else ())]
        for shape in itertools.islice(itertools.cycle(shapes), self.seed // 2 * small, None):      # in turns
            if len(found) == small:
                break
            text = shape(self)
            found[text] = expression(text, words)
        while len(found) < small + long:
            kind = self.any_kind() if self.random.random() < 0.5 else Kind.FLAG
            text = self.of(kind, self.pick(2, 3, 3, 4))
            answer = checked(text, words, kind)
            if answer.expression is None:
                assert {one.code for one in answer.problems} <= RISKED, (text, answer.problems)
            elif names(answer.expression.term):
                found[text] = answer.expression
        return tuple(found.values())

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

    # -- long ones ---------------------------------------------------------------------------------------------------

    def number(self, depth):
        if depth <= 0 or self.random.random() < 0.15:
            named = [*NUMBERS, "ratio", "huge", "spread", "age"] + (["score", *SIGNALS] if self.scored else [])
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
        return self.chosen(self.text, depth - 1)

    def date(self, depth):
        if depth <= 0 or self.random.random() < 0.4:
            return self.pick(*DATES, "when")
        return self.chosen(self.date, depth - 1)

    def chosen(self, write, depth):
        return self.pick(
            lambda: f"ago({write(depth)}, {self.days()})", lambda: f"coalesce({write(depth)}, {write(depth)})",
            lambda: f"({write(depth)} if {self.flag(depth)} else {write(depth)})")()

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
        signs = EQUALITY if kind in (Kind.TEXT, Kind.FLAG) else (*ORDER, *EQUALITY)
        if kind is Kind.NUMBER and self.random.random() < 0.25:
            return (f"({self.pick(*WRITTEN_NUMBERS)} {self.pick('<', '<=')} {self.number(depth)} "
                    f"{self.pick('<', '<=')} {self.pick(*WRITTEN_NUMBERS)})")
        right = self.pick(*WRITTEN_NUMBERS) if kind is Kind.NUMBER and self.random.random() < 0.6 \
            else self.of(kind, depth)
        return f"({self.of(kind, depth)} {self.pick(*signs)} {right})"

    def membership(self, depth):
        kind = self.pick(*WRITTEN)
        options = ", ".join(self.random.sample(WRITTEN[kind], self.pick(1, 2, 3)))
        return f"({self.of(kind, depth)} {self.pick('in', 'not in')} [{options}])"

    # -- small ones --------------------------------------------------------------------------------------------------

    def plain(self, kind):
        """A metric."""
        return self.pick(*{Kind.NUMBER: (*NUMBERS, "a", "b", "ratio", "spread"), Kind.TEXT: (*TEXTS, "where"),
                           Kind.FLAG: (*FLAGS, "either", "(a > 1)"), Kind.DATE: (*DATES, "when")}[kind])

    def one_function(self, name, weekly=False, more=False):
        """A function of metrics."""
        function, same = FUNCTIONS[name], self.any_kind()
        takes = [*function.takes, *(function.takes[-1:] if more else ())]
        kinds = [next(iter(kinds)) if len(kinds) == 1 else same for kinds in takes]
        inside = ["n" if name == "total" else self.plain(kind) for kind in kinds]
        window = f"weeks={self.pick(1, 2, 2, 3)}" if weekly else self.days()
        return f"{name}({', '.join([*inside, *([] if function.reach is Reach.TODAY else [window])])})"

    def threshold(self, sign):
        """A comparison whose sides are often equal."""
        return self.pick(
            lambda: f"{self.pick('a', 'b')} {sign} {self.pick('1', '2.5', '3', '15', '63.1', '100')}",
            lambda: f"{self.pick('1', '3', '14')} {sign} {self.pick('a', 'b')}",
            lambda: f"{self.pick(*SIGNALS, 'score')} {sign} {self.pick('0', '50', '100')}" if self.scored
            else f"n {sign} {self.pick('0', '1', '7')}")()

    def beside(self, sign):
        """Two metrics that are often equal, or nearly."""
        return self.pick("a {} b", "b {} a", "a {} ago(a, days=1)", "ratio {} 1", "a - b {} 0").format(sign)

    def exact(self, sign, kind):
        """Two metrics that are equal only when they are the same."""
        return f"{self.plain(kind)} {sign} {self.pick(*WRITTEN.get(kind, ()), self.plain(kind))}"

    def listed(self, sign, kind):
        """A list that often holds the value, or nearly."""
        if kind is Kind.NUMBER:
            return f"{self.pick('a', 'b', 'b')} {sign} [{', '.join(self.random.sample(WRITTEN_NUMBERS[1:-1], 5))}]"
        return f"{self.plain(kind)} {sign} [{', '.join(self.random.sample(WRITTEN_TEXTS, self.pick(1, 2, 3)))}]"

    def junction(self, sign):
        return f"{self.pick('f', 'a > 1', 'either')} {sign} {self.pick('g', 'b > 1', 'n < 1')}"

    def choice(self):
        kind = self.any_kind()
        return f"{self.plain(kind)} if {self.plain(Kind.FLAG)} else {self.plain(kind)}"

    def before(self, name):
        """A point-to-point function of the bare score or tier, which a change of the signals with data silences."""
        return f"{name}({self.pick('score', 'tier') if name == 'ago' else 'score'}, {self.days()})"


def _shape(write, *given):
    return lambda author: write(author, *given)


SHAPES = (
    *(_shape(write, sign) for sign in (*ORDER, *EQUALITY) for write in (Author.threshold, Author.beside)),
    *(_shape(Author.exact, sign, Kind.DATE) for sign in (*ORDER, *EQUALITY)),
    *(_shape(Author.exact, sign, kind) for sign in EQUALITY for kind in (Kind.TEXT, Kind.FLAG)),
    *(_shape(Author.listed, sign, kind) for sign in ("in", "not in") for kind in (Kind.NUMBER, Kind.NUMBER, Kind.TEXT)),
    *(_shape(Author.one_function, name) for name in (*FUNCTIONS, *OFTEN)),
    *(_shape(Author.one_function, name, False, True) for name, one in FUNCTIONS.items() if one.variadic
      for _ in range(2)),
    *(_shape(Author.one_function, name, True) for name, one in FUNCTIONS.items() if one.reach is Reach.DAYS_OR_WEEKS
      for _ in range(2)),
    *(_shape(Author.junction, sign) for sign in ("and", "or")), *(Author.choice,) * 2,
    lambda author: f"not {author.plain(Kind.FLAG)}", lambda author: f"-{author.plain(Kind.NUMBER)}",
    *((lambda author, sign=sign: f"{author.plain(Kind.NUMBER)} {sign} {author.plain(Kind.NUMBER)}")
      for sign in ("+", "+", "-", "*", "*", "/", "/")),
    *(lambda author: f"changed({author.pick('a', 'b')}, {author.days()})",) * 2,
)
SCORED_SHAPES = (
    *(_shape(Author.before, name) for name in sorted(POINT_TO_POINT) * 6),
    lambda author: f"tier {author.pick(*EQUALITY)} {author.pick(*TIERS)}",
    lambda author: f"tier {author.pick('in', 'not in')} [{', '.join(author.random.sample(TIERS, 2))}]",
    lambda author: f"changed({author.pick('tier', 'score', *SIGNALS)}, {author.days()})",
)
