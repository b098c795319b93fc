"""A stand: where the kit puts made-up facts for one adapter, so that a source finds them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from forestall.engine.errors import Location
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind

if TYPE_CHECKING:
    import pyarrow

_HERE = Location("rules/metrics.yaml")
METRICS: Mapping[str, Metric] = {
    "logins": Metric("logins", Kind.NUMBER, _HERE, unit="per day", per_day=True),
    "segment": Metric("segment", Kind.TEXT, _HERE),
    "opted_out": Metric("opted_out", Kind.FLAG, _HERE),
    "renewal": Metric("renewal", Kind.DATE, _HERE),
}


class Stand(ABC):
    """One adapter's place for facts: a folder, a database, a server on this machine.

    Each promise is asked on a stand of its own, made with an empty folder, which is also the folder of the project.

    `adapter` is its name in forestall.yaml. `metrics` are those that its source supplies, and `given` those of them
    that the kit makes values for (None: all); the others follow from them. `days` is how many past days the source can
    tell of, up to `last`: 1 where it only knows how things are now.
    `accounts` are three names that it can tell apart; among very many they are called account-17.
    `gaps`: whether a value may be missing. `says_more`: whether there may be rows beyond those that were put there.
    `may_be_empty`: whether there may be nothing at all; for some, an empty file is a mistake that is said.
    `keeps`: whether it keeps here what it has fetched. `secrets` are the environment variables that its settings name
    by `${secret:NAME}`, with values that it accepts.
    `many` is how many rows it is asked for at once, and `memory` how many bytes the process may grow by meanwhile.
    """

    adapter: ClassVar[str]
    metrics: ClassVar[Mapping[str, Metric]] = METRICS
    given: ClassVar[tuple[str, ...] | None] = None
    accounts: ClassVar[tuple[str, str, str]] = ("acme", "bolt & son", "Straße 7")
    days: ClassVar[int] = 30
    last: ClassVar[date] = date(2026, 3, 30)      # the clocks went forward on the 8th in America, on the 29th in Europe
    gaps: ClassVar[bool] = True
    says_more: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = True
    keeps: ClassVar[bool] = False
    secrets: ClassVar[Mapping[str, str]] = {}
    many: ClassVar[int] = 1_000_000
    memory: ClassVar[int] = 256 << 20

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def put(self, facts: pyarrow.Table) -> pyarrow.Table | None:
        """From now on exactly these facts are there, whatever was before; there may be none at all.

        The columns are `account`, `as_of` and the given metrics, in the types of the protocol. Hand back what the
        source must then say, where that is something else than the facts.
        """

    @abstractmethod
    def settings(self) -> Mapping[str, object]:
        """What stands below the source in forestall.yaml, without `adapter`. Asked after `put`."""

    def damage(self) -> None:
        """Make what is there unreadable, best after a part of it: half a file, a page that answers 500.

        The next `put` mends it. A stand without this method is not asked what happens when a source fails.
        """
        raise NotImplementedError

    def close(self) -> None:        # noqa: B027  most stands have nothing to let go of
        """Let go of a server, a connection. Called once, after everything else."""
