"""The functions as docs/language.md shows them: `python -m forestall.engine.language.manual FILE` writes them there."""

from __future__ import annotations

import sys
from pathlib import Path

from forestall.engine.language.functions import FUNCTIONS
from forestall.engine.model.evaluation import Value

BEGIN, END = "<!-- functions: written by `make docs` -->\n", "<!-- end of functions -->\n"


def function_table() -> str:
    """Every function, what it gives and an example, as a Markdown table."""
    rows = ["| function | what it gives | example |", "|---|---|---|"]
    for function in FUNCTIONS.values():
        example = function.example
        seen = ", ".join(_said(value) for value in example.x if not isinstance(value, str))
        told = f"`{example.text}` is {_said(example.answer)}" + (f" when x is {seen}" if seen else "")
        signatures = " or ".join(f"`{one}`" for one in _written(function.signature()))
        rows.append(f"| {signatures} | {function.about} | {told} |")
    return "\n".join(rows) + "\n"


def with_functions(page: str) -> str:
    """The page with the table of today's functions. ValueError where it has no place for it."""
    head, rest = page[:page.index(BEGIN) + len(BEGIN)], page[page.index(END):]
    return head + function_table() + rest


def _said(answer: Value) -> str:
    if isinstance(answer, bool):
        return str(answer).lower()
    return f"{answer:g}" if isinstance(answer, float) else "missing"


def _written(signature: str) -> list[str]:
    """`held(c, days=n | weeks=n)` as the two forms that people write."""
    first, bar, last = signature.partition(" | ")
    return [f"{first})", f"{first[:first.rindex(' ')]} {last}"] if bar else [signature]


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(with_functions(file.read_text(encoding="utf-8")), encoding="utf-8")
