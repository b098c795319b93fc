"""Equal rules are compiled once in a process that runs tests: most tests open a project anew, and many the same one.

A query depends on nothing but the rules, without their places in files and the texts of their messages. How rules
become queries is judged where nothing is kept: tests/language, by the statements themselves.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any

from forestall.engine.errors import Location

QUERIES = ("decisions", "decisions_of_one_day", "changes", "details")
ASIDE = {"files", "templates", "digest", "scoring_digest"}      # of a rulebook: no query reads them
MOST = 300


def once(compile_it: Callable[..., Any]) -> Callable[..., Any]:
    """The same, from what was compiled before when everything it was asked with is equal."""
    known: dict[Any, Any] = {}

    @wraps(compile_it)
    def compiled(*words: Any, **options: Any) -> Any:
        key = essence((words, options))
        if key not in known:
            if len(known) == MOST:
                known.clear()
            known[key] = compile_it(*words, **options)
        return known[key]
    return compiled


def essence(thing: Any) -> Any:
    """What can be compared, without the places in files; 1, 1.0 and True are three things."""
    match thing:
        case Location():
            return None
        case Mapping():
            return tuple((essence(name), essence(value)) for name, value in thing.items())
        case list() | tuple():
            return type(thing), tuple(map(essence, thing))
        case set() | frozenset():
            return frozenset(map(essence, thing))
        case _ if is_dataclass(thing):
            return type(thing), tuple(essence(getattr(thing, one.name)) for one in fields(thing)
                                      if one.compare and not (one.name in ASIDE and type(thing).__name__ == "Rulebook"))
    hash(thing)      # what is neither of these must at least be a value
    return type(thing), thing
