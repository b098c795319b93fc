"""Where the service listens for what people and programs answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from forestall.engine.model.ports import Secret

_AT = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})")


@dataclass(frozen=True, slots=True)
class Listen:
    """An address of this machine (port 0: any that is free), and the secrets by which what arrives there is known.

    None: nothing of the kind is listened for.
    """

    host: str
    port: int
    slack_secret: Secret | None = None
    done_secret: Secret | None = None
    unsubscribe_secret: Secret | None = None


def host_and_port(said: str) -> tuple[str, int] | None:
    """The two parts of `127.0.0.1:8790` or `[::1]:8790`; None when it is something else."""
    found = _AT.fullmatch(said)
    if found is None or int(found["port"]) > 65535:
        return None
    return found["host"].strip("[]"), int(found["port"])
