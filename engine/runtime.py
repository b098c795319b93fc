"""The one place that wires the parts into a pass: collect → evaluate → decide → write → deliver."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, replace
from datetime import UTC, date, datetime
from importlib.metadata import entry_points
from pathlib import Path

from forestall import __version__
from forestall.engine.adapter_settings import CHANNELS
from forestall.engine.detect.as_it_was import day_read
from forestall.engine.detect.collect import Collected, Intake, collect, import_all
from forestall.engine.detect.history import History, Progress, quiet
from forestall.engine.detect.manifest import read_manifest
from forestall.engine.detect.supply import supply
from forestall.engine.errors import Location, SettingsError, UsageError
from forestall.engine.intervene.accounts import steps_under_way
from forestall.engine.intervene.day import Decided, decide_day, to_tell
from forestall.engine.intervene.guards import rests_on
from forestall.engine.intervene.holding import Circumstances
from forestall.engine.intervene.many import second, write_messages
from forestall.engine.intervene.worker import DeliveryReport, deliver
from forestall.engine.model.decision_log import Basis
from forestall.engine.model.delivery import Delivery, MessageKind, OutboxRow
from forestall.engine.model.people import Directory
from forestall.engine.model.places import StatePlace
from forestall.engine.model.ports import Channel, OnUncertain, Source
from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import State
from forestall.engine.model.trigger import Existing
from forestall.engine.model.warehouse import Warehouse
from forestall.engine.processes import undisturbed
from forestall.engine.rulebook.begun import going_on
from forestall.engine.rulebook.loader import load
from forestall.engine.score.engine import DuckDb, Engine
from forestall.engine.score.evaluate import Evaluator
from forestall.engine.score.in_warehouse import InWarehouse
from forestall.engine.score.spark import Spark
from forestall.engine.score.spark_warehouse import SparkClient
from forestall.engine.score.telling import Remembered
from forestall.engine.settings import (
    EngineName,
    Settings,
    open_channel,
    open_source,
    read_settings,
    when_uncertain,
)
from forestall.engine.store import CommitReport, Store
from forestall.engine.store.alone import alone
from forestall.engine.warehouse.client import Client
from forestall.engine.warehouse.postgresql import PostgreSql

REHEARSAL = "folder"


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with rules and settings, loaded and checked."""

    settings: Settings
    rulebook: Rulebook
    evaluator: Evaluator

    @property
    def directory(self) -> Directory:
        """Whom rules can address, with the channels by which roles are reached."""
        return reached(self.settings)

    @property
    def history(self) -> History:
        """The history as it is in force now."""
        return history_of(self.settings, self.evaluator.engine, self.rulebook.gone_after)

    @property
    def store_path(self) -> StatePlace:
        """Rehearsal and live keep apart: what a rehearsal opened never stands in the way of the real thing."""
        return store_path(self.settings)

    def today(self) -> date:
        """Today in the project's time zone."""
        return datetime.now(self.settings.time_zone).date()

    @property
    def intake(self) -> Intake:
        """How the rows of sources find their account."""
        return Intake({one.name: one.joining for one in self.settings.sources if one.joining is not None})

    def sources(self) -> list[Source]:
        """Every source of forestall.yaml, opened."""
        metrics = {metric.name: metric for metric in self.rulebook.catalogue.supplied()}
        return [open_source(self.settings, described, metrics) for described in self.settings.sources]


def reached(settings: Settings) -> Directory:
    """Everybody that the settings name, with the channels by which roles are reached."""
    def channel(adapter: str) -> str:
        return next((one.name for one in settings.channels if one.adapter == adapter), adapter)

    hears = settings.listen is not None and settings.listen.slack_secret is not None
    return replace(settings.directory, email_channel=channel("email"), slack_channel=channel("slack"),
                   time_zone=settings.time_zone.key, answers=hears)


def store_path(settings: Settings) -> StatePlace:
    """The state database of rehearsal, or of the real thing."""
    which = "live" if settings.live else "rehearsal"
    if settings.server is not None:
        return replace(settings.server, schema=f"{settings.server.schema}_{which}")
    return settings.state / f"{which}.db"


def settings_that_matter(settings: Settings) -> dict[str, str]:
    """What of forestall.yaml can change a decision, for the decision log: people and addresses only as hashes."""
    def hashed(*said: object) -> str:
        return hashlib.sha256(repr(said).encode()).hexdigest()[:16]

    directory = reached(settings)
    return {
        "delivery": "live" if settings.live else "rehearsal", "time_zone": directory.time_zone,
        "people": hashed(*(astuple(one) for _, one in sorted(directory.people.items()))),
        "destinations": hashed(*((one.name, one.channel, one.address)
                                 for _, one in sorted(directory.destinations.items()))),
        "channels": hashed(*sorted((one.name, one.adapter) for one in settings.channels), directory.answers),
    }


def open_project(folder: Path, rules: Path | None = None, engine: EngineName | None = None) -> Project:
    """Read the settings and the rules of a project. SettingsError or RulesError with every problem at once.

    `engine` None: the one that the settings name.
    """
    settings = read_settings(folder)
    rulebook = load(rules or folder / "rules", settings)
    return Project(settings, rulebook, Evaluator(rulebook, chosen_engine(settings, engine)))


def history_of(settings: Settings, engine: Engine, gone_after: int) -> History:
    """The history as it is in force now: ours, or the table of a warehouse."""
    root = settings.state / "history"
    return engine.history(root, gone_after) if isinstance(engine, InWarehouse) else History(root)


def chosen_engine(settings: Settings, engine: EngineName | None = None) -> Engine:
    """Where evaluation runs; it is not started yet."""
    named_at = Location("--engine") if engine else settings.engine_at
    if settings.warehouse is not None:
        return _warehouse(settings, settings.warehouse, engine)
    return Spark(named_at) if (engine or settings.engine) is EngineName.SPARK else DuckDb()


def _warehouse(settings: Settings, warehouse: Warehouse, engine: EngineName | None) -> Engine:
    """The warehouse as the engine. UsageError where another one is asked for."""
    if engine is not None and not (engine is EngineName.SPARK and warehouse.place is None):
        raise UsageError.one(Location("--engine"), "engine-elsewhere",
                             f"the history is the table {warehouse.name}, and rules are evaluated where it is.",
                             "Leave --engine out.")
    client: Client = PostgreSql(warehouse, warehouse.place) if warehouse.place is not None else SparkClient(
        warehouse, settings.engine_at)
    return InWarehouse(warehouse, client)


@dataclass(frozen=True, slots=True)
class PassReport:
    """What one pass did. `commit` and `delivery` are None in a dry run, in which nothing was written or sent."""

    day: date
    collected: tuple[Collected, ...]
    accounts: int
    before: State
    decided: Decided
    rows: Sequence[OutboxRow]
    commit: CommitReport | None = None
    delivery: DeliveryReport | None = None

    @property
    def dry(self) -> bool:
        """Whether it was only asked what would happen."""
        return self.commit is None


class Passes:
    """Passes over consecutive days. A dry one keeps its state in memory and its history in a temporary folder."""

    def __init__(self, project: Project, history: History, *, send: bool, existing: Existing | None = None,
                 progress: Progress = quiet, stop: Callable[[], bool] = lambda: False) -> None:
        self._project, self._history, self._send, self._existing = project, history, send, existing
        self._progress, self._stop = progress, stop
        self._store: Store | None = None
        self._evaluator = project.evaluator
        project.evaluator.engine.start()
        with undisturbed(), Store.open(project.store_path, read_only=True) as store:
            self._state = store.state()
        self._sources = project.sources()
        self._last_before = self._state.previous_pass

    def one(self, day: date) -> PassReport:
        """Decide one day, and unless this is a dry run write it and deliver."""
        self._may_be_decided(day)
        project, before = self._project, self._state
        evaluator = self._following(before)
        collected = collect(self._history, self._sources, project.rulebook.catalogue, day,
                            project.settings.gone_after, self._progress, project.intake)
        self._progress("evaluate", 0, 1)
        evaluations = evaluator.told(self._history, day, to_tell(evaluator.rulebook, before, day)
                                     if evaluator.engine.far else Remembered())
        rulebook = evaluator.rulebook
        if self._existing is not None and before.previous_pass is None:
            rulebook = rulebook.with_existing(self._existing)
        known = Circumstances(moment=datetime.now(UTC) if project.settings.live else None,
                              supply=supply(self._history, project.rulebook.catalogue, collected, day,
                                            frozenset().union(*rests_on(rulebook).values())))
        with undisturbed(), second(evaluator.engine, sum(evaluations.alarmed) - len(before.alerts)) as begun:
            decided = decide_day(rulebook, evaluator.conditions, project.directory, before, evaluations, known)
            rows = write_messages(evaluator, project.directory, self._history, decided.decisions.deliveries,
                                  decided.decisions.digests, begun)
        report = PassReport(day, collected, len(evaluations), before, decided, rows)
        if not self._send:
            self._state = before.after(decided.decisions)
            return report
        channels = open_channels(project.settings, decided.decisions.deliveries)
        self._store = store = self._store or Store.open(project.store_path)
        self._history.publish()
        with undisturbed():
            commit = store.commit(decided.decisions, rows, datetime.now(UTC), before,
                                  lambda: self._basis(rulebook, day, known, decided))
            self._state = store.state()
        delivery = send_due(project.settings, store, channels, stop=self._stop,
                            progress=lambda done: self._progress("deliveries", done, len(rows)))
        return replace(report, commit=commit, delivery=delivery)

    def _following(self, state: State) -> Evaluator:
        """An evaluator that also knows the steps on which plays still run, though the rules say others by now."""
        rulebook = going_on(self._evaluator.rulebook, steps_under_way(state), state.begun)
        if rulebook is not self._evaluator.rulebook:
            self._evaluator = self._project.evaluator.following(rulebook)
        return self._evaluator

    def _basis(self, rulebook: Rulebook, day: date, known: Circumstances, decided: Decided) -> Basis:
        """What the decision log keeps of what this pass went by."""
        settings, first = self._project.settings, self._state.previous_pass is None
        manifest = self._history.manifest
        return Basis(
            version=__version__, files=rulebook.files, settings=settings_that_matter(settings),
            gone_after=rulebook.gone_after, generation=manifest.generation, catalogue=manifest.digest,
            read=day_read(self._history, rulebook.catalogue, rulebook.gone_after, day),
            moment=known.moment, supply=known.supply, existing=self._existing if first else None, tiers=decided.tiers)

    def close(self) -> None:
        """Let go of the state database."""
        if self._store is not None:
            self._store.close()

    def _may_be_decided(self, day: date) -> None:
        """UsageError for a past day, a live day to come, and an answer to `existing` that is missing or too late."""
        project, previous = self._project, self._state.previous_pass
        if previous is not None and day < previous:
            raise UsageError.one(Location(str(project.store_path)), "past-day",
                                 f"{previous} was decided already, and a pass never decides a past day ({day}).",
                                 "Use `forestall simulate` to look at past days. If today is meant, this machine's "
                                 "clock is wrong.")
        if self._existing is not None and self._last_before not in (None, day):
            raise UsageError.one(Location(str(project.store_path)), "not-the-first-pass",
                                 f"--existing is for the first pass, and {self._last_before} was decided already.",
                                 "Leave it out; for a new trigger write `existing: record` in the rules.")
        if not (self._send and project.settings.live):
            return
        if day > project.today():
            raise UsageError.one(Location("--day"), "day-to-come", f"{day} has not come yet.",
                                 "Leave out --send to see what it would bring: once sent, no earlier day follows.")
        if previous is None and self._existing is None:
            raise UsageError.one(
                Location(project.settings.file), "first-live-pass",
                "this is the first live pass, and many accounts may match already.",
                "Say --existing open to start plays for them (under limits.per_play), or --existing record to only "
                "take note of them.")


@contextmanager
def passes(project: Project, *, send: bool, existing: Existing | None = None,
           progress: Progress = quiet, stop: Callable[[], bool] = lambda: False) -> Iterator[Passes]:
    """Passes that write and send, or dry ones that leave no trace. What fails leaves none either.

    `stop` ends the sending early; what is left waits in the outbox.
    """
    with changing(project, dry=not send) as history:
        running = Passes(project, history, send=send, existing=existing, progress=progress, stop=stop)
        try:
            yield running
        finally:
            running.close()


def import_history(project: Project, progress: Progress = quiet) -> tuple[tuple[Collected, ...], History]:
    """Bring everything that the sources have into the history. Whole or not at all."""
    if project.settings.warehouse is not None:
        raise UsageError.one(project.settings.warehouse.location, "history-in-place",
                             f"the history is the table {project.settings.warehouse.name}, so nothing is imported.",
                             "Load the table; `forestall run` reads it where it is.")
    with writing(project):
        history = project.history
        collected = import_all(history, project.sources(), project.rulebook.catalogue, project.today(),
                               project.settings.gone_after, progress, project.intake)
        history.publish()
    return collected, history


@contextmanager
def changing(project: Project, *, dry: bool) -> Iterator[History]:
    """The history of a project, which this process alone may change; `dry`: what it changes goes with the block."""
    if dry:
        with tempfile.TemporaryDirectory(prefix="forestall-") as folder:
            yield project.history.scratch(Path(folder))
    else:
        with writing(project):
            yield project.history


@contextmanager
def writing(project: Project) -> Iterator[None]:
    """The history and the state of a project are written by one process at a time. What fails leaves no trace."""
    path = project.settings.state / "pass.lock"
    with alone(path) as is_alone:
        if not is_alone:
            raise UsageError.one(Location(str(path.parent)), "under-way",
                                 "another pass or import of this project is under way; this one has done nothing.",
                                 "Try again when it has ended, and let only one scheduler run the passes.")
        with _no_leftovers(project):
            yield


@contextmanager
def _no_leftovers(project: Project) -> Iterator[None]:
    """When something fails, the files that it staged for the history go with it; those of another process stay."""
    root = project.history.root
    folders = [root, *root.parents]
    there = {*root.glob("*"), *root.glob("*/*.parquet"), *(folder for folder in folders if folder.exists())}
    try:
        yield
    except BaseException:
        staged = set(root.glob("*/*.parquet")) - there - read_manifest(root).files()
        for path in staged:
            path.unlink(missing_ok=True)
        for folder in [*root.glob("*/"), *folders]:
            if folder not in there:
                with suppress(OSError):      # what is not empty is somebody's
                    folder.rmdir()
        raise


def open_channels(settings: Settings, planned: Sequence[Delivery]) -> Mapping[str, Channel]:
    """The channels of the settings, or in rehearsal the folder in the place of each; also for what is `planned`."""
    directory = reached(settings)
    names = {channel.name for channel in settings.channels} | {one.channel for one in planned} | {
        directory.email_channel, directory.slack_channel}
    if not settings.live:
        return dict.fromkeys(names, _rehearsal(settings))
    opened = {channel.name: open_channel(settings, channel) for channel in settings.channels}
    for one in planned:
        if one.channel not in opened:
            raise SettingsError.one(
                Location(settings.file), "no-channel",
                f"play {one.play} sends {_by(one.kind)}, and no channel does that.",
                f"Add a channel with `adapter: {one.channel}` below `channels:`.")
    return opened


def send_due(settings: Settings, store: Store, channels: Mapping[str, Channel], *,
             progress: Callable[[int], None] | None = None, stop: Callable[[], bool] = lambda: False) -> DeliveryReport:
    """Send whatever waits in the outbox and is due, on these channels, and close them."""
    described = {one.name: one for one in settings.channels} if settings.live else {}
    holds = {name for name, channel in channels.items()
             if name in described and when_uncertain(described[name], channel) is OnUncertain.HOLD}
    try:
        return deliver(store, channels, lambda: datetime.now(UTC), holds=holds, progress=progress, stop=stop)
    finally:
        for channel in {id(one): one for one in channels.values()}.values():
            close = getattr(channel, "close", None)      # a channel need not have one
            if close is not None:
                close()


def _rehearsal(settings: Settings) -> Channel:
    """The folder that takes every message of a rehearsal."""
    kind = next(iter(entry_points(group=CHANNELS, name=REHEARSAL))).load()
    channel: Channel = kind(REHEARSAL, kind.Settings(path=str(settings.deliveries.resolve())), settings.project)
    return channel


def _by(kind: MessageKind) -> str:
    return {MessageKind.EMAIL: "email", MessageKind.SLACK: "Slack messages", MessageKind.TASK: "tasks",
            MessageKind.WEBHOOK: "webhooks"}[kind]
