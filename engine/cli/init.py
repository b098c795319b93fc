"""`forestall init DIR`: a folder with rules that are ready to edit, and ready for git."""

from __future__ import annotations

import shutil
import tempfile
from datetime import date, datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path

import click

from forestall import __version__
from forestall.engine.cli.schema import names_of, write_schemas
from forestall.engine.errors import Location, UsageError

SAMPLE_DAYS = 120
SAMPLE_ACCOUNTS = 120
_COPIED = {"README.md": "README.md", "gitignore": ".gitignore", "gitattributes": ".gitattributes",
           "pre-commit-config.yaml": ".pre-commit-config.yaml",
           "vscode-settings.json": ".vscode/settings.json", "vscode-extensions.json": ".vscode/extensions.json"}


@click.command("init", short_help="Write a new folder with rules that are ready to edit.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--sample", is_flag=True, help="Add made-up accounts with 120 days of history, to try things on.")
@click.option("--seed", type=int, default=1, show_default=True, help="Which made-up accounts.")
def command(folder: Path, sample: bool, seed: int) -> None:
    """Write the default rulebook, settings and stories into DIR, which must be new or empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError.one(Location(str(folder)), "folder-not-empty", "this exists and is not an empty folder.",
                             "Name a new one.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".forestall-init-") as place:
            made = Path(place) / "made"
            _write(made, sample, seed)
            if folder.exists():
                folder.rmdir()
            made.rename(folder)
    except OSError as error:
        raise UsageError.one(Location(str(folder)), "folder-unwritable", f"this cannot be written ({error.strerror}).",
                             "Check the permissions, or name another folder.") from None
    for line in _closing(folder, sample):
        click.echo(line)


def _write(made: Path, sample: bool, seed: int) -> None:
    package = files("forestall")
    with as_file(package / "rules") as rules:
        shutil.copytree(rules, made / "rules", ignore=shutil.ignore_patterns("__pycache__"))
    with as_file(package / "engine" / "starter") as starter:
        for name, place in _COPIED.items():
            (made / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(starter / name, made / place)
        workflow = (starter / "workflow.yml").read_text(encoding="utf-8").replace("VERSION", __version__, 1)
        settings = (starter / "forestall.yaml").read_text(encoding="utf-8").replace("=../../schemas/", "=schemas/", 1)
    (made / ".github" / "workflows").mkdir(parents=True)
    (made / ".github" / "workflows" / "forestall.yml").write_text(workflow, encoding="utf-8")
    (made / "data").mkdir()
    if sample:
        _sample(made, seed)
        settings = settings.replace("# sources:\n#   accounts:", "sources:\n  accounts:").replace(
            "\n#   usage:", "\n  usage:")
    (made / "forestall.yaml").write_text(settings, encoding="utf-8")
    if not sample:
        (made / "data" / ".gitkeep").touch()
    write_schemas(names_of(made, made / "rules"), made / "schemas")


def _sample(made: Path, seed: int) -> None:
    from forestall.engine.sample.files import write_sample

    today = datetime.now().astimezone().date()
    write_sample(made, seed=seed, accounts=SAMPLE_ACCOUNTS, first=first_sample_day(today), days=SAMPLE_DAYS)


def first_sample_day(today: date) -> date:
    """The sample ends on the day it is made, so that `forestall run` finds today."""
    return today - timedelta(days=SAMPLE_DAYS - 1)


def _closing(folder: Path, sample: bool) -> list[str]:
    lines = [f"{folder} holds the default rules, their stories and the settings.",
             "Editors complete your names by schemas/; .github/ and .pre-commit-config.yaml check each change."]
    if sample:
        lines.append(f"data/ holds {SAMPLE_ACCOUNTS} made-up accounts with {SAMPLE_DAYS} days of history; none of them "
                     "exists.")
    lines += ["", "Next:", f"  cd {folder}", "  forestall check", "  forestall test"]
    lines += ["  forestall history import", "  forestall simulate"] if sample else []
    return [*lines, "  forestall run"]
