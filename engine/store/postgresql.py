"""The state database as a schema of a PostgreSQL server. psycopg speaks to it, and comes with the extra `postgres`."""

from __future__ import annotations

import importlib.util
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry

from forestall.engine.errors import Location, StoreError
from forestall.engine.model.places import PostgresPlace
from forestall.engine.store.database import Database, Trouble
from forestall.engine.store.files import in_memory
from forestall.engine.store.versions import bring_up_to_date, found_version, is_current

PATIENCE = 10       # seconds for a connection
BUSY_SECONDS = 30   # how long a writer waits for another one


def open_server(place: PostgresPlace, read_only: bool) -> Database:
    """Open the schema at `place`; create it unless `read_only`. StoreError when it cannot be used."""
    name = str(place)
    if importlib.util.find_spec("psycopg") is None:
        raise StoreError.one(Location(name), "no-psycopg", "a state database on PostgreSQL needs the package psycopg.",
                             'Install it: pip install "forestall[postgres]".')
    password = place.password.reveal() if place.password is not None else None
    said = _trouble(place, password)
    database = Database(_engine(place, password, read_only), name, read_only, said)
    memory = None
    try:
        with database.reading() as connection:
            there = connection.scalar(sa.text("SELECT to_regnamespace(:schema) IS NOT NULL"),
                                      {"schema": place.schema})
            found = found_version(connection, name) if there else None
            if read_only and not is_current(found):
                memory = in_memory(name, connection if found else None)
        if not read_only and not is_current(found):
            with database.writing(durable=True) as connection:
                _one_at_a_time(connection, place.schema)
                if not there:      # whoever may not make one can be given one
                    connection.execute(sa.schema.CreateSchema(place.schema, if_not_exists=True))
                bring_up_to_date(connection)
    except BaseException:
        database.close()
        raise
    if memory is not None:
        database.close()
    return memory or database


def _engine(place: PostgresPlace, password: str | None, read_only: bool) -> sa.Engine:
    url = sa.URL.create("postgresql+psycopg", username=place.user or None, password=password, host=place.host or None,
                        port=place.port, database=place.database,
                        query={"connect_timeout": str(PATIENCE), "application_name": "forestall",
                               **dict(place.options)})
    # A server that was started anew is noticed before a transaction, not in it.
    engine = sa.create_engine(url, pool_pre_ping=True, hide_parameters=True)

    def connected(connection: Any, _entry: ConnectionPoolEntry) -> None:
        connection.autocommit = True
        connection.execute(f'SET search_path TO "{place.schema}"')
        connection.execute(f"SET lock_timeout TO '{BUSY_SECONDS}s'")
        connection.execute("SET timezone TO 'UTC'")
        connection.autocommit = False

    def begun(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        if not options.get("writes"):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        elif not options.get("durable"):
            # May lose the last receipts in a power cut, nothing else: they are sent again with the same key.
            connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")

    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "begin", begun)
    return engine


def _one_at_a_time(connection: sa.Connection, schema: str) -> None:
    """Two processes that come first at the same time must not both make the tables."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"forestall {schema}"))))


def _trouble(place: PostgresPlace, password: str | None) -> Trouble:
    def trouble(error: Exception) -> tuple[str, str]:
        """What the server or its client says, as a sentence and how to mend it."""
        code = getattr(error, "sqlstate", None) or ""
        said = " ".join(str(error).split())
        said = said.replace(password, "***") if password else said
        server = f"{place.host or 'this machine'}{f':{place.port}' if place.port else ''}"
        if "password authentication failed" in said or "no password supplied" in said or code.startswith("28"):
            secret = f"Check the secret {place.password.name}" if place.password else \
                "Add :${secret:STATE_PASSWORD} behind the user in `state`"
            return f"the server {server} does not let {place.user or 'us'} in", f"{secret}, and the user's rights."
        if code == "3D000" or ("database" in said and "does not exist" in said):
            return f"the server {server} has no database {place.database}", "Create it, or name another in `state`."
        if code == "42501":
            return (f"{place.user or 'this user'} may not do that in the database {place.database}",
                    f"Let them create the schema {place.schema}, or create it for them as its owner.")
        if code in ("53100", "53200"):
            return "the disk or the memory of the server is full; nothing of this step was written", \
                "Make room and run it again."
        if code in ("55P03", "40P01", "57014"):
            return "another process is writing to the state database", "Try again when it has finished."
        if code == "25006":
            return f"the server {server} can only be read now", "Name the one that can be written."
        if code.startswith(("57P", "08")) or not code:
            return f"the server {server} cannot be reached: {_first(said)}", \
                "Check that it runs, its address in `state`, and the network. Nothing of this step was written."
        return f"the state database cannot be used: {_first(said)}", "Check the server."

    return trouble


def _first(said: str) -> str:
    """The reason without what repeats our own address."""
    return said.rpartition("failed: ")[2].split(" Is the server running")[0].rstrip(".")[:200]
