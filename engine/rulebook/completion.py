"""What an editor offers inside of expressions: names, and every function of the language ready to be filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from forestall.engine.language.functions import FUNCTIONS, Function, Reach
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.rulebook.named import Named

Schema = dict[str, object]
_WINDOWS = {"usual": 56, "held": 7, "times": 14, "known_for": 28, "average": 28, "maximum": 28}
_OTHERS = {"low": "0", "high": "100", "y": "0"}


@dataclass(frozen=True, slots=True)
class Offer:
    """What may stand in an expression: in words (Markdown), and as snippets to choose from."""

    told: str
    snippets: list[Schema]


def expression(named: Named, *, score: bool = True, history: bool = True) -> Offer:
    """What an editor can say about an expression of this project.

    `score` adds the score, the tier and the signals; without `history` the functions that look at other days are left
    out.
    """
    kinds = {name: metric.kind for name, metric in named.metrics.items() if not metric.personal}
    if score:
        kinds = {"score": Kind.NUMBER, "tier": Kind.TEXT} | dict.fromkeys(named.signals, Kind.NUMBER) | kinds
    functions = [one for one in FUNCTIONS.values() if history or one.reach is Reach.TODAY]
    snippets = [*_names(named, kinds), *_comparisons(named, kinds)]
    snippets += [found for one in functions if (found := _call(one, kinds, named.metrics)) is not None]
    return Offer(_told(kinds, functions), snippets)


def metric_said(metric: Metric) -> str:
    """A metric in a few words: what it means, and what it is."""
    kind = f"{metric.kind}, {metric.unit}" if metric.unit else str(metric.kind)
    return f"{metric.about} ({kind})" if metric.about else kind


def _names(named: Named, kinds: Mapping[str, Kind]) -> list[Schema]:
    said = {"score": "the health score, 0 to 100", "tier": "the name of the tier"}
    said |= {name: f"points of the signal, 0 to 100. {about}".strip() for name, about in named.signals.items()}
    said |= {name: metric_said(metric) for name, metric in named.metrics.items()}
    return [{"label": name, "description": said[name], "body": name} for name in kinds]


def _comparisons(named: Named, kinds: Mapping[str, Kind]) -> list[Schema]:
    """`segment == "enterprise"` for each name whose texts are known."""
    known = {name: metric.one_of for name, metric in named.metrics.items() if metric.one_of and name in kinds}
    if "tier" in kinds and named.tiers:
        known["tier"] = named.tiers
    return [{"label": f'{name} == "…"', "description": f"one of: {', '.join(texts)}",
             "body": f'{name} == "{_choice(1, texts)}"'} for name, texts in known.items()]


def _call(function: Function, kinds: Mapping[str, Kind], metrics: Mapping[str, Metric]) -> Schema | None:
    """The function with a place for each argument; None when the catalogue has nothing to put there."""
    arguments = []
    for number, (parameter, takes) in enumerate(zip(function.parameters, function.takes, strict=True), start=1):
        if number > 1:
            arguments.append(f"${{{number}:{_OTHERS[parameter]}}}")
        elif takes == {Kind.FLAG}:
            arguments.append("${1:" + (_first(kinds, Kind.NUMBER) or "score") + " < 60}")
        else:
            fitting = [name for name, kind in kinds.items() if kind in takes]
            if function.name == "total":
                fitting = [name for name in fitting if name in metrics and metrics[name].per_day]
            if not fitting:
                return None
            arguments.append(_choice(1, fitting))
    if function.reach is not Reach.TODAY:
        arguments.append(f"days=${{{len(arguments) + 1}:{_WINDOWS.get(function.name, 7)}}}")
    return {"label": function.signature(), "description": function.about,
            "body": f"{function.name}({', '.join(arguments)})"}


def _first(kinds: Mapping[str, Kind], wanted: Kind) -> str:
    return next((name for name, kind in kinds.items() if kind is wanted), "")


def _choice(number: int, words: Iterable[str]) -> str:
    """A place of a snippet that opens a list; a comma, a bar and a backslash have a meaning there."""
    safe = [word.replace("\\", "\\\\").replace(",", "\\,").replace("|", "\\|") for word in words]
    return f"${{{number}|{','.join(safe)}|}}"


def _told(kinds: Mapping[str, Kind], functions: Iterable[Function]) -> str:
    names = ", ".join(f"`{name}`" for name in kinds)
    table = "\n".join(f"- `{one.signature()}`: {one.about}" for one in functions)
    return (f"**Names**: {names}\n\n**Words**: `and`, `or`, `not`, `in`, `<`, `<=`, `==`, `!=`, `>=`, "
            f"`>`, `+`, `-`, `*`, `/`, `… if … else …`\n\n**Functions**:\n\n{table}")
