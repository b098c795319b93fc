"""A table of PostgreSQL as the history: the same rows as from the Parquet history of the same facts, and a sentence for
every table that cannot be the history."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from engines.postgresql import Server
from warehouse.facts import CATALOGUE, FIRST, GONE, HERE, LAST, METRICS, STRETCHES, facts, parquet_history, rows_of

from forestall.engine.detect.history import History
from forestall.engine.model.catalogue import Catalogue, Metric, Roles
from forestall.engine.model.expression import Kind
from forestall.engine.model.places import PostgresPlace
from forestall.engine.model.ports import Secret
from forestall.engine.model.warehouse import Holds, Warehouse
from forestall.engine.warehouse.client import WarehouseError
from forestall.engine.warehouse.postgresql import PostgreSql
from forestall.engine.warehouse.table_history import TableHistory


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> History:
    """The Parquet history of the facts."""
    return parquet_history(tmp_path_factory.mktemp("ours") / "history")


@pytest.fixture(scope="module")
def place(postgresql_server: Server) -> PostgresPlace:
    """The server, with the facts as a table of arrivals, and with tables that cannot be the history."""
    with postgresql_server.connect() as connection:
        connection.execute('DROP SCHEMA IF EXISTS "c s" CASCADE; CREATE SCHEMA "c s"; SET search_path TO "c s"; '
                           "CREATE TABLE facts (account text, as_of date, seats double precision, plan varchar(9), "
                           "vip boolean, renewal date, tickets numeric(5, 1), extra jsonb)")
        with connection.cursor().copy("COPY facts FROM STDIN") as copy:
            for row in facts():
                copy.write_row((*row, None))
        connection.execute("CREATE TABLE days AS SELECT 7 AS account, d::timestamp AS as_of, 1.5 AS seats, true AS "
                           "plan FROM generate_series('2026-01-01'::date, '2026-01-31', '1 day') AS d; "
                           "CREATE TABLE twice AS SELECT * FROM days UNION ALL SELECT * FROM days WHERE as_of = "
                           "'2026-01-05' UNION ALL SELECT 8, '2026-01-05', 1, true; "
                           "CREATE TABLE nobody AS SELECT NULL::text AS account, as_of FROM days; "
                           "CREATE TABLE by_uuid AS SELECT '9c5b94b1-35ad-49bb-b118-8e8fc24abf80'::uuid AS account, "
                           "as_of::timestamptz AS as_of, seats FROM days; "
                           "CREATE TABLE empty AS SELECT * FROM days WHERE false; DROP ROLE IF EXISTS nosy; "
                           "CREATE ROLE nosy LOGIN; GRANT USAGE ON SCHEMA \"c s\" TO nosy")
    return PostgresPlace(str(postgresql_server.folder), None, "postgres", "judge", None, "forestall")


def table(place: PostgresPlace, name: str = "facts", **more: object) -> TableHistory:
    found = Warehouse(("c s", name), HERE, place, **more)
    return TableHistory(Path("nowhere"), found, PostgreSql(found, place), GONE)


@pytest.mark.parametrize("accounts", [None, ["a1", "a3", "zz"]], ids=["everybody", "some"])
def test_arrivals_are_filled_as_ours_are(ours: History, place: PostgresPlace, accounts: list[str] | None) -> None:
    theirs = table(place, holds=Holds.ARRIVALS)
    for first, last in STRETCHES:
        with theirs.in_place(CATALOGUE, first, last, accounts) as reading:
            found = reading.rows("SELECT * FROM history ORDER BY account, day")
        assert found.to_pylist() == rows_of(ours, first, last, accounts)
        assert found.num_rows > 0 or first == last


def test_small_questions_are_answered_as_ours_are(ours: History, place: PostgresPlace) -> None:
    theirs, day = table(place, holds=Holds.ARRIVALS), date(2026, 2, 20)
    metrics = [one.name for one in METRICS[:5]]
    days = [day, day - timedelta(days=7), date(2030, 1, 1)]
    assert theirs.known(CATALOGUE, metrics, days) == ours.known(CATALOGUE, metrics, days)
    assert list(theirs.spoken(FIRST, day).values()) == list(ours.spoken(FIRST, day).values())
    assert (theirs.first, theirs.last_arrival(), theirs.last_named("zz")) == (ours.first, ours.last_arrival(), None)
    assert theirs.last_named("a1") == ours.last_named("a1")
    said, known = theirs.said(CATALOGUE, "a1", day), ours.said(CATALOGUE, "a1", day)
    assert {name: one.on for name, one in said.items()} == {name: one.on for name, one in known.items()}
    short = theirs.day_read(CATALOGUE, GONE, day)
    assert short == theirs.day_read(CATALOGUE, GONE, day)
    assert short != theirs.day_read(CATALOGUE, GONE, day - timedelta(days=1))


@pytest.mark.parametrize(("name", "account"), [("days", "7"), ("by_uuid", "9c5b94b1-35ad-49bb-b118-8e8fc24abf80")])
def test_a_table_of_days_is_taken_as_it_is(place: PostgresPlace, name: str, account: str) -> None:
    """Also with accounts that are numbers or UUIDs, and days with a time."""
    catalogue = Catalogue({"mrr": Metric("mrr", Kind.NUMBER, HERE)}, Roles())
    theirs = table(place, name, metrics={"mrr": "seats"})
    for accounts in (None, [account]):
        with theirs.in_place(catalogue, date(2026, 1, 30), date(2026, 2, 10), accounts) as reading:
            found = reading.rows("SELECT * FROM history ORDER BY day").to_pylist()
        assert [(row["account"], row["day"] - row["first_day"], row["mrr"], row["back"]) for row in found] == [
            (account, 29, 1.5, 11), (account, 30, 1.5, 10)]


WRONG = [
    ("facts", {}, "c s.facts lacks days: account a0 has rows of 8 of the 53 days from 2026-01-05 to 2026-02-26; so it "
                  "is with 29 others. Load the missing days, or say `holds: arrivals`"),
    ("twice", {}, "c s.twice has 32 rows of account 7 for 31 days from 2026-01-01 to 2026-01-31. There must be one"),
    ("twice", {"holds": Holds.ARRIVALS}, "c s.twice has 32 rows of account 7 for 31 days"),
    ("nobody", {}, "31 rows of c s.nobody name no account. Column account must never be NULL"),
    ("empty", {}, "c s.empty has no rows."),
    ("nothing", {}, "there is no table c s.nothing in postgres. Correct `table`"),
    ("days", {"as_of": "on_day"}, "c s.days has no column on_day for `as_of`. Its columns are: account, as_of, seats"),
    ("days", {"first_day": "as_off"}, "c s.days has no column as_off for `first_day`. Did you mean as_of?"),
    ("days", {"account": "seats"}, "column seats of c s.days is of type decimal128(38, 9), and `account` is a text or"),
    ("facts", {"as_of": "plan"}, "column plan of c s.facts is of type string, and `as_of` is a date."),
    ("days", {"metrics": {"sets": "seats"}}, "`metrics` of `warehouse` names sets, and metrics.yaml has no such metric "
                                             "to supply. Did you mean seats?"),
    ("days", {}, "column plan of c s.days is of type bool, and metric plan is a text. Correct the metric's `kind`"),
    ("facts", {"metrics": {"seats": "extra"}}, "column extra of c s.facts is of a type that no metric has, and metric"),
    ("days", {"metrics": {"plan": "nowhere"}}, "c s.days has no column nowhere for `metrics.plan`."),
]


@pytest.mark.parametrize(("name", "keys", "said"), WRONG)
def test_what_cannot_be_the_history_is_said(place: PostgresPlace, name: str, keys: dict[str, object],
                                            said: str) -> None:
    theirs = table(place, name, **keys)
    catalogue = CATALOGUE if name != "twice" else Catalogue({"seats": METRICS[0]}, Roles())
    with pytest.raises(WarehouseError) as caught:      # noqa: PT012  the first question that fails says it
        theirs.build_days(catalogue, GONE, date(2026, 1, 31))
        with theirs.in_place(catalogue, FIRST, LAST):
            pass
    assert said in str(caught.value)
    assert str(caught.value).startswith("forestall.yaml:3:1: ")
    assert "\n" not in str(caught.value)


def test_a_day_that_is_not_loaded_yet_is_not_decided(place: PostgresPlace) -> None:
    with pytest.raises(WarehouseError, match="has no rows of 2026-02-01: it holds 2026-01-01 to 2026-01-31"):
        table(place, "days").build_days(CATALOGUE, GONE, date(2026, 2, 1))


def test_who_may_not_read_and_what_is_out_of_reach_is_said(place: PostgresPlace,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "hunter2")
    for change, said in (({"user": "nosy"}, "nosy may not read c s.facts. Grant SELECT on it"),
                         ({"database": "gone"}, "has no database gone. Correct `url`."),
                         ({"host": "/tmp/nowhere", "password": Secret("WAREHOUSE_PASSWORD")},
                          "the server /tmp/nowhere cannot be reached:"),
                         ({"user": "stranger"}, "does not let stranger in. Add :${secret:WAREHOUSE_PASSWORD} behind"),
                         ({"user": "with_password", "password": Secret("WAREHOUSE_PASSWORD")},
                          "does not let with_password in. Check the secret WAREHOUSE_PASSWORD, and")):
        with pytest.raises(WarehouseError) as caught:
            table(replace(place, **change)).build_days(CATALOGUE, GONE, LAST)
        assert said in str(caught.value)
        assert "hunter2" not in str(caught.value)
