"""Names, kinds and arguments, checked before anything runs, with the place of each problem."""

import pytest

from forestall.engine.errors import Location
from forestall.engine.language.check import Vocabulary, check
from forestall.engine.language.functions import FUNCTIONS, Reach
from forestall.engine.model.expression import (
    Arithmetic,
    Call,
    Choice,
    Comparison,
    Junction,
    Kind,
    Literal,
    Membership,
    Name,
    NameRole,
    Negation,
    Negative,
    Window,
)

LOGINS = Name("logins_14d", Kind.NUMBER, NameRole.METRIC)
ERRORS = Name("errors", Kind.NUMBER, NameRole.METRIC)
SEGMENT = Name("segment", Kind.TEXT, NameRole.METRIC)
VIP = Name("vip", Kind.FLAG, NameRole.METRIC)
SINCE = Name("customer_since", Kind.DATE, NameRole.METRIC)
SCORE = Name("score", Kind.NUMBER, NameRole.SCORE)
TIER = Name("tier", Kind.TEXT, NameRole.TIER)
NAMES = {name.name: name for name in (LOGINS, ERRORS, SEGMENT, VIP, SINCE, SCORE, TIER)}
WORDS = Vocabulary(NAMES, {"contact_email": "it is personal."}, per_day=frozenset({"errors"}))


def checked(text, want=None, words=WORDS):
    return check(text, lambda offset: Location("t.yaml", 1, 1 + offset), words, want, "`when` of trigger t")


def term(text):
    found = checked(text)
    assert found.problems == ()
    return found.expression.term


def number(value):
    return Literal(float(value), Kind.NUMBER)


@pytest.mark.parametrize(("text", "meaning"), [
    ("logins_14d < 3", Comparison("<", LOGINS, number(3))),
    ("1 <= logins_14d < 3", Junction("and", (Comparison("<=", number(1), LOGINS), Comparison("<", LOGINS, number(3))))),
    ("-3", number(-3)), ("-logins_14d", Negative(LOGINS)), ("not vip", Negation(VIP)),
    ("logins_14d / errors", Arithmetic("/", LOGINS, ERRORS)),
    ("vip and vip or true", Junction("or", (Junction("and", (VIP, VIP)), Literal(True, Kind.FLAG)))),
    ("logins_14d if vip else 0", Choice(VIP, LOGINS, number(0), Kind.NUMBER)),
    ('segment not in ["a", "b"]', Membership(SEGMENT, (Literal("a", Kind.TEXT), Literal("b", Kind.TEXT)), True)),
    ("drop(score, days=7)", Call("drop", (SCORE,), Kind.NUMBER, Window(7))),
    ("held(vip, weeks=3)", Call("held", (VIP,), Kind.FLAG, Window(3, weekly=True))),
    ("known_for(days=30)", Call("known_for", (), Kind.FLAG, Window(30))),
    ('coalesce(segment, "none")', Call("coalesce", (SEGMENT, Literal("none", Kind.TEXT)), Kind.TEXT)),
    ("ago(tier, days=2)", Call("ago", (TIER,), Kind.TEXT, Window(2))),
    ("ago(customer_since, days=2)", Call("ago", (SINCE,), Kind.DATE, Window(2))),
])
def test_text_becomes_terms(text, meaning):
    assert term(text) == meaning


@pytest.mark.parametrize("written", ["true", "True", "false", "False"])
def test_flags_may_be_written_as_in_yaml_or_in_python(written):
    assert term(f"vip == {written}") == Comparison("==", VIP, Literal(written.lower() == "true", Kind.FLAG))


# text → code, column of the problem, a phrase of the sentence, a phrase of the cure
PROBLEMS = [
    ("logins_14 < 3", "unknown-name", 1, "nothing is called `logins_14`", "Did you mean logins_14d?"),
    ("3 > Logins_14d", "unknown-name", 5, "nothing is called `Logins_14d`", "logins_14d"),
    ("segment == enterprise", "unknown-name", 12, "nothing is called `enterprise`", 'put it in quotes: "enterprise"'),
    ("known(contact_email)", "name-not-usable", 7, "it is personal", ""),
    ("drop > 3", "unknown-name", 1, "`drop` is a function and needs brackets", "drop(x, days=n)"),
    ("dorp(score, days=7) > 3", "unknown-function", 1, "no function is called `dorp`", "Did you mean drop?"),
    ("vip(3)", "unknown-function", 1, "no function is called `vip`", "leave the brackets out"),
    ('logins_14d < "3"', "wrong-kind", 14, "cannot be compared", "Numbers stand without quotes"),
    ("segment < segment", "wrong-kind", 1, "no meaning between texts", "== or !="),
    ("vip > true", "wrong-kind", 1, "no meaning between flags", "== or !="),
    ("vip == 1", "wrong-kind", 8, "cannot be compared", ""),
    ("customer_since > 30", "wrong-kind", 18, "cannot be compared", "days_since"),
    ('customer_since > "2026-01-01"', "wrong-kind", 18, "is a date and", ""),
    ("customer_since + 3 > 4", "wrong-kind", 1, "`+` needs a number", "days_since"),
    ('segment + 1 > 2', "wrong-kind", 1, "`+` needs a number", ""),
    ("logins_14d and vip", "wrong-kind", 1, "`and` needs true or false", "Compare it"),
    ("not logins_14d", "wrong-kind", 5, "`not` needs true or false", "Compare it"),
    ("-vip", "wrong-kind", 2, "a minus sign needs a number", ""),
    ("logins_14d if score else 3", "wrong-kind", 15, "`if` needs true or false", ""),
    ('logins_14d if vip else "a"', "wrong-kind", 1, "must be of one kind", ""),
    ("segment in segment", "wrong-kind", 12, "stands a list in square brackets", ""),
    ("segment in []", "wrong-kind", 12, "stands a list in square brackets", ""),
    ("segment in [1]", "wrong-kind", 13, "cannot be compared", ""),
    ("segment in [tier]", "wrong-kind", 13, "only written numbers and texts", ""),
    ("[1] == 1", "wrong-kind", 1, "only behind `in`", ""),
    ("drop(score) > 3", "wrong-window", 1, "needs to know how far to look", "drop(x, days=7)"),
    ("drop(score, 7) > 3", "wrong-arguments", 1, "it has 2 values", "days=7"),
    ("drop(score, weeks=7) > 3", "wrong-arguments", 19, "`weeks=` is not part of it", ""),
    ("held(vip, days=3, weeks=1)", "wrong-window", 1, "needs to know how far to look", ""),
    ("held(vip, days=3, days=4)", "wrong-window", 1, "needs to know how far to look", ""),
    ("ago(score, days=0) > 1", "wrong-window", 17, "whole number from 1 to 1100", ""),
    ("ago(score, days=1101) > 1", "wrong-window", 17, "whole number from 1 to 1100", ""),
    ("ago(score, days=2.5) > 1", "wrong-window", 17, "whole number from 1 to 1100", ""),
    ("ago(score, days=-1) > 1", "wrong-window", 17, "whole number from 1 to 1100", ""),
    ("ago(score, days=true) > 1", "wrong-window", 17, "whole number from 1 to 1100", ""),
    ("ago(score, days=logins_14d) > 1", "wrong-window", 17, "whole number from 1 to 1100", ""),
    ("held(vip, weeks=158)", "wrong-window", 17, "whole number from 1 to 157", ""),
    ("abs(score, days=3) > 1", "wrong-arguments", 17, "`days=` is not part of it", ""),
    ("abs() > 1", "wrong-arguments", 1, "abs(x); here it has 0 values", ""),
    ("max(score) > 1", "wrong-arguments", 1, "here it has 1 value.", ""),
    ("clamp(score, 0) > 1", "wrong-arguments", 1, "clamp(x, low, high)", ""),
    ("known_for(3)", "wrong-arguments", 1, "known_for(days=n)", "days=7"),
    ("average(vip, days=3) > 1", "wrong-kind", 9, "`average` needs a number", ""),
    ("held(score, days=3)", "wrong-kind", 6, "`held` needs true or false", "Compare it"),
    ("days_since(logins_14d) > 3", "wrong-kind", 12, "`days_since` needs a date", ""),
    ("coalesce(segment, 0) == 0", "wrong-kind", 1, "must be of one kind", ""),
    ("ago(3, days=7) > 1", "looks-at-nothing", 1, "looks at no metric", "Name a metric"),
    ("held(known_for(days=3), days=2)", "looks-at-nothing", 1, "looks at no metric", ""),
    ("total(logins_14d, days=7) > 1", "total-of-carried", 1, "`logins_14d` is not", "per: day"),
    ("total(errors * score, days=7) > 1", "total-of-carried", 1, "`score` is not", "average"),
    ("vip AND logins_14d < 3", "not-an-expression", 5, "`AND` is not part of the language", "small letters"),
    ("score is less than 70", "not-an-expression", 7, "`is less than` is not part", "Write < instead"),
    ("score at least 70", "not-an-expression", 7, "`at least` is not part", "Write >= instead"),
    ("drop(score, 7 days) > 3", "not-an-expression", 13, "`7 days` is not part", "days=7"),
    ("if score dropped", "not-an-expression", 1, "`if` is not part", "Leave it out"),
    ("score < 70, vip", "not-in-the-language", 1, "Write `and` between two conditions", ""),
    ("days_until(today) < 30", "unknown-name", 12, "nothing is called `today`", "days_since"),
]


@pytest.mark.parametrize(("text", "code", "column", "said", "cure"), PROBLEMS, ids=[one[0] for one in PROBLEMS])
def test_a_problem_has_a_place_and_a_cure(text, code, column, said, cure):
    found = checked(text)
    assert found.expression is None
    (problem,) = found.problems
    assert (problem.code, problem.location.column) == (code, column)
    assert problem.message.startswith("in `when` of trigger t, ")
    assert said in problem.message
    assert cure in problem.hint


def test_the_whole_must_be_of_the_wanted_kind():
    (problem,) = checked("  logins_14d + 1", Kind.FLAG).problems
    assert (problem.code, problem.location.column) == ("wrong-kind", 3)
    assert "the whole is a number, and true or false is needed" in problem.message
    assert checked("logins_14d + 1", Kind.NUMBER).problems == ()
    (problem,) = checked("vip", Kind.NUMBER).problems
    assert problem.message.endswith("the whole is true or false, and a number is needed.")


def test_every_problem_is_said_at_once_with_its_place():
    text = 'loginz < 3 and vip > true\n  or days_since(segment) > 3 or drop(score) < "2"'
    places = [(problem.code, problem.location.column) for problem in checked(text).problems]
    assert places == [("unknown-name", 1), ("wrong-kind", 16), ("wrong-kind", 43), ("wrong-window", 59)]


def test_places_count_characters_over_lines_and_beyond_umlauts():
    """`place` gets offsets into the text as written; whoever knows the file turns them into line and column."""
    text = 'segment == "größer"\n\tand logins < 3\n\tor nothing'
    offsets = []
    check(text, lambda offset: offsets.append(offset) or Location("t.yaml", 1, 1 + offset), WORDS, None, "x")
    assert [text[offset:].split()[0] for offset in sorted(set(offsets))] == ["logins", "nothing"]


def test_functions_that_look_at_other_days_can_be_forbidden():
    words = Vocabulary(NAMES, history=False)
    for function in FUNCTIONS.values():
        example = function.example.text.replace("x", "logins_14d").replace("malogins_14d", "max") \
            .replace("malogins_14dimum", "maximum").replace("(on)", "(customer_since)")
        codes = {problem.code for problem in checked(example, words=words).problems}
        assert codes == (set() if function.reach is Reach.TODAY else {"no-history-here"}), example


def test_what_was_written_and_where_stay_with_the_expression():
    found = checked("  logins_14d\n   <  3").expression
    assert (found.text, found.location) == ("logins_14d < 3", Location("t.yaml", 1, 3))
