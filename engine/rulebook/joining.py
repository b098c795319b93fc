"""`keys:` and `on_unknown:` of a source: how its rows find their account."""

from __future__ import annotations

from pathlib import Path

from forestall.engine.model.joining import Joining
from forestall.engine.rulebook.nodes import MapNode, ScalarNode

KEYS = ("keys", "on_unknown")


def joining(node: MapNode, project: Path) -> Joining:
    """What `node` says of it, as far as the schema allows it."""
    only_known = node.text("on_unknown") == "leave_out"
    written = node.get("keys")
    if isinstance(written, MapNode):
        metric = written.scalar("metric")
        if metric is not None and metric.text and len(written.entries) == 1:
            return Joining(metric.location, metric=metric.text, only_known=only_known)
    elif isinstance(written, ScalarNode) and isinstance(written.value, str) and written.text:
        return Joining(written.location, file=project / written.text, only_known=only_known)
    return Joining(node.location, only_known=only_known)
