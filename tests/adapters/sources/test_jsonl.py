"""JSON lines: what is handed over, and what is said when they cannot be read."""

import bz2
import gzip
import json
from datetime import date

import pyarrow as pa
import pytest
from reading import refusal, rows

from forestall.adapters.sources.files import jsonl
from forestall.adapters.sources.files.jsonl import JsonLinesSource
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, Severity, SourceError

CATALOGUE = {name: Metric(name, kind, Location("rules/metrics.yaml", 1, 1)) for name, kind in {
    "logins": Kind.NUMBER, "segment": Kind.TEXT, "opted_out": Kind.FLAG, "renewal": Kind.DATE}.items()}
GOOD = '{"account": "a", "as_of": "2026-01-05", "logins": 1}\n'


def source(folder, path="usage.jsonl", **settings):
    return JsonLinesSource("product", JsonLinesSource.Settings(path=path, **settings), CATALOGUE, folder)


def refused(folder, text):
    (folder / "usage.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())
    return refusal(source(folder))


def test_lines_in_the_types_of_the_catalogue(tmp_path):
    lines = [
        {"account": "acme", "as_of": "2026-01-05", "logins": 12, "segment": "größer", "opted_out": True, "more": [1]},
        {"account": 17, "as_of": "2026-01-06T09:30:00Z", "logins": "3.5", "opted_out": 0, "renewal": "2026-06-30"},
        {"as_of": "2026-01-07", "account": " bolt ", "logins": None, "segment": 4, "opted_out": "no"},
        {"as_of": "2026-01-07", "account": "big", "logins": 10**20, "segment": ""},
    ]
    (tmp_path / "usage.jsonl").write_text("\ufeff" + "\n\n".join(json.dumps(line) for line in lines), "utf-8")
    read = source(tmp_path)
    assert read.supplies() == tuple(CATALOGUE)
    assert rows(read) == [
        {"account": "acme", "as_of": date(2026, 1, 5), "logins": 12.0, "segment": "größer", "opted_out": True,
         "renewal": None},
        {"account": "17", "as_of": date(2026, 1, 6), "logins": 3.5, "segment": None, "opted_out": False,
         "renewal": date(2026, 6, 30)},
        {"account": "bolt", "as_of": date(2026, 1, 7), "logins": None, "segment": "4", "opted_out": False,
         "renewal": None},
        {"account": "big", "as_of": date(2026, 1, 7), "logins": 1e20, "segment": None, "opted_out": None,
         "renewal": None},
    ]
    assert len(rows(read, date(2026, 1, 6), date(2026, 1, 6))) == 1


def test_what_lies_deeper(tmp_path):
    (tmp_path / "usage.jsonl").write_text(
        '{"who": {"id": "a"}, "on": "2026-01-05", "usage": {"logins": {"count": 4}}}\n'
        '{"who": {"id": "b"}, "on": "2026-01-05", "usage": null}\n')
    read = source(tmp_path, account="who.id", as_of="on", metrics={"logins": "usage.logins.count"})
    assert rows(read) == [{"account": "a", "as_of": date(2026, 1, 5), "logins": 4.0},
                          {"account": "b", "as_of": date(2026, 1, 5), "logins": None}]


def test_a_key_that_only_the_last_line_has(tmp_path, monkeypatch):
    monkeypatch.setattr(jsonl, "LINES", 2)
    (tmp_path / "usage.jsonl").write_text(
        GOOD * 4 + '{"account": "b", "as_of": "2026-01-05", "segment": "late"}\n')
    read = source(tmp_path)
    tables = list(read.snapshots(None, None))
    assert [table.num_rows for table in tables] == [2, 2, 1]
    assert {tuple(table.column_names) for table in tables} == {("account", "as_of", "logins", "segment")}
    assert tables[-1].to_pylist()[0]["segment"] == "late"


@pytest.mark.parametrize(("name", "packed"), [
    ("day.jsonl", bytes), ("day.ndjson.gz", gzip.compress), ("day.jsonl.bz2", bz2.compress),
    ("day.jsonl.zst", lambda text: pa.compress(text, "zstd", asbytes=True))])
def test_compressed_files_of_a_folder(tmp_path, name, packed):
    (tmp_path / name).write_bytes(packed(GOOD.encode() * 3))
    (tmp_path / "empty.jsonl").write_bytes(b"")      # a day without anything
    assert [row["logins"] for row in rows(source(tmp_path, "."))] == [1, 1, 1]
    whole = (tmp_path / name).read_bytes()
    if name != "day.jsonl":
        (tmp_path / name).write_bytes(whole[:-9])
        with pytest.raises(SourceError, match=rf"{name}: the (compressed )?file (is damaged|cannot be read) \("):
            rows(source(tmp_path, "."))


@pytest.mark.parametrize(("text", "expected"), [
    ("", "usage.jsonl: the file is empty. It needs a row"),
    (GOOD + '{"account": "a", "as_of"', "usage.jsonl:2:1: the last line is cut off. Is it still being written?"),
    (GOOD + "{'account': 1}\n", "usage.jsonl:2:2: the line is no JSON (expecting property name"),
    ("[" + GOOD.strip() + "]\n",
     'usage.jsonl:1:1: the line is no object. Write one object like {"account": …} on each line, without the list'),
    (GOOD + "12\n", "usage.jsonl:2:1: the line is no object."),
    (GOOD + "[" * 100_000 + "\n", "usage.jsonl:2:1: the line is no JSON ("),
    (GOOD.encode() + b'{"account": "gr\xf6sser"}\n', "usage.jsonl:2:1: the text is not in utf-8. JSON is always"),
    (GOOD + "\n" + GOOD.replace("1}", '"many"}'), 'usage.jsonl:3:1: logins holds "many" where a number belongs.'),
    (GOOD + GOOD.replace("1}", "true}"), 'usage.jsonl:2:1: logins holds "True" where a number belongs.'),
    (GOOD + GOOD.replace("1}", "[1]}"), "usage.jsonl:2:1: logins holds a list where a value belongs."),
    (GOOD + GOOD.replace("1}", '{"n": 1}}'),
     "logins holds an object where a value belongs. Name what lies in it, as in `logins.n`."),
    (GOOD + '{"account": "a", "as_of": 20260105}\n', 'usage.jsonl:2:1: as_of holds "20260105" where a date belongs.'),
    (GOOD + '{"as_of": "2026-01-05", "logins": 1}\n', "usage.jsonl:2:1: account is empty. Every row needs"),
    (GOOD + '{"account": "a", "as_of": "1026-01-05"}\n', "usage.jsonl:2:1: as_of holds 1026-01-05, a day before 2000"),
    ('{"acount": "a", "as_of": "2026-01-05"}\n', "usage.jsonl: there is no column account for `account`. Did you mean"),
], ids=lambda value: repr(value)[-30:])
def test_lines_that_cannot_be_read(tmp_path, text, expected):
    assert expected in refused(tmp_path, text)


def test_rows_of_days_to_come_are_told_of(tmp_path):
    (tmp_path / "usage.jsonl").write_text(GOOD + GOOD.replace("2026", "2096") * 3)
    read = source(tmp_path)
    assert len(rows(read, None, date(2026, 2, 1))) == 1
    (noticed,) = read.noticed
    assert (noticed.severity, noticed.code) == (Severity.WARNING, "future-rows")
    assert str(noticed) == ("usage.jsonl:2:1: as_of holds 2096-01-05, a day to come, so the row is left out. So are 2 "
                            "others. Correct the day, or let it wait until then.")


def test_files_that_have_not_changed_are_not_searched_for_columns_again(tmp_path, monkeypatch):
    keep = tmp_path / "keep"
    for day in (1, 2, 3):
        (tmp_path / f"2026-01-0{day}.jsonl").write_text('{"account": "a", "logins": 1}\n')
    searched = []
    search = JsonLinesSource.headings
    monkeypatch.setattr(JsonLinesSource, "headings", lambda self, place: searched.append(place) or search(self, place))

    def read():
        searched.clear()
        again = JsonLinesSource("product", JsonLinesSource.Settings("{day}.jsonl"), CATALOGUE, tmp_path, keep)
        return again.supplies(), len(rows(again)), len(searched)

    assert read() == (("logins",), 3, 3)
    assert read() == (("logins",), 3, 0)
    (tmp_path / "2026-01-02.jsonl").write_text('{"account": "a", "segment": "x"}\n')
    assert read() == (("logins", "segment"), 3, 1)
    (keep / "headings.json").write_text("[]")
    assert read() == (("logins", "segment"), 3, 3)
