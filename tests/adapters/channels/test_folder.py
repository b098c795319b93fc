"""Rehearsal: files that open by themselves."""

import email
import email.policy
import json
from datetime import date

import pytest

from forestall.adapters.channels.folder import FolderChannel
from forestall.engine.model.delivery import MessageKind, ReceiptStatus


@pytest.fixture
def rehearse(tmp_path, message):
    """Writes one message; gives back the file."""
    channel = FolderChannel("rehearsal", FolderChannel.Settings("out/deliveries"), tmp_path)

    def send(kind: str, **changes: object):
        receipt = channel.send(message(kind, **changes))
        assert receipt.status is ReceiptStatus.SENT, receipt.detail
        return tmp_path / "out/deliveries" / receipt.reference

    return send


def test_an_email_opens_by_itself(rehearse):
    file = rehearse("email", sender="Dana", reply_to="dana@example.com")
    assert file.name.startswith("2026-01-05-acme-re_engage-email-")
    assert file.suffix == ".eml"
    mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert mail["From"].addresses[0].display_name == "Dana"
    assert mail["To"] == "ann@acme.example"
    assert mail["Reply-To"] == "dana@example.com"
    assert mail["Subject"] == "Your logins fell from 20 to 6"
    assert mail["Date"].datetime.date() == date(2026, 1, 5)
    assert "Hello **Ann**" in mail.get_body(("plain",)).get_content()
    assert "<strong>Ann</strong>" in mail.get_body(("html",)).get_content()


def test_a_slack_message_is_a_text(rehearse):
    file = rehearse("slack", text="Grüße")
    assert file.suffix == ".txt"
    assert file.read_text("utf-8") == "To: U024BE7LH\nSubject: Your logins fell from 20 to 6\n\nGrüße\n"


@pytest.mark.parametrize("kind", ["webhook", "task"])
def test_a_webhook_and_a_task_are_json(rehearse, kind):
    file = rehearse(kind, to="https://crm.example/hook")
    assert file.suffix == ".json"
    written = json.loads(file.read_text("utf-8"))
    assert written["to"] == "https://crm.example/hook"
    assert written["body"] == {"account": "Ümläut"}
    assert "Ümläut" in file.read_text("utf-8")
    assert json.loads(rehearse("task", body="").read_text("utf-8"))["subject"] == "Your logins fell from 20 to 6"


def test_files_sort_by_day_and_account(rehearse):
    files = [
        rehearse("slack", key=str(index), label=label, sent_on=day)
        for index, (label, day) in enumerate([("bolt a", date(2026, 1, 6)), ("acme b", date(2026, 1, 6)),
                                              ("zoo c", date(2026, 1, 5)), ("acme a", date(2026, 1, 6))])
    ]
    assert [file.name[:17] for file in sorted(files)] == [
        "2026-01-05-zoo-c-", "2026-01-06-acme-a", "2026-01-06-acme-b", "2026-01-06-bolt-a"]


def test_the_same_key_overwrites_and_another_never_does(rehearse, tmp_path):
    first = rehearse("slack", key="one", text="before")
    assert rehearse("slack", key="one", text="after") == first
    assert first.read_text("utf-8").endswith("after\n")
    assert rehearse("slack", key="two") != first
    assert rehearse("slack", key="ONE") != first
    assert len(list(first.parent.iterdir())) == 3


@pytest.mark.parametrize("label", [
    "../../etc/passwd", "/etc/passwd", "..", ".", "a/b\\c", "C:\\x", "nul\0byte", "line\nbreak", "", " ", "x" * 1000,
    "文" * 500, "Müller & Söhne: 100%?*", "-rf", "🎉",
])
def test_a_name_leads_nowhere_else(rehearse, tmp_path, label):
    file = rehearse("email", label=label)
    assert file.is_file()
    assert file.parent == tmp_path / "out/deliveries"
    assert [found.name for found in tmp_path.rglob("*") if found.is_file()] == [file.name]
    assert file.name.startswith("2026-01-05-")
    assert len(file.name.encode()) < 200
    assert not set(file.name) & set('/\\:*?"<>|\n\0')


def test_what_could_not_be_sent_is_refused_in_rehearsal_too(tmp_path, message):
    channel = FolderChannel("rehearsal", FolderChannel.Settings(), tmp_path)
    assert channel.send(message("email", to="nobody")).status is ReceiptStatus.REFUSED
    assert channel.send(message("email", subject="a\nb")).status is ReceiptStatus.REFUSED
    assert not (tmp_path / "deliveries").exists()


def test_a_folder_that_cannot_be_written(tmp_path, message):
    (tmp_path / "deliveries").write_text("a file stands here")
    receipt = FolderChannel("rehearsal", FolderChannel.Settings(), tmp_path).send(message("slack"))
    assert (receipt.status, receipt.whole_channel) == (ReceiptStatus.RETRY, True)
    assert "cannot be written" in receipt.detail


def test_every_kind_of_message_has_a_form(rehearse):
    assert {rehearse(kind.value, key=kind.value).suffix for kind in MessageKind} == {".eml", ".txt", ".json"}
