from decimal import Decimal
from pathlib import Path

import pytest

from forestall.engine.errors import RulesError, Severity
from forestall.engine.model.expression import Kind, Name, NameRole
from forestall.engine.model.play import EmailStep, Every, StopIfStep, TaskStep, WaitStep, tier_alert
from forestall.engine.model.scorecard import MissingPolicy, Points, Steps
from forestall.engine.rulebook.loader import inspect, load
from forestall.engine.settings import read_settings

ROOT = Path(__file__).resolve().parents[2]


def edit(file: Path, find: str, by: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert find in text
    file.write_text(text.replace(find, by, 1), encoding="utf-8")


def test_metrics_and_roles(project: Path) -> None:
    catalogue = load(project / "rules", None).catalogue
    assert catalogue.roles.csm == "csm"
    assert catalogue.roles.revenue == ""
    logins = catalogue.metrics["logins_14d"]
    assert (logins.kind, logins.stale_after, logins.unit, logins.location.line) == (Kind.NUMBER, 3, "logins", 12)
    assert catalogue.metrics["last_activity_on"].stale_after == 7
    assert catalogue.metrics["errors"].per_day
    assert catalogue.metrics["contact_email"].personal
    assert catalogue.metrics["segment"].one_of == ("enterprise", "starter")
    quiet = catalogue.metrics["days_quiet"]
    assert quiet.derived is not None
    assert (quiet.kind, quiet.supplied, quiet.derived.text) == (Kind.NUMBER, False, "days_since(last_activity_on)")
    assert list(catalogue.metrics)[-1] == "days_quiet"


def test_a_computed_metric_may_use_one_that_stands_below_it(project: Path) -> None:
    edit(project / "rules/metrics.yaml", "metrics:\n", "metrics:\n  loud: {is: 100 - days_quiet}\n")
    metrics = load(project / "rules", None).catalogue.metrics
    assert next(iter(metrics)) == "loud"
    assert metrics["loud"].kind is Kind.NUMBER


def test_scorecard(project: Path) -> None:
    scorecard = load(project / "rules", None).scorecard
    enterprise, base = scorecard.profiles
    assert (base.name, base.applies_to) == ("", None)
    assert {signal.name: signal.weight for signal in base.signals} == {"activity": 60, "recency": 40}
    assert {signal.name: signal.weight for signal in enterprise.signals} == {"activity": 60, "recency": 20}
    activity, recency = base.signals
    logins, quiet = activity.parts
    assert logins.measure.curve == Points(((0, 0), (5, 50), (20, 100)))
    assert logins.measure.value.term == Name("logins_14d", Kind.NUMBER, NameRole.METRIC)
    assert quiet.measure.curve is None
    assert recency.measure is not None
    assert recency.measure.curve == Steps(((0, 100), (7, 50), (30, 0)))
    assert recency.measure.value.term == Name("days_quiet", Kind.NUMBER, NameRole.DERIVED)
    assert enterprise.signals[1].measure == recency.measure, "what a profile does not say stays as it is"
    assert recency.missing is MissingPolicy.REWEIGHT
    assert (scorecard.minimum_coverage, scorecard.unscored_days) == (0.5, 14)


def test_a_profile_can_add_and_remove_signals(project: Path) -> None:
    edit(project / "rules/weights.yaml", "recency: {weight: 20}",
         "recency: {weight: 0}\n      errors_seen: {weight: 5, missing: zero, score: 100 - errors}")
    enterprise = load(project / "rules", None).scorecard.profiles[0]
    assert [signal.name for signal in enterprise.signals] == ["activity", "errors_seen"]
    assert enterprise.signals[1].missing is MissingPolicy.ZERO


@pytest.mark.parametrize(("written", "below"), [
    ("60-79", "80"), ("60-79.9", "80.0"), ("60 - 79", "80"), ('"60-79"', "80"), ("60–79", "80"),
])
def test_tiers_reach_to_the_next_value_of_their_last_digit(project: Path, written: str, below: str) -> None:
    edit(project / "rules/weights.yaml", "monitor: 60-79", f"monitor: {written}")
    healthy, monitor, at_risk = load(project / "rules", None).scorecard.tiers
    assert (monitor.low, monitor.below) == (Decimal(60), Decimal(below))
    assert (healthy.high, healthy.below) == (Decimal(100), None)
    assert (at_risk.low, at_risk.below) == (Decimal(0), Decimal(60))


def test_a_tier_may_have_a_condition(project: Path) -> None:
    edit(project / "rules/weights.yaml", "at_risk: 0-59", 'at_risk: {range: 0-59, when: segment == "starter"}')
    assert load(project / "rules", None).scorecard.tiers[2].when is not None


def test_triggers_take_their_defaults(project: Path) -> None:
    fading, silent = load(project / "rules", None).triggers.values()
    assert (fading.cooldown, fading.lasts, fading.severity) == (14, 30, "")
    assert (silent.cooldown, silent.lasts, silent.severity, silent.clear_when) == (14, 21, "at_risk", None)
    assert str(silent.when.location) == f"{project}/rules/triggers.yaml:9:11"


def test_plays_and_limits(project: Path) -> None:
    rulebook = load(project / "rules", read_settings(project))
    play = rulebook.plays["re_engage"]
    email, wait, stop, task = play.steps
    assert isinstance(email, EmailStep)
    assert (email.to, email.sender, email.template) == ("contact", "csm", "hello")
    assert isinstance(wait, WaitStep)
    assert wait.days == 3
    assert isinstance(stop, StopIfStep)
    assert isinstance(task, TaskStep)
    assert (task.person, task.to) == ("csm", "crm")
    assert (play.within, play.holdout, play.owner) == (1, 0.1, "csm")
    assert play.goal is not None
    assert play.goal.within == 14
    assert rulebook.plays["nurture"].every == Every(1, monthly=True)
    assert rulebook.plays_for("silent") == (play,)
    assert tier_alert("healthy") not in rulebook.tier_alerts()
    limits = rulebook.limits
    assert (limits.emails_per_account, limits.tasks_per_csm, limits.per_play, limits.urgent) == (
        (1, 3), 8, 200, ("at_risk",))


@pytest.mark.parametrize(("written", "days"), [
    ("at once", 0), ("same day", 0), ("1 hour", 1), ("24 hours", 1), ("25 hours", 2), ("3 days", 3), ("2 weeks", 14),
    ("1 month", 30), ("1 business day", 2), ("5 business days", 7), ("3 business days", 5),
])
def test_durations_become_whole_days(project: Path, written: str, days: int) -> None:
    edit(project / "rules/playbook.yaml", "within: 24 hours", f"within: {written}")
    assert load(project / "rules", None).plays["re_engage"].within == days


def test_step_ids_follow_the_content_and_not_the_position(project: Path) -> None:
    file = project / "rules/playbook.yaml"
    before = [step.id for step in load(project / "rules", None).plays["re_engage"].steps]
    edit(file, "      - wait: 3 days\n", "      - wait: 3 days\n      - wait: 3 days\n")
    edit(file, "template: hello, from: csm", "from: csm, template: hello")
    after = [step.id for step in load(project / "rules", None).plays["re_engage"].steps]
    assert len(set(after)) == 5
    assert after[1:] == [before[1], f"{before[1]}-2", *before[2:]]
    edit(file, "from: csm, template: hello", "template: hello, from: csm, id: first")
    assert load(project / "rules", None).plays["re_engage"].steps[0].id == "first"


def test_digests_tell_what_changed(project: Path) -> None:
    rules = project / "rules"
    before = load(rules, None)
    edit(rules / "weights.yaml", "signals:\n", "# a comment\nsignals:\n")
    edit(rules / "metrics.yaml", "Logins of all users", "All logins")
    said = load(rules, None)
    assert said.digest != before.digest
    assert said.scoring_digest == before.scoring_digest, "comments and descriptions score nobody"
    edit(rules / "weights.yaml", "5: 50", "5: 60")
    scored = load(rules, None)
    assert scored.scoring_digest != before.scoring_digest
    assert scored.plays["re_engage"].digest == before.plays["re_engage"].digest
    edit(rules / "playbook.yaml", "wait: 3 days", "wait: 4 days")
    assert load(rules, None).plays["re_engage"].digest != before.plays["re_engage"].digest


def test_all_problems_come_at_once_and_in_order(project: Path) -> None:
    rules = project / "rules"
    edit(rules / "triggers.yaml", "days_quiet > 60", "days_quite > 60")
    edit(rules / "weights.yaml", "monitor: 60-79", "monitor: 60-78")
    edit(rules / "playbook.yaml", "wait: 3 days", "wait: soon")
    edit(rules / "playbook.yaml", "to: leads, template: hello", "to: leads, template: helo")
    with pytest.raises(RulesError) as caught:
        load(rules, read_settings(project))
    assert [problem.code for problem in caught.value.problems] == [
        "duration", "unknown-template", "unknown-name", "tier-gap"]
    assert list(caught.value.problems) == sorted(caught.value.problems, key=lambda one: one.location)


def test_what_follows_from_a_broken_file_is_not_said_again(project: Path) -> None:
    (project / "rules/metrics.yaml").write_text("metrics: [\n", encoding="utf-8")
    (project / "rules/weights.yaml").unlink()
    found = inspect(project / "rules", None)
    assert [(Path(one.location.file).name, one.code) for one in found.errors] == [
        ("metrics.yaml", "yaml"), ("weights.yaml", "missing-file")]


def test_what_follows_from_a_broken_metric_is_not_said_again(project: Path) -> None:
    edit(project / "rules/metrics.yaml", "logins_14d: {kind: number,", "logins_14d: {kind: numbr,")
    assert [one.code for one in inspect(project / "rules", None).errors] == ["not-one-of"]


@pytest.mark.parametrize(("before", "after", "code", "cure"), [
    ("- wait: 3 days", "- wait 3 days", "wrong-type", "Put a colon after its first word: `wait: 3 days`."),
    ("- wait: 3 days", "-wait: 3 days", "yaml", "Write `- wait: 3 days`."),
    ("slack: {to: leads, template: hello}", "slack: leads", "wrong-type", "Write {to: …, template: …}."),
    ("trigger: [fading, silent]", "trigger: fading, silent", "unknown-trigger",
     "Write several as a list: [fading, silent]."),
    ("trigger: [fading, silent]", "triggers: [fading, silent]", "unknown-key", "Did you mean `trigger`?"),
    ("holdout: 10 percent", "holdout: 0.1", "percentage", "Write 10 percent."),
    ("urgent: [at_risk]", "{urgent:[at_risk]}", "yaml", ""),
    ("plays:\n", "plays\n", "yaml", "Write `key: value`, or indent it below its key."),
], ids=lambda text: text.strip())
def test_one_mistake_in_the_playbook_is_one_problem(project: Path, before: str, after: str, code: str,
                                                    cure: str) -> None:
    """Also no template is called unused because of it."""
    edit(project / "rules/playbook.yaml", before, after)
    (problem,) = inspect(project / "rules", None).problems
    assert (problem.code, problem.hint if cure else "") == (code, cure)


def test_a_name_that_is_no_name_is_not_missed_as_well(project: Path) -> None:
    edit(project / "rules/triggers.yaml", "  fading:", "  fa ding:")
    edit(project / "rules/playbook.yaml", "trigger: [fading, silent]", "trigger: [fa_ding, silent]")
    assert [one.code for one in inspect(project / "rules", None).problems] == ["wrong-name"]


def test_warnings_stop_nothing(project: Path) -> None:
    rules = project / "rules"
    edit(rules / "weights.yaml", "weight: 60", "weight: 50")
    edit(rules / "playbook.yaml", "trigger: [fading, silent]", "trigger: fading")
    (rules / "templates/spare.md").write_text("Subject: Hello\n\nYou.\n")
    (rules / "extra.yaml").write_text("a: 1\n")
    found = inspect(rules, None)
    assert found.rulebook is not None
    assert {problem.severity for problem in found.problems} == {Severity.WARNING}
    assert [problem.code for problem in found.problems] == [
        "unknown-file", "unused-template", "unplayed-trigger", "weights-sum"]
    assert "the weights add up to 90, not to 100." in found.problems[3].message


@pytest.mark.parametrize("project", [ROOT, ROOT / "examples" / "courses"], ids=["default", "courses"])
def test_the_rules_that_we_ship_have_no_problem(project: Path) -> None:
    settings = read_settings(project) if (project / "forestall.yaml").exists() else None
    found = inspect(project / "rules", settings)
    assert found.problems == ()
    assert found.rulebook is not None


def test_tier_alerts_follow_the_defaults_of_the_triggers(project: Path) -> None:
    path = project / "rules" / "triggers.yaml"
    path.write_text(path.read_text().replace("cooldown: 14 days", "cooldown: 3 days\n  lasts: 9 days"))
    rulebook = load(project / "rules", None)
    assert (rulebook.tier_cooldown, rulebook.tier_lasts) == (3, 9)
