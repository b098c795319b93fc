"""Every part of `make bench`, on very little: it runs to its end, and where two ways are compared, they say the same.

The figures are not looked at: no test is decided by a time.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SMALL = {
    "pass_100k": "--accounts 500 --days 40 --runs 1",
    "deliveries": "--accounts 300 --quiet 300 --runs 1",
    "latest_day": "--accounts 500 --days 40 --runs 1",
    "whole_history": "--accounts 300 --days 60 --runs 1 --some 100",
    "rule_engines": "--accounts 300 --days 10 --runs 1",
    "compile_rules": "--triggers 10",
    "check_500": "--triggers 20 --plays 10 --runs 1",
    "webhooks": "--webhooks 50 --runs 1",
    "reload": "--triggers 20 --accounts 200 --runs 1",
    "simulate": "--accounts 200 --days 40 --demo_days 0",
    "events": "--events 5000 --accounts 50",
    "import_rows": "--accounts 300",
    "mood": "--messages 200",
}
ELSEWHERE = {"commands"}      # the commands of `make demo` and of this repository, which other tests run


@pytest.mark.parametrize("part", SMALL)
def test_a_part_runs_to_its_end(part):
    if part == "rule_engines" and not (find_spec("zen") and find_spec("rule_engine")):
        pytest.skip("no other rule engines are installed; `make bench` measures beside them")
    page = (BENCHMARKS / "README.md").read_bytes()
    ran = subprocess.run([sys.executable, BENCHMARKS / f"{part}.py", *SMALL[part].split()],
                         capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (BENCHMARKS / "README.md").read_bytes() == page      # without --write it stays


def test_each_part_is_run_by_make_bench_and_has_a_table():
    parts = set(re.findall(r'"(\w+)"', re.search(r"PARTS = \((.*?)\)", (BENCHMARKS / "everything.py").read_text(),
                                                 re.DOTALL).group(1)))
    assert parts == SMALL.keys() | ELSEWHERE
    assert parts == set(re.findall(r"<!-- figures of (\w+) -->", (BENCHMARKS / "README.md").read_text()))
