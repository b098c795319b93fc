"""The kit notices what it is there for: an adapter that breaks one promise is told which, and how."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from forestall.engine.conformance import PROMISES, Broken, NotAsked, Stand
from forestall.engine.conformance.promises import Promise

PROMISE = {one.name: one for one in PROMISES}


class FaultyStand(Stand):
    adapter = "faulty"
    keeps = True
    secrets = {"FAULTY_TOKEN": "the-right-one"}
    many = 200_000
    fault = ""

    def put(self, facts):
        pq.write_table(facts, self.folder / "facts.parquet")

    def settings(self):
        return {"path": "facts.parquet", "fault": self.fault, "token": "${secret:FAULTY_TOKEN}"}

    def damage(self):
        whole = (self.folder / "facts.parquet").read_bytes()
        (self.folder / "facts.parquet").write_bytes(whole[:40])


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent / "faulty")


def stand(folder, fault: str, **more) -> Stand:
    return type("FaultyStand", (FaultyStand,), {"fault": fault, **more})(folder)


@pytest.mark.parametrize("promise", PROMISES, ids=[one.name for one in PROMISES])
def test_without_a_fault_every_promise_is_kept(promise: Promise, tmp_path):
    assert promise.kept_by(stand(tmp_path, ""))


@pytest.mark.parametrize(("fault", "promise", "said"), [
    ("a list", "kinds", "supplies() gives something else than a tuple"),
    ("unknown metric", "kinds", "supplies() names shoe_size, which the catalogue does not have"),
    ("twice", "kinds", "supplies() names a metric twice"),
    ("wrong kind", "kinds", "table 1 has logins as int64 instead of double"),
    ("large text", "kinds", "table 1 has segment as large_string instead of string"),
    ("wrong unit", "kinds", "table 1 has logins in per week, and rules/metrics.yaml says per day"),
    ("nobody", "kinds", "table 1 has a row without account"),
    ("another order", "kinds", "table 1 begins with the columns logins, segment instead of account, as_of"),
    ("a batch", "kinds", "table 1 is a RecordBatch instead of a pyarrow.Table"),
    ("a column less", "kinds", "table 1 has no column renewal, which supplies() names"),
    ("network when made", "kinds", "it takes the network when it is made"),
    ("network at once", "kinds", "supplies() takes the network"),
    ("rounded", "values", "renewal is 2026-01-01 instead of"),
    ("all days", "days", "and days since 2026-03-25 were asked for"),
    ("without the first day", "days", "is missing"),
    ("goes on where it stopped", "restart", "is missing"),
    ("ends in an error of its own", "failure", "a damaged source ends in KeyError"),
    ("swallows what is wrong", "failure", "was read as if nothing were wrong"),
    ("no sentence", "failure", 'an error is no sentence: "damaged"'),
    ("no place", "failure", "an error does not say where"),
    ("no cure", "failure", "an error names no cure"),
    ("from chance", "twice", "brought 90 rows with something new"),
    ("remembers", "late", "and 0 rows said something new"),
    ("asks the clock", "zones", "on a machine in Pacific/"),
    ("everything at once", "many", "MB are allowed"),
    ("one large table", "many", "has 301,000 rows at once"),
    ("secret in an error", "secrets", "a secret can be read in an error"),
    ("wrong secret in an error", "secrets", "a secret can be read in an error"),
    ("secret in its text", "secrets", "a secret can be read in an error, or in the text of the source"),
    ("secret in a log", "secrets", "a secret can be read in what is logged or printed"),
    ("secret on the screen", "secrets", "a secret can be read in what is logged or printed"),
    ("reads the environment", "secrets", "without FAULTY_TOKEN it ends in KeyError"),
    ("old facts", "cache", "after a correction"),
    ("trusts what it kept", "cache", "when it had kept something spoilt: facts.parquet: the file is damaged"),
])
def test_a_broken_promise_is_noticed(fault, promise, said, tmp_path):
    rows = 301_000 if fault == "one large table" else 150_000
    with pytest.raises(Broken) as caught:
        PROMISE[promise].kept_by(stand(tmp_path, fault, many=rows, memory=40 << 20))
    assert said in str(caught.value)


def test_the_plugin_is_light():
    """pytest loads it in every project that has Forestall installed."""
    code = ("import sys, forestall.engine.conformance.plugin\n"
            "print(*{'pyarrow', 'duckdb', 'yaml', 'forestall.engine.settings'} & set(sys.modules))")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def test_a_crash_keeps_its_trace(tmp_path):
    with pytest.raises(IndexError, match="list index out of range"):
        PROMISE["empty"].kept_by(stand(tmp_path, "crashes on nothing"))


def test_what_cannot_be_asked_says_why(tmp_path):
    class Bare(FaultyStand):
        secrets = {}
        keeps = False
        days = 1
        damage = Stand.damage

    reasons = {"secrets": "its stand names no secret", "cache": "it keeps nothing on its stand",
               "late": "it only knows how things are now", "failure": "its stand cannot be damaged"}
    for name, reason in reasons.items():
        with pytest.raises(NotAsked, match=reason):
            PROMISE[name].kept_by(Bare(tmp_path))
