"""A small made-up project, cheap to run: twenty accounts, three days, messages to a mail server and a web server."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

FIRST = date(2025, 3, 3)
DAYS = tuple(FIRST + timedelta(days=number) for number in range(3))
ACCOUNTS = 20

SETTINGS = """
sources:
  product: {{adapter: csv, path: facts.csv}}
channels:
  email: {{adapter: email, server: "127.0.0.1:{smtp}", security: none, sender: cs@example.com}}
  hooks: {{adapter: webhook, allow_private: true}}
destinations:
  crm: {{channel: hooks, url: "http://127.0.0.1:{http}/crm"}}
people:
  mina: {{name: Mina, email: mina@example.com}}
time_zone: UTC
delivery: live
{state}
"""
METRICS = """
account:
  name: company
  csm: csm
  contact: contact
metrics:
  company: {kind: text, stale_after: 90 days}
  csm: {kind: text, stale_after: 90 days}
  contact: {kind: text, stale_after: 90 days, personal: true}
  logins: {kind: number, unit: logins, stale_after: 3 days}
"""
WEIGHTS = """
signals:
  activity: {weight: 100, metric: logins, points: {0: 0, 20: 100}}
missing: reweight
minimum_coverage: 50 percent
new_accounts: scored
tiers:
  healthy: 50-100
  at_risk: 0-49
"""
TRIGGERS = """
triggers:
  quiet:
    when: logins < 5
    cooldown: 14 days
"""
PLAYBOOK = """
plays:
  wake_up:
    trigger: quiet
    owner: csm
    within: 3 days
    steps:
      - task: {for: csm, to: crm, template: call}
      - email: {to: contact, template: letter, from: csm}
      - wait: 1 day
      - email: {to: csm, template: letter}
"""
LETTER = "Subject: About {{ account.name }}\n\nNobody has signed in to {{ account.name }} for a while.\n"


def write_project(folder: Path, smtp: int, http: int, state: str = "") -> None:
    """Write all of it. `state` is the line of forestall.yaml that says where the state is kept."""
    rules = folder / "rules"
    (rules / "templates").mkdir(parents=True)
    (folder / "forestall.yaml").write_text(SETTINGS.format(smtp=smtp, http=http, state=state), encoding="utf-8")
    for name, text in (("metrics", METRICS), ("weights", WEIGHTS), ("triggers", TRIGGERS), ("playbook", PLAYBOOK)):
        (rules / f"{name}.yaml").write_text(text, encoding="utf-8")
    for name in ("call", "letter"):
        (rules / "templates" / f"{name}.md").write_text(LETTER, encoding="utf-8")
    lines = ["account,as_of,company,csm,contact,logins"]
    for number in range(ACCOUNTS):
        for step, day in enumerate(DAYS):
            logins = 1 if number % 3 <= step else 9      # some more of them fall quiet every day
            lines.append(f"a{number:02d},{day},Company {number},mina,ann@customer{number}.example,{logins}")
    (folder / "facts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
