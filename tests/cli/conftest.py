import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator

from forestall.engine.cli.main import cli, main
from forestall.engine.errors import ForestallError
from forestall.engine.sample.files import write_sample

ROOT = Path(__file__).parents[2]
LAST = date(2026, 3, 31)
DAYS = 90


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    out: str
    error: ForestallError | None

    def document(self, schema: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.out)
        form = json.loads((ROOT / "schemas" / "output" / f"{schema}.json").read_text())
        Draft7Validator.check_schema(form)
        Draft7Validator(form).validate(found)
        return found


Forestall = Callable[..., Done]

# The smallest rules that can be used, without what their facts come from.
MINIMAL = {
    "rules/metrics.yaml": "metrics:\n  heat: {kind: number}\n  name: {kind: text}\n",
    "rules/weights.yaml": "signals:\n  warmth: {weight: 100, metric: heat, points: {0: 0, 100: 100}}\n"
                          "tiers: {healthy: 60-100, critical: 0-59}\n",
    "rules/triggers.yaml": "triggers: {}\n",
    "rules/playbook.yaml": "plays: {}\n",
}


@pytest.fixture(scope="session")
def forestall() -> Forestall:
    """Runs the command in this process; an error that a person can cause is handed back instead of printed."""
    def run(*arguments: object) -> Done:
        done = CliRunner().invoke(cli, [str(one) for one in arguments])
        if done.exception is not None and not isinstance(done.exception, (ForestallError, SystemExit)):
            raise done.exception
        error = done.exception if isinstance(done.exception, ForestallError) else None
        return Done(done.exit_code, done.output, error)
    return run


@pytest.fixture(scope="session")
def sampled(tmp_path_factory: pytest.TempPathFactory, forestall: Forestall) -> Path:
    """A project of `init --sample`, its made-up data of a fixed time, imported. Tests only read it."""
    folder = tmp_path_factory.mktemp("sampled") / "project"
    assert forestall("init", folder, "--sample").code == 0
    for path in (folder / "data" / "usage").iterdir():
        path.unlink()
    write_sample(folder, seed=1, accounts=60, first=date.fromordinal(LAST.toordinal() - DAYS + 1), days=DAYS)
    assert forestall("history", "import", "--project", folder).code == 0
    return folder


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch,
             capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`forestall history import …` as from the prompt: exit code, output, errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["forestall", "history", "import", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call
