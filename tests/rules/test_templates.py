"""The messages of the default rulebook: sound, never with an empty place, and with values then and now."""

import csv
import re
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from forestall.engine.errors import Location
from forestall.engine.message import templates
from forestall.engine.message.story import AlertStory, Story
from forestall.engine.model.catalogue import Catalogue, Metric, Roles
from forestall.engine.model.evaluation import Facts
from forestall.engine.model.expression import Kind
from forestall.engine.model.rulebook import Template
from forestall.engine.sample.files import write_sample
from forestall.engine.sample.names import PEOPLE

RULES = Path(__file__).parents[2] / "rules"
FIRST, LAST = date(2026, 10, 1), date(2026, 11, 22)
SIGNALS = ("activity", "logins", "key_features", "engagement", "breadth", "session_length", "milestones", "recency")
PLAYS = yaml.safe_load((RULES / "playbook.yaml").read_text(encoding="utf-8"))["plays"]
METRICS = yaml.safe_load((RULES / "metrics.yaml").read_text(encoding="utf-8"))["metrics"]


def steps():
    """(play, kind, recipient, template) of every message step; the kind of a message to the customer is `customer`."""
    for play, of in PLAYS.items():
        for step in (*of["steps"], of.get("escalate", {})):
            for kind, what in step.items():
                if isinstance(what, dict):
                    customer = what["to"] in ("contact", "in_app")
                    yield play, "customer" if customer else kind, what["template"]


STEPS = list(steps())
PLAY_OF = {template: play for play, _, template in STEPS}
CUSTOMER = sorted(template for _, kind, template in STEPS if kind == "customer")


def load(name):
    lines = (RULES / "templates" / f"{name}.md").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("Subject: "), name
    assert lines[1] == "", name
    return Template(name, lines[0].removeprefix("Subject: "), "\n".join(lines[2:]), Location(f"{name}.md", 1, 1))


TEMPLATES = {file.stem: load(file.stem) for file in sorted((RULES / "templates").glob("*.md"))}


def story(template, now, before, name="Otter & Teapot Freight", people=True):
    opened = now.day
    play = PLAY_OF[template]
    # as the engine does: a play that recurs has no alert
    alert = AlertStory("Some alert", "Why it matters.", opened, "At Risk", "Health score 61 (80 seven days before).")
    return Story(
        account="a", name=name, now=now, before=before, days_ago=7, personal=frozenset(),
        tiers={"healthy": "Healthy", "monitor": "Monitor", "at_risk": "At Risk", "critical": "Critical",
               "churning": "Churning"},
        csm=PEOPLE[0] if people else None, executive=PEOPLE[-1] if people else None, contact="ann@acme.example",
        alert=None if "every" in PLAYS[play] else alert, play=play, within=1,
        resources=tuple(PLAYS[play].get("resources", ())),
    )


def facts(row, day, score=70.0, tier="monitor"):
    """A row of the files as the engine would know it, with derived metrics and all signals."""
    reads = {"number": float, "date": date.fromisoformat, "text": str, "flag": "true".__eq__}
    values = {name: reads[METRICS[name]["kind"]](text) for name, text in row.items() if name in METRICS and text}
    values["days_since_last_activity"] = float((day - values["last_activity_on"]).days)
    if "journey_step_started_on" in values:
        values["days_in_step"] = float((day - values["journey_step_started_on"]).days)
    values.update(dict.fromkeys(SIGNALS, 50.0))
    return Facts("a", day, score, tier, values)


@pytest.fixture(scope="module")
def accounts(tmp_path_factory):
    """(now, before) for every made-up account on the last day."""
    folder = tmp_path_factory.mktemp("sample")
    rows = {}
    for file in write_sample(folder, 7, 60, FIRST, (LAST - FIRST).days + 1)[:-1]:
        with file.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                day = date.fromisoformat(row["as_of"])
                rows.setdefault(row["account"], {}).setdefault(day, {}).update(row)
    found = []
    for days in rows.values():
        carried = {}
        by_day = {}
        for day in sorted(days):
            carried = {**carried, **{name: text for name, text in days[day].items() if text}}
            by_day[day] = carried
        week_ago = LAST - timedelta(days=7)
        if LAST in by_day:
            before = facts(by_day[week_ago], week_ago, 82.5, "healthy") if week_ago in by_day else None
            found.append((facts(by_day[LAST], LAST), before))
    assert len(found) > 50
    return found


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_is_used_once_or_to_escalate(name):
    assert [template for _, _, template in STEPS].count(name) == 1 or name == "call_overdue"


def test_every_template_that_a_play_names_exists():
    assert {template for _, _, template in STEPS} == TEMPLATES.keys()


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_name_in_it_exists(name):
    place = Location("metrics.yaml")
    metrics = {key: Metric(key, Kind(of.get("kind", "number")), place) for key, of in METRICS.items()}
    found = templates.problems(TEMPLATES[name], Catalogue(metrics, Roles()), SIGNALS)
    assert not found, [str(problem) for problem in found]


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_play_has_the_links_that_it_uses(name):
    used = [int(number) for number in re.findall(r"resources\[(\d)\]", TEMPLATES[name].body)]
    assert max(used, default=-1) < len(PLAYS[PLAY_OF[name]].get("resources", []))


WRONG = ("not known yet", "None", "{{", "{%", "{}", "()", '""', "  ", " .", " ,", ",,", ": .", "..", "****")


def sound(rendered, name):
    for text in (rendered.subject, rendered.text):
        assert text.strip(), name
        for wrong in WRONG:
            assert wrong not in text, f"{name}: {wrong!r} in {text}"
    assert not re.search(r"Hello,\n\n[a-z]", rendered.text), name
    for line in rendered.text.splitlines():
        assert not re.fullmatch(r"(\*\*(?!What to do).*?\*\*|- |\d+\.)\s*", line), f"{name}: nothing after {line!r}"
    assert len(rendered.subject) <= 90, name


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_made_up_account_gets_a_message_with_an_empty_place(name, accounts):
    for now, before in accounts:
        for people in (True, False):
            sound(templates.render(TEMPLATES[name], story(name, now, before, people=people)), name)


@pytest.mark.parametrize("name", TEMPLATES)
def test_nor_does_one_of_which_nothing_is_known(name):
    nothing = Facts("a", LAST, None, None, {})
    sound(templates.render(TEMPLATES[name], story(name, nothing, None)), name)
    sound(templates.render(TEMPLATES[name], story(name, nothing, nothing)), name)


@pytest.mark.parametrize("name", TEMPLATES)
def test_nor_does_one_of_which_one_fact_is_missing(name, accounts):
    now, before = next(pair for pair in accounts if pair[1] and "days_in_step" in pair[0].values)
    for missing in sorted(now.values):
        there = {key: value for key, value in now.values.items() if key != missing}
        then = {key: value for key, value in before.values.items() if key != missing}
        for pair in ((there, before.values), (now.values, then), (there, then)):
            sound(templates.render(TEMPLATES[name], story(
                name, Facts("a", now.day, now.score, now.tier, pair[0]),
                Facts("a", before.day, before.score, before.tier, pair[1]))), name)


@pytest.mark.parametrize("earlier", [7531.0, 0.37])
@pytest.mark.parametrize("name", CUSTOMER)
def test_a_message_to_the_customer_says_a_value_then_and_now(name, earlier, accounts):
    now, before = next(pair for pair in accounts if pair[1] and "days_in_step" in pair[0].values)
    then = {key: earlier if isinstance(value, float) else value for key, value in before.values.items()}
    today = {key: 123.0 if isinstance(value, float) else value for key, value in now.values.items()}
    then["sponsor"], today["sponsor"] = "7531 0.37", "123"
    text = templates.render(TEMPLATES[name], story(
        name, Facts("a", now.day, 61.0, "monitor", today), Facts("a", before.day, 88.0, "healthy", then))).text
    assert re.search(r"7,531|7531|0\.37", text), text
    assert "123" in text, text


@pytest.mark.parametrize("name", CUSTOMER)
def test_a_message_to_the_customer_never_speaks_of_scores_and_tiers(name):
    body = TEMPLATES[name].body
    shown = " ".join(re.findall(r"\{\{(.*?)\}\}", body))
    assert not re.search(r"score|tier|alert\.|mrr", shown), name
    assert not re.search(r"health score|churn|at risk|critical", re.sub(r"\{.*?\}\}?", "", body), re.IGNORECASE), name


@pytest.mark.parametrize(("play", "kind", "name"), [step for step in STEPS if step[1] != "customer"])
def test_a_message_to_us_tells_the_story(play, kind, name):
    body = TEMPLATES[name].body
    first = body.split("{{ story")[0]
    assert "**" in first, f"{name}: what to do comes first"
    assert re.search(r"\*\*(Why it matters|What it may be)\.\*\*", body), name
    for part in ("stakes", "changes", "rule") if kind == "slack" else ("stakes",):
        assert f"{{{{ story.{part} }}}}" in body, (name, part)
    assert "account.name" in TEMPLATES[name].subject


def test_no_two_triggers_give_the_same_body():
    bodies = {}
    for name, template in TEMPLATES.items():
        assert template.body not in bodies, (name, bodies[template.body])
        bodies[template.body] = name
    plays = {}
    for play, of in PLAYS.items():
        if "trigger" in of:
            triggers = [of["trigger"]] if isinstance(of["trigger"], str) else of["trigger"]
            assert len(triggers) == 1, f"{play} would give two triggers the same body"
            plays.setdefault(triggers[0], []).append(play)
    assert all(len(found) == 1 for found in plays.values())


def test_customers_are_addressed_once_and_signed_by_a_person():
    for name in CUSTOMER:
        body = TEMPLATES[name].body.strip()
        if name.endswith("_in_app"):
            assert len(body) < 900, name
            continue
        assert body.startswith("Hello,"), name
        assert re.search(r"\{\{ (csm|executive)\.name", body.split("\n\n")[-1]), name
        assert "—" not in body, name
