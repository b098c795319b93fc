"""Where files are: a file per day, files that are being written, and files at URLs."""

import gzip
import os
import threading
from datetime import date
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading import refusal, rows

from forestall.adapters.sources.files import csv as csv_module
from forestall.adapters.sources.files.csv import CsvSource
from forestall.adapters.sources.files.parquet import ParquetSource
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, Secret, SourceError

CATALOGUE = {name: Metric(name, kind, Location("rules/metrics.yaml", 1, 1)) for name, kind in {
    "logins": Kind.NUMBER, "segment": Kind.TEXT}.items()}


def source(folder, path, kind=CsvSource, keep=None, **settings):
    return kind("product", kind.Settings(path=path, **settings), CATALOGUE, folder, keep=keep)


# --- a file per day


@pytest.mark.parametrize(("path", "name"), [
    ("usage/{day}.csv", "usage/2026-01-0{}.csv"),
    ("usage/logins-{day}.csv", "usage/logins-2026010{}.csv"),
    ("usage/day={day}/*.csv*", "usage/day=2026-01-0{}/part-0.csv"),
    ("usage/{yyyy}/{mm}/{dd}/usage.csv", "usage/2026/01/0{}/usage.csv"),
    ("**/{yyyy}-{mm}/{dd}.csv", "usage/of/2026-01/0{}.csv"),
    ("usage [x]/{day}/usage-{day}[.]csv", "usage [x]/2026-01-0{0}/usage-2026-01-0{0}.csv"),
])
def test_the_day_stands_in_the_name(tmp_path, path, name):
    if "[x]" in path:
        path = path.replace("[x]", "[[]x]")
    for day in range(1, 6):
        file = tmp_path / name.format(day)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"account,logins\na,{day}\nb,{day}\n")
    (tmp_path / "usage").mkdir(exist_ok=True)
    (tmp_path / "usage" / "README.csv").write_text("no table")
    read = source(tmp_path, path)
    assert read.supplies() == ("logins",)
    assert rows(read, date(2026, 1, 2), date(2026, 1, 3)) == [
        {"account": account, "as_of": date(2026, 1, day), "logins": float(day)} for day in (2, 3) for account in "ab"]
    assert len(rows(read)) == 10
    assert read.noticed == ()


def test_days_that_are_not_asked_for_are_not_read(tmp_path):
    (tmp_path / "2026-01-01.csv").write_text("account,logins\na,not looked at\n")
    (tmp_path / "2026-01-02.csv").write_text("account,logins\na,2\n")
    (tmp_path / "2096-01-02.csv").write_text("account,logins\na,not looked at\n")
    read = source(tmp_path, "{day}.csv")
    assert len(rows(read, date(2026, 1, 2), date(2026, 1, 5))) == 1
    assert [str(problem) for problem in read.noticed] == [
        "2096-01-02.csv: the file is named after 2096-01-02, a day to come, and left out. Correct its name, or let it "
        "wait until then."]


def test_a_column_with_the_day_must_agree_with_the_name(tmp_path):
    (tmp_path / "2026-01-01.csv").write_text("account,as_of,logins\na,2026-01-01 23:59,1\n")
    read = source(tmp_path, "{day}.csv")
    assert rows(read) == [{"account": "a", "as_of": date(2026, 1, 1), "logins": 1.0}]
    (tmp_path / "2026-01-01.csv").write_text("account,as_of,logins\na,2026-01-01,1\nb,2026-01-02,1\n")
    assert refusal(read) == ("2026-01-01.csv:3:3: as_of holds 2026-01-02 in a file of 2026-01-01. Write * in place of "
                             "{day} in `path`, so that the rows say their day, or correct the row.")


def test_parquet_of_one_day(tmp_path):
    pq.write_table(pa.table({"account": ["a"], "logins": [1]}), tmp_path / "2026-01-01.parquet")
    assert rows(source(tmp_path, "{day}.parquet", ParquetSource), date(2026, 1, 1), date(2026, 1, 1)) == [
        {"account": "a", "as_of": date(2026, 1, 1), "logins": 1.0}]


@pytest.mark.parametrize(("path", "expected"), [
    ("{day}/{mm}.csv", "forestall.yaml: `path` of the source product says the day in another way than it can be read."),
    ("{yyyy}.csv", "Write {day} once for the whole day, or {yyyy}, {mm} and {dd} for its parts."),
    ("x{day}.csv", "`path` of the source product finds x20269999.csv, whose name holds no day."),
    ("y{day}.csv", "the source product finds no file at y{day}.csv."),
])
def test_paths_that_say_no_day(tmp_path, path, expected):
    (tmp_path / "x20269999.csv").write_text("account,logins\n")
    assert expected in refusal(source(tmp_path, path))


# --- a file that is being written


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_module, "BLOCK_BYTES", 100)
    file = tmp_path / "usage.csv"
    file.write_text("account,as_of,logins\n" + "a,2026-01-05,1\n" * 50)
    reading = source(tmp_path, "usage.csv").snapshots(None, None)
    next(reading)
    with file.open("a") as more:
        more.write("b,2026-01-05,1\n")
    with pytest.raises(SourceError) as caught:
        list(reading)
    assert str(caught.value).startswith("usage.csv: the file changed while it was read. Write it under another name")


def test_half_a_file_that_changes_is_said_to_be_written_not_damaged(tmp_path, monkeypatch):
    file = tmp_path / "usage.csv.gz"
    file.write_bytes(gzip.compress(b"account,as_of,logins\n" + b"a,2026-01-05,1\n" * 5000)[:-30])
    read = source(tmp_path, "usage.csv.gz")
    headings = read.headings

    def and_then_it_grows(place):
        found = headings(place)
        os.utime(place.path, ns=(1, 1))
        return found

    monkeypatch.setattr(read, "headings", and_then_it_grows)
    assert "usage.csv.gz: the file changed while it was read." in refusal(read)


# --- files at URLs


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def test_a_url_of_this_machine(tmp_path):
    (tmp_path / "usage.csv").write_text("account,as_of,logins\na,2026-01-05,1\n")
    assert len(rows(source(tmp_path / "elsewhere", f"file://{tmp_path}/usage.csv"))) == 1
    assert source(tmp_path, f"file://{tmp_path}/usage.csv").supplies_at_once


def test_files_of_a_store_are_fetched_once_and_again_when_they_change(tmp_path, memory, monkeypatch):
    for day in (1, 2, 3):
        memory.pipe(f"/book/2026-01-0{day}.csv.gz", gzip.compress(f"account,logins\na,{day}\n".encode()))
    memory.pipe("/book/_SUCCESS", b"")
    fetched = []
    get = memory.get_file
    monkeypatch.setattr(type(memory), "get_file", lambda self, name, to, **more: (fetched.append(name),
                                                                                   get(name, to, **more)))
    keep = tmp_path / "keep"
    read = source(tmp_path, "memory://book/{day}.csv.gz", keep=keep)
    assert [row["logins"] for row in rows(read)] == [1, 2, 3]
    assert len(fetched) == 3
    assert not read.supplies_at_once
    memory.pipe("/book/2026-01-02.csv.gz", gzip.compress(b"account,logins\na,22\n"))
    memory.rm("/book/2026-01-01.csv.gz")
    again = source(tmp_path, "memory://book/{day}.csv.gz", keep=keep)
    assert [row["logins"] for row in rows(again, date(2026, 1, 2))] == [22, 3]
    assert len(fetched) == 4
    assert len(list((keep / "files").iterdir())) == 2
    assert rows(again) == rows(source(tmp_path, "memory://book/{day}.csv.gz"))      # the same without a keep


def test_a_store_that_falls_silent_leaves_nothing_behind(tmp_path, memory, monkeypatch):
    memory.pipe("/book/u.csv", b"account,as_of,logins\na,2026-01-05,1\n")
    read = source(tmp_path, "memory://book/u.csv", keep=tmp_path / "keep")
    assert read.supplies() == ("logins",)

    def half(self, name, to, **more):
        with open(to, "wb") as file:
            file.write(b"account,as_of")
        raise ConnectionResetError("it hung up")

    memory.pipe("/book/u.csv", b"account,as_of,logins\na,2026-01-05,22\n")
    with monkeypatch.context() as silent:
        silent.setattr(type(memory), "get_file", half)
        assert refusal(read) == ("forestall.yaml: the source product cannot read memory://book/u.csv: "
                                 "ConnectionResetError: it hung up. Check `path`, the rights and the network, and try "
                                 "again.")
    assert [row["logins"] for row in rows(read)] == [22]
    assert len(list((tmp_path / "keep" / "files").iterdir())) == 1


@pytest.mark.parametrize("path", ["memory://book", "memory://book/", "memory://book/*.csv", "memory://book/u.csv"])
def test_ways_to_name_files_of_a_store(tmp_path, memory, path):
    memory.pipe("/book/u.csv", b"account,as_of,logins\na,2026-01-05,x\n")
    assert refusal(source(tmp_path, path)).startswith('memory:///book/u.csv:2:14: logins holds "x"')


@pytest.mark.parametrize(("path", "expected"), [
    ("memory://book/nothing*.csv", "forestall.yaml: the source product finds no file at memory://book/nothing*.csv."),
    ("memory://nowhere/u.csv", "finds no file at memory://nowhere/u.csv."),
    ("nosuch://book/u.csv", "`path` of the source product cannot be used: ValueError: Protocol not known: nosuch."),
    ("s3://book/u.csv", "Install forestall[s3]."),
])
def test_urls_that_lead_nowhere(tmp_path, memory, path, expected):
    assert expected in refusal(source(tmp_path, path))


class Quiet(SimpleHTTPRequestHandler):
    """A web server for a folder; /locked/ wants a key."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.startswith("/locked/") and self.headers.get("X-Key") != "s3cret":
            self.send_error(403)
        else:
            super().do_GET()

    def do_HEAD(self):
        if self.path.startswith("/locked/") and self.headers.get("X-Key") != "s3cret":
            self.send_error(403)
        else:
            super().do_HEAD()


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    folder = tmp_path_factory.mktemp("web")
    for name in ("2026-01-01.csv", "2026-01-02.csv", "locked/2026-01-01.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"account,logins\na,{name[-5]}\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_files_of_a_web_server(tmp_path, web):
    keep = tmp_path / "keep"
    assert [row["logins"] for row in rows(source(tmp_path, f"{web}/{{day}}.csv", keep=keep))] == [1, 2]
    assert len(list((keep / "files").iterdir())) == 2
    assert "nothing.csv: " in refusal(source(tmp_path, f"{web}/nothing.csv"))


def test_no_secret_reaches_a_sentence(tmp_path, web, monkeypatch):
    locked = partial(source, tmp_path, f"{web}/locked/2026-01-01.csv", secrets={"X-Key": Secret("WEB_KEY")},
                     as_of="logins", metrics={"segment": "account"})
    monkeypatch.setenv("WEB_KEY", "s3cret")
    assert "logins holds" in refusal(locked())      # it got in
    monkeypatch.setenv("WEB_KEY", "wr0ng-key")
    read = locked()
    said = refusal(read)
    assert "wr0ng-key" not in said
    assert "cannot read" in said
    assert "403" in said
    with pytest.raises(SourceError, match="holds a password, and a secret never stands in a file") as caught:
        source(tmp_path, "https://dana:wr0ng-key@files.example/u.csv")
    assert "wr0ng-key" not in str(caught.value)
