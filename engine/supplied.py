"""Metrics of the catalogue that no source of forestall.yaml supplies, where the sources can tell at once."""

from __future__ import annotations

from forestall.engine.adapter_settings import SOURCES, prepared
from forestall.engine.errors import ForestallError, Location, Problem, Severity
from forestall.engine.model.catalogue import Catalogue
from forestall.engine.settings import Settings, open_source

_EACH = 5       # more are told in one sentence


def unsupplied(settings: Settings, catalogue: Catalogue) -> tuple[Problem, ...]:
    """A warning for each, and what contradicts the catalogue in the settings of a source.

    Nothing where a source would have to be opened to tell, or cannot be read.
    """
    metrics = {metric.name: metric for metric in catalogue.supplied()}
    found: set[str] = set()
    for described in settings.sources:
        try:
            kind, _ = prepared(described, SOURCES)
            if not getattr(kind, "supplies_at_once", False):
                return ()
        except ForestallError:      # whoever reads the settings says so
            return ()
        try:
            source = open_source(settings, described, metrics)      # which reads nothing yet
        except ForestallError as error:
            return tuple(error.problems)
        try:
            if not getattr(source, "supplies_at_once", False):      # these settings lead further than others
                return ()
            found.update(source.supplies())
        except ForestallError:      # `run` and `history import` say what is wrong with the files
            return ()
    missing = [metric for metric in metrics.values() if metric.name not in found and not metric.by_hand]
    if not settings.sources or not missing:
        return ()
    if len(missing) > _EACH:
        names = ", ".join(metric.name for metric in missing)
        return (_warning(missing[0].location, f"no source supplies these metrics: {names}."),)
    return tuple(_warning(metric.location, f"no source supplies metric {metric.name}.") for metric in missing)


def _warning(location: Location, message: str) -> Problem:
    return Problem(location, "unsupplied-metric", message,
                   "It stays missing. Add its column to a source, map it with `metrics:` there, or take it out here.",
                   Severity.WARNING)
