"""A log of events in files: what comes out of it, and what is said of a log that cannot be read."""

from __future__ import annotations

import bz2
import gzip
import json
import re
import shutil
import sys
from dataclasses import fields
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from forestall.adapters.sources.daily.declared import Daily, DailyMetric, Measure
from forestall.adapters.sources.events import files as event_files
from forestall.adapters.sources.events.files import LogFiles
from forestall.adapters.sources.events.source import EventsSettings, EventsSource, Format
from forestall.engine.cli.main import main
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, SourceError
from forestall.engine.settings import open_source, read_settings

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "logins"
METRICS = {name: Metric(name, kind, Location("rules/metrics.yaml", 1, 1)) for name, kind in {
    "logins_7d": Kind.NUMBER, "users_7d": Kind.NUMBER, "plan": Kind.TEXT}.items()}
DECLARED = {"logins_7d": DailyMetric(Measure.COUNT, ("login",), days=7),
            "users_7d": DailyMetric(Measure.DISTINCT, of="user", days=7),
            "plan": DailyMetric(Measure.LATEST, of="props.plan", days=7)}
EVENTS = [
    ("acme", "u1", "login", "2026-03-01T09:30:00Z", {"plan": "pro"}),
    ("acme", "u2", "login", "2026-03-01T23:30:00-02:00", {"plan": "max"}),
    ("bolt", "u1", "login", "2026-03-02T10:00:00.250+00:00", None),
    (None, "u9", "login", "2026-03-02T10:00:00Z", None),
    ("acme", "u1", "report", "2026-03-03 10:00:00 UTC", {}),
]
EXPECTED = [
    ("acme", date(2026, 3, 1), 1, 1, "pro"), ("acme", date(2026, 3, 2), 2, 2, "max"),
    ("acme", date(2026, 3, 3), 2, 2, "max"), ("bolt", date(2026, 3, 2), 1, 1, None),
    ("bolt", date(2026, 3, 3), 1, 1, None),
]


def csv_text(events: list[tuple]) -> str:
    lines = ["account,user,name,at,props"]
    for account, user, name, at, props in events:
        written = json.dumps(props).replace('"', '""') if props is not None else ""
        lines.append(f'{account or ""},{user},{name},{at},"{written}"')
    return "\n".join(lines) + "\n"


def json_lines(events: list[tuple]) -> str:
    return "".join(json.dumps(dict(zip(("account", "user", "name", "at", "props"), event, strict=True))) + "\n"
                   for event in events)


def parquet(events: list[tuple], path: Path, **written: object) -> None:
    moments = [datetime.fromisoformat(at.replace(" UTC", "+00:00")) for *_, at, _ in events]
    pq.write_table(pa.table({
        "account": [one[0] for one in events], "user": pa.array([one[1] for one in events]).dictionary_encode(),
        "name": [one[2] for one in events], "at": pa.array(moments, pa.timestamp("ms", "UTC")),
        "props": pa.array([one[4] for one in events], pa.struct([("plan", pa.string())]))}), path, **written)


def source(folder: Path, path: str, **settings: object) -> EventsSource:
    return EventsSource("product", EventsSettings(path=path, **{"metrics": DECLARED, **settings}), METRICS, folder)


def told(made: EventsSource, since: date | None = None, until: date | None = None) -> list[tuple]:
    return sorted(tuple(row.values()) for table in made.snapshots(since, until) for row in table.to_pylist())


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz", "log.jsonl", "log.jsonl.gz", "log.jsonl.bz2", "log.parquet"])
def test_the_same_log_says_the_same_in_every_format(name, tmp_path):
    path = tmp_path / name
    text = csv_text(EVENTS) if ".csv" in name else json_lines(EVENTS)
    if name.endswith(".parquet"):
        parquet(EVENTS, path)
    else:
        pack = {".gz": gzip.compress, ".bz2": bz2.compress}.get(path.suffix, bytes)
        path.write_bytes(pack(text.encode()))
    made = source(tmp_path, name)
    assert told(made) == EXPECTED
    assert made.supplies() == ("logins_7d", "users_7d", "plan")
    assert ["leaves out 1 of its rows: they name no account" in str(problem) for problem in made.noticed] == [True]


def test_a_folder_may_hold_files_of_several_formats(tmp_path):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "a.csv").write_text(csv_text(EVENTS[:2]))
    (tmp_path / "log" / "b.ndjson").write_text(json_lines(EVENTS[2:4]))
    parquet(EVENTS[4:], tmp_path / "log" / "c.parquet")
    assert told(source(tmp_path, "log")) == EXPECTED
    assert told(source(tmp_path, "log/*")) == EXPECTED
    with pytest.raises(SourceError, match=r"finds no file at nothing"):
        told(source(tmp_path, "nothing"))
    (tmp_path / "log.txt").write_text(csv_text(EVENTS))
    with pytest.raises(SourceError, match=r"finds files, and none whose name says how it is written"):
        told(source(tmp_path, "log.txt"))
    assert told(source(tmp_path, "log.txt", format=Format.CSV)) == EXPECTED


def test_columns_have_the_names_that_the_log_gives_them(tmp_path):
    times = ("1772357400", "1772400600123", "2026-03-01", "2026-03-01 23:30")
    (tmp_path / "log.txt").write_text("tenant;who;what;when\n" + "".join(
        f"acme;u{min(number, 2)};signed in;{time}\n" for number, time in enumerate(times, 1)))
    found = told(source(tmp_path, "log.txt", format=Format.CSV, delimiter=";", account="tenant", user="who",
                        name="what", at="when", time_zone="America/New_York", clock="America/New_York",
                        metrics={"logins_7d": DailyMetric(Measure.COUNT, ("signed in",)),
                                 "users_7d": DECLARED["users_7d"]}))
    assert found == [("acme", date(2026, 3, 1), 4, 2)]


@pytest.mark.parametrize(("name", "text", "said"), [
    ("a.csv", "account,at,name,user,props\nx,2026-03-01,login,u,\nx,yesterday,login,u,\n",
     'a.csv:3:3: at holds "yesterday" where a time belongs.'),
    ("a.csv", "account,at,name,user,props\nx,2026-02-30T10:00:00Z,login,u,\n",
     'a.csv:2:3: at holds "2026-02-30T10:00:00Z" where a time belongs.'),
    ("a.csv", "account,at,name,user,props\nx,,login,u,\n", "a.csv:2:3: at holds nothing where a time belongs."),
    ("a.csv", "acount,at,name,user,props\nx,2026-03-01,login,u,\n",
     "a.csv: there is no column account for `account`. Did you mean acount?"),
    ("a.csv", "account,at,event,user,props\nx,2026-03-01,login,u,\n",
     "`name` of the source product names the column name, which no file has."),
    ("a.csv", "account,at,name,usr,props\nx,2026-03-01,login,u,\n",
     "`user` of the source product names the column user, which no file has. Did you mean usr?"),
    ("a.jsonl", '{"account": "x", "at": "2026-03-01T10:00:00Z"}\n{"account": "x", "at": "soon"}\n',
     'a.jsonl:2:1: at holds "soon" where a time belongs.'),
    ("a.jsonl", '{"account": "x", "at": "2026-03-01T10:00:00Z"}\n{"account": \n', "a.jsonl:2:1: the line is no JSON"),
    ("a.jsonl", '{"account": "x", "at": "2026-03-01T10:00:00Z"}\n{"account": "x", "at"', "the last line is cut off"),
    ("a.parquet", "PAR1", "a.parquet: this is not a Parquet file, or it is cut off."),
])
def test_what_cannot_be_read_is_said_with_its_place(name, text, said, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(SourceError) as refused:
        told(source(tmp_path, name))
    assert said in str(refused.value)


def test_files_of_other_days_are_not_opened(tmp_path):
    for day, events in (("2026-02-01", None), ("2026-03-01", EVENTS[:1]), ("2026-03-03", EVENTS[1:])):
        (tmp_path / f"{day}.csv").write_text("this is no log" if events is None else csv_text(events))
    wanted = {"users_7d": DECLARED["users_7d"]}
    made = source(tmp_path, "{day}.csv", metrics=wanted, forget_after=7)
    assert told(made, date(2026, 3, 2), date(2026, 3, 9)) == [
        ("acme", date(2026, 3, 2), 2), ("acme", date(2026, 3, 3), 2), ("bolt", date(2026, 3, 2), 1),
        ("bolt", date(2026, 3, 3), 1)]
    with pytest.raises(SourceError, match=r"2026-02-01\.csv"):
        told(made)
    (tmp_path / "2026-02-01.csv").unlink()
    (tmp_path / f"{datetime.now(UTC).date()}.csv").write_text("somebody is writing")
    assert len(told(made)) == 5
    with pytest.raises(SourceError, match=r"there is no column account"):
        told(source(tmp_path, "{day}.csv", metrics=wanted, today=True))


def test_groups_of_rows_of_other_times_are_not_read(tmp_path, monkeypatch):
    old = [("acme", "u", "login", f"2025-12-{day:02}T10:00:00Z", None) for day in range(1, 11)]
    parquet([*old, *[one for one in EVENTS if one[0]]], tmp_path / "log.parquet", row_group_size=5)
    read: list[int] = []
    whole = pq.ParquetFile.iter_batches
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda self, size, row_groups, columns: (
        read.extend(row_groups), whole(self, size, row_groups=row_groups, columns=columns))[1])
    found = told(source(tmp_path, "log.parquet", forget_after=7), date(2026, 3, 1), date(2026, 3, 3))
    assert (found, read) == (EXPECTED, [2])


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl.gz"])
def test_a_text_is_read_once_and_kept_in_a_form_that_is_quick_to_read(name, tmp_path, monkeypatch):
    monkeypatch.setattr(event_files, "WORTH_IT", 0)
    opened: list[str] = []
    batches = LogFiles._batches
    monkeypatch.setattr(LogFiles, "_batches", lambda self, layout, since, until: (
        opened.append(layout.place.shown), batches(self, layout, since, until))[1])

    def put(events: list[tuple]) -> None:
        text = (csv_text(events) if name.endswith("csv") else json_lines(events)).encode()
        (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)

    def asked(since: date | None = None) -> tuple[list[tuple], int, int]:
        opened.clear()
        made = EventsSource("product", EventsSettings(name, DECLARED), METRICS, tmp_path, tmp_path / "keep")
        return told(made, since), len(opened), len(made.noticed)

    put(EVENTS)
    assert asked() == (EXPECTED, 1, 1)
    assert asked() == (EXPECTED, 0, 1)
    later = [one for one in EXPECTED if one[1] == date(2026, 3, 3)]
    assert asked(date(2026, 3, 3)) == (later, 0, 1)
    put(EVENTS[:4])
    assert asked() == ([one for one in EXPECTED if one not in later], 1, 1)
    (copy,) = (tmp_path / "keep").rglob("*.parquet")
    copy.write_bytes(b"spoilt")
    assert asked() == ([one for one in EXPECTED if one not in later], 1, 1)
    for damaged in (copy.read_bytes()[:60], b""):
        copy.write_bytes(damaged)
        assert asked()[1] == 1


@pytest.fixture
def forestall(monkeypatch, capsys):
    """`forestall …` as from the prompt: exit code, output, errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["forestall", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call


@pytest.fixture
def example(tmp_path, monkeypatch) -> Path:
    shutil.copytree(EXAMPLE, tmp_path / "logins")
    monkeypatch.chdir(tmp_path / "logins")
    return tmp_path / "logins"


def test_a_log_of_logins_is_enough_for_a_score(example, forestall):
    code, out, _ = forestall("history", "import")
    assert (code, out.splitlines()[0]) == (0, "logins: 720 rows of 8 accounts, 2026-01-01 to 2026-03-31; 720 new")
    code, out, _ = forestall("run", "--day", "2026-03-31", "--format", "json")
    assert code == 0
    assert [one["account"] for one in json.loads(out)["transitions"]] == ["cedar", "cedar", "hazel"]
    code, out, _ = forestall("explain", "cedar", "--day", "2026-03-31", "--format", "json")
    told = json.loads(out)
    assert (code, told["score"], told["tier"]) == (0, 8.0, "churning")


def test_a_late_event_changes_the_days_that_it_belongs_to_and_no_other(example, forestall):
    forestall("history", "import")
    with (example / "data" / "2026-02.csv").open("a") as file:
        file.write("late1,2026-02-10T08:00:00Z,hazel,hazel-9,login\n")
    code, out, _ = forestall("history", "import")
    # 14 days of windows, and the last day of a login stays said until there is another
    assert (code, out.splitlines()[0]) == (0, "logins: 720 rows of 8 accounts, 2026-01-01 to 2026-03-31; 50 new")
    code, out, _ = forestall("history", "import")
    assert out.splitlines()[0].endswith("; 0 new")


def test_what_is_wrong_with_the_declaration_is_said_with_its_line(example, forestall):
    settings = (example / "forestall.yaml").read_text()
    (example / "forestall.yaml").write_text(settings.replace("measure: count,", "measure: cuont,").replace(
        "of: user, ", "").replace("{measure: last_day, events: login}", "{measure: last_day, evnts: login}"))
    code, out, err = forestall("check")
    assert code == 1
    for said in ("forestall.yaml:12:34: error: `metrics.logins_14d.measure` of source logins cannot be `cuont`.",
                 "forestall.yaml:13:24: error: source logins: `measure: distinct` needs `of`.",
                 "`evnts` is not a setting of `metrics.last_login_on` of source logins."):
        assert said in out + err
    (example / "forestall.yaml").write_text(settings.replace("people_14d:", "poeple_14d:"))
    for command in (["check"], ["history", "import"]):
        code, out, err = forestall(*command)
        assert code == 1
        assert "forestall.yaml:13:24: " in out + err
        assert "`metrics.poeple_14d` of the source logins is no metric that a source supplies." in out + err




PAGE = (EXAMPLE.parents[1] / "docs" / "source-events.md").read_text(encoding="utf-8")


def test_the_page_explains_every_measure_and_every_setting():
    for measure in Measure:
        assert f"\n| `{measure}` | " in PAGE
    for one in (*fields(EventsSettings), *fields(DailyMetric)):
        assert f"`{one.name}`" in PAGE


def test_the_examples_of_the_page_work(tmp_path):
    described = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])["sources"]["product"]
    (tmp_path / "forestall.yaml").write_text(yaml.safe_dump({"sources": {"product": described}}))
    settings = read_settings(tmp_path)
    metrics = {name: Metric(name, kind, Location("x", 1, 1)) for name, kind in {
        **dict.fromkeys(described["metrics"], Kind.NUMBER), "last_activity_on": Kind.DATE, "onboarding_step": Kind.TEXT,
        "step_started_on": Kind.DATE, "plan": Kind.TEXT}.items()}
    assert open_source(settings, settings.sources[0], metrics).supplies() == tuple(described["metrics"])
    names: dict = {"__name__": "example"}
    (written,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(written, "source-events.md", "exec", dont_inherit=True), names)
    made = names["VisitsSource"]("visits", names["VisitsSettings"](Daily({"users_7d": DECLARED["users_7d"]})), METRICS,
                                 tmp_path)
    assert told(made) == [("acme", date(2026, 1, 5), 1)]
