"""One row per account and day, held against the day rules in plain Python (see conftest.py)."""

import math
import random
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.parquet
import pytest

from forestall.engine.detect.collect import import_all
from forestall.engine.detect.history import History
from forestall.engine.settings import open_source, read_settings

D = date(2026, 1, 28)      # three days before the month ends


def on(after):
    return D + timedelta(days=after)


def test_a_value_is_carried_through_its_days_and_not_a_day_longer(desk):
    desk.say(("a", D, {"logins": 5.0, "seats": 9.0, "errors": 2.0, "segment": "x", "vip": True, "renewal": on(99)}),
             ("a", on(12), {"seats": None}))
    desk.agree(on(12))
    for name, reach in (("logins", 3), ("seats", 12), ("errors", 0), ("segment", 9), ("vip", 0), ("renewal", 5)):
        known = [after for after in range(13) if desk.days()["a", on(after)][name] is not None]
        assert known == list(range(reach + 1)), name


def test_days_are_consecutive_through_any_gap(desk):
    desk.say(("a", D, {"logins": 1.0}), ("a", on(5), {"logins": 2.0}), ("a", on(70), {"logins": 3.0}))
    desk.agree(on(80))
    assert [day for _, day in desk.days()] == [on(after) for after in range(77)]      # gone six days after the last


def test_an_empty_cell_says_nothing(desk):
    desk.say(("a", D, {"logins": 5.0, "segment": "x"}), ("a", on(2), {"logins": None, "segment": None}))
    desk.agree(on(6))
    assert desk.days()["a", on(3)] == {"first_day": D, "named_day": on(2), "logins": 5.0, "seats": None, "errors": None,
                                       "segment": "x", "vip": None, "renewal": None}
    assert desk.days()["a", on(4)]["logins"] is None


def test_an_account_that_nobody_names_has_rows_until_it_is_gone(desk):
    desk.say(("a", D, {"logins": 5.0}), ("b", on(20), {"logins": 5.0}))
    desk.agree(on(20))
    assert max(day for account, day in desk.days() if account == "a") == on(6)
    assert desk.days()["a", on(6)]["named_day"] == D


def test_an_account_that_returns_has_its_days_in_between(desk):
    desk.say(("a", D, {"logins": 5.0, "seats": 4.0}))
    desk.agree(on(40))
    desk.say(("a", on(41), {"logins": 6.0}), received_on=on(41))
    desk.agree(on(41))
    assert len(desk.days()) == 42
    assert desk.days()["a", on(20)]["seats"] == 4.0       # carried as if it had never been away
    assert desk.days()["a", on(41)]["first_day"] == D
    gone = [day for (_, day), row in desk.days().items() if (day - row["named_day"]).days >= desk.gone_after]
    assert gone == [on(after) for after in range(6, 41)]


def test_the_same_rows_twice_change_nothing(desk):
    rows = [("a", on(after), {"logins": float(after), "segment": None}) for after in range(4)]
    assert desk.say(*rows).new == 4
    desk.agree(on(4))
    before = desk.days()
    again = desk.say(*rows, received_on=on(4))
    assert (again.rows, again.new, again.accounts, again.first, again.last) == (4, 0, 1, D, on(3))
    assert desk.history.through == on(4)
    desk.agree(on(4))
    assert desk.days() == before


def test_of_several_rows_for_a_day_the_last_one_speaks(desk):
    desk.say(("a", D, {"logins": 1.0}), ("a", D, {"logins": 2.0}))
    desk.agree(D)
    assert desk.days()["a", D]["logins"] == 2.0


def test_today_is_replaced_as_news_arrives(desk):
    desk.say(("a", D, {"logins": 1.0, "errors": 1.0}), received_on=D)
    desk.agree(D)
    desk.say(("a", D, {"logins": 4.0, "errors": 3.0}), received_on=D)
    desk.agree(D)
    assert (desk.days()["a", D]["logins"], desk.days()["a", D]["errors"]) == (4.0, 3.0)


def test_sources_are_merged_by_account_and_day(desk):
    """Each metric from whoever said it, also one that counts only that day."""
    desk.say(("a", D, {"logins": 1.0, "errors": 7.0}), source="product")
    desk.say(("a", D, {"segment": "x"}), ("a", on(1), {"segment": None}), source="crm")
    desk.agree(on(1))
    row = desk.days()["a", D]
    assert (row["logins"], row["errors"], row["segment"]) == (1.0, 7.0, "x")


def test_a_late_row_speaks_from_the_day_it_was_received_and_never_replaces_newer_values(desk):
    desk.say(("a", D, {"seats": 1.0}), ("a", on(2), {"seats": 3.0}))
    desk.agree(on(3))
    settled = {key: row for key, row in desk.days().items() if key[1] <= on(3)}
    desk.say(("a", on(1), {"seats": 2.0, "segment": "late"}), received_on=on(4))
    desk.agree(on(5))
    assert {key: row for key, row in desk.days().items() if key[1] <= on(3)} == settled     # nobody could have known
    assert [desk.days()["a", on(after)]["seats"] for after in (3, 4, 5)] == [3.0, 3.0, 3.0]
    assert [desk.days()["a", on(after)]["segment"] for after in (3, 4, 5)] == [None, "late", "late"]
    # its age counts from the day that it speaks of: 1 + 9
    desk.say(("a", on(8), {"seats": None}), received_on=on(8))
    desk.agree(on(12))
    assert [desk.days()["a", on(after)]["segment"] for after in (10, 11)] == ["late", None]


def test_a_corrected_row_holds_from_the_day_of_the_correction(desk):
    desk.say(("a", D, {"seats": 1.0}))
    desk.agree(on(1))
    desk.say(("a", D, {"seats": 10.0}), received_on=on(2))
    desk.agree(on(3))
    assert [desk.days()["a", on(after)]["seats"] for after in range(4)] == [1.0, 1.0, 10.0, 10.0]
    # back to what it said first is a correction too
    desk.say(("a", D, {"seats": 1.0}), received_on=on(4))
    desk.agree(on(4))
    assert desk.days()["a", on(4)]["seats"] == 1.0


def test_a_count_that_comes_late_counts_on_the_day_it_came(desk):
    desk.say(("a", D, {"logins": 1.0}))
    desk.agree(on(1))
    desk.say(("a", D, {"errors": 5.0}), ("a", on(1), {"errors": 2.0}), ("a", on(2), {"errors": 1.0}),
             received_on=on(2))
    desk.agree(on(3))
    assert [desk.days()["a", on(after)]["errors"] for after in range(4)] == [None, None, 8.0, None]
    desk.say(("a", D, {"errors": 6.0}), received_on=on(4))         # a correction adds the difference
    desk.agree(on(5))
    assert [desk.days()["a", on(after)]["errors"] for after in range(6)] == [None, None, 8.0, None, 1.0, None]


def test_a_count_that_comes_later_than_an_account_takes_to_be_gone_counts_nowhere(desk):
    desk.say(("a", D, {"logins": 1.0}))
    desk.agree(on(1))
    desk.say(("a", D, {"errors": 5.0}), received_on=on(7))
    desk.agree(on(8))
    assert desk.days()["a", on(7)]["errors"] is None


@pytest.mark.parametrize("late", [2, 20, 33])
def test_an_account_first_heard_of_late_has_rows_from_that_day(desk, late):
    """Also where its row speaks of a day long before the month: nothing of it can be carried, but it is there."""
    desk.say(("other", D, {"logins": 1.0}))
    desk.agree(on(4))                    # so that the month that follows is built by itself
    desk.say(("a", on(8 - late), {"logins": 5.0, "seats": 7.0}), received_on=on(8))
    desk.agree(on(12))
    assert [day for account, day in desk.days() if account == "a"] == [on(after) for after in range(8, 13)]
    assert desk.days()["a", on(8)]["named_day"] == on(8)


def test_a_late_row_names_an_account_that_would_be_gone(desk):
    desk.say(("a", D, {"logins": 1.0}))
    desk.agree(on(4))
    desk.say(("a", on(-29), {"logins": 5.0}), received_on=on(6))
    desk.agree(on(9))
    assert desk.days()["a", on(9)]["named_day"] == on(6)


def test_numbers_beyond_all_reason_are_missing_at_the_door(desk):
    said = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "large": 1.000001e15, "-large": -2e15, "largest": 1e15,
            "smallest": -1e15, "zero": 0.0}
    desk.history.add("product", [pa.table({
        "account": pa.array(list(said)), "as_of": pa.array([D] * len(said), pa.date32()),
        "logins": pa.array(list(said.values()), pa.float64())})], desk.catalogue, None, desk.gone_after)
    desk.build(D)
    known = {account: row["logins"] for (account, _), row in desk.days().items() if row["logins"] is not None}
    assert known == {"largest": 1e15, "smallest": -1e15, "zero": 0.0}


def test_float32_comes_in_as_the_decimal_that_a_person_reads(tmp_path, desk):
    """78.1 in 32 bits is 78.0999985; the sources hand it over as 78.1, and so the history has it."""
    numbers = [78.1, 63.1, 0.1, 16777216.0, 1e-7, None]
    (tmp_path / "data").mkdir()
    pyarrow.parquet.write_table(pa.table({
        "account": pa.array([f"a{number}" for number in range(6)]), "as_of": pa.array([D] * 6, pa.date32()),
        "logins": pa.array(numbers, pa.float32())}), tmp_path / "data" / "usage.parquet")
    (tmp_path / "forestall.yaml").write_text(
        "sources: {usage: {adapter: parquet, path: data}}\ntime_zone: Europe/Berlin\ndelivery: rehearsal\n")
    settings = read_settings(tmp_path)
    source = open_source(settings, settings.sources[0], dict(desk.catalogue.metrics))
    import_all(desk.history, [source], desk.catalogue, D, desk.gone_after)
    assert [row["logins"] for row in desk.days().values()] == numbers


def test_texts_with_quotes_and_other_letters_survive(desk):
    names = ("it's", 'say "x"', "ö\n–", "a;DROP TABLE x", "NULL", "")
    desk.say(*[(account, D, {"segment": account}) for account in names])
    desk.agree(D)


# -- any history -------------------------------------------------------------------------------------------------------

WORDS = ("x", "y", "it's")


def batch(luck, accounts, today, supplied):
    """What a source says on a day: mostly today, sometimes the past again, corrected or never said before."""
    rows = []
    for account in accounts:
        if luck.random() < 0.3:
            continue
        for _ in range(luck.choice((1, 1, 1, 2))):
            back = 0 if luck.random() < 0.6 else luck.choice((1, 1, 2, 3, 8, 34))
            values = {"logins": float(luck.randrange(4)), "seats": float(luck.randrange(3)),
                      "errors": float(luck.randrange(3)), "segment": luck.choice(WORDS), "vip": luck.random() < 0.5,
                      "renewal": today + timedelta(days=luck.randrange(9))}
            rows.append((account, today - timedelta(days=back),
                         {name: None if luck.random() < 0.3 else values[name] for name in supplied}))
    return rows


@pytest.mark.parametrize("seed", range(5))
def test_day_by_day_and_at_once_give_the_same_days_as_the_oracle(new_desk, seed):
    """Three accounts over two month's ends; each is silent for a while, some so long that they were gone."""
    luck = random.Random(seed)
    daily, at_once = new_desk("daily"), new_desk("at once")
    silent = {name: luck.randrange(35) for name in "abc"}
    supplies = {"product": ("logins", "errors", "vip"), "crm": ("seats", "segment", "renewal", "errors")}
    through = D
    for after in range(36):
        through = on(after)
        accounts = [name for name in "abc" if not silent[name] <= after < silent[name] + luck.choice((2, 9, 20))]
        for source, supplied in supplies.items():
            rows = batch(luck, accounts, through, supplied) if luck.random() < 0.5 else []
            if rows:
                daily.say(*rows, source=source, received_on=through)
                at_once.say(*rows, source=source, received_on=through)
        if luck.random() < 0.3 or after == 35:
            daily.build(through)
            daily.history.publish()
            daily.history = History(daily.history.root)
    at_once.build(through)
    expected = daily.oracle.rows(through)
    assert at_once.days() == expected
    assert daily.days() == expected


@pytest.mark.parametrize("seed", range(2))
def test_an_import_of_days_that_came_in_time_is_the_same_as_having_been_there(new_desk, seed):
    luck = random.Random(seed)
    daily, imported = new_desk("daily"), new_desk("imported")
    whole = []
    for after in range(25):
        rows = [(name, on(after), {"logins": float(luck.randrange(4)), "errors": luck.choice((None, 1.0))})
                for name in "abc" if luck.random() < 0.5]
        whole += rows
        if rows:
            daily.say(*rows, received_on=on(after))
        daily.build(on(after))
    imported.say(*whole)
    imported.agree(on(24))
    assert daily.days() == imported.days()
