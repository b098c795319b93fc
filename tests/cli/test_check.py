import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator

from forestall.engine.cli.main import VERBS, cli

ROOT = Path(__file__).resolve().parents[2]
MINIMAL = ROOT / "tests" / "rulebook" / "minimal"
SCHEMA = json.loads((ROOT / "schemas" / "output" / "check.json").read_text(encoding="utf-8"))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "forestall.engine.cli", *arguments],
                          capture_output=True, text=True, check=False, cwd=MINIMAL)


def test_good_rules_are_told_calmly() -> None:
    done = run("check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == """\
The rules can be used. 7 files read.

Signals (enterprise)  activity 75 %, recency 25 %
Signals               activity 60 %, recency 40 %
Tiers                 healthy 80-100, monitor 60-79, at_risk 0-59
Triggers              fading, silent
Plays                 re_engage, nurture
Templates             1
"""


def test_a_problem_shows_its_line_and_a_caret(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    for file in (MINIMAL / "rules").glob("*.yaml"):
        (rules / file.name).write_text(file.read_text().replace("days_quiet > 60", "days_quite > 60"))
    (rules / "templates").mkdir()
    (rules / "templates" / "hello.md").write_text("Subject: Hello\n\nYou.\n")
    done = CliRunner().invoke(cli, ["check", "--project", str(MINIMAL), "--rules", str(rules)])
    assert done.exit_code == 1
    assert done.output == f"""\
{rules}/triggers.yaml:9:11: error: in `when` of trigger silent, nothing is called `days_quite`. [unknown-name]
        when: days_quite > 60
              ^
    Did you mean days_quiet?

docs/problems.md explains each code in brackets.

1 error. The rules cannot be used like this.
"""


def test_without_settings_it_warns_and_checks_the_rules(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["check", "--project", str(tmp_path), "--rules", str(MINIMAL / "rules")])
    assert done.exit_code == 0
    assert "people, channels and destinations were not checked." in done.output
    assert "1 warning." in done.output


def test_an_empty_folder_is_a_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["check", "--project", str(tmp_path)])
    assert done.exit_code == 1
    assert "there is no folder with rules." in done.output


@pytest.mark.parametrize("project", [MINIMAL, ROOT, ROOT / "tests"], ids=["good", "default", "broken"])
def test_json_follows_its_schema(project: Path) -> None:
    done = CliRunner().invoke(cli, ["check", "--project", str(project), "--format", "json"])
    answer = json.loads(done.output)
    Draft7Validator.check_schema(SCHEMA)
    assert list(Draft7Validator(SCHEMA).iter_errors(answer)) == []
    assert answer["ok"] == (done.exit_code == 0) == (answer["summary"] is not None)


def test_help_names_every_verb_and_imports_none() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(verb in done.stdout for verb in VERBS)
    assert run("--version").stdout.startswith("forestall ")


def test_a_wrong_verb_is_usage() -> None:
    done = run("chek")
    assert done.returncode == 2
    assert "there is no command `chek`. Did you mean `check`?" in done.stderr


def test_a_reader_that_leaves_is_no_error() -> None:
    done = subprocess.run(["bash", "-c", f"{sys.executable} -m forestall.engine.cli check --format json | head -c 1"],
                          capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("{", "")


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--rules", "rules"]], ids=["help", "check"])
def test_it_answers_at_once_because_it_imports_nothing_heavy(arguments: list[str]) -> None:
    heavy = {"ibis", "duckdb", "pyarrow", "pandas", "numpy", "sqlalchemy", "httpx", "slack_sdk", "rich", "simpleeval"}
    code = ("import sys\nsys.argv = ['forestall', *sys.argv[1:]]\nfrom forestall.engine.cli.main import main\n"
            "try:\n    main()\nexcept SystemExit:\n    pass\nprint('\\n'.join(sys.modules), file=sys.stderr)\n")
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True,
                          cwd=ROOT)
    assert heavy.isdisjoint(done.stderr.split())


def test_what_looks_further_back_than_the_history_is_said(sampled: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    shutil.copytree(sampled / "rules", rules)
    triggers = rules / "triggers.yaml"
    line = "  long_ago:\n    when: usual(logins_14d, days=200) > 5\n"
    triggers.write_text(triggers.read_text().replace("triggers:\n", f"triggers:\n{line}", 1))
    done = CliRunner().invoke(cli, ["check", "--project", str(sampled), "--rules", str(rules)])
    assert done.exit_code == 0
    said = [one for one in done.output.splitlines() if "days back" in one]
    assert len(said) == 1
    number = 1 + triggers.read_text().split("\n").index("    when: usual(logins_14d, days=200) > 5")
    assert f"triggers.yaml:{number}:11" in said[0]
    assert "`when` of trigger long_ago looks 206 days back, and the history holds 90." in said[0]


def test_nothing_is_said_of_a_history_that_reaches_far_enough(sampled: Path) -> None:
    assert "days back" not in CliRunner().invoke(cli, ["check", "--project", str(sampled)]).output


def test_a_folder_that_is_not_there_is_said() -> None:
    done = run("check", "--rules", "nowhere")
    assert done.returncode == 1
    assert "nowhere: error: there is no folder with rules. [no-rules]" in done.stdout


def supplied(project: Path, left_out: str) -> list[tuple[str, str]]:
    """What `check` says when the sources of a sample leave out these columns."""
    for file in (project / "data").rglob("*.csv"):
        first, rest = file.read_text(encoding="utf-8").split("\n", 1)
        names = [f"old_{name}" if name in left_out.split() else name for name in first.split(",")]
        file.write_text(",".join(names) + "\n" + rest, encoding="utf-8")
    answer = json.loads(CliRunner().invoke(cli, ["check", "--project", str(project), "--format", "json"]).output)
    return [(problem["code"], problem["message"]) for problem in answer["problems"]]


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A project with made-up accounts in CSV files."""
    assert CliRunner().invoke(cli, ["init", str(tmp_path / "sample"), "--sample"]).exit_code == 0
    return tmp_path / "sample"


def test_metrics_that_no_source_supplies_are_a_warning(sample: Path) -> None:
    assert supplied(sample, "") == []
    assert supplied(sample, "sponsor logins_14d") == [
        ("unsupplied-metric", "no source supplies metric sponsor."),
        ("unsupplied-metric", "no source supplies metric logins_14d.")]
    many = supplied(sample, "segment journey mrr seats_total session_minutes")
    assert [code for code, _ in many] == ["unsupplied-metric"]
    assert "segment" in many[0][1]
    assert "journey" in many[0][1]


def test_sources_that_would_have_to_be_opened_are_not_asked(sample: Path) -> None:
    settings = sample / "forestall.yaml"
    written = settings.read_text(encoding="utf-8")
    settings.write_text(written.replace("adapter: csv, path: data/usage", "adapter: parquet, path: data/usage"))
    assert supplied(sample, "sponsor") == []
    settings.write_text(written.replace("data/usage", "data/not-there-yet"))
    assert supplied(sample, "") == []
