"""From 200 triggers in YAML to a query that DuckDB has planned: loading, compiling, planning."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import yaml
from fifteen_metrics import LAST_DAY, write_history
from figures import HERE, Figures, apart, main

from forestall.engine.detect.history import History
from forestall.engine.rulebook.loader import load

DAYS = (3, 5, 7, 10, 14, 18, 21, 28, 35, 42, 56)      # the look-backs that triggers choose from
FORMS: Mapping[str, tuple[str, Mapping[str, bool]]] = {
    "decisions_of_one_day": ("the latest day", {}), "decisions": ("some days", {"streaming": True}),
    "changes": ("a long period", {"streaming": True})}


def conditions(count: int) -> dict[str, str]:
    """So many triggers of the kinds in `eight_triggers/`, no two alike; they share their windows, as real ones do."""
    found: dict[str, str] = {}
    for number in range(count):
        kind, variant = number % 8, number // 8
        days = DAYS[variant % len(DAYS)]
        found[f"trigger_{number:03d}"] = (
            f"drop(score, days={days}) >= {10 + variant} and score < {75 - variant}",
            f"{10 + variant} <= days_since_last_activity <= {40 + 2 * variant}",
            f"held(logins_7d < {1 + variant % 3}, weeks={2 + variant % 3}) and seats_total >= {2 + variant}",
            f"seats_total >= {3 + variant} and seats_active / seats_total <= {0.1 + 0.02 * variant:.2f}",
            f"errors_7d >= {5 + variant} and errors_7d >= 3 * usual(errors_7d, days={days})",
            f"drop_percent(logins_14d, days={days}) >= {30 + variant} and average(logins_14d, days={days}) >= 10",
            f"minimum(tickets_open, days={days}) >= {1 + variant % 5} and mrr >= {100 * variant}",
            f"key_feature_uses_14d <= {0.2 + 0.02 * variant:.2f} * maximum(key_feature_uses_14d, days={days}) "
            f"and known_for(days={days})",
        )[kind]
    return found


def write_rules(folder: Path, triggers: Mapping[str, str]) -> Path:
    """The rules of `eight_triggers/` with these triggers in the place of the eight; answers the folder."""
    shutil.copytree(HERE / "eight_triggers", folder)
    (folder / "triggers.yaml").write_text(yaml.safe_dump(
        {"triggers": {name: {"when": condition} for name, condition in triggers.items()}}, sort_keys=False))
    (folder / "playbook.yaml").write_text(yaml.safe_dump(
        {"plays": {"tell_the_csm": {"trigger": list(triggers), "owner": "csm",
                                    "steps": [{"slack": {"to": "csm", "template": "csm_noticed"}}]}}}))
    return folder


def measure(figures: Figures, folder: Path, triggers: int = 200) -> bool:
    """Loading, compiling and planning many triggers, in a fresh process and again."""
    rules, history = folder / "rules", folder / "history"
    write_rules(rules, conditions(triggers))
    apart(write_history, history, 20, 120)
    loaded = apart(loading, rules)
    figures.seconds(f"{triggers} triggers read from YAML and checked, in a fresh process", loaded[0])
    figures.seconds("the same again", loaded[1])
    figures.seconds("importing Ibis, once in a process", apart(compiling, rules, history, "decisions")["import"])
    for form, (name, _) in FORMS.items():
        found = apart(compiling, rules, history, form)
        figures.add(f"{name}: length of the query", f"{found['length']:,}")
        figures.add(f"{name}: windows in it", f"{found['windows']:,}")
        figures.seconds(f"{name}: checked rules to SQL, in a fresh process", found["cold"])
        figures.seconds(f"{name}: that SQL planned by DuckDB", found["planned"])
        total = found["cold"] + found["planned"]
        figures.seconds(f"{name}: compiled and planned, in a fresh process", total, under=1.0)
        figures.seconds(f"{name}: compiled and planned again", found["warm"] + found["planned again"])
    return True


def loading(rules: Path) -> tuple[float, float]:
    """Seconds to load the rules, cold and warm."""
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        load(rules, None)
        seconds.append(time.perf_counter() - start)
    return seconds[0], seconds[1]


def compiling(rules: Path, history: Path, form: str) -> dict[str, float]:
    """Seconds of each step from a checked rulebook to a planned query; cold, then warm."""
    rulebook, found = load(rules, None), dict[str, float]()
    start = time.perf_counter()
    import ibis  # noqa: F401
    found["import"] = time.perf_counter() - start
    from forestall.engine.score import queries
    from forestall.engine.score.conditions import Conditions
    for compiled, planned in (("cold", "planned"), ("warm", "planned again")):
        start = time.perf_counter()
        query = getattr(queries, form)(rulebook, Conditions.of(rulebook), "duckdb", **FORMS[form][1])
        found[compiled] = time.perf_counter() - start
        assert query is not None
        with History(history).reading(rulebook.catalogue, LAST_DAY.replace(year=LAST_DAY.year - 1),
                                      LAST_DAY) as connection:
            start = time.perf_counter()
            connection.sql(f"EXPLAIN {query.statement}").fetchall()
            found[planned] = time.perf_counter() - start
    found |= {"length": len(query.statement), "windows": query.statement.count(" OVER (")}
    return found


if __name__ == "__main__":
    sys.exit(main(__file__, measure))
