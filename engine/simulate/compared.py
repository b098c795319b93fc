"""Base and candidate day by day over the same past, folded into the nouns of a comparison."""

from __future__ import annotations

from dataclasses import dataclass

from forestall.engine.detect.history import History, Progress, quiet
from forestall.engine.model.people import Directory
from forestall.engine.score.engine import Engine
from forestall.engine.simulate.comparison import Comparison
from forestall.engine.simulate.openings import Openings
from forestall.engine.simulate.sides import Asked, Book, Side
from forestall.engine.simulate.summary import Replayed


@dataclass(frozen=True, slots=True)
class Compared:
    """The answer, and what other answers are made of: the openings of each side (against known churn), its days."""

    comparison: Comparison
    book: Book
    base_openings: Openings | None
    candidate_openings: Openings
    base_days: Replayed | None
    candidate_days: Replayed


def compare(base: Side | None, candidate: Side, directory: Directory, history: History, asked: Asked,
            engine: Engine | None = None, progress: Progress = quiet) -> Compared:
    """What the candidate changes in the place of the base. `base` None: the candidate is told alone."""
    raise NotImplementedError
