from pathlib import Path

import pytest

DAY = ("--day", "2026-03-31")


def accounts(sampled: Path, forestall) -> list[str]:
    return [f"made-up-{number:04d}" for number in range(1, 61)]


def test_it_shows_signals_points_score_tier_and_every_trigger(sampled: Path, forestall) -> None:
    shown = 0
    for account in accounts(sampled, forestall)[:20]:
        done = forestall("explain", account, "--project", sampled, *DAY, "--format", "json")
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
        for one in document["triggers"]:
            assert one["saw"], one
    assert shown > 10


def test_it_agrees_with_the_pass(sampled: Path, forestall) -> None:
    """Two evaluators, one meaning: what the columnar pass counts as true is what explain says of each account."""
    import json

    run = json.loads(forestall("run", "--project", sampled, *DAY, "--format", "json").out)
    true = {one["trigger"]: one["true"] for one in run["triggers"]}
    tiers = dict.fromkeys([*run["tiers"], None], 0)
    counted = dict.fromkeys(true, 0)
    for account in accounts(sampled, forestall):
        done = forestall("explain", account, "--project", sampled, *DAY, "--format", "json")
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


def test_the_text_fits_and_names_the_values(sampled: Path, forestall) -> None:
    out = forestall("explain", "made-up-0001", "--project", sampled, *DAY).out
    assert "made-up-0001 on Tuesday, 31 March 2026" in out
    assert "drop(score, days=7) =" in out
    assert "Alerts" in out
    assert "Plays" in out


def test_personal_facts_stay_out_of_it(sampled: Path, forestall) -> None:
    for form in ("text", "json"):
        out = forestall("explain", "made-up-0001", "--project", sampled, *DAY, "--format", form).out
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
