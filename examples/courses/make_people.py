#!/usr/bin/env python3
"""Writes data/people.csv.gz: whom to write to. Everything in it is MADE UP.

The Open University data names nobody, and it has no addresses and no tutors. So that the demo can write letters,
every student of presentation 2014J gets an address that cannot exist (the domain ends in .example), a tutor of the
module (a first name out of the list below, by a hash of the account) and the module's lead. Like the export of a
student register, it says so on the day a student is first seen and every four weeks after. The same input always gives
the same file. Needs duckdb.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from pathlib import Path

import duckdb

DATA = Path(__file__).resolve().parent / "data"
PRESENTATION = "2014J"
# About 220 students a tutor: far more than a tutor at the Open University has, few enough to list in forestall.yaml.
TUTORS = {
    "AAA": ["ada", "bram"],
    "BBB": ["carla", "dov", "elin", "farid", "gita", "hugo", "ines", "jonas"],
    "CCC": ["kaia", "liam", "mina", "noor", "oleg", "paula", "quinn", "rosa"],
    "DDD": ["sami", "tilda", "uma", "vera", "wim", "xenia"],
    "EEE": ["yara", "zeno", "alma", "boris"],
    "FFF": ["celia", "dara", "edda", "fritz", "greta", "hamza", "ilse", "jarek"],
    "GGG": ["kofi", "lotte", "milan"],
}
LEADS = {"AAA": "nadia", "BBB": "otto", "CCC": "petra", "DDD": "ravi", "EEE": "sanne", "FFF": "tomas", "GGG": "ulla"}


def tutor(account: str, module: str) -> str:
    """The tutor of this account: always the same one, and about as many students for each."""
    choice = int.from_bytes(hashlib.sha256(account.encode()).digest()[:8], "big")
    return TUTORS[module][choice % len(TUTORS[module])]


def main() -> None:
    """Read data/snapshots.parquet, write data/people.csv.gz: a row per student every four weeks."""
    seen = duckdb.connect().execute(
        "select account_id, as_of::varchar from read_parquet(?) where split_part(account_id, '-', 2) = ?"
        " qualify row_number() over (partition by account_id order by as_of) % 4 = 1 order by all",
        [str(DATA / "snapshots.parquet"), PRESENTATION],
    ).fetchall()
    text = io.StringIO(newline="")
    write = csv.writer(text, lineterminator="\n").writerow
    write(["account", "as_of", "contact_email", "tutor", "module_lead"])
    for account, day in seen:
        module, _, student = account.split("-")
        write([account, day, f"{student}@students.example", tutor(account, module), LEADS[module]])
    (DATA / "people.csv.gz").write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    print(f"data/people.csv.gz: {len(seen)} rows, all contacts made up")


if __name__ == "__main__":
    main()
