"""A smaller history: the days that are kept come out as before, also built anew, and nothing that went comes back."""

import random
import shutil
from dataclasses import replace
from datetime import date, timedelta

import pytest

from forestall.engine.detect.as_it_was import day_read
from forestall.engine.detect.compact import compact
from forestall.engine.detect.history import History
from forestall.engine.detect.incoming import Door

from .conftest import GONE_AFTER, Desk, as_table, days_of

BEGIN = date(2026, 1, 3)
END = date(2026, 6, 20)


def on(after):
    return BEGIN + timedelta(days=after)


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """Half a year in which sources speak now and then, several times a day, and correct themselves; and its days."""
    desk, chance = Desk(tmp_path_factory.mktemp("lived") / "history"), random.Random(1)
    for day in range(0, (END - BEGIN).days + 1, 9):
        for source in chance.choice((("crm",), ("crm", "desk", "crm"))):
            rows = [(account, on(day - back), {name: value for name, value in (
                ("logins", float(chance.randrange(9))), ("errors", float(chance.randrange(4))),
                ("seats", float(chance.randrange(50))), ("segment", chance.choice("xyz"))) if chance.random() < 0.7})
                for account in ("a", "b", "c") for back in (0, 2) if chance.random() < 0.8]
            rows = [row for row in rows if row[2]]
            desk.say(*(rows or [("a", on(day), {"seats": 2.0})]), source=source, received_on=on(day))
    desk.say(("gone", on(0), {"seats": 1.0}))
    desk.build(END)
    desk.history.publish()
    return desk, desk.days()


@pytest.fixture
def copy(lived, tmp_path):
    return History(shutil.copytree(lived[0].history.root, tmp_path / "history"))


def test_rows_that_were_replaced_the_same_day_are_not_missed(lived, copy):
    desk, before = lived
    done = compact(copy, desk.catalogue, GONE_AFTER, None)
    assert done.replaced > 5
    assert (done.days, done.arrivals, done.accounts, done.kept_from) == ((), (), 0, None)
    copy.publish()
    again = History(copy.root)
    assert days_of(again, desk.catalogue) == before
    again.stage(replace(again.manifest, digest="another"))      # everything is built anew
    again.build_days(desk.catalogue, GONE_AFTER, END)
    assert days_of(again, desk.catalogue) == before
    assert compact(again, desk.catalogue, GONE_AFTER, None).nothing


def test_the_days_that_are_kept_are_as_they_were_also_when_built_anew(lived, copy):
    desk, before = lived
    files = copy.manifest.files()
    done = compact(copy, desk.catalogue, GONE_AFTER, 60)
    kept_from = date(2026, 4, 1)
    assert (done.kept_from, done.accounts) == (kept_from, 1)
    assert done.days == ("2026-01", "2026-02", "2026-03")
    assert done.arrivals == ("2026-01",)      # values are carried from February
    assert done.bytes_after < done.bytes_before
    assert History(copy.root).manifest.files() == files      # nothing is in force yet
    copy.publish()
    again = History(copy.root)
    kept = {key: row for key, row in before.items() if key[1] >= kept_from}
    assert again.first == kept_from
    assert days_of(again, desk.catalogue) == kept
    again.stage(replace(again.manifest, digest="another"))
    again.build_days(desk.catalogue, GONE_AFTER, END)
    assert days_of(again, desk.catalogue) == kept
    assert day_read(again, desk.catalogue, GONE_AFTER, END) == day_read(desk.history, desk.catalogue, GONE_AFTER, END)


def test_a_pass_after_it_goes_on_and_old_rows_stay_outside(lived, copy):
    catalogue = lived[0].catalogue
    compact(copy, catalogue, GONE_AFTER, 60)
    kept_from = copy.manifest.kept_from
    rows = [("a", on(0), {"seats": 3.0}), ("a", END + timedelta(days=1), {"seats": 4.0})]
    arrived = copy.add("crm", [as_table(rows)], catalogue, None, GONE_AFTER, Door(since=kept_from))
    assert (arrived.new, arrived.left_out.early) == (1, 1)
    copy.build_days(catalogue, GONE_AFTER, END + timedelta(days=1))
    days = days_of(copy, catalogue)
    assert min(day for _, day in days) == kept_from
    assert days["a", END + timedelta(days=1)]["seats"] == 4.0
    assert compact(copy, catalogue, GONE_AFTER, 90).kept_from == kept_from      # never further back


def test_an_empty_history_has_nothing_to_lose(tmp_path, desk):
    assert compact(History(tmp_path / "nowhere"), desk.catalogue, GONE_AFTER, 30).nothing
    assert not (tmp_path / "nowhere").exists()
