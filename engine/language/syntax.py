"""Text to an allowed subset of Python's syntax tree, refused with a sentence before anything is evaluated.

The subset is an allow-list: whatever is not named here does not parse. See docs/language.md for what people may write.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

MOST_CHARACTERS = 2000
MOST_TERMS = 400
MOST_BRACKETS = 40
MOST_DEPTH = 60
MOST_PRODUCTS = 12      # with metrics held to 1e15 at the door, no expression this size can overflow a float
LARGEST_NUMBER = 1e15

ALLOWED: tuple[type[ast.AST], ...] = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.BinOp, ast.Add, ast.Sub, ast.Mult,
    ast.Div, ast.Compare, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq, ast.In, ast.NotIn, ast.IfExp, ast.Call,
    ast.keyword, ast.Constant, ast.Name, ast.Load, ast.List,
)

REFUSED: dict[type[ast.AST], str] = {
    ast.Attribute: "a dot between names has no meaning here. Metric names are written with underscores",
    ast.Subscript: "square brackets behind a name have no meaning here",
    ast.Pow: "`**` is not part of the language. Multiply instead",
    ast.Mod: "`%` is not part of the language. Scores run from 0 to 100 and need none; a share is a number: 0.3 for 30 "
             "percent",
    ast.FloorDiv: "`//` is not part of the language. Use floor(a / b)",
    ast.MatMult: "`@` is not part of the language",
    ast.JoinedStr: "texts with values inside (f\"…\") are not part of the language",
    ast.NamedExpr: "`:=` is not part of the language. A condition compares, it never sets a value",
    ast.Lambda: "lambda is not part of the language",
    ast.ListComp: "`for` is not part of the language",
    ast.SetComp: "`for` is not part of the language",
    ast.DictComp: "`for` is not part of the language",
    ast.GeneratorExp: "`for` is not part of the language",
    ast.Starred: "`*` before a name is not part of the language",
    ast.Is: "`is` is not part of the language. Write == instead",
    ast.IsNot: "`is not` is not part of the language. Write != instead",
    ast.BitAnd: "`&` is not part of the language. Write `and`",
    ast.BitOr: "`|` is not part of the language. Write `or`",
    ast.BitXor: "`^` is not part of the language",
    ast.Invert: "`~` is not part of the language. Write `not`",
    ast.UAdd: "a plus sign before a value is not part of the language",
    ast.Dict: "braces { } have no meaning in a condition",
    ast.Set: "braces { } have no meaning in a condition. Write a list in square brackets: [\"a\", \"b\"]",
    ast.Tuple: "commas join nothing here. Write `and` between two conditions, a number without commas, and a list in "
               "square brackets: [\"a\", \"b\"]",
}


# What people paste or know from elsewhere, and what to write instead.
SLIPS = (
    ("&&", "Write `and`."), ("||", "Write `or`."), ("≥", "Write >= instead."), ("≤", "Write <= instead."),
    ("≠", "Write != instead."), ("“", 'Use straight quotes: "…".'), ("”", 'Use straight quotes: "…".'),
    ("‘", 'Use straight quotes: "…".'), ("’", 'Use straight quotes: "…".'), ("<>", "Write != instead."),
    ("=>", "Write >= instead."), ("=<", "Write <= instead."), ("–", "Write - instead."), ("−", "Write - instead."),
    ("×", "Write * instead."), ("÷", "Write / instead."), ("\xa0", "Write an ordinary space."), ("\0", "Leave it out."),
    ("#", "Put a comment on a line of its own, above the key."),
)
# Words that people write, and what to write instead; looked for when a text cannot be read.
WORDS = tuple((re.compile(pattern, flags), cure) for pattern, flags, cure in (
    (r"^\s*(?:if|If|IF|when|When)\b", 0, "Leave it out: a condition is true or false by itself."),
    (r"\b(?:And|AND|Or|OR|Not|NOT|In|IN)\b", 0, "Write `{word}` in small letters."),
    (r"\b(?:is\s+)?(?:less|lower|smaller|fewer)\s+than\b", re.I, "Write < instead."),
    (r"\b(?:is\s+)?(?:more|greater|higher|larger)\s+than\b", re.I, "Write > instead."),
    (r"\b(?:is\s+)?at\s+least\b", re.I, "Write >= instead."),
    (r"\b(?:is\s+)?at\s+most\b", re.I, "Write <= instead."),
    (r"\b(?:is\s+)?(?:below|under)\b", re.I, "Write < instead."),
    (r"\b(?:is\s+)?(?:above|over)\b", re.I, "Write > instead."),
    (r"\b(?:equals|is\s+equal\s+to)\b", re.I, "Write == instead."),
    (r"(?<![\w.])(\d+)\s+days?\b", re.I, "Write days={number} in the brackets of a function, {number} elsewhere."),
    (r"(?<![\w.])(\d+)\s+(?:weeks?|months?)\b", re.I, "Count in days, as in days=14."),
))
_TEXT = re.compile(r"""(["'])(?:(?!\1).)*(\1|$)""")
_SPACES = re.compile(r"""("[^"]*"|'[^']*')|\s+""")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a text does not parse; `offset` counts characters from its beginning."""

    offset: int
    code: str
    message: str
    hint: str = ""


class NotParsed(Exception):
    """The text is not part of the language."""

    def __init__(self, refusals: list[Refusal]) -> None:
        super().__init__("; ".join(refusal.message for refusal in refusals))
        self.refusals = refusals


def flat(text: str) -> str:
    """The text with its line breaks and tabs as spaces: offsets stay what they were."""
    return "".join(" " if character in "\n\r\t" else character for character in text)


def offset_of(text: str, node: ast.AST) -> int:
    """Where a node begins in the text, in characters. The tree counts UTF-8 bytes."""
    byte = getattr(node, "col_offset", 0)
    return len(text.encode()[:byte].decode(errors="ignore"))


def parse(text: str) -> ast.expr:
    """The syntax tree of one expression. NotParsed with every refusal found.

    The tree's columns count from the first character that is not white space; line breaks count as spaces.
    """
    line = flat(text)
    _refuse_before_parsing(line)
    lead = len(line) - len(line.lstrip())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")      # what Python only warns of, such as `1if`, nobody meant
            tree = ast.parse(line[lead:], mode="eval")
    except SyntaxError as error:
        raise NotParsed([_explain(line, lead, error)]) from None
    except (RecursionError, MemoryError, ValueError):
        raise NotParsed([Refusal(0, "not-an-expression", "this cannot be read as a condition.")]) from None
    return tree.body


def _refuse_before_parsing(line: str) -> None:
    if not line.strip():
        raise NotParsed([Refusal(0, "empty-expression", "the condition is empty.", "Write one, or remove the key.")])
    if len(line) > MOST_CHARACTERS:
        raise NotParsed([Refusal(
            0, "expression-too-long", f"the expression has {len(line)} characters; {MOST_CHARACTERS} is the most.",
            "Give a part of it a name as a derived metric (`is:` in metrics.yaml).")])
    seen = masked(line)
    depth = 0
    for offset, character in enumerate(seen):
        depth += (character in "([{") - (character in ")]}")
        if depth > MOST_BRACKETS:
            raise NotParsed([Refusal(offset, "expression-too-deep",
                                     f"more than {MOST_BRACKETS} brackets are open here.",
                                     "Give a part of it a name as a derived metric (`is:` in metrics.yaml).")])
    for slip, cure in SLIPS:
        if (at := seen.find(slip)) >= 0:
            shown = "an unusual kind of space" if slip.isspace() else f"`{slip}`"
            raise NotParsed([Refusal(at, "not-an-expression", f"{shown} is not part of the language.", cure)])
    if (at := line.find("\\")) >= 0:      # Python would read it as the beginning of another character
        raise NotParsed([Refusal(at, "not-an-expression", "`\\` is not part of the language.", "Leave it out.")])


def masked(line: str) -> str:
    """The line with `_` for everything inside of quotes: what is looked for in it is looked for outside of texts."""
    return _TEXT.sub(lambda text: text[1] + "_" * (len(text[0]) - 1 - len(text[2])) + text[2], line)


def one_line(text: str) -> str:
    """The text on one line, with single spaces except inside of quotes."""
    return _SPACES.sub(lambda found: found[1] or " ", flat(text).strip())


def _explain(line: str, lead: int, error: SyntaxError) -> Refusal:
    offset = max(0, min(len(line) - 1, (error.offset or 1) - 1 + lead))
    seen = masked(line)
    if (left_open := next((text for text in _TEXT.finditer(line) if not text[2]), None)) is not None:
        return Refusal(left_open.start(), "not-an-expression", "a quotation mark is opened and not closed.",
                       "Close the text.")
    if (at := seen.find(":=")) >= 0:
        return Refusal(at, "not-in-the-language", REFUSED[ast.NamedExpr] + ".")
    if (at := seen.find("%")) >= 0:
        return Refusal(at, "not-in-the-language", REFUSED[ast.Mod] + ".")
    for at, character in enumerate(seen):
        before, after = seen[at - 1:at], seen[at + 1:at + 2]
        if character == "=" and before not in tuple("<>=!") and after != "=" and "(" not in seen[:at]:
            return Refusal(at, "not-an-expression", "a single = compares nothing.",
                           "Write == to ask whether two are equal.")
    for pattern, cure in WORDS:
        if (words := pattern.search(seen)) is not None:
            written = " ".join(words[0].split())
            return Refusal(words.start(), "not-an-expression", f"`{written}` is not part of the language.",
                           cure.format(word=written.lower(), number=words[1] if pattern.groups else ""))
    opened, closed = sum(map(seen.count, "([")), sum(map(seen.count, ")]"))
    if opened != closed:
        which = "closed" if opened > closed else "opened"
        return Refusal(offset, "not-an-expression", f"a bracket is not {which}.", "Count the brackets on this line.")
    word = line[offset:].split(" ")[0][:20]
    near = f" near `{word}`" if word else " at its end"
    return Refusal(offset, "not-an-expression", f"this cannot be read as a condition{near}.",
                   "Conditions look like: logins_14d < 3 and score < 70.")


def check_allowed(text: str, tree: ast.expr) -> list[Refusal]:
    """What in the tree is not part of the language, and what makes it too large."""
    refusals: list[Refusal] = []
    count = products = 0
    stack: list[tuple[ast.AST, ast.AST, int]] = [(tree, tree, 1)]
    while stack:
        node, place, depth = stack.pop()
        place = node if hasattr(node, "col_offset") else place
        count += 1
        products += isinstance(node, (ast.Mult, ast.Div)) or _is_percent(node)
        if depth > MOST_DEPTH:
            return [Refusal(offset_of(text, place), "expression-too-deep", "the expression is nested too deeply.",
                            "Give a part of it a name as a derived metric (`is:` in metrics.yaml).")]
        if not isinstance(node, ALLOWED):
            why = REFUSED.get(type(node), f"{type(node).__name__} is not part of the language")
            refusals.append(Refusal(offset_of(text, place), "not-in-the-language", why + "."))
            continue
        if isinstance(node, ast.Constant):
            refusals.extend(_constant(text, node))
        if isinstance(node, ast.keyword) and node.arg is None:
            refusals.append(Refusal(offset_of(text, node), "not-in-the-language", REFUSED[ast.Pow] + "."))
            continue
        if isinstance(node, ast.Call) and not isinstance(node.func, ast.Name):
            refusals.append(Refusal(offset_of(text, node), "not-in-the-language",
                                    "only functions by their plain name can be called."))
            continue
        stack.extend((child, place, depth + 1) for child in ast.iter_child_nodes(node))
    many = count > MOST_TERMS or (not refusals and _written_out(tree) > MOST_TERMS)
    if many or products > MOST_PRODUCTS:
        most = f"{MOST_TERMS} terms" if many else f"{MOST_PRODUCTS} multiplications and divisions"
        refusals.append(Refusal(0, "expression-too-large", f"the expression has more than {most}.",
                                "Give a part of it a name as a derived metric (`is:` in metrics.yaml)."))
    return sorted(refusals, key=lambda refusal: refusal.offset)


def _is_percent(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("_percent")


def _written_out(node: ast.AST) -> int:
    """How many terms there are once a chain `1 < x < 3` is written out as `1 < x and x < 3`."""
    if isinstance(node, ast.Compare):
        sizes = [_written_out(side) for side in (node.left, *node.comparators)]
        return 2 * sum(sizes) - sizes[0] - sizes[-1] + len(sizes)
    return 1 + sum(_written_out(child) for child in ast.iter_child_nodes(node))


def _constant(text: str, node: ast.Constant) -> list[Refusal]:
    value = node.value
    if isinstance(value, bool):
        return []
    if isinstance(value, str):
        written = ast.get_source_segment(text, node) or ""
        if written[:1] in ("\"", "'") and written[-1] == written[0] and written[0] not in written[1:-1]:
            return []
        return [Refusal(offset_of(text, node), "not-in-the-language",
                        "a text is one pair of quotes with nothing before it.",
                        "If two texts stand side by side, put a comma or an operator between them.")]
    if isinstance(value, (int, float)):
        if abs(value) <= LARGEST_NUMBER:
            return []
        return [Refusal(offset_of(text, node), "number-too-large", "numbers go up to 1,000,000,000,000,000.")]
    return [Refusal(offset_of(text, node), "not-in-the-language",
                    f"`{ast.unparse(node)}` is neither a number nor a text nor true or false.",
                    'To ask whether something is missing, write missing(x).' if value is None else "")]
