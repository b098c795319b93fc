"""A query to rows per account and day: SQLite, DuckDB and a real PostgreSQL, by SQLAlchemy and by ADBC."""

import re
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import duckdb
import pytest
from reading import refusal, rows

from forestall.adapters.sources.daily.declared import Daily, DailyMetric, Measure
from forestall.adapters.sources.sql import kept, ways
from forestall.adapters.sources.sql.source import SqlSource
from forestall.adapters.sources.tables import TableSource
from forestall.adapters.sources.text.declared import Texts
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, Secret, SourceError
from forestall.engine.settings import open_source, read_settings

CATALOGUE = {name: Metric(name, kind, Location("rules/metrics.yaml", 1, 1)) for name, kind in {
    "logins": Kind.NUMBER, "mrr": Kind.NUMBER, "segment": Kind.TEXT, "opted_out": Kind.FLAG, "renewal": Kind.DATE,
}.items()}
TABLE = """
CREATE TABLE usage (account {text}, day date, logins integer, mrr numeric(12, 2), segment {text}, opted_out boolean,
                    renewal date, changed_at timestamp);
INSERT INTO usage VALUES
  ('acme', '2026-01-05', 12, 78.10, 'größer', true, '2026-06-30', '2026-01-05 09:00:00'),
  ('acme', '2026-01-06', 11, NULL, NULL, false, NULL, '2026-01-06 09:00:00'),
  (' bolt ', '2026-01-06', NULL, 100.00, 'a:b', NULL, NULL, '2026-01-06 09:00:00');
"""
QUERY = """
SELECT account, day AS as_of, logins, mrr, segment, opted_out, renewal, changed_at FROM usage
WHERE day >= {{ since }} AND day <= {{until}} AND '12:30' = '12:30' AND segment IS DISTINCT FROM ':x %d'  -- a remark
ORDER BY day, account;
"""
WAYS = ("sqlite", "duckdb", "postgresql", "adbc-sqlite", "adbc-postgresql")


class Database:
    """A database with one table, its settings, and a way to change it."""

    def __init__(self, settings, execute):
        self.settings, self.execute = settings, execute


def lite(folder):
    def execute(sql):
        with closing(sqlite3.connect(folder / "book.db")) as connection:
            connection.executescript(sql)

    execute("DROP TABLE IF EXISTS usage;" + TABLE.format(text="text"))
    return execute


@pytest.fixture(params=WAYS)
def database(request, tmp_path):
    """One of each kind."""
    if request.param.endswith("sqlite"):
        execute = lite(tmp_path)
        driver = {"driver": "adbc_driver_sqlite"} if request.param.startswith("adbc") else {}
        return Database({"url": "sqlite:///book.db", **driver}, execute)
    if request.param == "duckdb":
        def execute(sql):
            with duckdb.connect(tmp_path / "book.duckdb") as connection:
                connection.execute(sql)

        execute(TABLE.format(text="varchar"))
        return Database({"url": "duckdb:///book.duckdb"}, execute)
    server = request.getfixturevalue("postgresql_server")

    def execute(sql):
        with server.connect() as connection:
            connection.execute("SET lock_timeout = '5s'; " + sql)      # a reader that was left open

    execute("DROP TABLE IF EXISTS usage;" + TABLE.format(text="text"))
    url = f"postgresql://judge@/postgres?host={server.folder}"
    return Database({"url": url, "driver": "adbc_driver_postgresql"} if request.param.startswith("adbc")
                    else {"url": url}, execute)


def source(folder, query=QUERY, keep=None, **settings):
    return SqlSource("crm", SqlSource.Settings(query=query, **settings), CATALOGUE, folder, keep=keep)


def test_rows_in_the_types_of_the_catalogue(tmp_path, database):
    read = source(tmp_path, **database.settings)
    assert read.supplies() == tuple(CATALOGUE)
    assert rows(read, date(2026, 1, 5), date(2026, 1, 6)) == [
        {"account": "acme", "as_of": date(2026, 1, 5), "logins": 12.0, "mrr": 78.1, "segment": "größer",
         "opted_out": True, "renewal": date(2026, 6, 30)},
        {"account": "bolt", "as_of": date(2026, 1, 6), "logins": None, "mrr": 100.0, "segment": "a:b",
         "opted_out": None, "renewal": None},
        {"account": "acme", "as_of": date(2026, 1, 6), "logins": 11.0, "mrr": None, "segment": None,
         "opted_out": False, "renewal": None},
    ]
    assert len(rows(read, date(2026, 1, 6), None)) == 2
    assert len(rows(read, None, date(2026, 1, 5))) == 1
    assert rows(read, date(2027, 1, 1)) == []


# --- only what changed


def test_only_rows_that_changed_are_asked_for(tmp_path, database, monkeypatch):
    keep, counted = tmp_path / "keep", []
    layout = TableSource._table
    monkeypatch.setattr(TableSource, "_table", lambda *given: counted.append(layout(*given)) or counted[-1])

    def read(since=None, until=date(2026, 1, 10)):
        counted.clear()
        found = rows(source(tmp_path, keep=keep, incremental="changed_at", **database.settings), since, until)
        return {(row["account"], row["as_of"].day): row["logins"] for row in found}

    whole = {("acme", 5): 12, ("acme", 6): 11, ("bolt", 6): None}
    assert read() == whole
    assert sum(table.num_rows for table in counted) == 3
    assert read(date(2026, 1, 6)) == {("acme", 6): 11, ("bolt", 6): None}
    assert sum(table.num_rows for table in counted) <= 2      # those of the last hour once more
    database.execute("INSERT INTO usage (account, day, logins, changed_at) VALUES "
                     "('acme', '2026-01-06', 99, '2026-01-07 12:00'), ('acme', '2026-01-20', 7, '2026-01-07 12:00')")
    whole |= {("acme", 6): 99}
    assert read() == whole
    assert sum(table.num_rows for table in counted) <= 4
    # a row of a later day was read then, and is there when its day has come
    assert read(until=date(2026, 1, 20)) == whole | {("acme", 20): 7}
    without = source(tmp_path, incremental="changed_at", **database.settings)
    assert {(row["account"], row["as_of"].day): row["logins"] for row in rows(without)} == whole | {("acme", 20): 7}


def test_what_is_kept_is_thrown_away_when_the_query_changes_and_after_a_failure(tmp_path):
    lite(tmp_path)
    keep = tmp_path / "keep"
    settings = {"url": "sqlite:///book.db", "incremental": "changed_at", "keep": keep}
    assert len(rows(source(tmp_path, **settings))) == 3
    other = source(tmp_path, QUERY.replace("FROM usage", "FROM usage WHERE account <> 'acme' UNION ALL SELECT "
                                           "'new', day, 1, 1, '', 0, NULL, changed_at FROM usage"), **settings)
    assert {row["account"] for row in rows(other)} == {"bolt", "new"}
    state = (keep / "state.json").read_text()
    damaged = QUERY.replace("logins,", "CASE logins WHEN 11 THEN 'x' ELSE 1 END AS logins,")
    assert "row 3" in refusal(source(tmp_path, damaged, **settings))
    assert (keep / "state.json").read_text() == state
    (keep / "state.json").write_text("half a")
    assert len(rows(source(tmp_path, **settings))) == 3
    assert len(list(keep.glob("rows-*"))) == 1


def test_many_readings_become_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "MOST_FILES", 3)
    execute = lite(tmp_path)
    keep = tmp_path / "keep"
    for number in range(7):
        execute(f"INSERT INTO usage (account, day, logins, changed_at) VALUES "
                f"('acme', '2026-01-06', {number}, '2026-02-0{number + 1} 12:00:00')")
        found = rows(source(tmp_path, url="sqlite:///book.db", incremental="changed_at", keep=keep), date(2026, 1, 6))
        assert {row["account"]: row["logins"] for row in found} == {"acme": number, "bolt": None}
    assert len(list(keep.iterdir())) <= 4


# --- what cannot be read


@pytest.fixture
def book(tmp_path):
    """A folder with a database of SQLite."""
    lite(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("query", "expected"), [
    ("SELECT account, day AS as_of, 'many' AS logins FROM usage ORDER BY day",
     'forestall.yaml: source crm, row 1 (acme): logins holds "many" where a number belongs. Write it like 1234.5'),
    ("SELECT account, day AS as_of, CASE WHEN logins = 11 THEN 'x' ELSE logins END AS logins FROM usage",
     'source crm, row 2 (acme): logins holds "x" where a number belongs.'),
    ("SELECT NULL AS account, day AS as_of, logins FROM usage", "source crm, row 1: account is empty."),
    ("SELECT account, '1970-01-01' AS as_of, logins FROM usage",
     "row 1 (acme): as_of holds 1970-01-01, a day before 2000-01-01."),
    ("SELECT account, day, logins FROM usage",
     "forestall.yaml: source crm: there is no column as_of for `as_of`. It has account, day, logins. Rename"),
    ("SELECT account, day AS as_of FROM usage", "source crm: no column bears the name of a metric"),
    ("SELECT account, day AS as_of, logins AS Logins, logins FROM usage", "source crm: two columns are called logins."),
    ("SELEC account FROM usage", "the query of the source crm failed: near \"SELEC\": syntax error. Try the query in"),
    ("SELECT account FROM nowhere", "the query of the source crm failed: no such table: nowhere."),
])
def test_queries_whose_rows_do_not_fit(book, query, expected):
    assert expected in refusal(source(book, query, url="sqlite:///book.db"))


@pytest.mark.parametrize(("query", "settings", "expected"), [
    ("  ;", {}, "forestall.yaml: `query` of the source crm is empty. Write a SELECT with a row"),
    ("SELECT {{ day }}", {}, "`query` of the source crm has {{ day }}, which nobody fills. There are {{ since }}"),
    ("SELECT '{{ since }}'", {}, "has {{ since }} in quotes. Take the quotes away: it is a parameter"),
    (QUERY, {"incremental": "a; DROP TABLE usage"}, "`incremental` of the source crm is no name of a column."),
    (QUERY, {"url": "postgresql://dana:p4ssword@db.example/x"}, "`url` of the source crm holds a password"),
])
def test_settings_that_can_never_do(tmp_path, query, settings, expected):
    with pytest.raises(SourceError) as caught:
        source(tmp_path, query, **{"url": "sqlite:///book.db", **settings})
    assert expected in str(caught.value)
    assert "p4ssword" not in str(caught.value)


@pytest.mark.parametrize("settings", [{}, {"url": "sqlite:///a", "secret_url": Secret("X")},
                                      {"url": "sqlite:///a", "now": True, "incremental": "x"}])
def test_settings_that_disagree(settings):
    with pytest.raises(ValueError, match=r"\."):
        SqlSource.Settings(query=QUERY, **settings)


@pytest.mark.parametrize(("settings", "expected"), [
    ({"url": "sqlite:///nothing.db"}, "`url` of the source crm names a file that is not there: nothing.db. Correct it"),
    ({"url": "duckdb:///nothing.duckdb"}, "names a file that is not there: nothing.duckdb."),
    ({"url": "sqlite:///nothing.db", "driver": "adbc_driver_sqlite"}, "names a file that is not there: nothing.db."),
    ({"url": "sqlite:///text.db"}, "the query of the source crm failed: file is not a database."),
    ({"url": "duckdb:///text.db"}, "the query of the source crm failed: "),
    ({"url": "cobol://db.example/x"}, "Correct `url`, or install the package that knows this kind of database."),
    ({"url": "not a url"}, "Correct `url`, or install the package that knows this kind of database."),
    ({"url": "mysql+pymysql://db.example/x"}, "needs a package that is not installed: pymysql. Install pymysql."),
    ({"url": "x://y", "driver": "adbc_driver_cobol"}, "needs a package that is not installed: adbc_driver_cobol."),
    ({"url": "sqlite:///book.db", "incremental": "changed"}, "names no column of the query: changed. Select it"),
])
def test_databases_that_cannot_be_reached(book, settings, expected):
    (book / "text.db").write_text("this is no database at all, whatever its name says" * 10)
    assert expected in refusal(source(book, keep=book / "keep", **settings))
    assert not list(book.glob("nothing*"))      # nothing was made


def test_no_secret_reaches_a_sentence(tmp_path, postgresql_server, monkeypatch):
    with postgresql_server.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS usage; " + TABLE.format(text="text"))
        connection.execute("CREATE ROLE with_password LOGIN PASSWORD 'p@ss:w/rd'; "
                           "GRANT SELECT ON usage TO with_password")
    place = f"with_password@/postgres?host={postgresql_server.folder}"
    monkeypatch.setenv("GOOD", "p@ss:w/rd")
    monkeypatch.setenv("BAD", "wr0ng/p@ss")
    monkeypatch.setenv("WHOLE", f"postgresql://{place.replace('@', ':wr0ng%2Fp%40ss@', 1)}")
    for driver in ({}, {"driver": "adbc_driver_postgresql"}):
        good = source(tmp_path, url=f"postgresql://{place}", password=Secret("GOOD"), **driver)
        assert len(rows(good)) == 3
        for settings in ({"url": f"postgresql://{place}", "password": Secret("BAD")}, {"secret_url": Secret("WHOLE")}):
            said = refusal(source(tmp_path, **settings, **driver))
            assert "the query of the source crm failed: " in said
            assert "password authentication failed" in said
            assert "wr0ng" not in said
            assert "wr0ng" not in repr(settings)
    with postgresql_server.connect() as connection:
        connection.execute("DROP OWNED BY with_password; DROP ROLE with_password")


# --- what rows are


def test_rows_of_now(book):
    read = source(book, "SELECT account, logins FROM usage WHERE day = '2026-01-05'", url="sqlite:///book.db", now=True)
    assert rows(read, date(2026, 1, 1), date(2026, 2, 3)) == [
        {"account": "acme", "as_of": date(2026, 2, 3), "logins": 12.0}]


def test_names_in_capitals(book):
    query = "SELECT account AS ACCOUNT, day AS DAY, logins AS LOGINS_14D FROM usage"
    read = source(book, query, url="sqlite:///book.db", as_of="day", metrics={"logins": "logins_14d"})
    assert [row["logins"] for row in rows(read)] == [12.0, 11.0, None]


def test_rows_stay_on_the_server_until_they_are_wanted(tmp_path, postgresql_server, monkeypatch):
    monkeypatch.setattr(ways, "ROWS", 1000)
    query = "SELECT 'a' || n AS account, DATE '2026-01-05' AS as_of, n AS logins FROM generate_series(1, 5000) s(n)"
    reading = source(tmp_path, query, url=f"postgresql://judge@/postgres?host={postgresql_server.folder}")
    tables = reading.snapshots(None, None)
    assert next(tables).num_rows == 1000
    with postgresql_server.connect() as connection:
        asked = connection.execute("SELECT query FROM pg_stat_activity WHERE state = 'idle in transaction'").fetchall()
    assert any(query.startswith("FETCH FORWARD ") for (query,) in asked), asked
    assert sum(table.num_rows for table in tables) == 4000


# --- rows that are happenings

LOG = """
CREATE TABLE log (who {text}, happened timestamp, name {text}, who_did_it {text});
INSERT INTO log VALUES ('acme', '2026-01-05 09:00', 'login', 'ann'), ('acme', '2026-01-05 23:30', 'login', 'bob'),
  ('acme', '2026-01-06 10:00', 'export', 'ann'), ('bolt', '2026-01-06 10:00', 'login', 'cy');
"""
DAILY = Daily({"logins": DailyMetric(Measure.COUNT, ("login",)),
               "mrr": DailyMetric(Measure.DISTINCT, of="user", days=2)}, time_zone="Europe/Berlin")


def test_happenings_become_daily_metrics(tmp_path, database):
    database.execute("DROP TABLE IF EXISTS log;" + LOG.format(text="text"))
    query = "SELECT who, happened, name, who_did_it AS \"user\" FROM log WHERE happened >= {{ since }} ORDER BY who"
    read = source(tmp_path, query, account="who", at="happened", daily=DAILY, **database.settings)
    assert read.supplies() == ("logins", "mrr")
    found = {(row["account"], row["as_of"].day): (row["logins"], row["mrr"])
             for row in rows(read, date(2026, 1, 5), date(2026, 1, 6))}
    assert found == {("acme", 5): (1.0, 1.0), ("acme", 6): (1.0, 2.0), ("bolt", 6): (1.0, 1.0)}


def test_words_of_happenings_are_read(book):
    """Tickets in a database: how they sound, and what they are about."""
    query = """SELECT 'acme' AS account, '2026-01-05 09:00' AS at, 'opened' AS name, 'I cannot log in, terrible' AS body
               UNION ALL SELECT 'acme', '2026-01-05 10:00', 'opened', 'Locked out again. Awful.'
               UNION ALL SELECT 'bolt', '2026-01-05 10:00', 'opened', 'Thank you, the export is great'"""
    daily = Daily({"logins": DailyMetric(Measure.REPEATS, of="text.issue"),
                   "mrr": DailyMetric(Measure.AVERAGE, of="text.sentiment")},
                  text=Texts(("body",), issues={"login": ("log in", "locked out"), "export": ("export*",)}))
    found = {row["account"]: row for row in rows(source(book, query, url="sqlite:///book.db", daily=daily))}
    assert (found["acme"]["logins"], found["bolt"]["logins"]) == (2.0, 1.0)
    assert found["acme"]["mrr"] < 0 < found["bolt"]["mrr"]


@pytest.mark.parametrize(("query", "expected"), [
    ("SELECT 'a' AS account, 'noon' AS at, 'login' AS name, 'x' AS user",
     'source crm, row 1: at holds "noon" where a time belongs.'),
    ("SELECT NULL AS account, '2026-01-05' AS at, 'login' AS name, 'x' AS user",
     "source crm, row 1: account is empty. Leave such rows out: `WHERE account IS NOT NULL`."),
    ("SELECT 'a' AS account, '2026-01-05' AS at, 'login' AS nam, 'x' AS user",
     "source crm: there is no column name for `daily`. Did you mean nam?"),
    ("SELECT 'a' AS account, '2026-01-05' AS day", "source crm: there is no column at for `at`."),
])
def test_happenings_that_cannot_be_read(book, query, expected):
    assert expected in refusal(source(book, query, url="sqlite:///book.db", daily=DAILY))


def test_the_configurations_of_the_page(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "source-sql.md").read_text("utf-8")
    metrics = {name: Metric(name, Kind.NUMBER, Location("rules/metrics.yaml", 1, 1))
               for name in ("logins_14d", "seats_active_14d")}
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        (tmp_path / "forestall.yaml").write_text(block)
        settings = read_settings(tmp_path)
        (described,) = settings.sources
        assert open_source(settings, described, metrics).name == described.name
