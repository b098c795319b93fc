"""The names that a template can use, and the kinds of their values."""

from __future__ import annotations

from collections.abc import Mapping

from forestall.engine.model.catalogue import Catalogue
from forestall.engine.model.expression import Kind

Kinds = Mapping[tuple[str, ...], Kind]

# What {% for one in changes %} gives under `one.`
LISTED: Mapping[str, tuple[str, ...]] = {
    "changes": ("label", "then", "now"),
    "charts": ("label", "line", "first", "last", "since"),
    "ahead": ("when", "what"),
    "tasks": ("title", "account", "play", "severity", "due"),
}
_OF_DAY = {"score": Kind.NUMBER, "tier": Kind.TEXT, "day": Kind.DATE}


def kinds_of(catalogue: Catalogue, signals: tuple[str, ...]) -> Kinds:
    """The kind of everything that a template can name, by its path: (now, logins_14d), (csm, name)."""
    names = {metric.name: metric.kind for metric in catalogue.metrics.values()}
    names |= dict.fromkeys(signals, Kind.NUMBER) | _OF_DAY
    kinds = {(root, name): kind for root in ("now", "before") for name, kind in names.items()}
    kinds[("before", "days_ago")] = kinds[("play", "within")] = Kind.NUMBER
    kinds[("alert", "opened_on")] = kinds[("play", "due")] = Kind.DATE
    kinds[("alert", "reminder")] = kinds[("play", "overdue")] = Kind.FLAG
    texts = ("account.id", "account.name", "csm.name", "csm.email", "executive.name", "executive.email",
             "contact.email", "alert.name", "alert.about", "alert.severity", "alert.reason", "alert.rule",
             "alert.condition", "play.name", "play.about")
    return kinds | {tuple(text.split(".")): Kind.TEXT for text in texts}
