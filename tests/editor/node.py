"""Scripts of this folder, run by node: a document in, a document out."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NODE_MODULES = HERE / "node_modules"


@dataclass(frozen=True)
class Node:
    command: str

    def run(self, script: str, document: Any) -> Any:
        done = subprocess.run([self.command, str(HERE / script)], input=json.dumps(document), capture_output=True,
                              text=True, check=False, cwd=HERE)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
