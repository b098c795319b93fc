"""What is part of the language, and what is refused before anything runs."""


import pytest

from forestall.engine.errors import Location
from forestall.engine.language.check import Vocabulary, check
from forestall.engine.language.syntax import one_line
from forestall.engine.model.expression import Kind, Name, NameRole

WORDS = Vocabulary({name: Name(name, kind, NameRole.METRIC) for name, kind in (
    ("x", Kind.NUMBER), ("y", Kind.NUMBER), ("s", Kind.TEXT), ("f", Kind.FLAG), ("on", Kind.DATE))})


def checked(text):
    return check(text, lambda offset: Location("f", 1, 1 + offset), WORDS, None, "the condition")


@pytest.mark.parametrize("text", [
    "x < 3", "x<3", " x < 3 ", "x <\n  3", "x\t<\t3", "1 < x <= 2.5 < y", "-x + 2 * (y - 1) / 3 >= -.5", "--x < 1e3",
    "f", "not f", "f and not f or f", "true", "True != false", 's == "a b"', "s != 'it is'",
    's == "it\'s"', 's in ["a", "b"]',
    "x not in [1, -2, 3.5]", 's == "50% of # && [ “x” := ≥"', 's == ""', "x if f else y", "known(x) and missing(s)",
    "held(drop(x, days=7) >= 15, weeks=3)", "coalesce(x, y, 0) > 1", "on < on", "days_since(on) > 3", "f == (x < 3)",
    "x == 1000000000000000", "1_000 < x",
])
def test_is_part_of_the_language(text):
    assert checked(text).problems == ()


BREAKOUTS = {
    "attribute": "x.real", "dunder": "x.__class__", "dunder name": "__import__", "dunder call": '__import__("os")',
    "subclasses": "().__class__.__bases__[0].__subclasses__()", "method": 's.upper() == "A"',
    "format": '"{0.x}".format(x)',
    "percent format": '"%0100000000d" % x', "ljust": '"a".ljust(200000000)', "globals": "days_since.__globals__",
    "subscript": "x[0]", "slice": "s[0:1]", "string subscript": '"abc"[0]', "f-string": 'f"{x}"',
    "f-string call": 'f"{f()}"',
    "list comprehension": "[x for x in [1]]", "generator": "(x for x in [1])", "set comprehension": "{x for x in [1]}",
    "dict comprehension": "{x: x for x in [1]}", "lambda": "lambda: x", "called lambda": "(lambda: x)()",
    "walrus": "(x := 3)",
    "bare walrus": "x := 3", "assignment": "x = 3", "augmented": "x += 3", "two statements": "x < 3; y < 3",
    "import": "import os", "star": "min(*x)", "two stars": "min(**x)", "two stars in a window": "ago(x, **y)",
    "star list": "x in [*y]", "power": "9 ** 9 ** 9", "huge power": "9**4000000 > x", "modulo": "x % 2 == 0",
    "floor division": "x // 2", "matrix": "x @ y", "shift": "1 << 100000", "right shift": "x >> 1", "bits": "x & 1",
    "or bits": "x | 1", "xor": "x ^ 1", "invert": "~x", "plus": "+x", "bytes": 'b"a" == s', "raw": r'r"a" == s',
    "unicode prefix": 'u"a" == s', "triple quotes": '"""a""" == s', "texts side by side": 's in ["a" "b"]',
    "two kinds of quotes side by side": "s == 'a' \"b\"", "complex": "3j", "ellipsis": "...", "none": "x == None",
    "is": "x is y", "is not": "x is not y", "await": "await x", "yield": "(yield x)", "yield from": "(yield from x)",
    "dictionary": "{1: 2}", "set": "x in {1, 2}", "tuple": "x in (1, 2)", "bare tuple": "x, y", "bare list": "[1, 2]",
    "call of a call": "min(x, y)()", "call of a text": '"a"()', "eval": 'eval("1")', "exec": 'exec("x")',
    "open": 'open("/etc")',
    "getattr": 'getattr(x, "y")', "infinity": "x < 1e400", "large": "x < 1e16", "large whole": "x < " + "9" * 400,
    "nan": 'float("nan") < x', "hexadecimal escape": r'"\x41" == s', "backslash": r'"a\" or f or \"b" == s',
    "comment": "x < 3 # and f", "comment after a text with #": 's == "#" # and f', "double ampersand": "f && f",
    "pipes": "f || f", "exclamation mark": "!f", "question mark": "f ? x : y", "semicolon": "f;", "dollar": "$x",
    "backquote": "`x`", "at": "@x", "template": "{{ x }}", "number and word": "1if f else 2", "number or word": "1or f",
    "null byte": "x < \0 3", "null byte in a text": 's == "\0"', "no-break space": "x <\xa03",
    "curly quotes": "s == “a”",
    "unequal": "x ≠ 3", "at least": "x ≥ 3", "sql": "x <> 3", "arrow": "x => 3", "minus": "x − 3", "octal": "010 < x",
    "half a surrogate": 's == "\ud800"', "empty": "", "blank": " \n ", "half": "x <", "open bracket": "(x < 3",
    "closed bracket": "x < 3)", "open quote": 's == "a', "two values": "x y", "type": "type(x)", "print": "print(x)",
    "keyword": "class < 3", "match": "match x: pass", "decorator": "@f\nx",
}


@pytest.mark.parametrize("text", BREAKOUTS.values(), ids=BREAKOUTS.keys())
def test_is_refused_with_a_sentence(text):
    found = checked(text)
    assert found.expression is None
    for problem in found.problems:
        assert problem.message.startswith("in the condition, ")
        assert problem.message.endswith(".")
        assert not problem.hint or problem.hint[-1] in ".?…\"])5" or problem.hint.endswith(")")
        assert 1 <= problem.location.column <= max(1, len(text)), text
        assert "None=" not in problem.message


LARGE = {
    "brackets": "(" * 200 + "x" + ")" * 200, "lists": "x in " + "[" * 100 + "]" * 100,
    "many brackets": "(" * 20000, "nots": "not " * 490 + "f", "minuses": "-" * 1990 + "x", "sums": "x" + " + x" * 480,
    "ands": "f" + " and f" * 300, "choices": "1 if f else " * 100 + "x", "long": "x < 3 " + " " * 2000,
    "long text": f's == "{"a" * 2000}"', "products": "x" + " * x" * 13, "quotients": "x" + " / x" * 13,
    "percents": "drop_percent(" * 13 + "x" + ", days=1)" * 13, "options": "x in [" + "1, " * 450 + "2]",
    "chains in chains": "0 < (1 if " * 25 + "0 < x < 2" + " else 0) < 2" * 25, "attributes": "x" + ".a" * 900,
    "calls": "abs(" * 100 + "x" + ")" * 100, "megabytes": "x < 3 or " * 300_000 + "f",
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE.keys())
def test_what_is_too_large_is_refused(text):
    found = checked(text)
    assert found.expression is None
    assert all(len(str(problem)) < 400 for problem in found.problems)


@pytest.mark.parametrize(("text", "column"), [
    ("x.real", 1), ("1 < x.real", 5), ("f and x ** 2 > 3", 7), ('s == "ö" and x[0] > 1', 14), ("  x % 2 == 0", 3),
    ("f and\n  x[0] > 1", 9), ('s == "a', 6), ('s == "#" # c', 10), ("x = 3", 3), ("f && f", 3),
])
def test_a_refusal_names_its_place(text, column):
    assert [problem.location.column for problem in checked(text).problems] == [column]


def test_several_refusals_are_said_at_once():
    problems = checked("x.a < 1 and y ** 2 > 3 and (lambda: f)").problems
    assert [problem.location.column for problem in problems] == [1, 13, 29]


@pytest.mark.parametrize(("text", "shown"), [
    (" x  <\n\t3 ", "x < 3"), ('s  ==  "a  b"', 's == "a  b"'), ("s == 'it  \"is\"  '", "s == 'it  \"is\"  '"),
])
def test_spaces_are_joined_outside_of_texts_only(text, shown):
    assert one_line(text) == shown
    assert checked(text).expression.text == shown
