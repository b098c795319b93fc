"""Projects in a folder, as tests write them."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from shutil import copytree

from forestall.engine.sample.files import write_sample

ROOT = Path(__file__).resolve().parents[1]

# Everybody and every place that the rules that we ship write to.
SETTINGS = """
sources:
  customers: {adapter: csv, path: data/accounts.csv}
  product: {adapter: csv, path: data/usage/*.csv}
channels:
  email: {adapter: email, server: "smtp.example.com:587", sender: cs@example.com}
  slack: {adapter: slack, url: "${secret:SLACK_URL}"}
  webhook: {adapter: webhook}
destinations:
  crm: {channel: webhook, url: https://crm.example.com/hooks/cs}
  in_app: {channel: webhook, url: https://app.example.com/hooks/messages}
  cs_leads: {channel: slack, to: "#cs-leads"}
people:
  mina: {name: Mina, email: mina@example.com, slack: U024BE7LA}
  tomas: {name: Tomas, email: tomas@example.com, slack: U024BE7LB}
  luis: {name: Luis, email: luis@example.com, slack: U024BE7LC}
  dana: {name: Dana, email: dana@example.com, slack: U024BE7LD}
  robin: {name: Robin, email: robin@example.com}
time_zone: Europe/Berlin
delivery: rehearsal
"""


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    """Files by their names below the folder, which is made where it is not there."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def write_shipped(folder: Path, accounts: int, days: int) -> Path:
    """The rules that we ship with made-up accounts from 5 January 2026 on, before its first pass."""
    copytree(ROOT / "rules", folder / "rules")
    (folder / "forestall.yaml").write_text(SETTINGS)
    write_sample(folder, seed=7, accounts=accounts, first=date(2026, 1, 5), days=days)
    return folder
