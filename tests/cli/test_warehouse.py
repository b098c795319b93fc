"""The history as a table of PostgreSQL, through the front door: the same decisions as from the Parquet history of the
same facts, and only what has something to say comes back."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from cli.conftest import LAST, Forestall
from engines.postgresql import Server

from forestall.engine.intervene.day import _interesting, missing, to_tell
from forestall.engine.model.state import State
from forestall.engine.runtime import open_project
from forestall.engine.store import Store

SQL = {"VARCHAR": "text", "DOUBLE": "double precision", "BOOLEAN": "boolean", "DATE": "date", "BIGINT": "bigint"}
FIRST = LAST - timedelta(days=1)


@dataclass(frozen=True)
class Warehouse:
    """A server that holds the facts of the sampled project, and projects that read them there."""

    server: Server
    project: Callable[..., Path]

    def execute(self, statement: str) -> None:
        with self.server.connect() as connection:
            connection.execute(statement)


@pytest.fixture(scope="module")
def warehouse(sampled: Path, postgresql_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    project = open_project(sampled)
    here = duckdb.connect()
    batches = []
    for number, table in enumerate(one for source in project.sources() for one in source.snapshots(None, LAST)):
        here.register(f"batch{number}", table)
        batches.append(f"SELECT * FROM batch{number}")
    here.execute(f"CREATE VIEW said AS {' UNION ALL BY NAME '.join(batches)}")
    values = ", ".join(f'any_value("{one[0]}") AS "{one[0]}"' for one in here.execute("DESCRIBE said").fetchall()
                       if one[0] not in ("account", "as_of", "mrr"))
    server, schema = postgresql_server, "Sales figures"
    with server.connect() as connection:
        connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE; CREATE SCHEMA "{schema}"; '
                           "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; "
                           f'GRANT USAGE ON SCHEMA "{schema}" TO PUBLIC')
    _load(server, schema, "arrivals", here, f"SELECT account AS account_id, as_of AS day, any_value(mrr) AS revenue, "
          f"{values} FROM said GROUP BY account, as_of", {"revenue": "numeric(12, 2)"})
    days = project.history.open_days(project.rulebook.catalogue, date(2020, 1, 1), LAST)
    dates = [one.name for one in project.rulebook.catalogue.supplied() if one.kind == "date"]
    shown = ", ".join(f"CAST(to_timestamp({one} * 86400) AS DATE) AS {one}"
                      for one in ["first_day", "named_day", *dates])
    _load(server, schema, "days", days, f"SELECT account, CAST(to_timestamp(day * 86400) AS DATE) AS as_of, {shown}, "
          f"* EXCLUDE (account, day, back, first_day, named_day, {', '.join(dates)}) FROM history", {})
    with server.connect() as connection:
        connection.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO PUBLIC')
    written = (sampled / "forestall.yaml").read_text()

    def made(name: str = "", **keys: str) -> Path:
        folder = tmp_path_factory.mktemp("project") / "project"
        shutil.copytree(sampled, folder, ignore=shutil.ignore_patterns(".forestall", "data", "deliveries"))
        lines = "".join(f"  {key}: {value}\n" for key, value in {"url": url(server), **keys}.items())
        block = f"warehouse:\n{lines}"
        (folder / "forestall.yaml").write_text(re.sub(r"(?m)^sources:\n(?:[ #].*\n|\n)*", block, written))
        return folder

    return Warehouse(server, made)


def url(server: Server, user: str = "reader") -> str:
    return f'"postgresql://{user}@/postgres?host={server.folder}"'


def _load(server: Server, schema: str, name: str, there: duckdb.DuckDBPyConnection, query: str,
          types: dict[str, str]) -> None:
    described = there.execute(f"DESCRIBE {query}").fetchall()
    columns = ", ".join(f'"{one[0]}" {types.get(one[0]) or SQL[one[1]]}' for one in described)
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f'CREATE TABLE "{schema}"."{name}" ({columns})')
        with cursor.copy(f'COPY "{schema}"."{name}" FROM STDIN') as copy:
            for row in there.execute(query).fetchall():
                copy.write_row(row)


ARRIVALS = {"table": "'`Sales figures`.arrivals'", "holds": "arrivals", "account": "account_id", "as_of": "day",
            "metrics": "{mrr: revenue}"}
DAYS = {"table": "'`Sales figures`.days'", "first_day": "first_day", "named_day": "named_day"}


@pytest.fixture(scope="module")
def passes_here(sampled: Path, forestall: Forestall,
                tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[object]]:
    """Passes from the Parquet history."""
    folder = tmp_path_factory.mktemp("here") / "project"
    shutil.copytree(sampled, folder)
    return folder, passes(forestall, folder)


def passes(forestall: Forestall, folder: Path) -> list[object]:
    done = forestall("run", "--project", folder, "--day", FIRST, "--until", LAST, "--send", "--format", "json")
    assert done.error is None
    return [without(json.loads(line), "sources") for line in done.out.splitlines()]


def without(document: dict[str, object], *names: str) -> dict[str, object]:
    return {key: value for key, value in document.items() if key not in names}


WHEN_SENT = ("sources", "dry_run", "outbox")      # what a dry pass says otherwise


def messages(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((folder / "deliveries").rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def passes_there(warehouse: Warehouse, forestall: Forestall) -> tuple[Path, list[object]]:
    """The same passes from a table of days."""
    folder = warehouse.project(**DAYS)
    return folder, passes(forestall, folder)


def test_passes_are_the_same(passes_there: tuple[Path, list[object]], passes_here: tuple[Path, list[object]]) -> None:
    folder, found = passes_there
    here, wanted = passes_here
    assert found == wanted
    assert messages(folder) == messages(here)
    assert len(messages(folder)) > 10
    assert not (folder / ".forestall" / "history").exists()


def test_only_accounts_with_something_to_say_come_back(passes_there: tuple[Path, list[object]],
                                                       passes_here: tuple[Path, list[object]]) -> None:
    """Those that a pass looks at, and nobody else; of the others come their numbers. Also where nothing is known yet,
    where a source says who has left, and where accounts of the state are not there any more."""
    here, there = open_project(passes_here[0]), open_project(passes_there[0])
    everybody = here.evaluator.evaluate(here.history, LAST, LAST).on(LAST)
    with Store.open(here.store_path, read_only=True) as store:
        decided = store.state()
    gone = replace(decided, tiers={**decided.tiers, "gone": "healthy"}, churned={})
    for state, most in ((decided, 40), (gone, 40), (State(), 60)):
        told = there.evaluator.told(there.history, LAST, to_tell(there.rulebook, state, LAST))
        left = everybody.churned().keys() - state.churned.keys()
        looked_at = {one.account for one in _interesting(here.rulebook, state, everybody)}
        assert set(told.accounts) == looked_at | left
        assert len(told.accounts) < most
        assert (len(told), told.book(), told.counts()) == (len(everybody), everybody.book(), everybody.counts())
        assert missing(state, told) == missing(state, everybody)
        assert ("gone" in missing(state, told)) is (state is gone)


def test_a_pass_over_arrivals_is_the_same(warehouse: Warehouse, forestall: Forestall,
                                          passes_here: tuple[Path, list[object]]) -> None:
    done = forestall("run", "--day", FIRST, "--format", "json", "--project", warehouse.project(**ARRIVALS))
    assert done.error is None
    assert without(json.loads(done.out), *WHEN_SENT) == without(passes_here[1][0], *WHEN_SENT)


def test_other_commands_say_the_same(passes_there: tuple[Path, list[object]], passes_here: tuple[Path, list[object]],
                                     forestall: Forestall) -> None:
    commands: list[tuple[object, ...]] = [
        ("alerts",), ("lint", "--days", "5"), ("explain", "nobody", "--day", LAST),
        ("preview", "re_engage", "made-up-0007", "--day", LAST),
        ("simulate", "--as-was", LAST), ("explain", "made-up-0007", "--day", LAST, "--format", "json")]
    for command in commands:
        done, wanted = (forestall(*command, "--project", folder) for folder in (passes_there[0], passes_here[0]))
        assert (done.code, str(done.error)) == (wanted.code, str(wanted.error))
        assert shown(done.out, passes_there[0]) == shown(wanted.out, passes_here[0])


OTHERWISE = {"said_on", "source", "sent_at"}      # who said it and when, and the clock; ages follow from the first


def shown(said: str, folder: Path) -> object:
    """What a command printed; of a document all but what must differ."""
    def without_age(one: object) -> object:
        if isinstance(one, dict):
            return {key: without_age(value) for key, value in one.items() if key not in OTHERWISE and "age" not in key}
        return [without_age(value) for value in one] if isinstance(one, list) else one

    told = re.sub(r"\d\d:\d\d UTC", "", said.replace(str(folder), ""))
    return without_age(json.loads(told)) if said.startswith("{") else told


def test_a_simulation_is_the_same(warehouse: Warehouse, forestall: Forestall, sampled: Path) -> None:
    period = ("simulate", "--from", FIRST, "--to", LAST)
    found, wanted = (forestall(*period, "--project", folder) for folder in (warehouse.project(**DAYS), sampled))
    assert (found.error, found.out) == (None, wanted.out)


def test_the_password_is_a_secret_and_nobody_repeats_it(warehouse: Warehouse, forestall: Forestall,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse.execute("DROP ROLE IF EXISTS reader_with_password; "
                      "CREATE ROLE reader_with_password LOGIN PASSWORD 'hunter2'")
    who = "reader_with_password:${secret:WAREHOUSE_PASSWORD}"
    folder = warehouse.project(**DAYS, url=url(warehouse.server, who))
    said = {}
    for secret in ("", "hunter2", "hunter3"):
        monkeypatch.setenv("WAREHOUSE_PASSWORD", secret)
        done = forestall("explain", "nobody", "--day", LAST, "--project", folder)
        assert done.code == 1
        said[secret] = str(done.error)
    assert "the secret WAREHOUSE_PASSWORD is not set." in said[""]
    assert said["hunter2"].startswith("nobody: ")
    assert "does not let reader_with_password in. Check the secret WAREHOUSE_PASSWORD" in said["hunter3"]
    assert "hunter" not in "".join(said.values())


@pytest.mark.parametrize(("command", "said"), [
    (("history", "import"), "the history is the table Sales figures.days, so nothing is imported. Load the table"),
    (("history", "status"), "the history is Sales figures.days, which is read where it is."),
    (("run", "--engine", "duckdb"), "the history is the table Sales figures.days, and rules are evaluated where"),
    (("run", "--day", "2026-04-02"), "Sales figures.days has no rows of 2026-04-02: it holds 2026-01-01 to"),
])
def test_what_cannot_be_done_is_said(passes_there: tuple[Path, list[object]], forestall: Forestall,
                                     command: tuple[str, ...], said: str) -> None:
    done = forestall(*command, "--project", passes_there[0])
    assert done.code == 1
    assert said in str(done.error)
    assert "\n" not in str(done.error)
