"""What a terminal shows while something takes long."""

import io
import sys

from forestall.engine.cli.progress import shown


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_rows_are_counted_although_nobody_knows_how_many_there_will_be(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")      # on a dumb terminal nothing can be drawn over
    with shown() as progress:
        progress("sources", 0, 2)
        progress("rows", 200_000, 0)
        progress("rows", 400_000, 0)
        progress("days", 3, 3)
    said = sys.stderr.getvalue()
    assert "reading sources" in said
    assert "reading rows" in said
    assert "400000/?" in said


def test_a_pipe_stays_quiet(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with shown() as progress:
        progress("rows", 1, 0)
    assert sys.stderr.getvalue() == ""
