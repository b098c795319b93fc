"""Every benchmark, one after the other: `make bench`. What is given on the command line goes to each of them.

Each runs in a process of its own, so that its memory is its own and no part finds anything loaded or cached by another.
The exit code is 1 when answers differ anywhere, never because a figure is poor.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = ("pass_100k", "deliveries", "latest_day", "whole_history", "rule_engines", "compile_rules", "check_500",
         "webhooks", "reload", "simulate", "events", "import_rows", "commands", "mood")


def main() -> int:
    codes = [subprocess.run([sys.executable, HERE / f"{part}.py", *sys.argv[1:]], check=False).returncode
             for part in PARTS]
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
