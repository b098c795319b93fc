"""Settings that stand nested in forestall.yaml, and where each mistake in them is said."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

import pytest

from forestall.engine.errors import Location
from forestall.engine.model.ports import Secret
from forestall.engine.rulebook import source
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import MapNode
from forestall.engine.settings_filling import Filling


class Paging(StrEnum):
    CURSOR = "cursor"
    PAGE = "page"


@dataclass(frozen=True)
class Login:
    user: str
    password: Secret


@dataclass(frozen=True)
class Counted:
    shorthand: ClassVar[str] = "count"

    count: str
    days: int = 1
    per: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.days < 1:
            raise ValueError("`days` must be at least 1.", "Write `days: 1`.")


@dataclass(frozen=True)
class Settings:
    path: str
    paging: Paging = Paging.PAGE
    login: Login | None = None
    metrics: dict[str, Counted] = field(default_factory=dict)
    steps: tuple[Counted, ...] = ()
    params: dict[str, str | int | bool] = field(default_factory=dict)


def filled(tmp_path: Path, text: str) -> tuple[object, list[str]]:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    root = source.read(file).root
    assert isinstance(root, MapNode)
    findings = Findings()
    made = Filling("source crm", "http", findings).filled(Settings, root, Location("settings.yaml", 1, 1), {})
    return made, [f"{one.location.line}:{one.location.column}: {one.code}: {one.message} {one.hint}"
                  for one in findings.sorted()]


def test_nested_settings_come_typed(tmp_path: Path) -> None:
    made, said = filled(tmp_path, """
path: x
paging: cursor
login: {user: me, password: "${secret:PASSWORD}"}
metrics:
  logins: login
  clicks: {count: click, days: 14, per: {seat: 2}}
steps: [{count: first}, second]
params: {limit: 100, all: true, kind: open}
""")
    assert said == []
    assert made == Settings("x", Paging.CURSOR, Login("me", Secret("PASSWORD")),
                            {"logins": Counted("login"), "clicks": Counted("click", 14, {"seat": 2.0})},
                            (Counted("first"), Counted("second")), {"limit": 100, "all": True, "kind": "open"})


@pytest.mark.parametrize(("text", "said"), [
    ("paging: cursr", "2:9: not-one-of: `paging` of source crm cannot be `cursr`. Did you mean cursor?"),
    ("paging: [page]", "2:9: not-one-of: `paging` of source crm must be one word. Write one of cursor, page."),
    ("login: me", "2:8: wrong-type: `login` of source crm must be keys and values, not `me`. "),
    ("login: {user: me}", "2:8: missing-key: `login` of source crm has no `password`. Add a line `password: …`."),
    ("login: {user: me, password: hunter2}", "2:29: secret-in-file: `login.password` of source crm "
     "stands in the file, and a secret "
     'never stands in a file. Write password: "${secret:PASSWORD}" and set the environment variable PASSWORD.'),
    ('login: {user: "${secret:A}", password: "${secret:B}"}',
     "2:15: secret-not-here: `login.user` of source crm cannot hold a secret. "
     "Use a setting of this adapter that is meant to be secret."),
    ("metrics: {a: {count: x, day: 2}}", "2:25: unknown-key: `day` is not a setting of `metrics.a` of source crm. "
     "Did you mean days?"),
    ("metrics: {a: {count: x, days: 0}}", "2:14: settings-disagree: source crm: `days` must be at least 1. "
     "Write `days: 1`."),
    ("metrics: {a: {count: x, days: two}}", "2:31: wrong-type: `metrics.a.days` of source crm "
     "must be a whole number, not `two`. "),
    ("metrics: {a: {count: x, per: {b: c}}}", "2:34: wrong-type: `metrics.a.per.b` of source crm "
     "must be a number, not `c`. "),
    ("metrics: [a]", "2:10: wrong-type: `metrics` of source crm must be keys and values, not a list. "),
    ("steps: [{days: 1}]", "2:9: missing-key: `steps[1]` of source crm has no `count`. Add a line `count: …`."),
    ("params: {a: [1]}", "2:13: wrong-type: `params.a` of source crm must be a single value, not a list. "),
])
def test_each_mistake_is_said_at_its_place(tmp_path: Path, text: str, said: str) -> None:
    made, found = filled(tmp_path, f"path: x\n{text}\n")
    assert made is None
    assert found == [said]
    assert "hunter2" not in " ".join(found)
