"""`forestall schema`: schemas that know the names of a project, for editors."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from forestall.engine.cli.adapter_keys import add_adapters
from forestall.engine.cli.console import counted
from forestall.engine.errors import Location, SettingsError, UsageError
from forestall.engine.rulebook.editor import COMMENT, schemas
from forestall.engine.rulebook.named import Named, read_names
from forestall.engine.settings import FILE, inspect_settings


@click.command("schema", short_help="Write schemas for editors that know the names of these rules.")
@click.option("--project", type=click.Path(path_type=Path), default=Path(), show_default="this folder",
              help="The folder where forestall.yaml stands.")
@click.option("--rules", type=click.Path(path_type=Path), default=None, show_default="PROJECT/rules",
              help="The folder with the rules.")
@click.option("--out", type=click.Path(path_type=Path), default=None, show_default="PROJECT/schemas",
              help="The folder to write to.")
def command(project: Path, rules: Path | None, out: Path | None) -> None:
    """Write a JSON Schema for each file of rules, with the metrics, triggers, templates and people of this project.

    Editors with a YAML language server then complete these names, and underline others. Run it again when names have
    changed; a file that would stay the same is not touched.
    """
    folder = out or project / "schemas"
    named = names_of(project, rules or project / "rules")
    written = write_schemas(named, folder)
    click.echo(f"{folder} knows {counted(len(named.metrics), 'metric')}, {counted(len(named.signals), 'signal')}, "
               f"{counted(len(named.triggers), 'trigger')}, {counted(len(named.plays), 'play')} and "
               f"{counted(len(named.templates), 'template')}. "
               + (f"{counted(written, 'file')} written." if written else "Nothing has changed."))


def names_of(project: Path, rules: Path) -> Named:
    """Every name of a project; RulesError or SettingsError when a file is no YAML."""
    settings = None
    if (project / FILE).exists():
        settings, problems = inspect_settings(project)
        if settings is None:
            raise SettingsError(problems)
    return read_names(rules, settings)


def write_schemas(named: Named, folder: Path) -> int:
    """Write what differs, and say how many files that were. UsageError before it would write over something else."""
    texts = {}
    for name, schema in schemas(named).items():
        if name == "settings":
            add_adapters(schema)
        texts[folder / f"{name}.json"] = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    try:
        changed = {path: text for path, text in texts.items() if _read(path) != text}
        for path in changed:
            _refuse_foreign(path)
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in changed.items():
            beside = path.with_suffix(".json.new")
            beside.write_text(text, encoding="utf-8")
            os.replace(beside, path)
    except OSError as error:
        raise UsageError.one(Location(str(folder)), "folder-unwritable", f"this cannot be written ({error.strerror}).",
                             "Check the permissions, or name another folder with --out.") from None
    return len(changed)


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else None


def _refuse_foreign(path: Path) -> None:
    text = _read(path)
    if text is None:
        return
    try:
        found: Any = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("$comment") != COMMENT:
        raise UsageError.one(Location(str(path)), "not-ours", "`forestall schema` did not write this file.",
                             "Name another folder with --out, or move the file away.")
