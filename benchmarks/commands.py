"""The commands as a person meets them: whole processes, from start to end."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import median

from figures import ROOT, Figures, main, timed


def measure(figures: Figures, folder: Path, runs: int = 7) -> bool:
    """Commands that must answer at once, and the steps of `make demo`."""
    for arguments, most in ((["--help"], 0.5), (["check"], 0.4)):
        middle = median(timed(partial(forestall, *arguments))[0] for _ in range(runs))
        figures.seconds(f"`forestall {' '.join(arguments)}` in this repository (median of {runs})", middle, under=most)
    demo(figures, folder / "demo")
    return True


def demo(figures: Figures, folder: Path) -> None:
    """The steps of `make demo`."""
    shutil.copytree(ROOT / "examples" / "courses", folder, ignore=shutil.ignore_patterns(".forestall", "deliveries"))
    steps = [
        ("history import", ["history", "import"]),
        ("run, fifteen days one by one", ["run", "--day", "2014-12-03", "--until", "2014-12-17", "--send"]),
        ("run, the last day again", ["run", "--day", "2014-12-17", "--send"])]
    total = 0.0
    for name, arguments in steps:
        seconds, _ = timed(partial(forestall, *arguments, "--project", str(folder)))
        total += seconds
        figures.seconds(f"`make demo`: {name}", seconds)
    figures.seconds("`make demo`: all steps", total, under=60)


def forestall(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "forestall.engine.cli", *arguments], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main(__file__, measure))
