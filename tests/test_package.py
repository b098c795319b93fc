"""What people install: the wheel, in an empty environment, in an empty directory.

The dependencies come from the package index, so this takes a while (20 to 60 seconds), and it needs the network.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def call(*command: object, cwd: Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, env=environment)
    assert done.returncode == 0, f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_everything_that_is_read_at_run_time(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("engine", "adapters", "rules", "schemas"):
        here = {f"forestall/{path.relative_to(ROOT)}" for path in (ROOT / folder).rglob("*")
                if path.is_file() and "__pycache__" not in path.parts}
        assert here - inside == set()
    assert {"forestall/__init__.py", "forestall/py.typed"} <= inside
    assert not [name for name in inside if name.split("/")[0] not in ("forestall",) and ".dist-info/" not in name]
    assert not [name for name in inside if "__pycache__" in name or name.endswith((".pyc", ".db"))]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `forestall` of an environment that holds nothing but the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("empty") / "venv"
    call(sys.executable, "-m", "venv", "--without-pip", folder, cwd=ROOT)      # ours can install into it
    call(sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", "--no-compile",
         "--disable-pip-version-check", "--no-input", "--constraint", ROOT / "constraints.txt", wheel, cwd=folder)
    return folder / "bin" / "forestall"


def test_a_newcomer_needs_only_the_wheel(installed: Path, tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    call(installed, "init", "x", cwd=tmp_path, environment=clean)
    project = tmp_path / "x"
    assert "The rules can be used." in call(installed, "check", cwd=project, environment=clean).stdout
    assert "0 failed" in call(installed, "test", cwd=project, environment=clean).stdout
    call(installed, "run", cwd=project, environment=clean)


def test_with_the_sample_there_is_something_to_see(installed: Path, tmp_path: Path) -> None:
    call(installed, "init", "x", "--sample", cwd=tmp_path)
    project = tmp_path / "x"
    call(installed, "check", cwd=project)
    call(installed, "history", "import", cwd=project)
    before = sorted(path.name for path in project.rglob("*"))
    shown = call(installed, "run", cwd=project).stdout
    assert "This was a dry run" in shown
    assert "accounts" in shown
    assert sorted(path.name for path in project.rglob("*")) == before
