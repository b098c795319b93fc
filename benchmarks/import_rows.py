"""A daily import of one row for each of a million accounts, and the same import again."""

from __future__ import annotations

import hashlib
import shutil
import sys
from datetime import date, timedelta
from pathlib import Path

from figures import ROOT, Figures, apart, main, most_memory, timed

from forestall.engine.detect.history import session
from forestall.engine.model.expression import Kind
from forestall.engine.rulebook.loader import load
from forestall.engine.runtime import import_history, open_project

DAY = date(2026, 6, 20)
SETTINGS = "sources:\n  crm: {adapter: %s, path: accounts.%s}\ndelivery: rehearsal\n"
# A value of each kind for account i on a day; a fifth of the accounts changes from day to day.
VALUES = {Kind.NUMBER: "round(({seed} % 1000) / 10.0, 1)", Kind.FLAG: "{seed} % 2 = 0",
          Kind.TEXT: "'group ' || ({seed} % 40)", Kind.DATE: "DATE '2026-07-01' + CAST({seed} % 365 AS INTEGER)"}


def measure(figures: Figures, folder: Path, accounts: int = 1_000_000) -> bool:
    """Every metric of the default rulebook for each account, from a file that is overwritten every day."""
    catalogue = load(ROOT / "rules", None).catalogue
    figures.add("accounts, each with so many metrics", f"{accounts:,} × {len(catalogue.supplied())}")
    same = True
    for kind in ("csv", "parquet"):
        project = folder / kind
        shutil.copytree(ROOT / "rules", project / "rules", ignore=shutil.ignore_patterns("templates"))
        (project / "rules" / "playbook.yaml").write_text("plays: {}\n", encoding="utf-8")      # nobody is to be told
        (project / "forestall.yaml").write_text(SETTINGS % (kind, kind), encoding="utf-8")
        for day in (DAY - timedelta(days=1), DAY):
            write_accounts(project / f"accounts.{kind}", day, accounts, catalogue)
            (seconds, memory), said = apart(imported, project), "the first day" if day != DAY else "the next day"
            if day != DAY:
                figures.seconds(f"{kind}, {said}: `forestall history import`", seconds)
                continue
            megabytes = (project / f"accounts.{kind}").stat().st_size / 1e6
            figures.seconds(f"{kind} of {megabytes:,.0f} MB, {said}: `forestall history import`", seconds, under=30)
            figures.add("most memory of that", f"{memory:.1f} GB")
        before = digest(project / ".forestall" / "history")
        (seconds, memory) = apart(imported, project)
        figures.seconds(f"{kind}: the same once more", seconds)
        same &= figures.same("the history before and after that, to the byte",
                             [] if digest(project / ".forestall" / "history") == before else ["files have changed"])
    return same


def write_accounts(path: Path, day: date, accounts: int, catalogue: object) -> None:
    """One row for each account, as an export from a CRM."""
    cells = []
    for number, metric in enumerate(catalogue.supplied()):      # type: ignore[attr-defined]
        seed = f"hash(i * 100 + {number} + CASE WHEN i % 5 = 0 THEN {day.toordinal()} ELSE 0 END)"
        cells.append(f"{VALUES[metric.kind].format(seed=seed)} AS {metric.name}")
    form = "FORMAT csv" if path.suffix == ".csv" else "FORMAT parquet"
    with session() as connection:
        connection.execute(f"COPY (SELECT printf('account-%07d', i) AS account, DATE '{day}' AS as_of, "
                           f"{', '.join(cells)} FROM range({accounts}) numbers(i)) TO '{path}' ({form})")


def imported(project: Path) -> tuple[float, float]:
    """What `forestall history import` does: how many seconds it takes, and how many GB it held at most."""
    seconds, _ = timed(lambda: import_history(open_project(project)))
    return seconds, most_memory()


def digest(folder: Path) -> str:
    """Every byte of a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return found.hexdigest()


if __name__ == "__main__":
    sys.exit(main(__file__, measure))
