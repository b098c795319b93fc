"""The conformance kit: what every source promises, asked of one. docs/source-kit.md says how it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forestall.engine.conformance.promises import PROMISES, Promise
    from forestall.engine.conformance.stand import METRICS, Stand
    from forestall.engine.conformance.trial import Broken, NotAsked

__all__ = ["METRICS", "PROMISES", "Broken", "NotAsked", "Promise", "Stand"]

_WHERE = {"METRICS": "stand", "Stand": "stand", "PROMISES": "promises", "Promise": "promises", "Broken": "trial",
          "NotAsked": "trial"}


def __getattr__(name: str) -> object:
    """Imported when it is used: pytest loads the plugin beside this in every project that has Forestall installed."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
