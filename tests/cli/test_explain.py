import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from forestall.engine.runtime import open_project

DAY = ("--day", "2026-03-31")
ACCOUNTS = [f"made-up-{number:04d}" for number in range(1, 61)]


@pytest.fixture(scope="module")
def explained(sampled: Path, forestall) -> Callable[..., Any]:
    """What is said of an account. Nothing ever changes here: rules are read once, and each question is asked once."""
    @cache
    def asked(*words: object) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("forestall.engine.cli.explain.open_project", lambda folder, rules: read())
            return forestall("explain", *words, "--project", sampled)

    read = cache(lambda: open_project(sampled))
    return asked


def test_it_shows_signals_points_score_tier_and_every_trigger(sampled: Path, explained) -> None:
    shown = 0
    for account in ACCOUNTS[:20]:
        done = explained(account, *DAY, "--format", "json")
        if done.code:
            assert "has a row" in str(done.error)       # it left before the day
            continue
        shown += 1
        document = done.document("explain")
        assert len(document["triggers"]) == 11
        if document["score"] is not None:
            known = [one for one in document["signals"] if one["points"] is not None]
            weighed = sum(one["share"] * one["points"] for one in known) / sum(one["share"] for one in known)
            assert document["score"] == pytest.approx(weighed, abs=0.0501)
            for whole in (document["signals"], [part for one in document["signals"]
                                                for part in one["parts"] or [one]]):
                assert sum(one["earned"] or 0 for one in whole) == pytest.approx(document["score"], abs=0.0501)
                assert sum(one["missed"] or 0 for one in whole) == pytest.approx(100 - document["score"], abs=0.0501)
        for one in document["triggers"]:
            assert one["saw"], one
            assert one["because"], one
            line = (sampled / "rules" / "triggers.yaml").read_text().splitlines()[one["line"] - 1]
            assert one["when"].split()[0] in line
    assert shown > 10


def test_it_agrees_with_the_pass(sampled: Path, forestall, explained) -> None:
    """Two evaluators, one meaning: what the columnar pass counts as true is what explain says of each account."""
    run = json.loads(forestall("run", "--project", sampled, *DAY, "--format", "json").out)
    true = {one["trigger"]: one["true"] for one in run["triggers"]}
    tiers = dict.fromkeys([*run["tiers"], None], 0)
    counted = dict.fromkeys(true, 0)
    for account in ACCOUNTS:
        done = explained(account, *DAY, "--format", "json")
        if done.code:
            continue
        document = json.loads(done.out)
        if document["named_on"] <= "2026-03-17":
            continue
        tiers[document["tier"]] += 1
        for one in document["triggers"]:
            counted[one["trigger"]] += one["truth"] == "true"
    assert counted == true
    assert tiers == run["tiers"] | {None: run["unscored"]}


@pytest.mark.parametrize(("days", "asked"), [(1, ("--since", 1)), (7, ()), (45, ("--since", 45))], ids=str)
def test_what_moved_the_score_adds_up(explained, days: int, asked: tuple[object, ...]) -> None:
    compared = 0
    for account in ACCOUNTS[:14]:
        done = explained(account, *DAY, *asked, "--format", "json")
        if done.code:
            continue
        document = done.document("explain")
        since = document["since"]
        assert since["days"] == days
        before = explained(account, "--day", since["day"], "--format", "json")
        assert since["score"] == (None if before.code else json.loads(before.out)["score"])
        if since["change"] is None:
            assert since["moved"] == []
            continue
        compared += 1
        assert since["change"] == pytest.approx(document["score"] - since["score"])
        parts = [since["behaviour"], since["data"], since["rounding"]]
        assert sum(parts) == pytest.approx(since["change"], abs=1e-9)
        assert sum(one["change"] for one in since["moved"]) + since["rounding"] == pytest.approx(since["change"])
        assert since["rules_then"] == "no pass"
        assert since["rules"] is None
    assert compared > 8


def test_the_text_is_one_screen(explained) -> None:
    lengths = []
    for account in ACCOUNTS:
        done = explained(account, *DAY)
        if done.code == 0:
            lines = done.out.splitlines()
            lengths.append(len(lines))
            assert max(map(len, lines)) <= 100
            assert not any(line != line.rstrip() for line in lines)
    assert max(lengths) <= 45


def test_the_text_names_the_values(explained) -> None:
    out = explained("made-up-0001", *DAY).out
    first = out.splitlines()[0]
    assert first.startswith("made-up-0001, ")
    assert first.endswith(", on Tuesday, 31 March 2026")
    assert "drop(score, days=7) is " in out
    assert "logins_14d = " in out
    assert "Triggers" in out
    assert "rules/triggers.yaml" in out
    assert "Since         24 March (7 days): " in out
    assert "Alerts        none: no pass has been written yet" in out


def test_personal_facts_stay_out_of_it(explained) -> None:
    for form in ((), ("--format", "json")):
        out = explained("made-up-0001", *DAY, *form).out
        assert "@" not in out


def test_an_unknown_account_gets_the_nearest_name(sampled: Path, forestall) -> None:
    done = forestall("explain", "made-up-01", "--project", sampled, *DAY)
    assert done.code == 1
    assert "no account of this name has a row on 2026-03-31" in str(done.error)
    assert "Did you mean made-up-" in str(done.error)


def test_a_day_without_rows_is_a_sentence(sampled: Path, forestall) -> None:
    done = forestall("explain", "made-up-0001", "--project", sampled, "--day", "2020-01-01")
    assert done.code == 1
    assert "Name another day with --day." in str(done.error)


def test_without_a_history_it_says_how_to_get_one(tmp_path: Path, forestall) -> None:
    forestall("init", tmp_path / "x", "--sample")
    done = forestall("explain", "made-up-0001", "--project", tmp_path / "x")
    assert done.code == 1
    assert "forestall history import" in str(done.error)


def test_a_damaged_history_is_a_sentence(sampled: Path, tmp_path: Path, forestall) -> None:
    """Its footer is sound, so it shows only when the rows are read."""
    import shutil

    folder = Path(shutil.copytree(sampled, tmp_path / "project"))
    month = max((folder / ".forestall" / "history" / "days").iterdir())
    whole = month.read_bytes()
    month.write_bytes(whole[:2000] + bytes(byte ^ 0xFF for byte in whole[2000:8000]) + whole[8000:])
    for verb in (("explain", "made-up-0001"), ("run",), ("simulate", "--from", "2026-03-30", "--to", "2026-03-31")):
        done = forestall(*verb, *(DAY if verb[0] != "simulate" else ()), "--project", folder)
        assert done.code == 1, verb
        assert done.error is not None
        assert done.error.problems[0].code == "history-damaged"
