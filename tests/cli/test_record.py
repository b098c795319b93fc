"""`forestall test --record`: a stretch of history becomes a story that goes as the account went, without its names."""

import csv
import re
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forestall.engine.errors import Location
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import ScalarNode
from forestall.engine.stories.series import MOST_DAYS, read_series
from forestall.engine.stories.series_writing import written_series

FIRST, LAST = date(2026, 1, 25), date(2026, 3, 31)


@pytest.fixture
def project(sampled: Path, tmp_path: Path) -> Path:
    """The sampled project, with no story yet."""
    folder = Path(shutil.copytree(sampled, tmp_path / "project"))
    for path in (folder / "rules" / "tests").iterdir():
        path.unlink()
    return folder


def names_of(project: Path) -> set[str]:
    """Every text that belongs to somebody."""
    with (project / "data" / "accounts.csv").open(encoding="utf-8") as file:
        return {row[column] for row in csv.DictReader(file)
                for column in ("account", "account_name", "contact_email", "sponsor") if row[column]}


def test_recorded_stories_pass_and_name_nobody(project: Path, forestall) -> None:
    texts = []
    for number in (2, 7, 11, 23, 44):
        out = project / "rules" / "tests" / f"recorded-{number}.yaml"
        done = forestall("test", "--project", project, "--record", f"made-up-00{number:02}", "--from", FIRST,
                         "--to", LAST, "--out", out, "--name", f"Recorded {number}")
        assert done.code == 0
        assert "not as it was" not in done.out, done.out
        assert f"{out} holds the story" in done.out
        texts.append(out.read_text(encoding="utf-8"))
    done = forestall("test", "--project", project)
    assert "5 stories: 5 passed, 0 failed." in done.out, done.out
    whole = "\n".join(texts)
    assert not [name for name in names_of(project) if name in whole]
    assert "account_name: Customer 1" in whole
    assert "contact1@customer.example" in whole
    for said in ("alerts: [", "deliveries: [", "no_deliveries: all", "tier: "):
        assert said in whole, said


def test_a_story_looks_back_as_far_as_the_rules(project: Path, forestall) -> None:
    done = forestall("test", "--project", project, "--record", "made-up-0007", "--from", "2026-03-01",
                     "--to", "2026-03-10")
    assert "    from: 2026-01-26\n" in done.out
    assert "- {day: 35, tier: " in done.out
    assert "- {day: 44, tier: " in done.out
    assert "# 2026-03-10" in done.out
    assert not re.search(r"day: (?:[1-9]|[12][0-9]|3[0-4])\b", done.out)


@pytest.mark.parametrize(("arguments", "said"), [
    (["--record", "made-up-007", "--from", "2026-03-01"], "the history has no row of this account"),
    (["--record", "made-up-0007", "--from", "2026-03-10", "--to", "2026-03-01"], "2026-03-01 is before 2026-03-10"),
    (["--record", "made-up-0007", "--from", "2026-03-01", "--out", "THERE"], "this file exists already"),
    (["--record", "made-up-0007", "--from", "2026-03-01", "--out", "NOWHERE"], "this file cannot be written"),
])
def test_what_cannot_be_recorded_is_a_sentence(project: Path, forestall, arguments, said) -> None:
    named = {"THERE": project / "forestall.yaml", "NOWHERE": project / "nowhere" / "x.yaml"}
    done = forestall("test", "--project", project, *(named.get(one, one) for one in arguments))
    assert done.code == 1
    assert said in str(done.error)


def test_a_misspelt_account_is_met_with_a_proposal(project: Path, forestall) -> None:
    done = forestall("test", "--project", project, "--record", "made-up-00007", "--from", "2026-03-01")
    assert "Did you mean made-up-0007?" in str(done.error)


def test_there_must_be_a_history(tmp_path: Path, forestall) -> None:
    forestall("init", tmp_path / "x")
    done = forestall("test", "--project", tmp_path / "x", "--record", "acme", "--from", "2026-03-01")
    assert "there is no history yet" in str(done.error)


@pytest.mark.parametrize("arguments", [["--record", "acme"], ["--from", "2026-03-01"], ["--name", "Mine"]])
def test_options_that_do_not_go_together_are_wrong_usage(project: Path, forestall, arguments) -> None:
    assert forestall("test", "--project", project, *arguments).code == 2


METRICS = """account: {name: account_name, contact: contact_email, csm: csm, opted_out: out}
metrics:
  account_name: {kind: text, stale_after: 90 days}
  contact_email: {kind: text, personal: true, stale_after: 90 days}
  csm: {kind: text, stale_after: 90 days}
  out: {kind: flag, stale_after: 90 days}
  nickname: {kind: text, personal: true}
  plan: {kind: text, one_of: [small, "large, paid"]}
  sponsor: {kind: text}
  city: {kind: text}
  logins: {kind: number, stale_after: 3 days}
  errors: {kind: number, per: day}
"""
WEIGHTS = """signals:
  activity: {weight: 100, metric: logins, points: {0: 0, 100: 100}}
new_accounts: scored
tiers: {well: 50-100, ill: 0-49}
"""
TRIGGERS = """triggers:
  quiet: {when: logins < 10}
  trouble: {when: "total(errors, days=3) >= 9"}
  other_sponsor: {when: "changed(sponsor, days=7)"}
  paid: {when: 'plan == "large, paid" and sponsor != "nobody, yet"'}
"""
PLAYBOOK = """plays:
  ask:
    trigger: quiet
    steps:
      - email: {to: contact, template: ask}
      - slack: {to: csm, template: ask}
  look:
    tier: ill
    steps:
      - slack: {to: csm.manager, template: ask}
"""
SETTINGS = """sources: {facts: {adapter: csv, path: facts.csv}}
people:
  ann: {name: Ann A, email: ann@ours.example}
  bob: {name: Bob B, email: bob@ours.example, slack: U1, manager: ann}
  cleo: {name: Cleo C, email: cleo@ours.example, slack: U2, manager: ann}
time_zone: UTC
delivery: rehearsal
gone_after: 5 days
"""
COLUMNS = ["account", "as_of", "account_name", "contact_email", "csm", "out", "nickname", "plan", "sponsor", "city",
           "logins", "errors"]


def own_project(folder: Path, forestall, rows: dict[int, dict[str, object]]) -> Path:
    """A small project whose one account says this on these days (0 is the first)."""
    rules = folder / "rules"
    (rules / "templates").mkdir(parents=True)
    for name, text in (("metrics", METRICS), ("weights", WEIGHTS), ("triggers", TRIGGERS), ("playbook", PLAYBOOK)):
        (rules / f"{name}.yaml").write_text(text, encoding="utf-8")
    (rules / "templates" / "ask.md").write_text("Subject: Hello\n\nHello.\n", encoding="utf-8")
    (folder / "forestall.yaml").write_text(SETTINGS, encoding="utf-8")
    with (folder / "facts.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for day, said in rows.items():
            writer.writerow({"account": "secret-ltd", "as_of": FIRST + timedelta(days=day), **said})
    done = forestall("history", "import", "--project", folder)
    assert done.code == 0, done.error
    return folder


def recorded(project: Path, forestall, until: int) -> str:
    """The story of the whole time, which must pass and be as it was."""
    out = project / "rules" / "tests" / "mine.yaml"
    out.parent.mkdir()
    done = forestall("test", "--project", project, "--record", "secret-ltd", "--from", FIRST, "--to",
                     FIRST + timedelta(days=until), "--out", out)
    assert done.code == 0, done.error
    assert "not as it was" not in done.out, done.out
    assert "1 passed" in forestall("test", "--project", project).out
    return out.read_text(encoding="utf-8")


WHO = {"account_name": "Secret Ltd", "contact_email": "eve@secret.example", "csm": "cleo", "nickname": "Evi"}


def test_what_goes_stale_goes_stale_in_the_story_on_the_same_day(tmp_path: Path, forestall) -> None:
    days = {day: {**WHO, "logins": 60} for day in range(4)} | {day: {**WHO} for day in range(4, 20)}
    text = recorded(own_project(tmp_path / "x", forestall, days), forestall, 19)
    assert "logins: 60 x4, _ x16" in text
    assert "tier: unscored" in text
    assert "day: 8" in text         # said on day 4, and for three days more


def test_an_account_that_is_gone_is_gone_in_the_story(tmp_path: Path, forestall) -> None:
    days = {day: {**WHO, "logins": 60} for day in range(4)} | {day: {**WHO, "logins": 5} for day in range(25, 30)}
    text = recorded(own_project(tmp_path / "x", forestall, days), forestall, 29)
    assert re.search(r"account_name: Customer 1 x4, _ x21, Customer 1 x5", text), text
    assert "day: 26, tier: ill, score: 5, alerts: [quiet, \"tier:ill\"], deliveries: [ask.email, ask.slack]" in text


def test_names_become_others_and_what_rules_compare_stays(tmp_path: Path, forestall) -> None:
    days = {day: {**WHO, "logins": 60, "plan": "large, paid" if day < 9 else "small", "city": "Oslo",
                  "sponsor": "Eve" if day < 5 else "Mallory", "errors": day % 4} for day in range(12)}
    days[11]["csm"] = "mia@ours.example"
    text = recorded(own_project(tmp_path / "x", forestall, days), forestall, 11)
    assert not re.search("Secret|eve@|Eve|Evi|Mallory|Oslo|cleo|mia|nickname", text)
    assert "sponsor: sponsor 1 x5, sponsor 2 x7" in text
    assert "errors: 0..3 x4, 0..3 x4, 0..3 x4" in text
    assert "csm: bob x11, colleague2@ours.example x1" in text      # the first who is reached in the same ways
    assert "alerts: [other_sponsor]" in text
    assert "trouble" not in text


def test_texts_that_mean_something_in_yaml_are_quoted(tmp_path: Path, forestall) -> None:
    project = own_project(tmp_path / "x", forestall, {
        day: {**WHO, "logins": 60, "plan": "large: #1" if day < 5 else "no", "sponsor": "null"} for day in range(9)})
    path = project / "rules" / "metrics.yaml"
    path.write_text(path.read_text().replace('"large, paid"', '"large: #1", no'), encoding="utf-8")
    path = project / "rules" / "triggers.yaml"
    text = path.read_text().replace("large, paid", "large: #1").replace("nobody, yet", "null")
    path.write_text(text, encoding="utf-8")
    text = recorded(project, forestall, 8)
    assert 'plan: "large: #1 x5, no x4"' in text
    assert 'sponsor: "null"' in text


@pytest.mark.parametrize("name", ["12", "true", 'The "good" one: #1', "null"])
def test_any_text_can_be_a_name(project: Path, forestall, name: str) -> None:
    out = project / "rules" / "tests" / "mine.yaml"
    done = forestall("test", "--project", project, "--record", "made-up-0007", "--from", "2026-03-30", "--out", out,
                     "--name", name)
    assert done.code == 0, done.error
    assert forestall("test", "--project", project, "--format", "json").document("test")["stories"][0]["name"] == name


VALUES = {
    Kind.NUMBER: st.one_of(st.integers(-5, 5).map(float), st.floats(allow_nan=False, allow_infinity=False, width=32)),
    Kind.DATE: st.integers(0, 9).map(lambda day: FIRST + timedelta(days=day)), Kind.FLAG: st.booleans(),
    Kind.TEXT: st.sampled_from(["small", "plan x3", "a b", "1"]),
}


@pytest.mark.parametrize("kind", list(Kind))
@given(choose=st.data())
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read_back(kind: Kind, choose: st.DataObject) -> None:
    values = tuple(choose.draw(st.lists(st.one_of(st.none(), VALUES[kind]), min_size=1, max_size=30)))
    assert read(written_series(values), kind) == values


def read(text: str, kind: Kind) -> tuple[object, ...]:
    findings = Findings()
    found = read_series(ScalarNode(text, text, Location("x", 1, 1), text), Metric("m", kind, Location("x")), findings)
    assert findings.sorted() == ()
    return found


@pytest.mark.parametrize(("values", "written"), [
    ([20.0] * 14, "20 x14"), ([None] * 3, "_ x3"), ([1.0, 2.0, 3.0, 4.0], "1..4 x4"), ([1.0, 2.0, 3.0], "1, 2, 3"),
    ([0.1, 0.2, 0.3, 0.4], "0.1, 0.2, 0.3, 0.4"),      # 0.1 + 0.2 is no 0.3: the ramp would not be exact
    ([5.0, 5.0, 4.0, 3.0, 2.0, 2.0], "5 x2, 4, 3, 2 x2"), ([True, True, False], "true x2, false"),
    ([date(2026, 1, 30) + timedelta(days=day) for day in range(5)], "2026-01-30..2026-02-03 x5"),
])
def test_series_are_short(values, written) -> None:
    assert written_series(values) == written


@pytest.mark.parametrize(("text", "last"), [
    ("2026-01-05..2026-01-09 x5", date(2026, 1, 9)), ("2026-01-05..2026-01-19 x3", date(2026, 1, 19)),
    ("2026-01-09..2026-01-05 x5", date(2026, 1, 5)),
])
def test_dates_have_ramps_too(text: str, last: date) -> None:
    assert read(text, Kind.DATE)[-1] == last
    assert len(read(text, Kind.DATE)) < MOST_DAYS


def test_a_ramp_of_dates_takes_whole_days() -> None:
    findings = Findings()
    text = "2026-01-05..2026-01-09 x4"
    read_series(ScalarNode(text, text, Location("x", 1, 1), text), Metric("m", Kind.DATE, Location("x")), findings)
    (found,) = findings.sorted()
    assert "equal steps of whole days" in found.message
    assert "2026-01-05..2026-01-08 x4" in found.hint
