"""What is staged and what is in force, what a change of the catalogue does, and a history that is damaged."""

import json
from dataclasses import replace
from datetime import date, timedelta

import pyarrow as pa
import pytest

from forestall.engine.detect.collect import LOOK_AGAIN, collect, import_all
from forestall.engine.detect.history import History
from forestall.engine.detect.manifest import bounds, month_of, months_between
from forestall.engine.errors import HistoryError, Location, SourceError
from forestall.engine.model.catalogue import Catalogue, Metric, Roles
from forestall.engine.model.expression import Kind

D = date(2026, 1, 28)
GONE_AFTER = 6
HERE = Location("metrics.yaml", 1, 1)


@pytest.fixture(autouse=True)
def one_duckdb():
    """Here each connection starts a DuckDB of its own, as it does in Forestall."""


def on(after):
    return D + timedelta(days=after)


def catalogue(*metrics):
    return Catalogue({metric.name: metric for metric in metrics}, Roles())


def columns(history, metrics, first=D, last=None):
    """(account, day) → {metric: value} of what the view says."""
    connection = history.open_days(metrics, first, last or on(100))
    rows = connection.sql("SELECT * FROM history").to_arrow_table().to_pylist()
    connection.close()
    return {(row["account"], date(1970, 1, 1) + timedelta(days=row["day"])): {
        name: row[name] for name in metrics.metrics} for row in rows}


def files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


class ListedSource:
    """A source with rows by day, and a sentence that it fails with when its rows have been read."""

    def __init__(self, name, rows, fails="", desk=None):
        self.name, self.rows, self.fails, self.asked = name, rows, fails, []

    def supplies(self):
        return ("logins",)

    def snapshots(self, since, until):
        self.asked.append((since, until))
        wanted = [(account, day, value) for account, day, value in self.rows
                  if (since is None or day >= since) and (until is None or day <= until)]
        for account, day, value in wanted:
            yield pa.table({"account": pa.array([account]), "as_of": pa.array([day], pa.date32()),
                            "logins": pa.array([value], pa.float64())})
        if self.fails:
            raise SourceError.one(Location("data/usage.csv", 7, 3), "not-a-number", self.fails)


LOGINS = catalogue(Metric("logins", Kind.NUMBER, HERE, stale_after=3))


# -- staged, published, thrown away ------------------------------------------------------------------------------------

def test_what_is_not_published_was_never_there(desk):
    desk.say(("a", D, {"logins": 1.0}))
    desk.build(D)
    assert not desk.history.empty
    assert desk.history.through == D
    seen = History(desk.history.root)
    assert (seen.empty, seen.through, seen.knows("product"), seen.last_arrival()) == (True, None, False, None)
    assert columns(seen, desk.catalogue) == {}
    desk.history.publish()
    seen = History(desk.history.root)
    assert (seen.empty, seen.through, seen.knows("product"), seen.last_arrival()) == (False, D, True, D)
    assert columns(seen, desk.catalogue) == columns(desk.history, desk.catalogue)


def test_publishing_removes_the_files_that_were_replaced(desk):
    for after in range(4):
        desk.say(("a", on(after), {"logins": float(after)}))
        desk.build(on(after))
        desk.history.publish()
    names = [name.split(".")[0] for name in files(desk.history.root)]
    assert sorted(names) == ["accounts/accounts", "arrivals/2026-01", "days/2026-01", "manifest"]


def test_publishing_nothing_writes_nothing(tmp_path):
    History(tmp_path / "history").publish()
    assert not (tmp_path / "history").exists()


def test_a_scratch_copy_leaves_no_trace(desk, tmp_path):
    desk.say(("a", D, {"logins": 1.0}))
    desk.build(D)
    desk.history.publish()
    before = {name: (desk.history.root / name).read_bytes() for name in files(desk.history.root)}
    copy = desk.history.scratch(tmp_path / "scratch")
    copy.add("product", [pa.table({"account": ["a", "b"], "as_of": pa.array([on(1)] * 2, pa.date32()),
                                   "logins": [2.0, 3.0]})], desk.catalogue, on(1), GONE_AFTER)
    copy.build_days(desk.catalogue, GONE_AFTER, on(1))
    copy.publish()
    assert columns(copy, desk.catalogue)["b", on(1)]["logins"] == 3.0
    assert ("b", on(1)) not in columns(desk.history, desk.catalogue)
    assert {name: (desk.history.root / name).read_bytes() for name in files(desk.history.root)} == before
    assert History(desk.history.root).through == D


@pytest.mark.parametrize("bring", [
    lambda history, sources: collect(history, sources, LOGINS, on(2), GONE_AFTER),
    lambda history, sources: import_all(history, sources, LOGINS, on(2), GONE_AFTER)], ids=["collect", "import"])
def test_a_source_that_fails_half_way_leaves_nothing(tmp_path, bring):
    """Nothing is in force, also not of the sources before it."""
    history = History(tmp_path / "history")
    good = ListedSource("good", [("a", on(after), 1.0) for after in range(3)])
    bad = ListedSource("bad", [("b", on(after), 2.0) for after in range(3)], fails="row 7 is no number.")
    with pytest.raises(SourceError, match=r"data/usage.csv:7:3: row 7 is no number"):
        bring(history, [good, bad])
    history = History(history.root)
    assert history.empty
    bring(history, [good])
    history.publish()
    before = {name: (history.root / name).read_bytes() for name in files(history.root)}
    with pytest.raises(SourceError):
        bring(history, [ListedSource("good", [*good.rows, ("c", on(2), 5.0)]), bad])
    assert {name: (history.root / name).read_bytes() for name in before} == before
    history = History(history.root)
    assert set(columns(history, LOGINS)) == {("a", on(after)) for after in range(3)}
    # the next pass that succeeds removes what was left lying
    bring(history, [ListedSource("good", [*good.rows, ("a", on(2), 2.0)])])
    history.publish()
    assert len(files(history.root)) == len(before)


def test_the_first_words_of_a_source_count_as_received_on_their_own_day(tmp_path):
    history = History(tmp_path / "history")
    first = ListedSource("first", [("a", D, 1.0), ("a", on(2), 2.0)])
    collected = collect(history, [first], LOGINS, on(2), GONE_AFTER)
    assert first.asked == [(None, on(2))]
    assert [(one.source, one.supplies, one.arrived.new) for one in collected] == [("first", ("logins",), 2)]
    assert {key: row["logins"] for key, row in columns(history, LOGINS).items()} == {
        ("a", D): 1.0, ("a", on(1)): 1.0, ("a", on(2)): 2.0}
    # from then on it is asked for the last days again, and what is new was received today
    first.rows += [("a", on(1), 9.0), ("a", on(3), 3.0)]
    collected = collect(history, [first], LOGINS, on(3), GONE_AFTER)
    assert first.asked[1:] == [(on(3 - LOOK_AGAIN), on(3))]
    assert collected[0].arrived.new == 2
    assert [columns(history, LOGINS)["a", on(after)]["logins"] for after in range(4)] == [1.0, 1.0, 2.0, 3.0]


# -- a catalogue that changes -----------------------------------------------------------------------------------------

def test_another_stale_after_rebuilds_the_days(tmp_path):
    history = History(tmp_path / "history")
    collect(history, [ListedSource("usage", [("a", D, 1.0), ("b", on(9), 1.0)])], LOGINS, on(9), 90)
    assert [columns(history, LOGINS)["a", on(after)]["logins"] for after in (3, 4)] == [1.0, None]
    longer = catalogue(replace(LOGINS.metrics["logins"], stale_after=8))
    collect(history, [], longer, on(9), 90)
    assert [columns(history, longer)["a", on(after)]["logins"] for after in (3, 4, 8, 9)] == [1.0, 1.0, 1.0, None]
    counted = catalogue(replace(LOGINS.metrics["logins"], per_day=True))
    collect(history, [], counted, on(9), 90)
    assert [columns(history, counted)["a", on(after)]["logins"] for after in (0, 1)] == [1.0, None]


def test_another_gone_after_rebuilds_the_days(tmp_path):
    history = History(tmp_path / "history")
    collect(history, [ListedSource("usage", [("a", D, 1.0), ("b", on(9), 1.0)])], LOGINS, on(9), 3)
    assert max(day for account, day in columns(history, LOGINS) if account == "a") == on(3)
    collect(history, [], LOGINS, on(9), 7)
    assert max(day for account, day in columns(history, LOGINS) if account == "a") == on(7)


def test_a_new_metric_can_be_read_before_the_days_are_rebuilt(tmp_path):
    """Somebody adds a metric and asks for an explanation before the next pass: nobody has said it yet."""
    history = History(tmp_path / "history")
    collect(history, [ListedSource("usage", [("a", D, 1.0)])], LOGINS, D, GONE_AFTER)
    more = catalogue(*LOGINS.metrics.values(), Metric("seats", Kind.NUMBER, HERE), Metric("since", Kind.DATE, HERE))
    assert columns(history, more) == {("a", D): {"logins": 1.0, "seats": None, "since": None}}
    collect(history, [], more, on(1), GONE_AFTER)
    assert columns(history, more)["a", D] == {"logins": 1.0, "seats": None, "since": None}


def test_a_metric_that_was_taken_out_and_comes_back_has_its_past(tmp_path):
    history = History(tmp_path / "history")
    both = catalogue(*LOGINS.metrics.values(), Metric("seats", Kind.NUMBER, HERE, stale_after=9))
    history.add("usage", [pa.table({"account": ["a"], "as_of": pa.array([D], pa.date32()), "logins": [1.0],
                                    "seats": [4.0]})], both, None, GONE_AFTER)
    history.build_days(both, GONE_AFTER, D)
    history.add("usage", [pa.table({"account": ["a"], "as_of": pa.array([on(1)], pa.date32()), "logins": [2.0]})],
                LOGINS, on(1), GONE_AFTER)
    history.build_days(LOGINS, GONE_AFTER, on(1))
    history.build_days(both, GONE_AFTER, on(2))
    assert columns(history, both)["a", on(2)] == {"logins": 2.0, "seats": 4.0}


def test_a_metric_may_be_called_as_we_call_something_ourselves(new_desk):
    """`source` is what many people call where a customer came from."""
    ours = ("source", "seq", "received_on", "effective", "next", "until", "on_day", "alive", "said", "filled")
    desk = new_desk("ours", metrics=tuple(Metric(name, Kind.NUMBER, HERE, stale_after=4) for name in ours))
    desk.say(("a", D, {name: float(number) for number, name in enumerate(ours)}))
    desk.say(("a", on(1), dict.fromkeys(ours, 7.0)), received_on=on(2))
    desk.say(("a", on(40), dict.fromkeys(ours)), received_on=on(41))
    desk.agree(on(41))


KINDS = {Kind.NUMBER: (5.0, pa.float64()), Kind.TEXT: ("7", pa.string()), Kind.FLAG: (True, pa.bool_()),
         Kind.DATE: (on(3), pa.date32())}


@pytest.mark.parametrize(("before", "after"), [(one, two) for one in Kind for two in Kind if one is not two])
def test_a_metric_may_become_another_kind(tmp_path, before, after):
    """What was said in the old kind is used where it makes sense, and missing where not."""
    history = History(tmp_path / "history")
    for back, kind in ((0, before), (1, after), (2, after)):
        metrics = catalogue(Metric("x", kind, HERE, stale_after=0))
        value, column = KINDS[kind]
        history.add("usage", [pa.table({"account": ["a"], "as_of": pa.array([on(back)], pa.date32()),
                                        "x": pa.array([value], column)})], metrics, on(back), GONE_AFTER)
        history.build_days(metrics, GONE_AFTER, on(back))
    expected = (on(3) - date(1970, 1, 1)).days if after is Kind.DATE else KINDS[after][0]
    assert [columns(history, metrics)["a", on(back)]["x"] for back in (1, 2)] == [expected, expected]
    assert columns(history, metrics)["a", D]["x"] in (None, "5.0", "true", "2026-01-31", 7.0, 1.0, True)


# -- damage -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("content", [
    b"", b"{", b"[]", b"5", b"null", b'"text"', b"{}", b'{"version": 2}', b"\xff\xfe\x00", b"[" * 100_000,
    b'{"version": 2, "arrivals": 5, "days": {}, "accounts": "", "generation": 1, "digest": "", "sources": [], '
    b'"through": null, "stale_from": null}',
    b'{"version": 2, "arrivals": {}, "days": {}, "accounts": null, "generation": 1, "digest": "", "sources": [], '
    b'"through": "yesterday", "stale_from": null}',
])
def test_a_damaged_manifest_is_a_sentence(tmp_path, content):
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(HistoryError) as raised:
        History(tmp_path)
    (problem,) = raised.value.problems
    assert problem.code == "history-damaged"
    assert problem.location == Location(str(tmp_path / "manifest.json"))
    assert problem.hint


def test_a_manifest_of_another_version_is_a_sentence(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"version": 99}))
    with pytest.raises(HistoryError, match=r"another version of Forestall wrote the history \(format 99\)"):
        History(tmp_path)


def test_a_history_without_one_of_its_files_is_a_sentence(desk):
    desk.say(("a", D, {"logins": 1.0}))
    desk.build(D)
    desk.history.publish()
    lost = next((desk.history.root / "days").iterdir())
    lost.unlink()
    with pytest.raises(HistoryError) as raised:
        History(desk.history.root)
    assert str(lost.name) in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\0" * 500 + b"PAR1", b"x" * 5000])
@pytest.mark.parametrize("folder", ["days", "arrivals", "accounts"])
def test_a_damaged_file_of_the_history_is_a_sentence(desk, folder, content):
    desk.say(("a", D, {"logins": 1.0}))
    desk.build(D)
    desk.history.publish()
    for path in (desk.history.root / folder).iterdir():
        path.write_bytes(content)
    history = History(desk.history.root)

    def use():
        columns(history, desk.catalogue)
        history.add("product", [pa.table({"account": ["a"], "as_of": pa.array([on(1)], pa.date32()),
                                          "logins": [2.0]})], desk.catalogue, on(1), GONE_AFTER)
        history.build_days(desk.catalogue, GONE_AFTER, on(1))

    with pytest.raises(HistoryError) as raised:
        use()
    (problem,) = raised.value.problems
    assert problem.code == "history-damaged"
    assert str(desk.history.root) in str(problem.location)
    assert "\n" not in str(problem)


def test_a_file_in_the_place_of_a_folder_is_a_sentence(desk):
    desk.history.root.mkdir()
    (desk.history.root / "arrivals").write_text("")
    with pytest.raises(HistoryError, match="the history cannot be written"):
        desk.say(("a", D, {"logins": 1.0}))
    (desk.history.root / "manifest.json").mkdir()
    with pytest.raises(HistoryError, match="the history cannot be read"):
        History(desk.history.root)


# -- months -----------------------------------------------------------------------------------------------------------

def test_months():
    assert months_between(date(2025, 11, 30), date(2026, 2, 1)) == ["2025-11", "2025-12", "2026-01", "2026-02"]
    assert months_between(D, D) == ["2026-01"]
    assert bounds("2024-02") == (date(2024, 2, 1), date(2024, 2, 29))
    assert bounds("2025-12") == (date(2025, 12, 1), date(2025, 12, 31))
    assert month_of(date(987, 3, 1)) == "0987-03"
