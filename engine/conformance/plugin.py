"""The pytest plugin: `forestall_promise` runs a test once for each promise of docs/source-kit.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from forestall.engine.conformance.promises import Promise
    from forestall.engine.conformance.stand import Stand

FIXTURE = "forestall_promise"


class Asking:
    """A promise as a test asks for it: a broken one fails with a sentence, one that cannot be asked is skipped."""

    def __init__(self, promise: Promise) -> None:
        self.promise = promise

    def kept_by(self, stand: Stand) -> None:
        """Fails the test when the adapter of this stand does not keep the promise."""
        __tracebackhide__ = True
        from forestall.engine.conformance import Broken, NotAsked

        try:
            self.promise.kept_by(stand)
        except NotAsked as reason:
            pytest.skip(f"{self.promise.name}: {reason}")
        except Broken as broken:
            pytest.fail(f"{self.promise.name} ({self.promise.about})\n{broken}", pytrace=False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each promise."""
    if FIXTURE in metafunc.fixturenames:
        from forestall.engine.conformance import PROMISES  # heavy: only where it is used

        metafunc.parametrize(FIXTURE, [Asking(one) for one in PROMISES], ids=[one.name for one in PROMISES])
