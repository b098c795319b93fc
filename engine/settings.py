"""forestall.yaml: where data comes from, where messages go, and whom they can reach. Secrets by reference only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from forestall.engine.adapter_settings import CHANNELS, SOURCES, AdapterSettings, prepared
from forestall.engine.errors import ForestallError, Location, Problem, SettingsError, Severity
from forestall.engine.language.nearest import did_you_mean
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.listening import Listen, host_and_port
from forestall.engine.model.people import Destination, Directory, Person
from forestall.engine.model.places import PostgresPlace, is_server, postgres_place
from forestall.engine.model.ports import Channel, ChannelType, OnUncertain, Secret, Source, SourceType
from forestall.engine.model.schedule import Schedule, clock_time, interval
from forestall.engine.model.warehouse import Warehouse
from forestall.engine.rulebook import durations, links, schema, source
from forestall.engine.rulebook.causes import causes
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.joining import KEYS as JOINING
from forestall.engine.rulebook.joining import joining
from forestall.engine.rulebook.nodes import ListNode, MapNode, ScalarNode
from forestall.engine.rulebook.warehouse import warehouse
from forestall.engine.settings_filling import secret_reference

FILE = "forestall.yaml"
LISTEN_SECRETS = ("slack_secret", "done_secret", "unsubscribe_secret")
STATE = ".forestall"


class EngineName(StrEnum):
    """Where evaluation runs."""

    DUCKDB = "duckdb"
    SPARK = "spark"


@dataclass(frozen=True, slots=True)
class Settings:
    """forestall.yaml, checked. `project` is the folder where it stands; relative paths start there.

    `state` is the folder of the engine's own records, the state database among them unless there is a `server`.
    `gone_after` is in days, and so is `retention`, how long the history is kept (None: forever). `live` False means
    rehearsal: deliveries go to the folder `deliveries`. `engine_at` is the place that names the engine. `owners` are
    the people and destinations that hear of rules that cannot be used.
    """

    project: Path
    sources: tuple[AdapterSettings, ...]
    channels: tuple[AdapterSettings, ...]
    directory: Directory
    time_zone: ZoneInfo
    live: bool
    gone_after: int
    state: Path
    deliveries: Path
    engine: EngineName
    engine_at: Location
    server: PostgresPlace | None = None
    warehouse: Warehouse | None = None
    owners: tuple[str, ...] = ()
    passes: Schedule | None = None
    listen: Listen | None = None
    retention: int | None = None
    file: str = FILE

    def channel(self, name: str) -> AdapterSettings | None:
        """The channel of this name."""
        return next((channel for channel in self.channels if channel.name == name), None)


def read_settings(project: Path) -> Settings:
    """The settings of the project in this folder. SettingsError with everything that is wrong."""
    settings, problems = inspect_settings(project)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if settings is None or errors:
        raise SettingsError(errors)
    return settings


def inspect_settings(project: Path) -> tuple[Settings | None, tuple[Problem, ...]]:
    """The settings as far as they can be read, and everything that is wrong with them."""
    path = project / FILE
    document = source.read(path)
    if document.root is None:
        return None, document.problems
    findings = Findings()
    findings.extend(schema.check(document.root, "settings"))
    settings = _Reader(document.root, document.file, findings).settings(project)
    return settings, causes(findings.found(), {}, ())


def open_source(settings: Settings, described: AdapterSettings, metrics: Mapping[str, Metric]) -> Source:
    """The source that forestall.yaml describes, for the supplied metrics of the catalogue. SettingsError if wrong."""
    kind, filled = prepared(described, SOURCES)
    filled = _with_time_zone(filled, settings.time_zone.key)
    kept = {"keep": settings.state / "sources" / described.name} if getattr(kind, "keeps", False) else {}
    with _at(described):
        return cast(SourceType, kind)(described.name, filled, metrics, settings.project, **kept)


def _with_time_zone(filled: Any, zone: str) -> Any:
    """Days end where forestall.yaml says, if the source does not: an empty `time_zone`, also one that stands nested."""
    found = {one.name: getattr(filled, one.name) for one in fields(filled)}
    nested = {name: _with_time_zone(value, zone) for name, value in found.items()
              if is_dataclass(value) and not isinstance(value, Secret)}
    said = {"time_zone": zone} if found.get("time_zone") == "" else {}
    return replace(filled, **nested, **said) if nested or said else filled


def open_channel(settings: Settings, described: AdapterSettings) -> Channel:
    """The channel that forestall.yaml describes. SettingsError when its settings are wrong."""
    kind, filled = prepared(described, CHANNELS)
    with _at(described):
        return cast(ChannelType, kind)(described.name, filled, settings.project)


def when_uncertain(described: AdapterSettings, channel: Channel) -> OnUncertain:
    """What becomes of a message of which nobody knows whether `channel` has delivered it."""
    knows = getattr(channel, "recognises_repeats", False)      # a channel of somebody else's may not say
    return described.on_uncertain or (OnUncertain.RESEND if knows else OnUncertain.HOLD)


def adapter_problems(settings: Settings) -> tuple[Problem, ...]:
    """What is wrong with the settings of all sources and channels; opens none of them."""
    findings = Findings()
    for group, described in ((SOURCES, settings.sources), (CHANNELS, settings.channels)):
        for one in described:
            try:
                prepared(one, group)
            except ForestallError as error:
                findings.extend(error.problems)
    return findings.sorted()


@contextmanager
def _at(described: AdapterSettings) -> Iterator[None]:
    """An adapter knows only that its settings are wrong; the place in the file is known here."""
    try:
        yield
    except ForestallError as error:
        raise type(error)(_placed(problem, described) for problem in error.problems) from None


def _placed(problem: Problem, described: AdapterSettings) -> Problem:
    if problem.location.file != FILE or problem.location.line:
        return problem
    written = dict(_paths(described.options))
    named = [place for path, place in written.items() if f"`{path}`" in problem.message]
    return replace(problem, location=named[-1] if named else described.location)


def _paths(options: MapNode, before: str = "") -> Iterator[tuple[str, Location]]:
    """Every setting by its path, `paging.cursor`, with the place of its value; what is nested comes after its key."""
    for entry in options:
        yield f"{before}{entry.key.text}", entry.value.location
        if isinstance(entry.value, MapNode):
            yield from _paths(entry.value, f"{before}{entry.key.text}.")


class _Reader:
    """Reads what the schema cannot check."""

    def __init__(self, root: MapNode, file: str, findings: Findings) -> None:
        self._root, self._file, self._findings = root, file, findings

    def settings(self, project: Path) -> Settings:
        self._no_secrets_in("destinations", "people")
        channels = self._adapters("channels", project)
        destinations = self._destinations(channels)
        channels = tuple(self._with_destinations(channel, destinations) for channel in channels)
        zone = self._zone(self._root.scalar("time_zone"), "`time_zone`")
        engine = self._root.scalar("engine")
        directory = Directory(self._people(), destinations)
        return Settings(
            project=project,
            sources=self._adapters("sources", project),
            channels=channels,
            directory=directory,
            time_zone=zone or ZoneInfo("UTC"),
            live=self._root.text("delivery") == "live",
            gone_after=self._gone_after(),
            retention=durations.days(self._root, "retention", FILE, self._findings, least=1),
            state=project / (STATE if is_server(self._root.text("state")) else self._root.text("state") or STATE),
            server=self._server(),
            deliveries=project / (self._root.text("deliveries") or "deliveries"),
            file=self._file,
            engine=EngineName.SPARK if engine is not None and engine.text == EngineName.SPARK else EngineName.DUCKDB,
            engine_at=engine.location if engine is not None else Location(self._file),
            warehouse=warehouse(self._root, self._findings),
            owners=self._owners(directory, {channel.adapter for channel in channels}),
            passes=self._passes(),
            listen=self._listen(),
        )

    def _server(self) -> PostgresPlace | None:
        written = self._root.scalar("state")
        if written is None or not is_server(written.text):
            return None
        try:
            return postgres_place(written.text, written.location)
        except SettingsError as error:
            self._findings.extend(error.problems)
            return None

    def _adapters(self, key: str, project: Path) -> tuple[AdapterSettings, ...]:
        found: list[AdapterSettings] = []
        for entry in self._root.map(key):
            named = entry.value.scalar("adapter") if isinstance(entry.value, MapNode) else None
            if isinstance(entry.value, MapNode) and named is not None and entry.value.text("adapter"):
                ours = ("adapter", "on_uncertain") if key == "channels" else ("adapter", *JOINING)
                options = {name: one for name, one in entry.value.entries.items() if name not in ours}
                uncertain = entry.value.text("on_uncertain") if "on_uncertain" in ours else ""
                found.append(AdapterSettings(
                    entry.key.text, named.text, MapNode(options, entry.value.location), entry.key.location,
                    named.location, OnUncertain(uncertain) if uncertain in list(OnUncertain) else None,
                    joining=None if key == "channels" else joining(entry.value, project)))
        return tuple(found)

    def _with_destinations(self, channel: AdapterSettings, found: Mapping[str, Destination]) -> AdapterSettings:
        """The channel with the destinations that name it."""
        mine = tuple(one for one in found.values() if one.channel == channel.name)
        nodes = self._root.map("destinations")
        secrets = (nodes.map(one.name).scalar("secret") for one in mine)
        first = next((secret.location for secret in secrets if secret is not None), None)
        return replace(channel, destinations=mine, secret_at=first)

    def _people(self) -> Mapping[str, Person]:
        people: dict[str, Person] = {}
        nodes = self._root.map("people")
        for entry in nodes:
            node = entry.value
            if not isinstance(node, MapNode):
                continue
            key = entry.key.text
            manager = node.scalar("manager")
            if manager is not None and manager.text not in nodes:
                self._findings.say(manager.location, "unknown-person",
                                   f"`manager` of person {key} is nobody of `people`: `{manager.text}`.",
                                   did_you_mean(manager.text, nodes.entries) or "Add them to `people`.",
                                   word=manager.text)
            elif manager is not None and manager.text == key:
                self._findings.say(manager.location, "unknown-person", f"person {key} is their own manager.",
                                   "Name somebody else, or take the line away.")
            self._zone(node.scalar("time_zone"), f"`time_zone` of person {key}")
            links.email(node.get("email"), f"`email` of person {key}", self._findings)
            people[key] = Person(key=key, name=node.text("name") or key.replace("_", " ").title(),
                                 email=node.text("email"), slack=node.text("slack"), manager=node.text("manager"),
                                 time_zone=node.text("time_zone"))
        return people

    def _destinations(self, channels: tuple[AdapterSettings, ...]) -> Mapping[str, Destination]:
        names = [entry.key.text for entry in self._root.map("channels")]
        found: dict[str, Destination] = {}
        for entry in self._root.map("destinations"):
            node, what = entry.value, f"destination {entry.key.text}"
            if not isinstance(node, MapNode):
                continue
            if entry.key.text in ("contact", "csm", "executive"):
                self._findings.say(entry.key.location, "reserved-name",
                                   f"a destination cannot be called `{entry.key.text}`: that is a role.",
                                   "Choose another name.")
            channel = node.scalar("channel")
            if channel is not None and channel.text not in names:
                self._findings.say(channel.location, "unknown-channel",
                                   f"`channel` of {what} names no channel: `{channel.text}`.",
                                   did_you_mean(channel.text, names) or "Add it below `channels:`.",
                                   word=channel.text)
            address = node.text("url") or node.text("to")
            if "url" in node and "to" in node:
                self._findings.say(node.key_location("to"), "too-many", f"{what} has `url` and `to`.",
                                   "Keep `url` for a webhook, `to` for Slack or email.")
            elif "url" not in node and "to" not in node and not self._misspelt(node):
                self._findings.say(entry.key.location, "missing-key", f"{what} has no address.",
                                   "Add `url` for a webhook, `to` for Slack or email.")
            links.link(node.get("url"), f"`url` of {what}", self._findings)
            written = node.scalar("secret")
            secret = None if written is None else secret_reference(
                written, node.entries["secret"], f"`secret` of {what}", self._findings)
            found[entry.key.text] = Destination(entry.key.text, node.text("channel"), address, secret)
        return found

    def _owners(self, directory: Directory, adapters: set[str]) -> tuple[str, ...]:
        written = self._root.get("owners")
        items = written.items if isinstance(written, ListNode) else (written,)
        named = [item for item in items if isinstance(item, ScalarNode) and isinstance(item.value, str)]
        for item in named:
            person = directory.people.get(item.text)
            if item.text in directory.destinations:
                continue
            if person is None:
                self._findings.say(item.location, "unknown-owner",
                                   f"`owners` names no person and no destination: `{item.text}`.",
                                   did_you_mean(item.text, [*directory.people, *directory.destinations])
                                   or "Add them to `people`, or name a destination.")
            elif not (person.slack and "slack" in adapters) and not (person.email and "email" in adapters):
                self._findings.say(item.location, "owner-out-of-reach",
                                   f"person {item.text} of `owners` cannot be reached.",
                                   "Give them an `email` and add a channel for email, or `slack` and one for Slack.")
        return tuple(item.text for item in named)

    def _passes(self) -> Schedule | None:
        node = self._root.map("passes")
        at, every = node.scalar("at"), node.scalar("every")
        if at is not None and every is not None:
            self._findings.say(node.key_location("every"), "too-many", "`passes` has `at` and `every`.", "Keep one.")
        elif at is not None:
            time = clock_time(at.text)
            if time is not None:
                return Schedule(at=time)
            self._findings.say(at.location, "no-time-of-day", f"`at` of `passes` is no time of the day: `{at.text}`.",
                               "Write it like 06:00.")
        elif every is not None:
            length = interval(every.text)
            if length is not None:
                return Schedule(every=length)
            self._findings.say(every.location, "no-interval",
                               f"`every` of `passes` cannot be read: `{every.text}`.",
                               "Write 15 minutes, 1 hour or 1 day; a minute to a week.")
        return None

    def _listen(self) -> Listen | None:
        node = self._root.map("listen")
        at = node.scalar("at")
        if at is None:
            return None
        secrets: dict[str, Secret | None] = {}
        for entry in node:
            if entry.key.text.endswith("_secret"):
                secrets[entry.key.text] = secret_reference(
                    entry.value, entry, f"`{entry.key.text}` of `listen`", self._findings)
        where = host_and_port(at.text)
        if where is None:
            self._findings.say(at.location, "listen-address", f"`at` of `listen` is no address: `{at.text}`.",
                               "Write it like 127.0.0.1:8790.")
            return None
        known = {name: secret for name, secret in secrets.items() if name in LISTEN_SECRETS}
        return Listen(where[0], where[1], **known)

    def _misspelt(self, node: MapNode) -> bool:
        return any(key not in ("channel", "secret") for key in node.entries)

    def _zone(self, written: ScalarNode | None, what: str) -> ZoneInfo | None:
        if written is None or not isinstance(written.value, str):
            return None
        try:
            return ZoneInfo(written.text)
        except (ValueError, OSError, KeyError):     # ZoneInfoNotFoundError is a KeyError
            self._findings.say(written.location, "unknown-time-zone", f"{what} is no time zone: `{written.text}`.",
                               "Write a region and a city, such as Europe/Berlin, or UTC.")
            return None

    def _gone_after(self) -> int:
        written = self._root.scalar("gone_after")
        if written is None:
            return 14
        if isinstance(written.value, int) and not isinstance(written.value, bool) and written.value > 0:
            return written.value
        found = durations.days(self._root, "gone_after", FILE, self._findings, least=1)
        return 14 if found is None else found

    def _no_secrets_in(self, *keys: str) -> None:
        for key in keys:
            for entry in self._root.map(key):
                for inner in entry.value if isinstance(entry.value, MapNode) else ():
                    signs = key == "destinations" and inner.key.text == "secret"
                    if isinstance(inner.value, ScalarNode) and "${secret:" in inner.value.text and not signs:
                        self._findings.say(inner.value.location, "secret-not-here",
                                           f"`{inner.key.text}` cannot hold a secret.",
                                           "Only settings of sources and channels that are meant to be secret can.")
