"""What people see in an editor, asked of the language server that VS Code and others run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from editor.command import ROOT, forestall
from editor.language_server import LanguageServer
from editor.node import Node

SHIPPED = sorted([*ROOT.glob("rules/*.yaml"), *ROOT.glob("rules/tests/*.yaml"), *ROOT.glob("examples/*/*.yaml"),
                  *ROOT.glob("examples/*/rules/*.yaml"), *ROOT.glob("examples/*/rules/tests/*.yaml"),
                  *ROOT.glob("benchmarks/eight_triggers/*.yaml"), ROOT / "engine" / "starter" / "forestall.yaml"])
FILES = {"metrics": "rules/metrics.yaml", "weights": "rules/weights.yaml", "triggers": "rules/triggers.yaml",
         "playbook": "rules/playbook.yaml", "story": "rules/tests/going_quiet.yaml", "settings": "forestall.yaml"}


def headed(kind: str, text: str) -> str:
    up = "../" * FILES[kind].count("/")
    return f"# yaml-language-server: $schema={up}schemas/{kind}.json\n{text}"


@pytest.fixture(scope="module")
def at_home(node: Node):
    with LanguageServer(node.command, ROOT) as server:
        yield server


@pytest.mark.parametrize("file", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shipped_file_names_its_schema_and_is_underlined_nowhere(at_home: LanguageServer, file: Path) -> None:
    first = file.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (file.parent / first.split("=", 1)[1]).resolve().parent == ROOT / "schemas"
    assert at_home.diagnostics(file) == []


def test_what_init_writes_is_underlined_nowhere(editor: LanguageServer, project: Path) -> None:
    written = sorted([project / "forestall.yaml", *project.glob("rules/*.yaml"), *project.glob("rules/tests/*.yaml")])
    assert len(written) >= 10
    for file in written:
        first = file.read_text(encoding="utf-8").splitlines()[0]
        assert (file.parent / first.split("$schema=", 1)[1]).resolve().parent == project / "schemas"
        assert editor.diagnostics(file) == [], file


# One mistake each: the file, what stands in it with » before the place, and what the editor says there.
BROKEN = [
    ("triggers", "triggers:\n  quiet:\n    »whn: score < 5\n", "Property whn is not allowed."),
    ("triggers", "triggers:\n  »quiet:\n    about: silence\n", 'Missing property "when".'),
    ("triggers", "triggers:\n  quiet:\n    when: score < 5\n    cooldown: »3 fortnights\n",
     "Write a duration: at once"),
    ("triggers", "triggers:\n  quiet:\n    when: score < 5\n    cooldown: »14\n", "Write a duration: at once"),
    ("triggers", "triggers:\n  quiet:\n    when: score < 5\n    severity: »terrible\n",
     "There is no tier of this name."),
    ("triggers", "triggers:\n  quiet:\n    when: score < 5\n    existing: »opn\n",
     "Value is not accepted. Valid values:"),
    ("triggers", "triggers:\n  quiet:\n    when: score < 5\n    repeat: »at once\n",
     "Write a duration of at least one day"),
    ("triggers", "defaults:\n  »plays: {}\ntriggers:\n  quiet: {when: score < 5}\n", "Property plays is not allowed."),
    ("metrics", "account: {revenue: »account_name}\nmetrics:\n  a: {kind: text}\n",
     "There is no metric of kind number"),
    ("metrics", "metrics:\n  logins: {kind: »numbr}\n", "Value is not accepted."),
    ("metrics", "metrics:\n  »first-login: {kind: date}\n", "Write letters, digits and underscores"),
    ("weights", "signals:\n  a: {weight: 50, metric: »logins}\ntiers: {good: 0-100}\n",
     "There is no metric of kind number of this name. If it is new, run `forestall schema` again."),
    ("weights", "signals:\n  a: {weight: »half, metric: logins_14d}\ntiers: {good: 0-100}\n", "Incorrect type."),
    ("weights", "signals:\n  a: {weight: 50, score: \"50\"}\ntiers: {good: »80}\n", "Write the lowest and the highest"),
    ("weights", "signals:\n  a: {weight: 1, score: \"50\"}\nminimum_coverage: »50\ntiers: {good: 0-100}\n",
     "Write a percentage"),
    ("playbook", "plays:\n  call:\n    trigger: »inactvity\n    steps:\n      - wait: 3 days\n",
     "There is no trigger of this name."),
    ("playbook", "plays:\n  call:\n    tier: at_risk\n    steps:\n      - email: {to: contact, template: »nope}\n",
     "There is no template of this name."),
    ("playbook", "plays:\n  call:\n    tier: at_risk\n    steps:\n      - slack: {to: »contact, template: rescue}\n",
     "There is no role or destination of this name."),
    ("playbook", "plays:\n  call:\n    tier: at_risk\n    »stps: []\n", "Property stps is not allowed."),
    ("playbook", "plays:\n  call:\n    tier: at_risk\n    owner: »boss\n    steps:\n      - wait: 3 days\n",
     "There is no colleague of this name."),
    ("story", "stories:\n  - name: a\n    series: {»logins: 20 x14}\n    expect:\n      - {day: 1, score: 5}\n",
     "Property logins is not allowed."),
    ("story", "stories:\n  - name: a\n    expect:\n      - {day: 1, alerts: [»inactvity]}\n",
     "There is no trigger of this name."),
    ("story", "stories:\n  - name: a\n    expect:\n      - {day: 1, silence: [»hold-out]}\n", "Value is not accepted."),
    ("settings", "sources:\n  product: {adapter: csv, path: a.csv, »seperator: x}\n", "Property seperator is not"),
    ("settings", "sources:\n  product: {adapter: »sheets, path: a.csv}\n", "No adapter of this name was installed"),
    ("settings", "channels:\n  slack: {adapter: slack, token: »xoxb-1}\n", "A secret never stands in a file."),
    ("settings", "destinations:\n  crm: {channel: »pigeon, to: x}\n", "There is no channel of this name."),
    ("settings", "delivery: »maybe\n", "Value is not accepted."),
]


@pytest.mark.parametrize(("kind", "marked", "said"), BROKEN, ids=[f"{kind}: {said[:40]}" for kind, _, said in BROKEN])
def test_a_mistake_is_underlined_where_it_is(editor: LanguageServer, project: Path, kind: str, marked: str,
                                             said: str) -> None:
    text = headed(kind, marked)
    line = text[:text.index("»")].count("\n")
    column = text.index("»") - text.rindex("\n", 0, text.index("»")) - 1
    found = editor.diagnostics(project / FILES[kind], text.replace("»", ""))
    seen = [(one["range"]["start"]["line"], one["range"]["start"]["character"], one["message"]) for one in found]
    assert any((at, start) == (line, column) and message.startswith(said) for at, start, message in seen), seen


# What is offered: the file, the text with ¦ where somebody types, some of the words, some that may not be there.
OFFERED = [
    ("triggers", "triggers:\n  quiet:\n    ¦\n", {"when", "clear_when", "repeat", "renamed_from"},
     {"whn"}),
    ("triggers", "triggers:\n  quiet:\n    when: ¦\n",
     {"score", "tier", "activity", "logins_14d", "drop(x, days=n)", 'tier == "…"'},
     {"contact_email", "total(x, days=n)"}),
    ("triggers", "triggers:\n  quiet:\n    when: log¦\n", {"logins_14d"}, set()),
    ("triggers", "triggers:\n  quiet:\n    severity: ¦\n", {"tier", "at_risk", "churning"}, {"unscored"}),
    ("triggers", "triggers:\n  quiet:\n    when: score < 5\n    cooldown: ¦\n", {"14 days"}, set()),
    ("triggers", "triggers:\n  quiet:\n    when: score < 5\n    existing: ¦\n", {"open", "record"}, set()),
    ("metrics", "account:\n  renewal: ¦\n", {"renewal_date", "customer_since"}, {"mrr", "account_name"}),
    ("metrics", "metrics:\n  a:\n    kind: ¦\n", {"number", "text", "flag", "date"}, set()),
    ("metrics", "metrics:\n  a:\n    is: ¦\n", {"days_since(date)", "logins_14d"}, {"drop(x, days=n)", "score"}),
    ("weights", "signals:\n  a:\n    metric: ¦\n", {"logins_14d", "mrr"}, {"account_name", "last_activity_on"}),
    ("weights", "signals:\n  a: {weight: 5, metric: ¦}\n", {"logins_14d", "mrr"}, {"account_name"}),
    ("weights", "signals:\n  a:\n    score: ¦\n", {"milestones_total", "average(x, days=n)"}, {"score", "activity"}),
    ("weights", "profiles:\n  - name: a\n    signals:\n      ¦\n", {"activity", "recency"}, set()),
    ("playbook", "plays:\n  a:\n    trigger: ¦\n", {"inactivity", "logins_down"}, {"at_risk"}),
    ("playbook", "plays:\n  a:\n    trigger: [¦]\n", {"inactivity", "logins_down"}, set()),
    ("playbook", "plays:\n  a:\n    ¦\n", {"trigger", "tier", "steps", "goal", "holdout"}, set()),
    ("playbook", "plays:\n  a:\n    steps:\n      - ¦\n", {"email", "slack", "webhook", "task", "wait", "stop_if"},
     set()),
    ("playbook", "plays:\n  a:\n    steps:\n      - email: {to: ¦}\n", {"contact", "csm", "csm.manager"}, {"dana"}),
    ("playbook", "plays:\n  a:\n    steps:\n      - webhook: {to: ¦}\n", {"crm", "in_app"}, {"contact"}),
    ("playbook", "plays:\n  a:\n    steps:\n      - email: {to: contact, template: ¦}\n", {"win_back", "check_in"},
     set()),
    ("playbook", "plays:\n  a:\n    steps:\n      - task: {for: ¦}\n", {"csm", "executive"}, {"contact", "crm"}),
    ("playbook", "plays:\n  a:\n    goal:\n      when: ¦\n", {"score", "days_since_last_activity"}, set()),
    ("playbook", "limits:\n  urgent: [¦]\n", {"critical", "churning"}, set()),
    ("story", "stories:\n  - name: a\n    series:\n      ¦\n", {"logins_14d", "last_activity_on"},
     {"days_since_last_activity"}),
    ("story", "stories:\n  - name: a\n    account:\n      segment: ¦\n", {"enterprise", "growth"}, set()),
    ("story", "stories:\n  - name: a\n    expect:\n      - day: 1\n        alerts: [¦]\n",
     {"inactivity", "tier:critical"},
     {"tier:healthy"}),
    ("story", "stories:\n  - name: a\n    expect:\n      - day: 1\n        deliveries: [¦]\n", {"re_engage.email"},
     {"re_engage.task"}),
    ("story", "stories:\n  - name: a\n    expect:\n      - day: 1\n        silence: [¦]\n", {"holdout", "opted out"},
     set()),
    ("settings", "sources:\n  a:\n    adapter: ¦\n", {"csv", "parquet"}, {"email"}),
    ("settings", "channels:\n  a:\n    adapter: email\n    ¦\n", {"server", "sender", "password"}, {"token"}),
    ("settings", "people:\n  a:\n    manager: ¦\n", {"robin", "dana"}, set()),
    ("settings", "owners: ¦\n", {"robin", "dana", "cs_leads"}, {"csm", "contact"}),
    ("settings", "owners:\n  - ¦\n", {"robin", "dana", "cs_leads"}, {"csm", "contact"}),
]


@pytest.mark.parametrize(("kind", "marked", "there", "not_there"), OFFERED,
                         ids=[marked.rstrip().replace("\n", " ") for _, marked, *_ in OFFERED])
def test_completion(editor: LanguageServer, project: Path, kind: str, marked: str, there: set[str],
                    not_there: set[str]) -> None:
    offered = set(editor.completion(project / FILES[kind], headed(kind, marked)))
    assert there - offered == set()
    assert not_there & offered == set()


def test_a_function_comes_with_places_to_fill_in(editor: LanguageServer, project: Path) -> None:
    offered = editor.completion(project / FILES["triggers"], headed("triggers", "triggers:\n  quiet:\n    when: ¦\n"))
    drop = offered["drop(x, days=n)"]
    assert drop["insertText"].startswith("drop(${1|score,activity,")
    assert drop["insertText"].endswith("|}, days=${2:7})")
    assert drop["documentation"] == "How far x has fallen since n days ago: then minus now."
    assert offered["segment == \"…\""]["insertText"] == 'segment == "${1|enterprise,growth,starter|}"'
    assert offered["logins_14d"]["documentation"] == "Logins of all their users in the last 14 days (number, logins)"


# What the mouse shows: the file, the text, where it rests, and what must be among what is shown.
SHOWN = [
    ("triggers", "triggers:\n  quiet:\n    when: score < 5\n    cooldown: 3 days\n", "cooldown",
     ["After an alert has opened", "14 days"]),
    ("triggers", "triggers:\n  quiet:\n    when: score < 5\n", "when",
     ["The condition that opens the alert", "`days_since_last_activity`",
      "`held(c, days=n | weeks=n)`: True when c was"]),
    ("weights", "signals:\n  a:\n    metric: logins_14d\n", "logins_14d",
     ["The metric that gives the points",
      "`logins_14d`: Logins of all their users in the last 14 days (number, logins)"]),
    ("weights", "signals: {}\nmissing: zero\n", "zero", ["`zero`: it counts as 0 points"]),
    ("playbook", "plays:\n  a:\n    steps:\n      - email: {to: contact, template: check_in}\n", "template",
     ["The file in templates/", "`check_in`: Did something happen last week?"]),
    ("settings", "delivery: live\n", "delivery", ["rehearsal writes messages to a folder"]),
    ("story", "stories:\n  - name: a\n    series: {logins_14d: 20 x14}\n", "logins_14d", ["Logins of all their users"]),
]


@pytest.mark.parametrize(("kind", "text", "at", "shown"), SHOWN, ids=[f"{kind} {at}" for kind, _, at, _ in SHOWN])
def test_hover(editor: LanguageServer, project: Path, kind: str, text: str, at: str, shown: list[str]) -> None:
    found = editor.hover(project / FILES[kind], headed(kind, text), at).replace("\\", "").replace("&nbsp;", " ")
    for words in shown:
        assert words in found, found


def test_without_a_modeline_the_settings_of_vs_code_do_it(node: Node, project: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(project, tmp_path / "copy"))
    settings = json.loads((copy / ".vscode" / "settings.json").read_text(encoding="utf-8"))
    assert json.loads((copy / ".vscode" / "extensions.json").read_text())["recommendations"] == ["redhat.vscode-yaml"]
    with LanguageServer(node.command, copy, settings["yaml.schemas"]) as server:
        for kind, file in FILES.items():
            path = copy / file
            _, rest = path.read_text(encoding="utf-8").split("\n", 1)
            path.write_text(f"{rest}\nnobody_knows_this: 1\n", encoding="utf-8")
            assert [one["message"] for one in server.diagnostics(path)] == [
                "Property nobody_knows_this is not allowed."], kind


def test_a_new_name_is_known_after_forestall_schema(node: Node, project: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(project, tmp_path / "copy"))
    metrics = copy / "rules" / "metrics.yaml"
    text = headed("weights", "signals:\n  a: {weight: 100, metric: tickets_open, points: {0: 100, 5: 0}}\n"
                             "tiers: {good: 0-100}\n")
    metrics.write_text(metrics.read_text() + "  tickets_open: {kind: number, about: Tickets that nobody answered}\n")
    with LanguageServer(node.command, copy) as server:
        assert len(server.diagnostics(copy / "rules" / "weights.yaml", text)) == 1
    forestall("schema", cwd=copy)
    with LanguageServer(node.command, copy) as server:
        assert server.diagnostics(copy / "rules" / "weights.yaml", text) == []
