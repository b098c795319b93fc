"""Guards, approval, quiet hours and the one message for a full day, from the prompt and through real files."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from projects import write_files

from forestall.engine.intervene import quiet
from forestall.engine.intervene.worker import leaves_at
from forestall.engine.model.delivery import DeliveryStatus
from forestall.engine.runtime import open_project
from forestall.engine.store import Store

pytestmark = pytest.mark.xdist_group("test_courtesies")
FIRST = date(2026, 1, 5)
FILES = {
    "rules/metrics.yaml": """
account: {name: account_name, contact: contact_email, csm: csm, time_zone: time_zone}
metrics:
  account_name: {kind: text, stale_after: 90 days}
  contact_email: {kind: text, personal: true, stale_after: 90 days}
  csm: {kind: text, stale_after: 90 days}
  time_zone: {kind: text, stale_after: 90 days}
  heat: {kind: number, stale_after: 1 day}
  logins: {kind: number}
""",
    "rules/weights.yaml": """
signals:
  warmth: {weight: 50, metric: heat, points: {0: 0, 100: 100}}
  use: {weight: 50, metric: logins, points: {0: 0, 100: 100}}
tiers: {healthy: 60-100, at_risk: 30-59, critical: 0-29}
""",
    "rules/triggers.yaml": "triggers:\n  cold: {when: score < 40, severity: at_risk}\n",
    "rules/playbook.yaml": """
plays:
  call: {trigger: cold, steps: [{task: {for: csm, to: crm, template: note}}, {wait: 20 days}]}
limits: {per_play: 2}
""",
    "rules/templates/note.md": "Subject: Call {{ account.name }}\n\nIt is at {{ now.heat }}.\n",
    "forestall.yaml": """
sources:
  facts: {adapter: csv, path: facts.csv}
channels:
  webhook: {adapter: webhook}
destinations:
  crm: {channel: webhook, url: https://crm.example.com/hooks/cs}
people:
  dana: {name: Dana Reed, email: dana@example.com, time_zone: Asia/Tokyo}
time_zone: Europe/Berlin
delivery: rehearsal
""",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_files(tmp_path, FILES)


def facts(project: Path, rows: dict[int, dict[str, tuple[object, object]]]) -> None:
    """`rows`: number of the day → account → heat and logins."""
    lines = ["account,as_of,account_name,contact_email,csm,time_zone,heat,logins"]
    for number, accounts in rows.items():
        day = FIRST + timedelta(days=number)
        lines += [f"{name},{day},{name.title()},ann@{name}.example,dana,Europe/Berlin,{heat},{logins}"
                  for name, (heat, logins) in accounts.items()]
    (project / "facts.csv").write_text("\n".join(lines) + "\n")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def day(project: Path, forestall, number: int):
    done = forestall("run", "--project", project, "--day", FIRST + timedelta(days=number), "--send")
    assert done.code == 0, done.out
    return " ".join(done.out.split())


def rows(project: Path) -> list:
    with Store.open(open_project(project).store_path, read_only=True) as store:
        return list(store.outbox())


COLD = {"a": (10, 10), "b": (10, 10), "c": (10, 10)}


def test_what_is_held_is_shown_explained_approved_and_sent(project: Path, forestall) -> None:
    facts(project, {0: COLD, 1: {"a": (10, 10), "b": (90, 90), "c": (10, 10)}})
    said = day(project, forestall, 0)
    assert "3 starts in one pass; limits.per_play is 2" in said
    assert rows(project) == []
    explained = forestall("explain", "a", "--project", project, "--day", FIRST)
    assert "held by the guard" in " ".join(explained.out.split())
    assert forestall("outbox", "approve", "call", "--project", project, "--by", "robin").code == 0
    day(project, forestall, 1)
    assert [row.delivery.account for row in rows(project)] == ["a", "c"]
    with Store.open(open_project(project).store_path, read_only=True) as store:
        runs = {run.account: (run.status.value, run.reason) for run in store.state().runs}
        assert (runs["b"], dict(store.state().approvals), store.held()) == (("stopped", "its alert closed"), {}, {})


def test_what_is_refused_never_starts(project: Path, forestall) -> None:
    facts(project, {0: COLD})
    day(project, forestall, 0)
    assert forestall("outbox", "cancel", "call", "--project", project, "--by", "robin").code == 0
    day(project, forestall, 1)
    with Store.open(open_project(project).store_path, read_only=True) as store:
        assert {run.reason for run in store.state().runs} == {"robin said no"}
    assert rows(project) == []


def test_a_metric_that_goes_missing_everywhere_starts_nothing_until_it_is_back(project: Path, forestall) -> None:
    edit(project / "rules/playbook.yaml", "per_play: 2", "per_play: 200")
    names = [f"a{number:02}" for number in range(24)]
    well = dict.fromkeys(names, (90, 30))
    facts(project, {0: well, 1: well, 2: dict.fromkeys(names, ("", 30))})
    assert "Guard" not in day(project, forestall, 1)
    facts(project, {0: well, 1: well, 2: dict.fromkeys(names, ("", 30)), 3: dict.fromkeys(names, ("", 30))})
    said = day(project, forestall, 3)
    assert "the facts are in doubt: heat is known for 0 accounts, and it was for 24" in said
    assert rows(project) == []
    back = dict.fromkeys(names, (90, 30)) | {"a00": (10, 30)}
    facts(project, {0: well, 1: well, 3: dict.fromkeys(names, ("", 30)), 4: back})
    day(project, forestall, 4)
    assert [row.delivery.account for row in rows(project)] == ["a00"], "the others were never cold"


def test_a_source_that_falls_silent_starts_nothing_until_it_speaks(project: Path, forestall) -> None:
    edit(project / "rules/metrics.yaml", "stale_after: 1 day", "stale_after: 3 days")
    daily = {number: {"a": (90, 30), "b": (90, 90)} for number in range(20)}
    facts(project, daily)
    day(project, forestall, 19)
    said = day(project, forestall, 23)      # heat is missing now, and logins alone look cold
    since = FIRST + timedelta(days=19)
    assert f"the facts are in doubt: source facts has said nothing of any day since {since}" in said
    assert rows(project) == []
    facts(project, daily | {24: {"a": (10, 30), "b": (90, 90)}})
    day(project, forestall, 24)
    assert [row.delivery.account for row in rows(project)] == ["a"]


def test_an_alert_that_may_not_open_again_yet_says_so(project: Path, forestall) -> None:
    facts(project, {0: {"a": (10, 10)}, 1: {"a": (90, 90)}, 2: {"a": (10, 10)}})
    for number in range(3):
        said = day(project, forestall, number)
    assert "cooldown 1" in said
    last = FIRST + timedelta(days=2)
    explained = " ".join(forestall("explain", "a", "--project", project, "--day", last).out.split())
    assert "cooldown, so again; it may open on 2026-01-19" in explained


def test_the_one_message_for_a_full_day_lists_what_its_tasks_would_have_said(project: Path, forestall) -> None:
    edit(project / "rules/playbook.yaml", "per_play: 2",
         "tasks_per_csm: 1 per day, digest: {by: email, template: full}")
    (project / "rules/templates/full.md").write_text(
        "Subject: {{ tasks | length }} more for {{ csm.name }}\n\n"
        "{% for task in tasks %}\n- {{ task.title }} ({{ task.account }}, {{ task.severity }})\n{% endfor %}\n")
    facts(project, {0: COLD})
    day(project, forestall, 0)
    task, digest = rows(project)
    assert (task.delivery.account, digest.delivery.account, digest.delivery.recipient) == ("a", "", "dana@example.com")
    assert digest.message.subject == "2 more for Dana Reed"
    assert "- Call B (B, At Risk)" in digest.message.text
    assert "- Call C (C, At Risk)" in digest.message.text
    explained = " ".join(forestall("explain", "b", "--project", project, "--day", FIRST).out.split())
    assert "budget, in the one message that lists it for Dana Reed" in explained


def test_live_nothing_leaves_in_quiet_hours(project: Path, forestall) -> None:
    """All day is quiet but the minute that is farthest away, so it is quiet now, wherever the test runs."""
    now = datetime.now(UTC)
    far = now + timedelta(hours=12)
    edit(project / "rules/playbook.yaml", "limits: {per_play: 2}",
         f'limits: {{quiet_hours: "{far + timedelta(minutes=1):%H:%M}-{far:%H:%M}"}}')
    edit(project / "rules/playbook.yaml", "{task: {for: csm, to: crm, template: note}}",
         "{email: {to: contact, template: note}}")
    edit(project / "forestall.yaml", "webhook: {adapter: webhook}",
         "webhook: {adapter: webhook}\n  email: {adapter: folder, path: out}")
    edit(project / "forestall.yaml", "delivery: rehearsal", "delivery: live")
    edit(project / "forestall.yaml", "Europe/Berlin", "UTC")
    today = now.date()
    lines = (project / "facts.csv")
    lines.write_text("account,as_of,account_name,contact_email,csm,time_zone,heat,logins\n"
                     f"a,{today},Acme,ann@acme.example,dana,UTC,10,10\n")
    done = forestall("run", "--project", project, "--day", today, "--send", "--existing", "open")
    assert done.code == 0, done.out
    assert "quiet hours 1" in done.out
    (row,) = rows(project)
    assert (row.status, row.next_attempt) == (DeliveryStatus.QUEUED, row.delivery.not_before)
    assert row.delivery.not_before is not None
    assert not quiet.is_quiet(quiet.Quiet.of(row.delivery.quiet), row.delivery.not_before)
    assert leaves_at(row, now) == row.delivery.not_before, "a later attempt keeps to them as well"
    explained = " ".join(forestall("explain", "a", "--project", project, "--day", today).out.split())
    assert "quiet hours, it leaves on" in explained
