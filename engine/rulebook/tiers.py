"""The tiers of weights.yaml: bands that cover 0 to 100 without gap or overlap."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise

from forestall.engine.model.expression import Kind
from forestall.engine.model.scorecard import Tier
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import Entry, MapNode, ScalarNode
from forestall.engine.rulebook.words import Words

_RANGE = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*(?:-|–|to)\s*(\d{1,3}(?:\.\d+)?)")
_WHY = "the condition of a tier uses metrics only."


def read(node: MapNode, words: Words, findings: Findings) -> tuple[Tier, ...]:
    """The tiers from best to worst; what is wrong with them is said."""
    tiers: list[Tier] = []
    places: list[ScalarNode] = []
    for entry in node:
        written = _range_of(entry)
        band = _band(written, entry.key.text, findings) if written else None
        when = None
        if isinstance(entry.value, MapNode):
            when = words.expression(entry.value.scalar("when"), words.metrics_only(_WHY), Kind.FLAG,
                                    f"`when` of tier {entry.key.text}", findings)
        if band and written:
            low, high, below = band
            tiers.append(Tier(entry.key.text, low, high, below, entry.key.location, when))
            places.append(written)
    if not tiers or len(tiers) < len(node.entries):
        return tuple(tiers)
    return _cover(tiers, places, findings)


def _range_of(entry: Entry) -> ScalarNode | None:
    if isinstance(entry.value, MapNode):
        return entry.value.scalar("range")
    return entry.value if isinstance(entry.value, ScalarNode) and entry.value.value is not None else None


def _band(written: ScalarNode, name: str, findings: Findings) -> tuple[Decimal, Decimal, Decimal] | None:
    """Lower end, upper end as written, and the next value of its last written digit."""
    found = _RANGE.fullmatch(written.text.strip())
    if not found:
        findings.say(written.location, "tier-range", f"the band of tier {name} cannot be read: `{written.text}`.",
                     "Write the lowest and the highest score, such as 60-79.")
        return None
    low, high = Decimal(found.group(1)), Decimal(found.group(2))
    if min(_digits(low), _digits(high)) < -1:
        findings.say(written.location, "tier-range",
                     f"the band of tier {name} has more than one decimal; the score has one.",
                     "Write 60-79 or 60-79.9.")
        return None
    if low > high or high > 100:
        findings.say(written.location, "tier-range",
                     f"the band of tier {name} is upside down or passes 100: {written.text}.",
                     "Write the lower score first, and nothing above 100.")
        return None
    return low, high, high + Decimal(1).scaleb(_digits(high))


def _cover(tiers: list[Tier], places: list[ScalarNode], findings: Findings) -> tuple[Tier, ...]:
    for index, (better, worse) in enumerate(pairwise(tiers), start=1):
        place = places[index].location
        if worse.low > better.low:
            findings.say(place, "tier-order", f"tier {worse.name} stands below {better.name} but is better.",
                         "Write the tiers from best to worst.")
            return tuple(tiers)
        assert worse.below is not None
        if worse.below < better.low:
            findings.say(place, "tier-gap",
                         f"no tier covers the scores from {worse.below} to below {better.low}, "
                         f"between {worse.name} and {better.name}.",
                         f"Let {worse.name} reach to {_last_before(better.low, worse.high)}.")
        elif worse.below > better.low:
            findings.say(place, "tier-overlap",
                         f"tiers {better.name} and {worse.name} overlap: {worse.name} reaches to just below "
                         f"{worse.below}, and {better.name} begins at {better.low}.",
                         f"Let {worse.name} end at {_last_before(better.low, worse.high)}.")
    best, worst = tiers[0], tiers[-1]
    if best.high != 100:
        findings.say(places[0].location, "tier-gap", f"no tier covers the scores above {best.high}.",
                     f"Let the best tier, {best.name}, reach to 100.")
    if worst.low != 0:
        findings.say(places[-1].location, "tier-gap", f"no tier covers the scores below {worst.low}.",
                     f"Let the worst tier, {worst.name}, begin at 0.")
    return (Tier(best.name, best.low, best.high, None, best.location, best.when), *tiers[1:])


def _last_before(low: Decimal, like: Decimal) -> Decimal:
    """The last value below `low`, with as many digits as `like` or `low` were written with."""
    return low - Decimal(1).scaleb(min(_digits(low), _digits(like)))


def _digits(number: Decimal) -> int:
    """The exponent of its last written digit: 0 for 79, -1 for 79.9."""
    return int(number.as_tuple().exponent)
