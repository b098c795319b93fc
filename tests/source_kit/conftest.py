"""The command `forestall` in this process, as in tests/cli."""

from cli.conftest import forestall

__all__ = ["forestall"]
