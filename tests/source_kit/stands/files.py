"""Where the kit puts its facts for sources of tables in files."""

from __future__ import annotations

import gzip
import json
import shutil

import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from forestall.engine.conformance import Stand


class CsvStand(Stand):
    adapter = "csv"

    def put(self, facts):
        pyarrow.csv.write_csv(facts, self.folder / "facts.csv")

    def settings(self):
        return {"path": "facts.csv"}

    def damage(self):
        with (self.folder / "facts.csv").open("a") as file:
            file.write("acme,2026-03-30,many,growth,true,2026-04-01\n")


class ParquetStand(Stand):
    adapter = "parquet"

    def put(self, facts):
        pyarrow.parquet.write_table(facts, self.folder / "facts.parquet", row_group_size=200_000)

    def settings(self):
        return {"path": "facts.parquet"}

    def damage(self):
        whole = (self.folder / "facts.parquet").read_bytes()
        (self.folder / "facts.parquet").write_bytes(whole[:len(whole) // 2])


class JsonLinesStand(Stand):
    adapter = "jsonl"
    may_be_empty = False
    many = 20_000       # every line is an object of Python's first: a million take some ten seconds
    memory = 96 << 20

    def put(self, facts):
        with (self.folder / "facts.jsonl").open("w", encoding="utf-8") as file:
            for column in facts.to_batches(max_chunksize=100_000):
                file.writelines(json.dumps(one, default=str) + "\n" for one in column.to_pylist())

    def settings(self):
        return {"path": "facts.jsonl"}

    def damage(self):
        whole = (self.folder / "facts.jsonl").read_bytes()
        (self.folder / "facts.jsonl").write_bytes(whole[:-20])


class FilePerDayStand(Stand):
    """A file for each day, compressed, in folders; the rows do not say their day."""

    adapter = "csv"
    days = 8
    many = 20_000       # CsvStand asks for a million
    memory = 96 << 20

    def put(self, facts):
        shutil.rmtree(self.folder / "facts", ignore_errors=True)
        (self.folder / "facts").mkdir()
        days = facts.column("as_of")
        for day in days.unique().to_pylist() or [self.last]:
            rows = facts.filter(pyarrow.compute.equal(days, day)).drop_columns(["as_of"])
            with gzip.open(self._file(day), "wb") as file:
                pyarrow.csv.write_csv(rows, file)

    def settings(self):
        return {"path": "facts/{yyyy}/{mm}-{dd}.csv.gz"}

    def damage(self):
        self._file(self.last).write_bytes(self._file(self.last).read_bytes()[:60])

    def _file(self, day):
        folder = self.folder / "facts" / f"{day:%Y}"
        folder.mkdir(exist_ok=True)
        return folder / f"{day:%m-%d}.csv.gz"


STANDS = (CsvStand, ParquetStand, JsonLinesStand, FilePerDayStand)
