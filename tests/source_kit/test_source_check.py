"""`forestall source check` on the facts that a source has, and what `forestall source new` refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

TODAY = datetime.now(UTC).date()
RULES = {
    "rules/metrics.yaml": "metrics:\n  logins: {kind: number, unit: per day}\n  renewal: {kind: date}\n",
    "rules/weights.yaml": "signals:\n  use: {weight: 100, metric: logins, points: {0: 0, 9: 100}}\n"
                          "tiers: {healthy: 60-100, critical: 0-59}\n",
    "rules/triggers.yaml": "triggers: {}\n",
    "rules/playbook.yaml": "plays: {}\n",
}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    monkeypatch.syspath_prepend(Path(__file__).parent / "faulty")
    monkeypatch.setenv("FAULTY_TOKEN", "the-right-one")
    for name, text in RULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    days = [TODAY - timedelta(days=back) for back in range(60) for _ in "ab"]
    pq.write_table(pa.table({
        "account": pa.array(["a", "b"] * 60), "as_of": pa.array(days, pa.date32()),
        "logins": pa.array([float(number % 7) for number in range(120)]),
        "renewal": pa.array(days, pa.date32())}), tmp_path / "facts.parquet")
    return tmp_path


@pytest.fixture
def asked(project, forestall):
    """The document of `forestall source check facts`, with a fault of tests/source_kit/faulty."""
    def ask(fault: str = "", *more: str, code: int = 1) -> dict:
        (project / "forestall.yaml").write_text(
            f"sources:\n  facts: {{adapter: faulty, path: facts.parquet, fault: {fault or 'none'}, "
            'token: "${secret:FAULTY_TOKEN}"}\n')
        done = forestall("source", "check", "facts", "--project", project, "--format", "json", *more)
        assert done.code == code, done.out
        return done.document("source-check")
    return ask


def states(document: dict) -> dict[str, str]:
    return {one["name"]: one["state"] for one in document["promises"]}


def test_a_source_without_fault(asked, project):
    found = asked(code=0)
    assert found["ok"]
    assert (found["rows"], found["accounts"]) == (70, 2)
    assert found["metrics"] == [{"name": "logins", "kind": "number", "unit": "per day"},
                                {"name": "renewal", "kind": "date", "unit": ""}]
    assert (found["first"], found["last"]) == (str(TODAY - timedelta(days=34)), str(TODAY))
    assert states(found) == {**dict.fromkeys(
        ("kinds", "many", "restart", "zones", "twice", "days", "empty", "secrets", "cache"), "kept"),
        **dict.fromkeys(("values", "failure", "late"), "not asked")}
    assert not (project / ".forestall").exists()
    assert asked("", "--days", "0", code=0)["rows"] == 120
    assert asked("", "--days", "7", code=0)["rows"] == 14


@pytest.mark.parametrize(("fault", "promise", "said"), [
    ("wrong unit", "kinds", "table 1 has logins in per week, and rules/metrics.yaml says per day"),
    ("asks the clock", "zones", "on a machine in Pacific/Pago_Pago table 1 has a row of"),
    ("rounds by the clock", "zones", "are told differently"),
    ("from chance", "twice", "brought 70 rows with something new"),
    ("all days", "kinds", "table 1 has a row of"),
    ("goes on where it stopped", "restart", "after a reading that broke off"),
    ("crashes half-way", "kinds", "it ends in IndexError (faulty.py, line"),
    ("wrong secret in an error", "secrets", "a secret can be read in an error"),
    ("secret in a log", "secrets", "a secret can be read in what is logged or printed"),
])
def test_a_broken_promise_is_said(asked, fault, promise, said):
    found = asked(fault)
    assert not found["ok"]
    broken = {one["name"]: one for one in found["promises"] if one["state"] == "broken"}
    assert said in broken[promise]["said"]
    assert "the-right-one" not in str(found)


def test_what_it_says_is_calm(project, asked, forestall):
    asked("asks the clock")
    done = forestall("source", "check", "facts", "--project", project)
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0].startswith("facts (adapter faulty): 2 metrics, 70 rows of 2 accounts, ")
    assert "  broken    zones     The same days wherever on earth the machine stands, also across" in done.out
    assert lines[-1] == "8 promises kept, 1 broken, 3 not asked."
    assert "Turn times into days in a zone that the settings name" in done.out


def test_what_the_source_notices_is_shown(project, asked, forestall):
    assert [one["message"] for one in asked("notices something", code=0)["noticed"]] == ["a row is odd."]
    done = forestall("source", "check", "facts", "--project", project)
    assert "noticed   facts.parquet: a row is odd. Mend it." in done.out


def test_nothing_in_these_days_is_no_fault(project, asked):
    old = pq.read_table(project / "facts.parquet").slice(80)
    pq.write_table(old, project / "facts.parquet")
    found = asked(code=0)
    assert set(states(found).values()) == {"not asked"}
    assert found["promises"][0]["said"] == "it says nothing of these days; --days looks at others"
    assert asked("", "--days", "0", code=0)["rows"] == 40


def test_a_source_that_cannot_be_read_says_what_a_run_would(project, asked, forestall):
    asked(code=0)
    (project / "facts.parquet").write_bytes(b"no")
    done = forestall("source", "check", "facts", "--project", project)
    assert str(done.error) == "facts.parquet: the file is damaged. Write it again."


def test_a_source_that_cannot_be_read_and_does_not_say_it_in_a_sentence(project, asked):
    (project / "facts.parquet").write_bytes(b"no")
    (first, *others) = asked("no sentence")["promises"]
    assert first["said"] == 'an error is no sentence: "damaged"'
    assert {one["state"] for one in others} == {"not asked"}


def test_a_misspelt_source(project, asked, forestall):
    asked(code=0)
    assert "Did you mean facts?" in str(forestall("source", "check", "fact", "--project", project).error)


def test_what_an_adapter_must_not_hand_over_is_not_imported(project, asked, forestall):
    asked("wrong kind")
    done = forestall("history", "import", "--project", project)
    assert str(done.error) == (
        "source facts: its adapter handed over a table that has logins as int64 instead of double. "
        "Tell those who maintain it; `forestall source check facts` looks at all that it promises.")
    assert not (project / ".forestall" / "history").exists()


def test_what_new_refuses(tmp_path, forestall, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "`Help Desk` cannot be the name of an adapter" in str(forestall("source", "new", "Help Desk").error)
    assert "there is an adapter called `csv` already" in str(forestall("source", "new", "csv").error)
    assert forestall("source", "new", "crm").code == 0
    assert "this exists and is not an empty folder" in str(forestall("source", "new", "crm").error)
    (tmp_path / "file").write_text("")
    refused = forestall("source", "new", "erp", "--into", "file/erp")
    assert "this cannot be written" in str(refused.error)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "forestall-crm"]
