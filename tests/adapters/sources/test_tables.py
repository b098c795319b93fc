"""What CSV and Parquet sources hand over, and what they say when they cannot."""

import gzip
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading import refusal, rows

from forestall.adapters.sources import tables
from forestall.adapters.sources.files import csv as csv_module
from forestall.adapters.sources.files.csv import CsvSource
from forestall.adapters.sources.files.parquet import ParquetSource
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, SourceError

CATALOGUE = {
    name: Metric(name, kind, Location("rules/metrics.yaml", 1, 1))
    for name, kind in {
        "logins": Kind.NUMBER, "segment": Kind.TEXT, "opted_out": Kind.FLAG, "renewal": Kind.DATE,
    }.items()
}
HEADINGS = "account,as_of,logins,segment,opted_out,renewal,whatever\n"
TYPES = {"account": pa.string(), "as_of": pa.date32(), "logins": pa.float64(), "segment": pa.string(),
         "opted_out": pa.bool_(), "renewal": pa.date32()}


def write(folder: Path, text: str | bytes, name: str = "usage.csv") -> None:
    body = text if isinstance(text, bytes) else text.encode()
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(body) if name.endswith(".gz") else body)


def csv_source(folder: Path, path: str = "usage.csv", **settings: object) -> CsvSource:
    return CsvSource("product", CsvSource.Settings(path=path, **settings), CATALOGUE, folder)


def parquet_source(folder: Path, path: str = "usage.parquet", **settings: object) -> ParquetSource:
    return ParquetSource("product", ParquetSource.Settings(path=path, **settings), CATALOGUE, folder)


def one_column(folder: Path, values: pa.Array, name: str = "logins") -> ParquetSource:
    """A Parquet file with one row per value."""
    table = pa.table({
        "account": [f"a{index}" for index in range(len(values))],
        "as_of": pa.array([date(2026, 1, 5)] * len(values)),
        name: values,
    })
    pq.write_table(table, folder / "usage.parquet")
    return parquet_source(folder)


# --- what is handed over


def test_csv_in_the_types_of_the_catalogue(tmp_path):
    write(tmp_path, HEADINGS
          + "acme,2026-01-05,12.5,growth,yes,2026-06-30,x\n"
          + '0042,2026-01-06 13:30:00,,"a, ""b""",NO,2026-06-30T00:00:00Z,y\n'
          + " bolt ,2026-01-07, 1e2 ,  ,0,,z\n")
    source = csv_source(tmp_path)
    assert source.supplies() == ("logins", "segment", "opted_out", "renewal")
    (table,) = source.snapshots(None, None)
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == TYPES
    assert table.to_pylist() == [
        {"account": "acme", "as_of": date(2026, 1, 5), "logins": 12.5, "segment": "growth", "opted_out": True,
         "renewal": date(2026, 6, 30)},
        {"account": "0042", "as_of": date(2026, 1, 6), "logins": None, "segment": 'a, "b"', "opted_out": False,
         "renewal": date(2026, 6, 30)},
        {"account": "bolt", "as_of": date(2026, 1, 7), "logins": 100.0, "segment": None, "opted_out": False,
         "renewal": None},
    ]


def test_parquet_in_the_types_of_the_catalogue(tmp_path):
    table = pa.table({
        "account": pa.array([17, 18]),
        "as_of": pa.array(["2026-01-05 23:00", "2026-01-06"]).cast(pa.timestamp("us")),
        "logins": pa.array([3, None], pa.int16()),
        "segment": pa.array(["growth", None]).dictionary_encode(),
        "opted_out": pa.array([0, 1], pa.int8()),
        "renewal": pa.array([date(2026, 6, 30), None], pa.date64()),
        "whatever": [[1], [2]],
    })
    pq.write_table(table, tmp_path / "usage.parquet")
    source = parquet_source(tmp_path)
    assert source.supplies() == ("logins", "segment", "opted_out", "renewal")
    (made,) = source.snapshots(None, None)
    assert dict(zip(made.schema.names, made.schema.types, strict=True)) == TYPES
    assert made.to_pylist() == [
        {"account": "17", "as_of": date(2026, 1, 5), "logins": 3.0, "segment": "growth", "opted_out": False,
         "renewal": date(2026, 6, 30)},
        {"account": "18", "as_of": date(2026, 1, 6), "logins": None, "segment": None, "opted_out": True,
         "renewal": None},
    ]


@pytest.mark.parametrize("values", [
    pa.array([0.1, 78.1, 1e10, -63.1, 1e-7], pa.float32()),
    pa.array([Decimal("0.1"), Decimal("78.1"), Decimal("1e10"), Decimal("-63.1"), Decimal("1e-7")]),
    pa.array(["0.1", "78.1", "1e10", "-63.1", "+1e-7"]),
    pa.array([b"0.1", b"78.1", b"1e10", b"-63.1", b"1e-7"], pa.binary()),
    pa.array(["0.1", "78.1", "1e10", "-63.1", "1e-7"], pa.string_view()),
], ids=["float32", "decimal", "text", "bytes", "text view"])
def test_numbers_come_in_as_the_decimal_that_a_person_reads(tmp_path, values):
    assert [row["logins"] for row in rows(one_column(tmp_path, values))] == [0.1, 78.1, 1e10, -63.1, 1e-7]


@pytest.mark.parametrize("values", [
    pa.array([float("nan"), float("inf"), float("-inf"), None], pa.float64()),
    pa.array([float("nan"), float("inf"), float("-inf"), None], pa.float32()),
    pa.array(["NaN", "inf", "-Infinity", ""]),
    pa.nulls(4),
], ids=["float64", "float32", "text", "null"])
def test_what_is_no_finite_number_says_nothing(tmp_path, values):
    assert [row["logins"] for row in rows(one_column(tmp_path, values))] == [None] * 4


def test_csv_without_finite_numbers(tmp_path):
    write(tmp_path, "account,as_of,logins\na,2026-01-05,nan\nb,2026-01-05,1e999\nc,2026-01-05,-inf\n")
    assert [row["logins"] for row in rows(csv_source(tmp_path))] == [None, None, None]


def test_a_timestamp_belongs_to_the_day_of_its_own_zone(tmp_path):
    moment = datetime(2026, 1, 5, 23, 30, tzinfo=UTC)
    for zone, day in (("UTC", date(2026, 1, 5)), ("Europe/Berlin", date(2026, 1, 6))):
        source = one_column(tmp_path, pa.array([moment], pa.timestamp("us", tz=zone)), "renewal")
        assert rows(source)[0]["renewal"] == day


def test_whole_floats_are_the_same_account_as_whole_numbers(tmp_path):
    pq.write_table(pa.table({"account": [17.0], "as_of": [date(2026, 1, 5)], "logins": [1]}),
                   tmp_path / "usage.parquet")
    assert rows(parquet_source(tmp_path))[0]["account"] == "17"


def test_columns_under_other_names(tmp_path):
    write(tmp_path, "Customer;Day;Logins (14 d);logins\nacme;2026-01-05;7;99\n")
    source = csv_source(tmp_path, account="Customer", as_of="Day", metrics={"logins": "Logins (14 d)"}, delimiter=";")
    assert rows(source) == [{"account": "acme", "as_of": date(2026, 1, 5), "logins": 7.0}]


@pytest.mark.parametrize(("encoding", "body"), [
    ("utf-8", "\ufeffaccount,as_of,segment\nacme,2026-01-05,größer\n".encode()),
    ("cp1252", "account,as_of,segment\nacme,2026-01-05,größer\n".encode("cp1252")),
    ("utf-16", "account,as_of,segment\nacme,2026-01-05,größer\n".encode("utf-16")),
    ("utf-8", "account,as_of,segment\r\nacme,2026-01-05,größer\r\n".encode()),
    ("utf-8", "\n account , as_of,segment\n\n\nacme,2026-01-05,größer".encode()),
    ("utf-8", '"account","as_of","segment","two\nlines"\nacme,2026-01-05,größer,\n'.encode()),
], ids=["mark", "cp1252", "utf-16", "windows lines", "blank lines and no last break", "heading over two lines"])
def test_ways_of_writing_a_csv_file(tmp_path, encoding, body):
    write(tmp_path, body)
    expected = [{"account": "acme", "as_of": date(2026, 1, 5), "segment": "größer"}]
    assert rows(csv_source(tmp_path, encoding=encoding)) == expected


def test_folder_pattern_and_compressed_files(tmp_path):
    write(tmp_path, "account,as_of,logins\nb,2026-01-06,2\n", "data/2.csv.gz")
    write(tmp_path, "account,as_of,segment\na,2026-01-05,growth\n", "data/1.csv")
    write(tmp_path, "not a table", "data/_SUCCESS")
    write(tmp_path, "not a table", "data/.hidden.csv")
    expected = [
        {"account": "a", "as_of": date(2026, 1, 5), "logins": None, "segment": "growth"},
        {"account": "b", "as_of": date(2026, 1, 6), "logins": 2.0, "segment": None},
    ]
    for path in ("data", "data/", "data/[0-9].csv*", "**/[0-9].csv*", str(tmp_path / "data")):
        assert rows(csv_source(tmp_path, path)) == expected
    write(tmp_path, "account,as_of,logins\nb,2026-01-06,2\n", "odd [folder]/data/1.csv")
    assert len(rows(csv_source(tmp_path / "odd [folder]", "data/*.csv"))) == 1


def test_only_the_days_asked_for(tmp_path):
    days = [date(2026, 1, day) for day in range(1, 11)]
    write(tmp_path, "account,as_of,logins\n" + "".join(f"a,{day},{day.day}\n" for day in days))
    table = pa.table({"account": ["a"] * 10, "as_of": days, "logins": [float(day.day) for day in days]})
    pq.write_table(table, tmp_path / "usage.parquet", row_group_size=2)
    for source in (csv_source(tmp_path), parquet_source(tmp_path)):
        assert [row["logins"] for row in rows(source, days[3], days[6])] == [4, 5, 6, 7]
        assert [row["logins"] for row in rows(source, None, days[1])] == [1, 2]
        assert [row["logins"] for row in rows(source, days[8], None)] == [9, 10]
        assert rows(source, date(2027, 1, 1), None) == []


def test_tables_of_a_bounded_size(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "BATCH_ROWS", 7)
    monkeypatch.setattr(csv_module, "BATCH_ROWS", 7)
    monkeypatch.setattr(csv_module, "BLOCK_BYTES", 200)
    write(tmp_path, "account,as_of,logins\n" + "".join(f"a{row},2026-01-05,{row}\n" for row in range(50)))
    sizes = [table.num_rows for table in csv_source(tmp_path).snapshots(None, None)]
    assert sum(sizes) == 50
    assert max(sizes) <= 7
    assert [row["logins"] for row in rows(csv_source(tmp_path))] == list(range(50))
    forty = "".join(f"a{row},2026-01-05,{row}\n" for row in range(40))
    write(tmp_path, "account,as_of,logins\n" + forty + "z,2026-01-05,x")
    assert refusal(csv_source(tmp_path)).startswith("usage.csv:42:14: ")


def test_headings_alone_are_no_error(tmp_path):
    write(tmp_path, HEADINGS)
    assert csv_source(tmp_path).supplies() == tuple(CATALOGUE)
    assert rows(csv_source(tmp_path)) == []


# --- what cannot be read


@pytest.mark.parametrize(("text", "expected"), [
    (HEADINGS + "a,2026-01-05,twelve,,,,\n",
     'usage.csv:2:14: logins holds "twelve" where a number belongs. Write it like 1234.5, or leave the cell empty.'),
    (HEADINGS + 'a,2026-01-05,1,"two\nlines",,,\n\nb,2026-01-05,"1,200",,,,\n',
     'usage.csv:5:14: logins holds "1,200" where a number belongs.'),
    (HEADINGS + "a,2026-01-05,1,,maybe,,\n", 'usage.csv:2:17: opted_out holds "maybe" where a flag belongs. Write'),
    (HEADINGS + "a,2026-01-05,1,,,30.06.2026,\n",
     'usage.csv:2:18: renewal holds "30.06.2026" where a date belongs. Write it like 2026-01-31, or leave'),
    (HEADINGS + "a,2026-01-05,1,,,2026-02-30,\n", 'usage.csv:2:18: renewal holds "2026-02-30" where a date belongs.'),
    (HEADINGS + "a,5 Jan 2026,1,,,,\n",
     'usage.csv:2:3: as_of holds "5 Jan 2026" where a date belongs. Write it like 2026-01-31.'),
    (HEADINGS + "a,,1,,,,\n", "usage.csv:2:3: as_of is empty. Every row needs an account and a day"),
    (HEADINGS + "a,2026-01-05,1,,,,\n  ,2026-01-05,1,,,,\n", "usage.csv:3:1: account is empty. Every row needs"),
    (HEADINGS + "a,2026-01-05,1,b,c,,d,e\n", "usage.csv:2:1: the row has 8 fields where the headings have 7. Put"),
    (HEADINGS + "a,2026-01-05\n", "usage.csv:2:1: the row has 2 fields where the headings have 7."),
    (HEADINGS + 'a,2026-01-05,1,"open,,,\nb,2026-01-05,1,,,,\n', "usage.csv:2:1: a quote is never closed"),
    (HEADINGS + 'a,2026-01-05,1,,,,\nb,2026-01-05,1,,,,"open\n', "usage.csv:3:1: a quote is never closed"),
    (HEADINGS + f"a,2026-01-05,{'9a' * 100},,,,\n", f'logins holds "{("9a" * 100)[:39]}…" where'),
    ("", "usage.csv: the file is empty. It needs a line of headings"),
    ("\n\n", "usage.csv: the file is empty."),
    ("account,day,logins\n", "usage.csv: there is no column as_of for `as_of`. It has account, day, logins. Rename"),
    ("acount,as_of,logins\n", "usage.csv: there is no column account for `account`. Did you mean acount? Rename"),
    ("account;as_of;logins\n", 'The file seems to be separated by ";": write `delimiter: ";"`.'),
    ("account,as_of,logns\n", "usage.csv: no column bears the name of a metric of the catalogue."),
    ("account,as_of,logins,logins\n", "usage.csv: two columns are called logins. Rename one of them."),
    (HEADINGS.encode() + b"a,2026-01-05,1,gr\xf6\xdfer,,,\n", "usage.csv:2:1: the text is not in utf-8. Name its"),
    (b"account,as_of,gr\xf6\xdfe\n", "usage.csv:1:1: the text is not in utf-8."),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "usage.csv:1:1: the text is not in utf-8."),
], ids=lambda value: repr(value)[-40:])
def test_csv_that_cannot_be_read(tmp_path, text, expected):
    write(tmp_path, text)
    said = refusal(csv_source(tmp_path))
    assert expected in said
    assert "\n" not in said


def test_a_bad_cell_among_rows_of_other_days_is_found_at_its_own_line(tmp_path):
    write(tmp_path, "account,as_of,logins\na,2026-01-01,1\nb,2026-01-02,1\nc,2026-01-03,x\nd,2026-01-04,y\n")
    with pytest.raises(SourceError, match=r"usage.csv:4:14: .*\"x\""):
        rows(csv_source(tmp_path), date(2026, 1, 2), None)
    assert len(rows(csv_source(tmp_path), None, date(2026, 1, 2))) == 2


@pytest.mark.parametrize(("settings", "expected"), [
    ({"path": "usag.csv"}, "forestall.yaml: the source product finds no file at usag.csv. Did you mean usage.csv?"),
    ({"path": "nowhere/*.csv"}, "forestall.yaml: the source product finds no file at nowhere/*.csv. Correct `path`"),
    ({"path": "empty"}, "forestall.yaml: the source product finds no file at empty."),
    ({"metrics": {"login": "logins"}}, "names login, not a supplied metric. Did you mean logins?"),
    ({"metrics": {"logins": "lgins"}}, "usage.csv: there is no column lgins for the metric logins. Did you mean"),
])
def test_settings_that_do_not_fit_the_files(tmp_path, settings, expected):
    (tmp_path / "empty").mkdir()
    write(tmp_path, HEADINGS)
    assert expected in refusal(csv_source(tmp_path, **{"path": "usage.csv", **settings}))
    with pytest.raises(SourceError):
        csv_source(tmp_path, **{"path": "usage.csv", **settings}).supplies()


@pytest.mark.parametrize(("settings", "expected"), [
    ({"delimiter": ";;"}, "forestall.yaml: `delimiter` of the source product is not one character."),
    ({"encoding": "latin-99"}, "forestall.yaml: `encoding` of the source product is not known: latin-99."),
])
def test_settings_that_can_never_fit(tmp_path, settings, expected):
    with pytest.raises(SourceError) as caught:
        csv_source(tmp_path, **settings)
    assert expected in str(caught.value)


@pytest.mark.parametrize("damage", [
    lambda body: body[:-20], lambda body: b"no gzip at all", lambda body: body[:30] + b"?" * 30])
def test_damaged_compressed_csv(tmp_path, damage):
    text = HEADINGS + "".join(f"a{row},2026-01-05,{row},,,,\n" for row in range(3000))
    (tmp_path / "usage.csv.gz").write_bytes(damage(gzip.compress(text.encode())))
    said = refusal(csv_source(tmp_path, "usage.csv.gz"))
    assert said.startswith("usage.csv.gz: the ")
    assert "\n" not in said


@pytest.mark.parametrize(("body", "expected"), [
    (b"", "usage.parquet: the file is empty."),
    (b"account,as_of\n" * 10, "usage.parquet: this is not a Parquet file, or it is cut off."),
    (b"PAR1", "usage.parquet: this is not a Parquet file, or it is cut off."),
])
def test_files_that_are_no_parquet(tmp_path, body, expected):
    write(tmp_path, body, "usage.parquet")
    assert expected in refusal(parquet_source(tmp_path))


def test_parquet_damaged_in_the_middle(tmp_path):
    one_column(tmp_path, pa.array([float(row) for row in range(5000)]))
    file = tmp_path / "usage.parquet"
    body = bytearray(file.read_bytes())
    body[40:4000] = b"\xff" * 3960
    file.write_bytes(body)
    said = refusal(parquet_source(tmp_path))
    assert said.startswith("usage.parquet: the file cannot be read (")
    assert "\n" not in said


@pytest.mark.parametrize(("name", "values", "expected"), [
    ("logins", pa.array(["1", "many"]), 'usage.parquet: row 2: logins holds "many" where a number belongs.'),
    ("logins", pa.array([True, False]), "usage.parquet: logins holds bool values where a number belongs. Correct"),
    ("logins", pa.array([[1], [2]]), "where a number belongs."),
    ("opted_out", pa.array([0, 2]), 'usage.parquet: row 2: opted_out holds "2" where a flag belongs.'),
    ("opted_out", pa.array([0.5, 1]), "usage.parquet: opted_out holds double values where a flag belongs."),
    ("renewal", pa.array([20260105]), "usage.parquet: renewal holds int64 values where a date belongs."),
    ("segment", pa.array([0.5]), "usage.parquet: segment holds numbers with fractions where a text belongs."),
    ("segment", pa.array([b"\xff"], pa.binary()), "usage.parquet: segment holds bytes that are no UTF-8 where"),
    ("segment", pa.array([{"a": 1}]), "where a text belongs. Correct `kind` of the metric segment in"),
])
def test_parquet_that_does_not_fit_the_catalogue(tmp_path, name, values, expected):
    assert expected in refusal(one_column(tmp_path, values, name))


def test_parquet_rows_are_counted_through_groups_that_are_skipped(tmp_path):
    days = [date(2026, 1, day) for day in range(1, 11)]
    table = pa.table({"account": ["a"] * 10, "as_of": days, "logins": ["1"] * 7 + ["x", "1", "1"]})
    pq.write_table(table, tmp_path / "usage.parquet", row_group_size=3)
    with pytest.raises(SourceError, match="row 8: logins"):
        rows(parquet_source(tmp_path), days[5], None)


def test_parquet_without_an_account_or_a_day(tmp_path):
    first = date(2026, 1, 5)
    for account, day, column in ((None, first, "account"), ("a", None, "as_of"), ("", first, "account")):
        account_column, day_column = pa.array([account], pa.string()), pa.array([day], pa.date32())
        table = pa.table({"account": account_column, "as_of": day_column, "logins": [1]})
        pq.write_table(table, tmp_path / "usage.parquet")
        assert f"row 1: {column} is empty." in refusal(parquet_source(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_folder_and_file(tmp_path):
    write(tmp_path, HEADINGS, "data/usage.csv")
    (tmp_path / "data/usage.csv").chmod(0)
    assert "data/usage.csv: the file cannot be read (Permission denied)." in refusal(csv_source(tmp_path, "data"))
    (tmp_path / "data").chmod(0)
    try:
        assert "the folder cannot be read (Permission denied)." in refusal(csv_source(tmp_path, "data"))
    finally:
        (tmp_path / "data").chmod(0o700)
