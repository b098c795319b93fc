"""Passes over a made-up book of business, with the shipped rules, real files, a real store and real servers."""

import asyncio
import json
import re
import shutil
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from email import message_from_bytes
from email.message import Message as Mail
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from projects import write_files, write_shipped

from forestall.engine.detect.manifest import read_manifest
from forestall.engine.errors import ForestallError, SettingsError, SourceError, UsageError
from forestall.engine.model.delivery import DeliveryStatus, MessageKind
from forestall.engine.model.state import Decisions, State
from forestall.engine.model.trigger import Existing
from forestall.engine.runtime import PassReport, import_history, open_project, passes
from forestall.engine.store import Store

ROOT = Path(__file__).resolve().parents[1]
FIRST = date(2026, 2, 23)
DAYS = [FIRST + timedelta(days=number) for number in range(4)]

pytestmark = pytest.mark.xdist_group("test_passes")      # its fixtures serve the whole file


def one(folder: Path, day: date, *, send: bool, existing: Existing | None = None) -> PassReport:
    """One pass in a process of its own, as far as its state goes."""
    with passes(open_project(folder), send=send, existing=existing) as running:
        return running.one(day)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def comparable(decisions: Decisions) -> Decisions:
    """Decisions in one order: which run was read first says nothing."""
    return replace(decisions, runs=tuple(sorted(decisions.runs, key=repr)), tiers=dict(decisions.tiers))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project before its first pass; tests copy it."""
    return write_shipped(tmp_path_factory.mktemp("sample") / "project", accounts=40, days=60)


@pytest.fixture
def project(sample: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(sample, tmp_path / "project"))


@dataclass(frozen=True)
class Days:
    """Some days that were really sent, each by a pass of its own."""

    folder: Path
    reports: list[PassReport]

    def store(self) -> Store:
        return Store.open(self.folder / ".forestall" / "rehearsal.db", read_only=True)


@pytest.fixture(scope="module")
def days(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Days:
    folder = Path(shutil.copytree(sample, tmp_path_factory.mktemp("days") / "project"))
    return Days(folder, [one(folder, day, send=True) for day in DAYS])


# -- rehearsal ---------------------------------------------------------------------------------------------------------

def test_each_day_goes_on_where_the_last_one_stopped(days: Days) -> None:
    first, *later = days.reports
    assert first.before == State()
    assert first.accounts == 40
    assert sum(first.decided.tiers.values()) in range(35, 41)
    for earlier, report in zip(days.reports, later, strict=False):
        assert report.before == earlier.before.after(earlier.decided.decisions), "the store says what memory would"
        assert report.before.previous_pass == earlier.day
    assert [source.source for source in first.collected] == ["customers", "product"]
    assert len(first.rows) > 10
    assert any(report.decided.decisions.transitions for report in later)


def test_what_was_planned_is_in_the_outbox_and_in_the_folder(days: Days) -> None:
    planned = {row.delivery.key for report in days.reports for row in report.rows}
    with days.store() as store:
        rows = list(store.outbox())
    assert {row.delivery.key for row in rows} == planned
    assert {row.status for row in rows} == {DeliveryStatus.SENT}
    files = list((days.folder / "deliveries").iterdir())
    assert len(files) == len(planned) == sum(report.delivery.sent for report in days.reports if report.delivery)
    assert {path.suffix for path in files} >= {".eml", ".json"}


def test_every_message_is_about_its_account_and_says_something_known(days: Days) -> None:
    for report in days.reports:
        for row in report.rows:
            said = f"{row.message.subject} {row.message.text}"
            assert row.message.subject
            assert "{{" not in said
            assert row.message.key == row.delivery.key


def test_alerts_are_logged_and_silences_kept(days: Days) -> None:
    transitions = [one for report in days.reports for one in report.decided.decisions.transitions]
    with days.store() as store:
        account = transitions[0].alert.account
        assert list(store.history_of(account)) == [one for one in transitions if one.alert.account == account]
        kept = Counter(silence.reason for silence in store.silences(FIRST))
    assert kept == Counter(silence.reason for silence in days.reports[0].decided.decisions.silences)


def test_a_second_run_of_the_same_day_sends_nothing_and_writes_nothing(days: Days) -> None:
    before = tree(days.folder)
    again = one(days.folder, DAYS[-1], send=True)
    assert (again.rows, again.decided.decisions.transitions, again.decided.decisions.runs) == ((), (), ())
    assert again.commit is not None
    assert not again.commit.written
    assert again.delivery is not None
    assert (again.delivery.sent, again.delivery.waiting) == (0, 0)
    assert tree(days.folder) == before


def test_a_dry_run_writes_nothing_at_all(days: Days) -> None:
    before = tree(days.folder)
    report = one(days.folder, DAYS[-1] + timedelta(days=1), send=False)
    assert (report.dry, report.commit, report.delivery) == (True, None, None)
    assert tree(days.folder) == before


def test_a_dry_run_of_some_days_is_what_sending_them_would_be(days: Days, project: Path) -> None:
    before = tree(project)
    with passes(open_project(project), send=False) as running:
        dry = [running.one(day) for day in DAYS]
    assert tree(project) == before
    assert [comparable(report.decided.decisions) for report in dry] == [
        comparable(report.decided.decisions) for report in days.reports]
    assert [report.rows for report in dry] == [report.rows for report in days.reports]
    assert [report.decided.tiers for report in dry] == [report.decided.tiers for report in days.reports]


def test_an_import_beforehand_changes_nothing_about_the_days(days: Days, project: Path) -> None:
    """The files speak of days to come as well; a pass uses what had been said by the end of its day."""
    collected, history = import_history(open_project(project))
    assert (history.through, [source.source for source in collected]) == (date(2026, 3, 5), ["customers", "product"])
    once = tree(project)
    again, _ = import_history(open_project(project))
    assert [source.arrived.new for source in again] == [0, 0]
    assert tree(project) == once
    report = one(project, FIRST, send=False)
    assert comparable(report.decided.decisions) == comparable(days.reports[0].decided.decisions)
    assert tree(project) == once


def test_a_past_day_is_refused(days: Days) -> None:
    before = tree(days.folder)
    for send in (True, False):
        with pytest.raises(UsageError, match="2026-02-26 was decided already, and a pass never decides a past day"):
            one(days.folder, DAYS[0], send=send)
    assert tree(days.folder) == before


# -- sources that cannot be read ---------------------------------------------------------------------------------------

def spoil(folder: Path) -> None:
    path = folder / "data" / "usage" / "2026-02.csv"
    lines = path.read_text().splitlines()
    cells = lines[3].split(",")
    cells[2] = "many"
    lines[3] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")


def test_a_broken_source_stops_the_first_pass_before_anything_is_written(project: Path) -> None:
    spoil(project)
    before = tree(project)
    with pytest.raises(SourceError) as said:
        one(project, FIRST, send=True)
    assert tree(project) == before
    assert [str(problem.location).split("/")[-1] for problem in said.value.problems] == ["2026-02.csv:4:25"]
    assert "many" in said.value.problems[0].message
    with pytest.raises(SourceError):
        import_history(open_project(project))
    assert tree(project) == before


def test_and_leaves_everything_as_it_was_on_a_later_day(days: Days, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(days.folder, tmp_path / "project"))
    with (folder / "data" / "accounts.csv").open("a") as file:
        file.write("made-up-0001,2026-02-27,A New Name,ann@new.example,mina,robin,1,2026-11-24,,2023-11-04,false,,,,\n")
    spoil(folder)
    before = tree(folder)
    with pytest.raises(SourceError):
        one(folder, DAYS[-1] + timedelta(days=1), send=True)
    assert tree(folder) == before
    assert read_manifest(folder / ".forestall" / "history").through == DAYS[-1]


# -- a small project, for what is about passes and not about rules -----------------------------------------------------

SMALL = {
    "rules/metrics.yaml": """
account: {name: account_name, contact: contact_email}
metrics:
  account_name: {kind: text, stale_after: 90 days}
  contact_email: {kind: text, personal: true, stale_after: 90 days}
  heat: {kind: number}
""",
    "rules/weights.yaml": """
signals:
  warmth: {weight: 100, metric: heat, points: {0: 0, 100: 100}}
tiers: {healthy: 60-100, at_risk: 30-59, critical: 0-29}
""",
    "rules/triggers.yaml": """
triggers:
  cold: {when: heat < 30, cooldown: 2 days}
""",
    "rules/playbook.yaml": """
plays:
  nudge:
    trigger: cold
    steps:
      - email: {to: contact, template: note}
      - webhook: {to: crm, template: note}
""",
    "rules/templates/note.md": "Subject: {{ account.name }} is at {{ now.heat }}\n\nIt was {{ before.heat }}.\n",
    "forestall.yaml": """
sources:
  facts: {adapter: csv, path: facts.csv}
channels:
  email: {adapter: email, server: "smtp.example.com:587", sender: cs@example.com}
  webhook: {adapter: webhook}
destinations:
  crm: {channel: webhook, url: https://crm.example.com/hooks/cs}
time_zone: Europe/Berlin
delivery: rehearsal
""",
    "facts.csv": """account,as_of,account_name,contact_email,heat
a,2026-01-01,Acme,ann@acme.example,10
b,2026-01-01,Bolt,ben@bolt.example,90
b,2026-01-02,Bolt,ben@bolt.example,10
c,2026-01-03,Crow,cat@crow.example,10
""",
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A project of three accounts that turn cold on three days."""
    return write_files(tmp_path / "small", SMALL)


def january(number: int) -> date:
    return date(2026, 1, number)


def edit(file: Path, find: str, by: str) -> None:
    text = file.read_text()
    assert find in text
    file.write_text(text.replace(find, by))


def told(report: PassReport) -> list[str]:
    return [f"{move.alert.account} {move.kind.value}" for move in report.decided.decisions.transitions]


def test_existing_is_for_the_first_pass_only(small: Path) -> None:
    with passes(open_project(small), send=False, existing=Existing.RECORD) as running:
        reports = [running.one(january(number)) for number in (1, 2)]
    assert [told(report) for report in reports] == [["a recorded"], ["b opened"]]
    with passes(open_project(small), send=False, existing=Existing.OPEN) as running:
        assert told(running.one(january(1))) == ["a opened"]


def test_existing_ends_with_the_first_pass_also_for_accounts_that_are_seen_later(small: Path) -> None:
    edit(small / "rules/playbook.yaml", "trigger: cold", "tier: critical")
    with passes(open_project(small), send=False, existing=Existing.RECORD) as running:
        reports = [running.one(january(number)) for number in (1, 2, 3)]
    assert [set(told(report)) for report in reports] == [{"a recorded"}, {"b opened"}, {"c opened"}]


def test_on_a_later_pass_existing_is_told_to_be_too_late(small: Path) -> None:
    one(small, january(1), send=True)
    with pytest.raises(UsageError, match="--existing is for the first pass"):
        one(small, january(2), send=True, existing=Existing.RECORD)


def test_going_live_asks_what_to_do_with_those_that_match_already(small: Path) -> None:
    one(small, january(1), send=True)
    edit(small / "forestall.yaml", "delivery: rehearsal", "delivery: live")
    before = tree(small)
    with pytest.raises(UsageError, match="first live pass") as said:
        one(small, january(2), send=True)
    assert "--existing record" in said.value.problems[0].hint
    assert tree(small) == before
    assert told(one(small, january(2), send=False)) == ["a opened", "b opened"], "a dry run asks nothing"
    assert tree(small) == before


def test_recorded_at_first_only_news_is_sent_live(small: Path, servers: "Servers") -> None:
    go_live(small, servers)
    first = one(small, january(1), send=True, existing=Existing.RECORD)
    assert (told(first), first.rows) == (["a recorded"], ())
    second = one(small, january(2), send=True)
    assert told(second) == ["b opened"]
    assert [mail["To"] for mail in servers.mails()] == ["ben@bolt.example"]


def test_a_day_to_come_is_refused_live(small: Path, servers: "Servers") -> None:
    """Else every pass until then would be one of the past."""
    go_live(small, servers)
    tomorrow = open_project(small).today() + timedelta(days=1)
    with pytest.raises(UsageError, match="has not come yet"):
        one(small, tomorrow, send=True, existing=Existing.OPEN)
    assert not (small / ".forestall").exists()
    assert one(small, tomorrow, send=False).day == tomorrow


def test_without_a_channel_that_can_send_it_nothing_is_written(small: Path) -> None:
    edit(small / "forestall.yaml", "delivery: rehearsal", "delivery: live")
    edit(small / "forestall.yaml", "  email: {adapter: email, server:", "#  email: {adapter: email, server:")
    before = tree(small)
    with pytest.raises(SettingsError, match="sends email, and no channel does that"):
        one(small, january(1), send=True, existing=Existing.OPEN)
    assert tree(small) == before


def test_news_of_the_same_day_is_decided_on_a_second_run(small: Path) -> None:
    assert told(one(small, january(1), send=True)) == ["a opened"]
    with (small / "facts.csv").open("a") as file:
        file.write("b,2026-01-01,Bolt,ben@bolt.example,20\n")
    again = one(small, january(1), send=True)
    assert told(again) == ["b opened"]
    assert [row.delivery.account for row in again.rows] == ["b", "b"]
    assert again.delivery is not None
    assert again.delivery.sent == 2


def test_a_crash_between_deciding_and_sending_loses_nothing(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from forestall.engine import runtime

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runtime, "deliver", crash)
    with pytest.raises(KeyboardInterrupt):
        one(small, january(1), send=True)
    monkeypatch.undo()
    assert not (small / "deliveries").exists()
    again = one(small, january(1), send=True)
    assert again.delivery is not None
    assert (again.rows, again.delivery.sent) == ((), 2)


def test_a_folder_that_cannot_be_written_is_a_sentence(small: Path) -> None:
    (small / ".forestall").write_text("not a folder")
    with pytest.raises(ForestallError) as said:
        one(small, january(1), send=True)
    assert len(said.value.problems) == 1


# -- live --------------------------------------------------------------------------------------------------------------

class Servers:
    """A mail server and a web server on the loopback, and what arrived there."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.posted: list[tuple[str, dict[str, str], bytes]] = []
        servers = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                servers.posted.append((self.path, dict(self.headers.items()), body))
                self.send_response(200)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                pass

        self._web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._web.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._web.server_port}"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._mail = Controller(self, hostname="127.0.0.1", port=port)
        self._mail.start()
        self.smtp = f"127.0.0.1:{port}"

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
        await asyncio.sleep(0)
        self.taken.append(envelope.content)  # type: ignore[attr-defined]
        return "250 fine"

    def mails(self) -> list[Mail]:
        return [message_from_bytes(content) for content in self.taken]

    def close(self) -> None:
        self._mail.stop()
        self._web.shutdown()
        self._thread.join()
        self._web.server_close()


@pytest.fixture
def servers() -> Iterator[Servers]:
    running = Servers()
    yield running
    running.close()


def go_live(folder: Path, servers: Servers) -> None:
    path = folder / "forestall.yaml"
    edit(path, "delivery: rehearsal", "delivery: live")
    edit(path, '"smtp.example.com:587"', f'"{servers.smtp}", security: none')
    edit(path, "webhook: {adapter: webhook}", "webhook: {adapter: webhook, allow_private: true}")
    text = path.read_text()
    for far in ("https://crm.example.com", "https://app.example.com"):
        text = text.replace(far, servers.url)
    path.write_text(text)
    playbook = folder / "rules" / "playbook.yaml"      # whatever the time is while the test runs
    playbook.write_text(re.sub(r"(?m)^  quiet_hours:.*\n", "", playbook.read_text()))


def test_live_deliveries_arrive_once(project: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLACK_URL", raising=False)
    go_live(project, servers)
    report = one(project, FIRST, send=True, existing=Existing.OPEN)
    planned = Counter(row.delivery.kind for row in report.rows)
    assert report.delivery is not None
    assert min(planned[kind] for kind in MessageKind) > 0, "the sample brings every kind"
    slack = [row for row in report.rows if row.delivery.channel == "slack"]
    assert (report.delivery.sent, report.delivery.waiting) == (len(report.rows) - len(slack), len(slack))
    assert [problem.code for problem in report.delivery.problems] == ["secret-not-set"]

    emails = {row.delivery.recipient: row for row in report.rows if row.delivery.kind is MessageKind.EMAIL}
    assert {mail["To"] for mail in servers.mails()} == set(emails)
    assert len(servers.taken) == planned[MessageKind.EMAIL]
    assert len({mail["Message-ID"] for mail in servers.mails()}) == planned[MessageKind.EMAIL]
    assert {mail["To"]: mail["Subject"] for mail in servers.mails() if mail["Subject"].isascii()}.items() <= {
        to: row.message.subject for to, row in emails.items()}.items()
    posted = {json.loads(body)["key"]: headers for _, headers, body in servers.posted}
    hooks = {row.delivery.key for row in report.rows if row.delivery.channel == "webhook"}
    assert set(posted) == hooks
    assert all(key in str(headers) for key, headers in posted.items())

    monkeypatch.setenv("SLACK_URL", f"{servers.url}/slack")
    again = one(project, FIRST, send=True)
    assert again.delivery is not None
    assert (again.rows, again.delivery.sent, again.delivery.waiting) == ((), len(slack), 0)
    assert len(servers.taken) == planned[MessageKind.EMAIL]
    assert len([path for path, *_ in servers.posted if path == "/slack"]) == len(slack)
    assert not (project / "deliveries").exists()
    assert (project / ".forestall" / "live.db").exists()
    assert not (project / ".forestall" / "rehearsal.db").exists()
