"""`forestall outbox`: what waits or failed is listed, shown, tried again, approved or cancelled, in clear sentences."""

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from forestall.engine.model.delivery import (
    Attempt,
    Delivery,
    DeliveryStatus,
    Message,
    MessageKind,
    OutboxRow,
    PlayRun,
    ReceiptStatus,
    Rest,
    RunStatus,
)
from forestall.engine.model.state import Decisions
from forestall.engine.store import Store

DAY = date(2026, 1, 5)
NOW = datetime(2026, 1, 5, 6, tzinfo=UTC)
KEYS = {"waits": "aa11" + "0" * 28, "dead": "bb22" + "0" * 28, "sent": "cc33" + "0" * 28, "unsure": "cc33" + "9" * 28,
        "later": "ee55" + "0" * 28}


def planned(name: str) -> OutboxRow:
    kind = MessageKind.TASK if name == "dead" else MessageKind.EMAIL
    to = "https://crm.example.com/in" if name == "dead" else f"{name}@customer.example"
    channel = "hooks" if name == "dead" else "email"
    one = Delivery(KEYS[name], f"acc-{name}", "wake_up", "inactivity", DAY, DAY, "letter", kind, channel, to, "letter",
                   True, "at_risk")
    body = '{"account": {"id": "acc-dead"}}' if name == "dead" else ""
    message = Message(one.key, kind, to, f"About {name}", "" if body else f"Hello {name}.", body=body, sent_on=DAY,
                      label=name)
    return OutboxRow(one, message, DeliveryStatus.QUEUED)


def tried(name: str, said: ReceiptStatus, becomes: DeliveryStatus, detail: str = "",
          again_at: datetime | None = None) -> Attempt:
    return Attempt(KEYS[name], NOW, said, becomes, detail, again_at=again_at)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outbox") / "project"
    folder.mkdir()
    (folder / "forestall.yaml").write_text("""
channels:
  email: {adapter: email, server: mail.example.com, sender: cs@example.com}
  hooks: {adapter: webhook}
time_zone: Europe/Berlin
delivery: rehearsal
""")
    rows = [planned(name) for name in KEYS]
    held = [PlayRun(f"acc-{number}", "win_back", "gone", DAY, "at_risk", RunStatus.HELD, "d", since=DAY)
            for number in range(3)]
    with Store.open(folder / ".forestall" / "rehearsal.db") as store:
        store.commit(Decisions(DAY, "d", "s", runs=tuple(held), deliveries=tuple(row.delivery for row in rows)), rows,
                     NOW)
        store.record([tried("sent", ReceiptStatus.SENT, DeliveryStatus.SENT),
                      tried("dead", ReceiptStatus.RETRY, DeliveryStatus.QUEUED, "busy", NOW),
                      tried("unsure", ReceiptStatus.UNCERTAIN, DeliveryStatus.UNCERTAIN, "no answer"),
                      tried("later", ReceiptStatus.RETRY, DeliveryStatus.QUEUED, "slow down",
                            datetime.now(UTC) + timedelta(days=400))], "")
        store.record([tried("dead", ReceiptStatus.REFUSED, DeliveryStatus.DEAD, "crm.example.com answered 410")],
                     failed=[Rest("hooks")], now=datetime.now(UTC))
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "project"))


def statuses(project: Path) -> dict[str, str]:
    names = {key: name for name, key in KEYS.items()}
    with Store.open(project / ".forestall" / "rehearsal.db", read_only=True) as store:
        return {names[row.delivery.key]: row.status.value for row in store.outbox()}


def test_list_shows_what_is_not_done_and_says_what_else_there_is(made: Path, forestall) -> None:
    said = forestall("outbox", "list", "--project", made).out.splitlines()
    assert [line.split()[:2] for line in said[1:5]] == [
        ["aa110000", "waiting"], ["bb220000", "undeliverable"], ["cc339999", "uncertain"], ["ee550000", "waiting"]]
    assert "crm.example.com answered 410" in said[2]
    assert ": slow down" in said[4]
    assert "In all: 2 waiting, 1 sent, 1 undeliverable, 1 uncertain." in said
    assert said[-1].startswith("A guard holds 3 starts of win_back: `forestall outbox approve win_back`")
    found = forestall("outbox", "list", "--project", made, "--format", "json").document("outbox")
    assert found["held"] == {"win_back": 3}
    assert [one["key"] for one in found["deliveries"]] == [KEYS[name] for name in ("waits", "dead", "unsure", "later")]
    few = forestall("outbox", "list", "--project", made, "--status", "sent", "--status", "dead", "--most", 1).out
    assert "… and 1 more" in few
    assert "acc-sent" in forestall("outbox", "list", "--project", made, "--account", "acc-sent", "--status", "sent").out
    none = forestall("outbox", "list", "--project", made, "--play", "other").out
    assert none.startswith("No message is like that.\nIn all: ")


def test_show_tells_the_story_of_one_message(made: Path, forestall) -> None:
    said = forestall("outbox", "show", "bb", "--project", made).out
    for part in (KEYS["dead"], "task of wake_up (letter) for acc-dead", "undeliverable: crm.example.com answered 410",
                 "5 January at 07:00  retry: busy; waits, again from", "refused: crm.example.com answered 410",
                 '"id": "acc-dead"'):
        assert part in said
    found = forestall("outbox", "show", KEYS["dead"], "--project", made, "--format", "json").document("outbox-show")
    assert [one["said"] for one in found["attempts"]] == ["retry", "refused"]
    assert found["message"]["body"] == {"account": {"id": "acc-dead"}}
    assert found["far_side_rests_until"]


@pytest.mark.parametrize(("arguments", "code"), [
    (["show", "ff"], "no-such-key"), (["show", "cc33"], "ambiguous-key"), (["retry", "aa", "cc330"], "message-settled"),
    (["cancel", "cc330"], "message-settled"), (["cancel", "win_bak"], "no-such-key"),
    (["approve", "win_bak"], "not-held"),
    (["show", ""], "no-such-key"), (["show", "%"], "no-such-key")])
def test_what_cannot_be_done_is_said_and_changes_nothing(made: Path, forestall, arguments, code) -> None:
    before = statuses(made)
    done = forestall("outbox", *arguments, "--project", made)
    assert done.error is not None
    assert [problem.code for problem in done.error.problems] == [code]
    assert "win_bak" not in arguments or "win_back" in str(done.error)
    assert statuses(made) == before


def test_retry_and_send(project: Path, forestall) -> None:
    said = forestall("outbox", "retry", "bb22", "cc339", "ee", "--project", project).out
    assert "bb220000  the task to https://crm.example.com/in for acc-dead (wake_up) is tried again." in said
    assert set(statuses(project).values()) == {"queued", "sent"}
    assert "4 sent." in forestall("outbox", "send", "--project", project).out
    assert set(statuses(project).values()) == {"sent"}
    assert len(list((project / "deliveries").iterdir())) == 4
    assert forestall("outbox", "send", "--project", project).out == "Nothing is due.\n"
    assert "none yet" not in forestall("outbox", "show", "aa", "--project", project).out


def test_cancel_a_message(project: Path, forestall) -> None:
    assert "aa110000  the email to waits@customer.example for acc-waits (wake_up) is cancelled." in forestall(
        "outbox", "cancel", "aa", "--project", project).out
    assert statuses(project)["waits"] == "cancelled"
    done = forestall("outbox", "retry", "aa", "--project", project)
    assert "cancelled and is not sent again" in str(done.error)


@pytest.mark.parametrize(("verb", "cancelled"), [("approve", False), ("cancel", True)])
def test_what_a_guard_holds_is_approved_or_cancelled(project: Path, forestall, verb: str, cancelled: bool) -> None:
    said = forestall("outbox", verb, "win_back", "--by", "Mina", "--project", project).out
    assert "3 starts of win_back" in said
    with Store.open(project / ".forestall" / "rehearsal.db", read_only=True) as store:
        approval = store.state().approvals["win_back"]
    assert (approval.given_by, approval.cancelled) == ("Mina", cancelled)


def test_before_the_first_pass_there_is_nothing_and_nothing_is_made(tmp_path: Path, forestall) -> None:
    (tmp_path / "forestall.yaml").write_text("delivery: rehearsal\n")
    assert forestall("outbox", "list", "--project", tmp_path).out == (
        "The outbox is empty: no pass has planned a message yet.\n")
    assert forestall("outbox", "send", "--project", tmp_path).out == "Nothing is due.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["forestall.yaml"]


def test_a_key_is_shortened_only_as_far_as_it_is_nobody_elses() -> None:
    from forestall.engine.cli.outbox_listed import shortened

    long = "0123456789abcdef"
    assert shortened([long, long[:12] + "ffff", "9" * 16]) == {
        long: long[:13], long[:12] + "ffff": long[:12] + "f", "9" * 16: "9" * 8}
