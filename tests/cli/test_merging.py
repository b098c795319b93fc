"""Several sources of one book of accounts: keys that differ, rows of nobody, how it stands, scores by hand alone."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from forestall.engine.errors import SettingsError, SourceError
from forestall.engine.runtime import open_project

FIRST = date(2026, 1, 5)
LAST = FIRST + timedelta(days=3)
FILES = {
    "rules/metrics.yaml": """
metrics:
  zendesk_id: {kind: text, stale_after: 90 days}
  plan: {kind: text, stale_after: 90 days}
  heat: {kind: number, by_hand: true}
  tickets: {kind: number, per: day}
  mood: {kind: number, stale_after: 5 days, by_hand: true}
""",
    "rules/weights.yaml": """
signals:
  warmth: {weight: 60, metric: heat, points: {0: 0, 100: 100}}
  humour: {weight: 40, metric: mood, points: {0: 0, 10: 100}}
tiers: {healthy: 50-100, at_risk: 0-49}
""",
    "rules/triggers.yaml": "triggers:\n  cold: {when: heat < 40, severity: at_risk}\n",
    "rules/playbook.yaml": "plays: {}\n",
    "forestall.yaml": """
sources:
  crm: {adapter: csv, path: crm.csv}
  billing: {adapter: csv, path: billing.csv, keys: keys.csv}
  desk:
    adapter: csv
    path: desk.csv
    keys: {metric: zendesk_id}
    on_unknown: leave_out
  survey: {adapter: csv, path: survey.csv, on_unknown: leave_out}
""",
    "keys.csv": "key;account\nB1;acme\nB2;bolt\nB3;acme\n",
    "crm.csv": "account,as_of,zendesk_id,heat\n" + "".join(
        f"{account},{FIRST + timedelta(days=day)},{key},{heat}\n" for day in range(4)
        for account, key, heat in (("acme", "z1", 80), ("bolt", "z2", 20), ("coil", "z3", 50), ("dune", "z3", 50))),
    "billing.csv": "account,as_of,plan\n" + f"B1,{FIRST},gold\nB2,{FIRST},iron\nB9,{FIRST},tin\n",
    "desk.csv": "account,as_of,tickets,mood\n" + f"z1,{LAST},3,7\nz2,{LAST},1,\nz3,{LAST},9,1\nzz,{LAST},4,4\n"
                f"zz,{FIRST},4,4\n",
    "survey.csv": f"account,as_of,mood\nacme,{LAST - timedelta(days=1)},2\nbolt,{LAST - timedelta(days=1)},5\n"
                  f"stranger,{LAST},9\n",
}


def write(folder: Path, **changed: str) -> Path:
    for name, text in {**FILES, **changed}.items():
        path = folder / (name if "." in name else f"{name.replace('__', '/')}.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, forestall) -> tuple[Path, dict[str, object]]:
    """A project of four sources, one pass after another, and the document of the last."""
    folder = write(tmp_path_factory.mktemp("merging"))
    done = forestall("run", "--project", folder, "--day", LAST, "--send", "--format", "json")
    assert done.code == 0, done.error or done.out
    return folder, done.document("run")


def test_rows_find_their_account_by_a_file_of_keys_and_by_what_another_source_says(project, forestall) -> None:
    folder, _ = project
    shown = forestall("history", "status", "--project", folder, "--format", "json").document("history-status")
    found = {one["metric"]: one for one in shown["metrics"]}
    assert shown["accounts"] == 4
    assert (found["plan"]["known"], found["tickets"]["known"], found["heat"]["share"]) == (2, 2, 1.0)
    assert {"tickets": 3.0, "mood": 7.0}.items() <= metrics_of(forestall, folder, "acme").items()
    assert {"tickets": 1.0, "mood": 5.0}.items() <= metrics_of(forestall, folder, "bolt").items()


def metrics_of(forestall, folder: Path, account: str) -> dict[str, object]:
    history, catalogue = open_project(folder).history, open_project(folder).rulebook.catalogue
    with history.reading(catalogue, LAST, LAST) as reading:
        return reading.sql(f"SELECT * FROM history WHERE account = '{account}'").to_arrow_table().to_pylist()[0]


def test_what_was_left_out_is_said(project) -> None:
    _, shown = project
    noticed = {one["source"]: " ".join(one["noticed"]) for one in shown["sources"]}
    assert "1 row of 1 key that no account has was left out: B9." in noticed["billing"]
    assert "3 rows of 2 keys that no account has were left out: zz, z3." in noticed["desk"]
    assert "1 key was claimed by several accounts and left out: z3." in noticed["desk"]
    assert "1 row of 1 account that no other source names was left out: stranger." in noticed["survey"]
    assert noticed["crm"] == ""


def test_the_newest_word_of_several_sources_counts(project, forestall) -> None:
    shown = forestall("history", "status", "--project", project[0], "--format", "json").document("history-status")
    mood, = (one for one in shown["metrics"] if one["metric"] == "mood")
    assert [tuple(each.values()) for each in mood["sources"]] == [("desk", 1, 1, 0.0, 0), ("survey", 2, 1, 1.0, 1)]
    assert {one["source"]: (one["rows"], one["accounts"], one["only_here"], one["silent"], one["unknown_rows"])
            for one in shown["sources"]} == {
        "billing": (2, 2, 0, 3, 1), "crm": (16, 4, 2, 0, 0), "desk": (2, 2, 0, 0, 3), "survey": (2, 2, 0, 1, 1)}


def test_the_tables_can_be_read(project, forestall) -> None:
    lines = forestall("history", "status", "--project", project[0], "--day", LAST).out.splitlines()
    assert lines[0] == f"The history holds {FIRST} to {LAST}; 4 accounts on {LAST}."
    assert next(line for line in lines if " desk " in line).split("  ")[-1] == "3 rows of 2 unknown"
    assert "  mood        █████░░░░░  50 %  0 days  5 days     desk (50 %)" in lines
    assert "                                1 day   5 days     survey (50 %)" in lines
    assert any("was left out: B9" in line for line in lines)


def test_a_second_pass_changes_nothing_and_a_day_that_is_not_there_is_a_sentence(project, forestall) -> None:
    folder, _ = project
    again = forestall("run", "--project", folder, "--day", LAST, "--send", "--format", "json").document("run")
    assert [one["new"] for one in again["sources"]] == [0, 0, 0, 0]
    assert "2026-01-05 to 2026-01-08, and not 2026-02-01" in str(
        forestall("history", "status", "--project", folder, "--day", "2026-02-01").error)


def test_several_keys_of_one_account_on_one_day_add_up_what_is_counted(tmp_path: Path, forestall) -> None:
    folder = write(tmp_path, keys="key,account\nz1,acme\nz2,acme\n", **{"forestall.yaml": (
        "sources:\n  desk: {adapter: csv, path: desk.csv, keys: keys.csv}\n")})
    done = forestall("history", "import", "--project", folder, "--format", "json").document("history-import")
    noticed = " ".join(done["sources"][0]["noticed"])
    assert "1 account with several keys that speak of one day" in noticed
    assert {"tickets": 4.0, "mood": 7.0}.items() <= metrics_of(forestall, folder, "acme").items()
    assert forestall("history", "import", "--project", folder, "--format", "json").document(
        "history-import")["sources"][0]["new"] == 0


@pytest.mark.parametrize(("keys", "line", "says"), [
    ("key,account\nB1,acme\nB1,bolt\n", 3, "the key B1 means acme above and bolt here"),
    ("key,account\nB1,\n", 2, "`account` is empty"),
    ("code,account\nB1,acme\n", 1, "must name the columns key and account"),
    ("", 1, "must name the columns key and account"),
])
def test_a_bad_file_of_keys_is_a_sentence_with_its_line(tmp_path: Path, forestall, keys: str, line: int,
                                                        says: str) -> None:
    done = forestall("history", "import", "--project", write(tmp_path, keys=keys))
    assert isinstance(done.error, SourceError)
    assert done.error.problems[0].location.line == line
    assert says in str(done.error)
    assert not (tmp_path / ".forestall").exists()


def test_keys_that_cannot_be_are_a_sentence(tmp_path: Path, forestall) -> None:
    wrong = FILES["forestall.yaml"].replace("metric: zendesk_id", "metric: heat")
    folder = write(tmp_path, **{"forestall.yaml": wrong})
    done = forestall("run", "--project", folder, "--day", LAST)
    assert isinstance(done.error, SettingsError)
    assert "`keys` of source desk names heat, not a text metric that a source supplies" in str(done.error)
    found = forestall("check", "--project", folder, "--format", "json").document("check")["problems"]
    assert [(one["code"], one["line"]) for one in found if one["severity"] == "error"] == [("unknown-metric", 8)]
    folder = write(tmp_path, **{"forestall.yaml": FILES["forestall.yaml"].replace("keys.csv", "missing.csv")})
    assert "takes its keys from this file, and it is not there" in str(
        forestall("run", "--project", folder, "--day", LAST).error)


# -- by hand alone -----------------------------------------------------------------------------------------------------

SHEET = "account;since;until;by;note;heat;mood\n" \
        f"top one;{FIRST};{LAST};dana;our talk on Monday;90;8\n" \
        f"top two;{FIRST};{LAST};dana;no answer for weeks;10;\n;;;;;;\n"


def test_one_spreadsheet_is_enough_to_score_accounts(tmp_path: Path, forestall) -> None:
    folder = write(tmp_path, rules__by_hand=SHEET, **{"forestall.yaml": "delivery: rehearsal\n"})
    told = [forestall("run", "--project", folder, "--day", FIRST + timedelta(days=day), "--send", "--format",
                      "json").document("run") for day in (0, 1, 12, 20)]
    assert [(one["accounts"], one["tiers"], one["by_hand"]["in_force"]) for one in told] == [
        (2, {"healthy": 1, "at_risk": 1}, 3), (2, {"healthy": 1, "at_risk": 1}, 3),
        (2, {"healthy": 0, "at_risk": 0}, 0), (0, {"healthy": 0, "at_risk": 0}, 0)]
    assert told[0]["sources"] == [{"source": "by hand", "rows": 2, "new": 2, "noticed": []}]
    shown = forestall("explain", "top two", "--project", folder, "--day", FIRST, "--format", "json").document("explain")
    assert [(one["what"], one["by"], one["note"]) for one in shown["by_hand"]] == [
        ("heat", "dana", "no answer for weeks")]


def test_an_account_of_a_source_is_not_kept_by_hand(tmp_path: Path, forestall) -> None:
    sheet = SHEET.replace("top one", "acme")
    folder = write(tmp_path, rules__by_hand=sheet)
    done = forestall("history", "import", "--project", folder, "--format", "json").document("history-import")
    by_hand, = (one for one in done["sources"] if one["source"] == "by hand")
    assert (by_hand["accounts"], by_hand["first"], by_hand["last"]) == (1, str(FIRST), str(LAST))


@pytest.mark.parametrize(("sheet", "line", "column", "says"), [
    (SHEET.replace(";heat;", ";haet;"), 1, 29, "there is no metric `haet`. Did you mean heat?"),
    (SHEET.replace("90;8", "90;good"), 2, 58, "`good` does not fit metric mood"),
    (SHEET.replace(";8\n", ";8;9\n"), 2, 1, "this line has 8 cells, and there are 7 columns"),
    (SHEET.replace("10;", ";"), 3, 1, "this line says no value"),
])
def test_a_wrong_cell_of_the_spreadsheet_is_named(tmp_path: Path, forestall, sheet: str, line: int, column: int,
                                                  says: str) -> None:
    done = forestall("check", "--project", write(tmp_path, rules__by_hand=sheet), "--format", "json").document("check")
    problem = next(one for one in done["problems"] if says in f"{one['message']} {one['hint']}")
    assert (problem["line"], problem["column"]) == (line, column)
