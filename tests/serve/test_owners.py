"""Who looks after the rules hears once when they cannot be used."""

import io
import json
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

import pytest

from forestall.engine.errors import Location, Problem
from forestall.engine.model.delivery import MessageKind
from forestall.engine.serve.journal import Journal
from forestall.engine.serve.owners import Addressed, Owners, addressed
from forestall.engine.serve.shelf import Rejected, Shelf
from forestall.engine.settings import read_settings

BROKEN = (Problem(Location("rules/triggers.yaml", 3, 15), "unknown-name", "no metric is called `haet`.",
                  "Did you mean heat?"),)
SINCE = datetime(2026, 5, 4, 9, 12, tzinfo=UTC)


def owners(project: Path, *, send: bool = True, grace: float = 0.0) -> tuple[Owners, Shelf, io.StringIO]:
    settings, said = read_settings(project), io.StringIO()
    shelf = Shelf(settings.state / "rules")
    shelf.reject(Rejected("one", SINCE), BROKEN)
    journal = Journal(said, UTC, lambda: SINCE)
    return Owners(settings, shelf, journal, lambda: SINCE, send=send, grace=grace), shelf, said


def test_a_person_and_a_destination_are_told_in_rehearsal_by_files(project: Path) -> None:
    told, shelf, said = owners(project)
    told.rejected(Rejected("one", SINCE), "before", BROKEN)
    told.send_now()
    mail, call = sorted((project / "deliveries").iterdir(), key=lambda path: path.suffix)
    letter = message_from_bytes(mail.read_bytes())
    assert (letter["To"], letter["Subject"]) == ("dana@example.com", "New rules are not taken over")
    text = letter.get_payload()[0].get_payload(decode=True).decode()      # type: ignore[union-attr,index]
    assert "rules/triggers.yaml:3:15: no metric is called `haet`. Did you mean heat?" in text
    assert "stay in force" in text
    body = json.loads(call.read_text())["body"]
    assert (body["in_force"], body["problems"][0]["line"]) == ("before", 3)
    rejected = shelf.rejected()
    assert rejected is not None
    assert rejected.reported
    assert said.getvalue().count("were told") == 2


def test_once_for_each_trouble_however_often_it_is_saved(project: Path) -> None:
    told, _, said = owners(project)
    for digest in ("one", "two", "three"):
        told.rejected(Rejected(digest, SINCE), "before", BROKEN)
        told.send_now()
    assert said.getvalue().count("were told") == 2
    told.mended()
    told.rejected(Rejected("four", SINCE.replace(hour=10)), "before", BROKEN)
    told.send_now()
    assert said.getvalue().count("were told") == 4


def test_what_is_mended_at_once_troubles_nobody(project: Path) -> None:
    told, _, said = owners(project, grace=60)
    told.rejected(Rejected("one", SINCE), "before", BROKEN)
    told.mended()
    told.send_now()
    assert said.getvalue() == ""


def test_without_send_nobody_is_told(project: Path) -> None:
    told, _, said = owners(project, send=False)
    told.rejected(Rejected("one", SINCE), "before", BROKEN)
    told.send_now()
    assert said.getvalue() == ""
    assert not (project / "deliveries").exists()


def test_what_cannot_be_sent_is_tried_again(project: Path) -> None:
    (project / "deliveries").write_text("not a folder")
    told, shelf, said = owners(project)
    told.rejected(Rejected("one", SINCE), "before", BROKEN)
    told.send_now()
    assert said.getvalue().count("could not be told") == 2
    assert not shelf.rejected().reported      # type: ignore[union-attr]
    (project / "deliveries").unlink()
    told.send_now()
    assert len(list((project / "deliveries").iterdir())) == 2
    assert shelf.rejected().reported      # type: ignore[union-attr]


@pytest.mark.parametrize(("person", "channels", "to"), [
    ("{email: d@example.com, slack: U1}", "  chat: {adapter: slack, token: '${secret:T}'}\n",
     Addressed("chat", MessageKind.SLACK, "U1")),
    ("{email: d@example.com, slack: U1}", "", Addressed("email", MessageKind.EMAIL, "d@example.com")),
])
def test_a_person_is_reached_by_slack_or_else_by_email(project: Path, person: str, channels: str,
                                                       to: Addressed) -> None:
    path = project / "forestall.yaml"
    text = path.read_text().replace("dana: {email: dana@example.com}", f"dana: {person}")
    path.write_text(text.replace("channels:\n", f"channels:\n{channels}").replace("[dana, crm]", "dana"))
    assert addressed(read_settings(project)) == (to,)
