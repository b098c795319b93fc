"""How far the mood that Forestall reads out of tickets agrees with the one that a person gave them; and how fast.

The texts are in tickets/: made up, and labelled by one person. See ORIGIN.md there before you quote a figure.
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from statistics import correlation

from figures import HERE, Figures, main, timed
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from forestall.adapters.sources.text.sentiment import Sentiment

TICKETS = HERE / "tickets" / "tickets.csv"
NEUTRAL = 0.05      # VADER's own bounds: less is neither good nor bad
Mood = Callable[[str], float]


def measure(figures: Figures, folder: Path, messages: int = 20_000) -> bool:
    """Agreement on the texts that nothing was chosen by, beside VADER as it comes; then messages a second."""
    ours, plain = Sentiment(), SentimentIntensityAnalyzer()

    def mood(text: str) -> float:
        return ours.of(text) or 0.0

    def as_it_comes(text: str) -> float:
        return float(plain.polarity_scores(text)["compound"])

    held_out = tickets("held out")
    for what, way in (("Forestall", mood), ("VADER as it comes", as_it_comes)):
        agreement(figures, what, held_out, way)
    calm = sum(label == 0 for label, _ in held_out) / len(held_out)
    figures.add("whoever calls every message neutral agrees on", f"{calm:.0%}")
    agreement(figures, "Forestall, on the texts it was tried on", tickets("tried"), mood)
    texts = [text for _, text in held_out]
    many = [f"{texts[number % len(texts)]} ({number})" for number in range(messages)]
    seconds, _ = timed(lambda: [ours.of(text) for text in many])
    figures.add(f"messages a second on one core ({messages:,}, 15 words each)", f"{messages / seconds:,.0f}")
    return True


def agreement(figures: Figures, what: str, labelled: list[tuple[int, str]], way: Mood) -> None:
    """The lines of one way."""
    moods = [(label, way(text)) for label, text in labelled]
    right = sum(label == sign(mood) for label, mood in moods)
    low, high = wilson(right, len(moods))
    figures.add(f"{what}: the same of negative, neutral, positive ({len(moods)} texts; 95%: {low:.0%} to {high:.0%})",
                f"{right / len(moods):.0%}")
    low, high = again_and_again(moods)
    figures.add(f"{what}: correlation with the label (95%: {low:.2f} to {high:.2f})", f"{linear(moods):.2f}")
    for label, name in ((-1, "negative"), (1, "positive")):
        there = [mood for is_so, mood in moods if is_so == label]
        called = [is_so for is_so, mood in moods if sign(mood) == label]
        figures.add(f"{what}: of the {name} ones found", f"{sum(sign(one) == label for one in there) / len(there):.0%}")
        figures.add(f"{what}: of those called {name} that are", f"{called.count(label) / max(1, len(called)):.0%}")


def tickets(part: str) -> list[tuple[int, str]]:
    """(mood, text) of one part."""
    with TICKETS.open(encoding="utf-8", newline="") as file:
        return [(int(row["mood"]), row["text"]) for row in csv.DictReader(file) if row["part"] == part]


def sign(mood: float) -> int:
    """Negative, neutral or positive."""
    return -1 if mood <= -NEUTRAL else 1 if mood >= NEUTRAL else 0


def wilson(right: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a share."""
    share, middle = right / of, z * z / (2 * of)
    half = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (share + middle - half) / (1 + z * z / of), (share + middle + half) / (1 + z * z / of)


def again_and_again(moods: list[tuple[int, float]], times: int = 2000) -> tuple[float, float]:
    """The interval of the correlation: texts drawn anew, with the same seed."""
    draw = random.Random(1)
    found = sorted(linear(draw.choices(moods, k=len(moods))) for _ in range(times))
    return found[times // 40], found[-times // 40]


def linear(moods: list[tuple[int, float]]) -> float:
    return correlation([float(label) for label, _ in moods], [mood for _, mood in moods])


if __name__ == "__main__":
    sys.exit(main(__file__, measure))
