"""`forestall preview`, every message of the shipped rules, and pictures of the mails in a real browser."""

from __future__ import annotations

import html
import json
import re
import shutil
import struct
import subprocess
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email import message_from_bytes, policy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.models.blocks import Block

from forestall.adapters.channels.mail import compose
from forestall.engine.intervene.preview import sending
from forestall.engine.intervene.writing import Writer
from forestall.engine.message.shown import as_text
from forestall.engine.message.story import Story
from forestall.engine.model.delivery import Delivery, Message, MessageKind
from forestall.engine.model.play import MessageStep, Play, SlackStep
from forestall.engine.runtime import Project, open_project

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
KINDS = {"EmailStep": MessageKind.EMAIL, "SlackStep": MessageKind.SLACK, "TaskStep": MessageKind.TASK,
         "WebhookStep": MessageKind.WEBHOOK}
Written = list[tuple[Delivery, Message, Story]]


@pytest.fixture(scope="module")
def project(sampled: Path) -> Project:
    return open_project(sampled)


@pytest.fixture(scope="module")
def everything(project: Project) -> Written:
    """Every message of the shipped rules for accounts of every kind, as a pass would write it."""
    day = project.history.last_arrival()
    assert day is not None
    accounts = project.evaluator.evaluate(project.history, day, day).on(day).accounts[::3]
    def planned(owner: str, play: Play, step: MessageStep) -> Delivery:
        group = play.name if play.recurring else play.alert_names()[0]
        return Delivery(f"{owner} {step.id}", owner, play.name, group, day, day, step.id, KINDS[type(step).__name__],
                        "channel", "to@x.example", step.template, step.to == "contact", "at_risk", "Dana Ott",
                        "dana@example.com", "dana")

    deliveries = [planned(owner, play, step) for play in project.rulebook.plays.values() for step in sending(play)
                  for owner in accounts]
    writer = Writer(project.evaluator, project.directory, project.history, deliveries)
    return [(one, writer.message(one), writer.story(one)) for one in deliveries]


@pytest.fixture(scope="module")
def account(project: Project) -> str:
    """An account whose contact, CSM and score are known."""
    day = project.history.last_arrival()
    assert day is not None
    rows = project.evaluator.evaluate(project.history, day, day).on(day)
    known = rows.take([index for index, tier in enumerate(rows.tiers) if tier is not None])
    return next(one.account for one in known if one.contact and one.csm and not one.opted_out)


# --- the shipped rules ------------------------------------------------------------------------------------------------


def test_every_message_of_the_shipped_rules(project: Project, everything: Written) -> None:
    assert {one.template for one, _, _ in everything} == set(project.rulebook.templates)
    charts = 0
    for delivery, made, story in everything:
        for text in (made.subject, made.text, as_text(made)):
            assert "not known yet" not in text, (delivery.account, delivery.template, text)
            assert not re.search(r"None|\ufdd0|\{\{", text)
        if made.kind is MessageKind.SLACK:
            blocks = json.loads(made.blocks)
            for one in blocks:
                found = Block.parse(one)
                assert found is not None
                found.validate_json()
            assert 4 <= len(blocks) <= 20, delivery.template
            said = json.dumps(blocks, ensure_ascii=False)
            assert "*Because*" in said
            charts += "→" in said and "```" in said
        if delivery.to_customer:
            assert not any((story.changes, story.charts, story.ahead, story.stakes))
            assert not re.search(r"health score|At Risk|Churning|play ", made.text), delivery.template
    assert charts > 50
    slack = {step.template for play in project.rulebook.plays.values() for step in sending(play)
             if isinstance(step, SlackStep)}
    assert {one.template for one, made, _ in everything if made.blocks} == slack


def test_mails_parse_back_with_both_parts_links_and_a_way_out(project: Project, everything: Written) -> None:
    mails = [(one, made) for one, made, _ in everything if made.kind is MessageKind.EMAIL][::5]
    assert len(mails) > 50
    linked = 0
    for delivery, made in mails:
        sent = compose(made, "CS <cs@example.com>", datetime(2026, 3, 31, 12, tzinfo=UTC)).as_bytes()
        mail = message_from_bytes(sent, policy=policy.default)
        plain, page = mail.get_body(("plain",)), mail.get_body(("html",))
        assert plain is not None
        assert page is not None
        assert plain.get_content().replace("\r\n", "\n").strip() == made.text.strip()
        assert mail["List-Unsubscribe"] == f"<mailto:dana@example.com?subject=Unsubscribe%20{delivery.account}>"
        for link in project.rulebook.plays[delivery.play].resources:
            assert (link in plain.get_content()) == (link in page.get_content())
            linked += link in plain.get_content()
    assert linked > 10


# --- the command ------------------------------------------------------------------------------------------------------


def test_preview_shows_each_message_and_leaves_no_trace(forestall: Any, sampled: Path, account: str) -> None:
    before = sorted(sampled.rglob("*"))
    shown = forestall("preview", "personal_touch", account, "--project", sampled)
    assert shown.code == 0
    for words in (f"personal_touch for {account} on 2026-03-31", "--- 1. slack to csm, template csm_at_risk",
                  "--- 2. email to contact, template personal_touch", "To: U0SAMPLE",
                  "Because the account fell into At Risk", "Health score: ", "Nothing was decided, written or sent."):
        assert words in shown.out
    later = forestall("preview", "check_in", account, "--project", sampled, "--step", "check_in_again")
    assert "--- 3. email to contact, template check_in_again, after 4 days, unless score >= 70" in later.out
    assert "--- 1." not in later.out
    assert sorted(sampled.rglob("*")) == before


def test_preview_as_a_document_says_what_a_pass_would_send(forestall: Any, sampled: Path, account: str) -> None:
    for play in ("executive_save", "nurture"):
        found = forestall("preview", play, account, "--project", sampled, "--day", "2026-03-20", "--format",
                          "json").document("preview")
        assert (found["play"], found["account"], found["day"]) == (play, account, "2026-03-20")
    page = forestall("preview", "nurture", account, "--project", sampled, "--step", "2", "--format", "html").out
    assert page.startswith("<!DOCTYPE html>")


def test_preview_writes_files(forestall: Any, sampled: Path, account: str, tmp_path: Path) -> None:
    asked = ("preview", "check_in", account, "--project", sampled)
    done = forestall(*asked, "--format", "html", "--output", tmp_path / "out")
    assert [Path(line).name for line in done.out.split()] == [
        "1-csm_health_score_drop.html", "2-check_in.html", "3-check_in_again.html"]
    (tmp_path / "file").write_text("", encoding="utf-8")
    refused = forestall(*asked, "--output", tmp_path / "file" / "x")
    assert "cannot be written there" in str(refused.error)


@pytest.mark.parametrize(("arguments", "phrases"), [
    (["chek_in", "made-up-0001"], ["there is no play of this name", "Did you mean check_in?"]),
    (["zzz", "made-up-0001"], ["There are: win_back, executive_save"]),
    (["check_in", "made-up-001"], ["no account of this name", "Did you mean made-up-0"]),
    (["check_in", "made-up-0001", "--step", "chek_in"], ["sends nothing called chek_in", "Did you mean check_in?"]),
    (["check_in", "made-up-0001", "--step", "9"], ["There are: 1 (csm_health_score_drop)"]),
])
def test_a_wrong_name_gets_the_nearest_one(forestall: Any, sampled: Path, arguments: list[str],
                                           phrases: list[str]) -> None:
    refused = forestall("preview", *arguments, "--project", sampled)
    for phrase in phrases:
        assert phrase in str(refused.error)


# --- pictures ---------------------------------------------------------------------------------------------------------

FRAMES = """<!DOCTYPE html><body style="margin:0"><pre id="found"></pre>
<iframe width="360" height="1500" frameborder="0" srcdoc="{page}"></iframe>
<iframe width="700" height="1500" frameborder="0" srcdoc="{page}"></iframe>
<script>onload = () => found.textContent = "found " + [...document.querySelectorAll("iframe")].map(one => {{
  const page = one.contentDocument.documentElement, wide = [...page.querySelectorAll("*")].map(
    it => it.getBoundingClientRect().right);
  return page.scrollWidth + " " + Math.ceil(Math.max(...wide)) + " " + page.querySelector("table").offsetHeight;
}}).join(";") + " end"</script>"""
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
         "--window-size=1100,1600"]


def browser(folder: Path, name: str, *what: str) -> str:
    return subprocess.run([CHROMIUM or "", *FLAGS, f"--user-data-dir={folder / name}", *what,
                           (folder / "frames.html").as_uri()], capture_output=True, text=True, timeout=120,
                          check=True).stdout


def pictured(page: str, folder: Path) -> tuple[list[tuple[int, int, int]], bytes]:
    """The widths and the height that a browser gives a page in windows of 360 and 700 pixels, and a picture of both."""
    (folder / "frames.html").write_text(FRAMES.format(page=html.escape(page)), encoding="utf-8")
    with ThreadPoolExecutor() as both:
        dump = both.submit(browser, folder, "measured", "--dump-dom")
        both.submit(browser, folder, "seen", f"--screenshot={folder / 'seen.png'}").result()
        said = re.search(r"found (.*?) end", dump.result())
    assert said is not None
    sizes = [tuple(map(int, one.split())) for one in said[1].split(";")]
    return sizes, (folder / "seen.png").read_bytes()      # type: ignore[return-value]


def inked(png: bytes) -> float:
    """The share of the rows of a PNG that differ from the row above: 0 for a blank page."""
    width, height, depth, colour = struct.unpack(">IIBB", png[16:26])
    assert (depth, colour in (2, 6)) == (8, True)
    data, at = b"", 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at:at + 4])
        data += png[at + 8:at + 8 + size] if png[at + 4:at + 8] == b"IDAT" else b""
        at += size + 12
    raw, step = zlib.decompress(data), width * (3 if colour == 2 else 4) + 1
    rows = [raw[start:start + step] for start in range(0, step * height, step)]
    return sum(one[1:] != above[1:] for above, one in pairwise(rows)) / height


def colleague(sampled: Path, tmp_path: Path, forestall: Any, account: str) -> str:
    """The page of a mail to a colleague, with everything that a story has."""
    rules = shutil.copytree(sampled / "rules", tmp_path / "rules")
    book = (rules / "playbook.yaml").read_text(encoding="utf-8")
    (rules / "playbook.yaml").write_text(book.replace("- slack: {to: csm, template: csm_health_score_drop}",
                                                      "- email: {to: csm, template: csm_health_score_drop}"))
    return forestall("preview", "check_in", account, "--project", sampled, "--rules", rules, "--step", "1", "--format",
                     "html").out


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: no picture of a mail was looked at")
def test_a_browser_shows_the_mails_on_a_phone_and_on_a_desk(forestall: Any, sampled: Path, account: str,
                                                            tmp_path: Path) -> None:
    customer = forestall("preview", "help_integration", account, "--project", sampled, "--step", "1", "--format",
                         "html").out
    pages = {"colleague": colleague(sampled, tmp_path, forestall, account), "customer": customer}
    with ThreadPoolExecutor() as some:
        folders = {name: tmp_path / name for name in pages}
        for folder in folders.values():
            folder.mkdir()
        done = {name: some.submit(pictured, page, folders[name]) for name, page in pages.items()}
    for name, future in done.items():
        (phone, desk), png = future.result()
        assert phone[:2] <= (360, 360), name
        assert desk[:2] <= (700, 700), name
        assert phone[2] > desk[2] > 200, name
        assert inked(png) > 0.1, name


def test_a_mail_fetches_nothing_and_runs_nothing(sampled: Path, tmp_path: Path, forestall: Any, account: str) -> None:
    page = colleague(sampled, tmp_path, forestall, account)
    assert not re.search(r"<script|<img|<link|src=|url\(|@import|javascript:", page)
    assert "prefers-color-scheme:dark" in page
    assert page.index("▁" if "▁" in page else "→") > 0
    assert len(page) < 12_000
