"""How the rows of a source find their account, where the source knows it by another key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from forestall.engine.errors import Location, Problem
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.expression import Kind


@dataclass(frozen=True, slots=True)
class Joining:
    """`keys:` and `on_unknown:` of a source in forestall.yaml.

    `file` has the columns `key` and `account`; or `metric` is the text metric by which another source says the key of
    each account; with neither the source names accounts as everybody does. `location` is where that stands.
    `only_known`: rows of accounts that no other source names are left out.
    """

    location: Location
    file: Path | None = None
    metric: str = ""
    only_known: bool = False

    def wrong(self, source: str, catalogue: Catalogue) -> Problem | None:
        """What is wrong with the metric that is to say the keys of this source."""
        metric = catalogue.metrics.get(self.metric)
        if not self.metric or (metric is not None and metric.supplied and metric.kind is Kind.TEXT):
            return None
        return Problem(self.location, "unknown-metric",
                       f"`keys` of source {source} names {self.metric}, not a text metric that a source supplies.",
                       f"Add `{self.metric}: {{kind: text}}` to rules/metrics.yaml and the column to the source that "
                       "has it.")

    @property
    def waits(self) -> bool:
        """Whether the other sources must have been read before."""
        return bool(self.metric) or self.only_known
