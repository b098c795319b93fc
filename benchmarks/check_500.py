"""`forestall check` of a large rulebook, as a whole process: 500 triggers, 200 plays, a message for each play."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

import yaml
from commands import forestall
from compile_rules import conditions, write_rules
from figures import Figures, main, timed

MESSAGE = """Subject: {{{{ account.name }}}}: {number} things to look at

{{% if now.logins_14d is defined %}}They had {{{{ now.logins_14d | round }}}} logins in two weeks.{{% endif %}}
{{% if now.score is defined %}}The score is {{{{ now.score | round }}}}.{{% else %}}There is no score.{{% endif %}}

It is about {{{{ alert.name }}}}: {{{{ alert.about }}}}
"""


def measure(figures: Figures, folder: Path, triggers: int = 500, plays: int = 200, runs: int = 5) -> bool:
    """Reading and checking everything, and printing what it holds."""
    rules = write(folder / "rules", triggers, plays)
    for file in ("triggers", "playbook"):
        lines = len((rules / f"{file}.yaml").read_text(encoding="utf-8").splitlines())
        figures.add(f"lines of {file}.yaml", f"{lines:,}")
    middle = median(timed(lambda: forestall("check", "--rules", str(rules)))[0] for _ in range(runs))
    figures.seconds(f"{triggers} triggers and {plays} plays checked, a whole process (median of {runs})", middle,
                    under=1.5)
    return True


def write(folder: Path, triggers: int, plays: int) -> Path:
    """The rules of `eight_triggers/` with so many triggers and plays; answers the folder."""
    named = conditions(triggers)
    write_rules(folder, named)
    for message in (folder / "templates").iterdir():
        message.unlink()
    book: dict[str, object] = {}
    for number in range(plays):
        (folder / "templates" / f"message_{number:03d}.md").write_text(MESSAGE.format(number=number), encoding="utf-8")
        book[f"play_{number:03d}"] = {
            "about": f"Play number {number}", "trigger": list(named)[number::plays], "owner": "csm", "within": "3 days",
            "steps": [{"slack": {"to": "csm", "template": f"message_{number:03d}"}}, {"wait": "3 days"},
                      {"stop_if": f"score >= {60 + number % 30}"},
                      {"slack": {"to": "csm.manager", "template": f"message_{number:03d}"}}],
            "goal": {"when": f"score >= {60 + number % 30}", "within": "14 days"}, "holdout": "10 percent"}
    (folder / "playbook.yaml").write_text(yaml.safe_dump({"plays": book}, sort_keys=False), encoding="utf-8")
    return folder


if __name__ == "__main__":
    sys.exit(main(__file__, measure))
