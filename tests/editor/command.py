"""The command `forestall`, as people run it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def forestall(*words: Any, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "forestall.engine.cli", *map(str, words)], cwd=cwd, check=True,
                          capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
