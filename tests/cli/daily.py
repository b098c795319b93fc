"""A small project whose facts are told by hand, and which is opened anew for every day."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from forestall.engine.runtime import open_project
from forestall.engine.store import Store

FIRST = date(2026, 1, 5)
PLAYBOOK = """
plays:
  talk:
    trigger: cold
    owner: csm
    steps:
      - email: {to: contact, template: hello}
      - wait: 3 days
      - stop_if: mood >= 50
      - task: {for: csm, to: crm, template: call, done_when: logins >= 10}
"""
FILES = {
    "rules/metrics.yaml": """
account: {name: account_name, contact: contact_email, csm: csm}
metrics:
  account_name: {kind: text, stale_after: 90 days}
  contact_email: {kind: text, personal: true, stale_after: 90 days}
  csm: {kind: text, stale_after: 90 days}
  heat: {kind: number}
  mood: {kind: number}
  logins: {kind: number}
""",
    "rules/weights.yaml": """
signals: {warmth: {weight: 100, metric: heat, points: {0: 0, 100: 100}}}
tiers: {healthy: 50-100, at_risk: 0-49}
""",
    "rules/triggers.yaml": "triggers:\n  cold: {when: heat < 40, severity: at_risk}\n",
    "rules/playbook.yaml": PLAYBOOK,
    "rules/templates/hello.md": "Subject: Hello {{ account.name }}\n\nHow are you?\n",
    "rules/templates/letter.md": "Subject: A letter to {{ account.name }}\n\nHow are you?\n",
    "rules/templates/call.md": "Subject: Call {{ account.name }}\n\nIt is cold there.\n",
    "forestall.yaml": """
sources:
  facts: {adapter: csv, path: facts.csv}
channels:
  email: {adapter: folder, path: out}
  webhook: {adapter: folder, path: out}
  slack: {adapter: folder, path: out}
destinations:
  crm: {channel: webhook, url: https://crm.example.com/hooks/cs}
people:
  dana: {name: Dana Reed, email: dana@example.com, manager: robin}
  robin: {name: Robin Hall, slack: U02, email: robin@example.com}
time_zone: Europe/Berlin
delivery: rehearsal
""",
}


class Book:
    """The project in a folder; `forestall` runs a command in it."""

    def __init__(self, folder: Path, forestall) -> None:
        self.folder, self._forestall = folder, forestall
        for name, text in FILES.items():
            self.write(name, text)
        self.write("facts.csv", "account,as_of,account_name,contact_email,csm,heat,mood,logins\n")

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def day(self, number: int, **accounts: tuple[object, object, object]) -> list[str]:
        """Decide a day on which accounts have this heat, mood and logins; what was sent: `acme Call Acme`."""
        day = FIRST + timedelta(days=number)
        with (self.folder / "facts.csv").open("a") as file:
            for name, (heat, mood, logins) in accounts.items():
                file.write(f"{name},{day},{name.title()},ann@{name}.example,dana,{heat},{mood},{logins}\n")
        before = {row.delivery.key for row in self.rows()} if number else set()
        done = self._forestall("run", "--project", self.folder, "--day", day, "--send")
        assert done.code == 0, done.error or done.out
        return [f"{row.delivery.account}: {row.message.subject}" for row in self.rows()
                if row.delivery.key not in before]

    def rows(self) -> list:
        with self.store() as store:
            return sorted(store.outbox(), key=lambda row: row.delivery.account)

    def store(self) -> Store:
        return Store.open(open_project(self.folder).store_path, read_only=True)

    def run(self, account: str, play: str = "talk"):
        with self.store() as store:
            return next(one for one in store.state().runs if (one.account, one.play) == (account, play))

    def explain(self, account: str, number: int) -> str:
        done = self._forestall("explain", account, "--project", self.folder, "--day", FIRST + timedelta(days=number))
        assert done.code == 0, done.error or done.out
        return " ".join(done.out.split())


COLD, CHEERED, WARM = (10, 0, 0), (10, 80, 0), (90, 0, 0)      # heat, mood and logins
