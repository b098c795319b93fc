"""The command `forestall` to its last line and its exit code, in a process that has what it needs imported already."""

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from forestall.engine.cli.main import main


def called(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` would answer."""
    out, err = io.StringIO(), io.StringIO()
    words = [str(one) for one in arguments]
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(cwd)
        patch.setenv("NO_COLOR", "1")
        patch.setattr(sys, "argv", ["forestall", *words])
        with pytest.raises(SystemExit) as ended:
            main()
    return subprocess.CompletedProcess(words, int(ended.value.code or 0), out.getvalue(), err.getvalue())
