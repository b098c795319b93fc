import json
from pathlib import Path

import pytest

PERIOD = ("--from", "2026-03-02", "--to", "2026-03-31")
FORTNIGHT = ("--from", "2026-03-02", "--to", "2026-03-15")


def tree(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_counts_what_passes_decide_and_leaves_no_trace(sampled: Path, forestall) -> None:
    before = tree(sampled)
    document = forestall("simulate", "--project", sampled, *FORTNIGHT, "--warm-up", "0", "--format", "json").document(
        "simulate")
    run = forestall("run", "--project", sampled, "--day", "2026-03-02", "--until", "2026-03-15", "--format", "json")
    passes = [json.loads(line) for line in run.out.splitlines()]
    assert tree(sampled) == before
    assert [day["day"] for day in document["days"]] == [one["day"] for one in passes]
    for day, one in zip([day["candidate"] for day in document["days"]], passes, strict=True):
        assert sum(day["deliveries"].values()) == len(one["deliveries"])
        assert sum(day["opened"].values()) == sum(made["kind"] == "opened" for made in one["transitions"])
        assert day["tiers"] == one["tiers"] | {"unscored": one["unscored"]}
    sent = [play["deliveries"]["candidate"] for play in document["plays"]]
    assert sum(sent) == sum(len(one["deliveries"]) for one in passes) > 100


def test_the_days_are_a_table_and_the_text_names_every_alert_and_play(sampled: Path, forestall) -> None:
    out = forestall("simulate", "--project", sampled, *PERIOD, "--days").out
    assert "Nothing was written and nothing was sent." in " ".join(out.split())
    lines = [line.strip() for line in out.splitlines()]
    days = [line for line in lines if line.startswith("2026-03-")]
    assert len(days) == 30
    assert len({len(line) for line in days}) == 1
    for name in ("health_score_drop", "tier:churning", "executive_save", "mean", "peak"):
        assert any(line.startswith(name) for line in lines), name


def test_a_changed_rule_changes_the_counts(sampled: Path, tmp_path: Path, forestall) -> None:
    import shutil

    rules = Path(shutil.copytree(sampled / "rules", tmp_path / "rules"))
    triggers = rules / "triggers.yaml"
    text = triggers.read_text()
    condition = "drop_percent(logins_14d, days=14) >= "
    assert f"{condition}30" in text
    triggers.write_text(text.replace(f"{condition}30", f"{condition}5"))

    def opened(*more: object) -> int:
        document = forestall("simulate", "--project", sampled, *PERIOD, "--format", "json", *more).document("simulate")
        return next(one["candidate"] for one in document["alerts"] if one["alert"] == "logins_down")

    assert opened("--rules", rules) > opened()


@pytest.mark.parametrize(("arguments", "said"), [
    (("--from", "2026-03-31", "--to", "2026-03-02"), "2026-03-31 is after 2026-03-02"),
    (("--from", "2026-03-02", "--to", "2026-05-02"), "the history ends on 2026-03-31"),
])
def test_a_period_that_cannot_be_is_a_sentence(sampled: Path, forestall, arguments: tuple[str, ...], said: str) -> None:
    done = forestall("simulate", "--project", sampled, *arguments)
    assert done.code == 1
    assert said in str(done.error)


def test_without_a_history_it_says_how_to_get_one(tmp_path: Path, forestall) -> None:
    forestall("init", tmp_path / "x", "--sample")
    done = forestall("simulate", "--project", tmp_path / "x")
    assert done.code == 1
    assert "forestall history import" in str(done.error)
    assert not (tmp_path / "x" / ".forestall").exists()


def test_a_period_before_the_history_is_said(sampled: Path, forestall) -> None:
    done = forestall("simulate", "--project", sampled, "--from", "2020-01-01", "--to", "2020-01-05")
    assert done.code == 1
    assert "no account has a row from 2020-01-01 to 2020-01-05. The history begins on 2026-01-01." in str(done.error)


def test_no_channel_is_loaded(sampled: Path) -> None:
    import subprocess
    import sys

    code = ("import sys\nsys.argv = ['forestall', *sys.argv[1:]]\nfrom forestall.engine.cli.main import main\n"
            "try:\n    main()\nexcept SystemExit:\n    pass\nprint('\\n'.join(sys.modules), file=sys.stderr)\n")
    done = subprocess.run([sys.executable, "-c", code, "simulate", "--project", str(sampled), *PERIOD],
                          capture_output=True, text=True, check=True)
    assert not [name for name in done.stderr.split() if name.startswith("forestall.adapters.channels.")]
