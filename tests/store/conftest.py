from __future__ import annotations

from pathlib import Path

import pytest
from projects import write_files

FILES = {
    "rules/metrics.yaml": """
account: {name: account_name, csm: csm}
metrics:
  account_name: {kind: text, stale_after: 90 days}
  csm: {kind: text, stale_after: 90 days}
  heat: {kind: number}
""",
    "rules/weights.yaml": """
signals:
  warmth: {weight: 100, metric: heat, points: {0: 0, 100: 100}}
tiers: {healthy: 60-100, at_risk: 30-59, critical: 0-29}
""",
    "rules/triggers.yaml": "triggers: {cold: {when: heat < 30}}\n",
    "rules/playbook.yaml": "plays: {call: {trigger: cold, steps: [slack: {to: csm, template: note}]}}\n",
    "rules/templates/note.md": "Subject: {{ account.name }}\n\nIt is at {{ now.heat }}.\n",
    "forestall.yaml": """
sources:
  facts: {adapter: csv, path: facts.csv}
people:
  dana: {slack: U024BE7LD}
delivery: rehearsal
""",
    "facts.csv": "account,as_of,account_name,csm,heat\n" + "".join(
        f"a{number},2026-03-01,Account {number},dana,{number}\n" for number in range(20, 60)),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project before its first pass. Accounts 20 to 29 are cold."""
    return write_files(tmp_path / "project", FILES)
