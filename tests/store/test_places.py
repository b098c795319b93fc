"""Where the state database is: a file, or a schema on a PostgreSQL server. What goes wrong with a server is one
sentence each, and none of them holds a secret."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from engines.postgresql import Server

from forestall.engine.cli.main import cli
from forestall.engine.errors import ForestallError, Location, SettingsError, StoreError
from forestall.engine.model.places import PostgresPlace, postgres_place
from forestall.engine.model.ports import Secret
from forestall.engine.model.state import State
from forestall.engine.settings import read_settings
from forestall.engine.store import Store

PASSWORD = "s3cret/with:every@sign?"
WHERE = Location("forestall.yaml", 3, 8)


def url(place: PostgresPlace) -> str:
    return f"postgresql://{place.user}@/{place.database}?host={place.host}&schema={place.schema}"


def forestall(*arguments: object) -> str:
    done = CliRunner().invoke(cli, [str(one) for one in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


# --- through the front door -----------------------------------------------------------------------------------------


def test_a_project_keeps_its_state_on_a_server(project: Path, server_place: PostgresPlace) -> None:
    with (project / "forestall.yaml").open("a") as file:
        file.write(f'state: "{url(server_place)}"\n')
    forestall("run", "--project", project, "--day", "2026-03-01")
    with Store.open(replace(server_place, schema=f"{server_place.schema}_rehearsal"), read_only=True) as store:
        assert store.state() == State(), "a dry run leaves no trace"
    forestall("run", "--project", project, "--day", "2026-03-01", "--send")
    forestall("run", "--project", project, "--day", "2026-03-01", "--send")
    with Store.open(replace(server_place, schema=f"{server_place.schema}_rehearsal"), read_only=True) as store:
        assert len([row for row in store.outbox() if row.sent_at]) == 10
    assert not list((project / ".forestall").glob("*.db*"))
    assert "cold" in forestall("explain", "a20", "--project", project)


# --- forestall.yaml -------------------------------------------------------------------------------------------------


def test_a_url_is_read_with_its_secret_apart() -> None:
    place = postgres_place("postgresql://cs%40acme:${secret:STATE_PASSWORD}@db.example.com:5433/state"
                           "?schema=acme&sslmode=require", WHERE)
    assert place == PostgresPlace("db.example.com", 5433, "state", "cs@acme", Secret("STATE_PASSWORD"), "acme",
                                  (("sslmode", "require"),))
    assert postgres_place("postgres://localhost/state", WHERE) == PostgresPlace(
        "localhost", None, "state", "", None, "forestall")
    assert "secret" not in str(place).lower()


@pytest.mark.parametrize(("written", "code"), [
    (f"postgresql://cs:{PASSWORD}@db.example.com/state", "state-url"),
    ("postgresql://cs:hunter2@db.example.com/state", "secret-in-file"),
    ("postgresql://cs:hunter2${secret:X}@db.example.com/state", "secret-in-file"),
    ("postgresql://${secret:HOST}/state", "secret-not-here"),
    ("postgresql://cs@db.example.com/${secret:X}", "secret-not-here"),
    ("postgresql://cs@db.example.com:port/state", "state-url"),
    ("postgresql://cs@db.example.com", "state-url"),
    ("postgresql://cs@db.example.com/a/b", "state-url"),
    ("postgresql://cs@db.example.com/state?schema=Robert'); DROP", "state-url"),
    ("postgresql://cs@db.example.com/state?password=hunter2", "state-url"),
    ("mysql://cs@db.example.com/state", "state-url"),
])
def test_a_url_that_cannot_be_used_is_a_sentence_that_does_not_repeat_it(written: str, code: str) -> None:
    with pytest.raises(SettingsError) as caught:
        postgres_place(written, WHERE)
    (problem,) = caught.value.problems
    assert (problem.code, problem.location) == (code, WHERE)
    assert "hunter2" not in str(problem)
    assert PASSWORD not in str(problem)


def test_settings_name_the_place_and_keep_the_folder_for_the_rest(project: Path) -> None:
    with (project / "forestall.yaml").open("a") as file:
        file.write('state: "postgresql://cs:${secret:STATE_PASSWORD}@db.example.com/state"\n')
    settings = read_settings(project)
    assert settings.state == project / ".forestall"
    assert str(settings.server) == "postgresql://cs@db.example.com/state?schema=forestall"


# --- servers --------------------------------------------------------------------------------------------------------


@pytest.fixture
def locked(postgresql_server: Server, server_place: PostgresPlace) -> PostgresPlace:
    """A place for which a user needs a password."""
    with postgresql_server.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS with_password")
        connection.execute(f"CREATE ROLE with_password LOGIN PASSWORD '{PASSWORD}'")
    return replace(server_place, user="with_password", password=Secret("STATE_PASSWORD"))


Changed = Callable[[PostgresPlace], PostgresPlace]


@pytest.mark.parametrize(("change", "password", "phrase"), [
    (lambda place: place, "wrong-" + PASSWORD, "does not let with_password in"),
    (lambda place: replace(place, password=None), "", "does not let with_password in"),
    (lambda place: place, "", "the secret STATE_PASSWORD is not set"),
    (lambda place: replace(place, host="127.0.0.1", port=9), PASSWORD, "cannot be reached: Connection refused"),
    (lambda place: replace(place, host="/nowhere"), PASSWORD, "cannot be reached: No such file or directory"),
    (lambda place: replace(place, database="else"), PASSWORD, "has no database else"),
    (lambda place: place, PASSWORD, "with_password may not do that in the database postgres"),
    (lambda place: replace(place, options=(("sslmode", "sometimes"),)), PASSWORD, "sslmode"),
])
def test_what_is_wrong_with_a_server_is_one_sentence_without_the_secret(
    locked: PostgresPlace, change: Changed, password: str, phrase: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STATE_PASSWORD", password)
    with pytest.raises(ForestallError, match=phrase) as caught:
        Store.open(change(locked))
    (problem,) = caught.value.problems
    assert problem.hint
    assert "\n" not in problem.message
    assert PASSWORD not in f"{problem} {caught.value.__cause__}"


def test_a_user_with_a_password_gets_in(postgresql_server: Server, locked: PostgresPlace,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_PASSWORD", PASSWORD)
    with postgresql_server.connect() as connection:
        connection.execute(f"CREATE SCHEMA {locked.schema} AUTHORIZATION with_password")
    with Store.open(locked) as store:
        assert store.waiting() == 0


def test_a_schema_of_somebody_else_is_left_alone(postgresql_server: Server, server_place: PostgresPlace) -> None:
    with postgresql_server.connect() as connection:
        connection.execute(f"CREATE SCHEMA {server_place.schema}")
        connection.execute(f"CREATE TABLE {server_place.schema}.people (name text)")
    with pytest.raises(StoreError, match="not written by Forestall"):
        Store.open(server_place)


def test_a_server_of_a_newer_version_is_refused(server_place: PostgresPlace) -> None:
    with Store.open(server_place) as store, store._database.writing() as connection:
        connection.exec_driver_sql("INSERT INTO forestall_schema VALUES (99)")
    with pytest.raises(StoreError, match="Use the newer Forestall"):
        Store.open(server_place)


def test_without_psycopg_the_extra_is_named(server_place: PostgresPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(StoreError, match=r'pip install "forestall\[postgres\]"'):
        Store.open(server_place)
