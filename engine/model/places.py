"""Where the state database is: a file, or a schema of a PostgreSQL server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from forestall.engine.errors import Location, SettingsError
from forestall.engine.model.ports import Secret

POSTGRESQL = ("postgresql://", "postgres://")
SCHEMA = "forestall"
OPTIONS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "host", "connect_timeout", "target_session_attrs")
_SECRET = re.compile(r"\$\{secret:([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_EXAMPLE = 'Write it like "postgresql://forestall:${secret:STATE_PASSWORD}@db.example.com:5432/forestall".'


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """One schema of a database of a PostgreSQL server. Its text never holds the password.

    An empty `host` and `user` leave it to the client's own rules; `options` are parameters of the connection.
    """

    host: str
    port: int | None
    database: str
    user: str
    password: Secret | None
    schema: str
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port else ""
        return f"postgresql://{user}{host}{port}/{self.database}?schema={self.schema}"


StatePlace = Path | PostgresPlace


def is_server(written: str) -> bool:
    """Whether `state` of forestall.yaml names a server instead of a folder: what looks like a URL does."""
    return "://" in written


def postgres_place(written: str, where: Location, what: str = "`state`") -> PostgresPlace:
    """The place that a URL names; the schema is `?schema=`, or `forestall`. SettingsError when it cannot be read.

    No sentence repeats the URL: a password may stand in it by mistake.
    """
    if not written.startswith(POSTGRESQL):
        raise SettingsError.one(where, "state-url", f"{what} is neither a folder nor the URL of a PostgreSQL server.",
                                _EXAMPLE)
    try:
        # A secret is taken out first: nothing of it is part of the URL's grammar.
        parts = urlsplit(_SECRET.sub(r"secret.\1", written))
        port, host = parts.port, unquote(parts.hostname or "")
    except ValueError:
        raise SettingsError.one(where, "state-url", f"the URL of {what} cannot be read.", _EXAMPLE) from None
    password = _password(written, parts)
    if password is None and parts.password is not None:
        raise SettingsError.one(where, "secret-in-file",
                                f"{what} holds a password, and a secret never stands in a file.",
                                "Write ${secret:STATE_PASSWORD} in its place and set the environment variable "
                                "STATE_PASSWORD.")
    if written.count("${") > (password is not None):
        raise SettingsError.one(where, "secret-not-here", f"only the password in the URL of {what} can be a secret.",
                                _EXAMPLE)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    schema = options.pop("schema", SCHEMA)
    database = unquote(parts.path.removeprefix("/"))
    if not database or "/" in database or parts.fragment:
        raise SettingsError.one(where, "state-url", f"the URL of {what} names no database.", _EXAMPLE)
    if not _NAME.fullmatch(schema):
        raise SettingsError.one(where, "state-url", f"`schema` in the URL of {what} is no name for a schema.",
                                "Use at most 40 small letters, digits and underscores, a letter first.")
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise SettingsError.one(where, "state-url",
                                f"the URL of {what} has parameters that are not known: {', '.join(unknown)}.",
                                f"There are: schema, {', '.join(OPTIONS)}.")
    return PostgresPlace(host, port, database, unquote(parts.username or ""), password, schema,
                         tuple(sorted(options.items())))


def _password(written: str, parts: SplitResult) -> Secret | None:
    """The secret that stands in the place of the password, when nothing else does."""
    named = _SECRET.search(written)
    return Secret(named.group(1)) if named and parts.password == f"secret.{named.group(1)}" else None
