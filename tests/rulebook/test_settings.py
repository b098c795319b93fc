import importlib
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from forestall.engine.adapter_settings import CHANNELS, prepared
from forestall.engine.errors import ForestallError, SettingsError
from forestall.engine.model.listening import Listen
from forestall.engine.model.people import Destination
from forestall.engine.model.ports import OnUncertain, Secret
from forestall.engine.settings import (
    EngineName,
    adapter_problems,
    inspect_settings,
    open_channel,
    open_source,
    read_settings,
    when_uncertain,
)


@dataclass(frozen=True)
class EverySetting:
    name: str
    token: Secret
    count: int = 1
    ratio: float = 0.5
    flag: bool = False
    tags: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    spare: Secret | None = None


class Everything:
    Settings = EverySetting

    def __init__(self, name: str, settings: EverySetting, folder: Path) -> None:
        self.name, self.settings, self.folder = name, settings, folder


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter that somebody else has installed."""
    package = tmp_path / "site" / "everything-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: everything\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[forestall.channels]\neverything = everything_adapter:Everything\n")
    module = type(sys)("everything_adapter")
    module.Everything = Everything      # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "everything_adapter", module)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    importlib.invalidate_caches()


def opened(tmp_path: Path, options: str) -> Everything:
    (tmp_path / "forestall.yaml").write_text(f"channels:\n  it:\n    adapter: everything\n{options}")
    settings = read_settings(tmp_path)
    channel = open_channel(settings, settings.channels[0])
    assert isinstance(channel, Everything)
    return channel


def test_settings_of_the_minimal_project(project: Path) -> None:
    settings = read_settings(project)
    assert settings.time_zone == ZoneInfo("Europe/Berlin")
    assert (settings.live, settings.gone_after) == (False, 14)
    assert (settings.state, settings.deliveries) == (project / ".forestall", project / "deliveries")
    assert [source.adapter for source in settings.sources] == ["csv"]
    assert settings.directory.people["dana"].name == "Dana"
    assert settings.directory.people["dana"].manager == "robin"
    assert settings.directory.destinations["leads"].address == "#cs-leads"
    hook = settings.channel("hook")
    assert hook is not None
    assert hook.adapter == "webhook"


def test_nothing_need_be_said(tmp_path: Path) -> None:
    (tmp_path / "forestall.yaml").write_text("")
    settings = read_settings(tmp_path)
    assert (settings.time_zone, settings.live, settings.gone_after) == (ZoneInfo("UTC"), False, 14)


@pytest.mark.parametrize(("written", "days"), [("30 days", 30), ("2 weeks", 14), ("21", 21)])
def test_gone_after(tmp_path: Path, written: str, days: int) -> None:
    (tmp_path / "forestall.yaml").write_text(f"gone_after: {written}\n")
    assert read_settings(tmp_path).gone_after == days


@pytest.mark.usefixtures("installed")
def test_an_adapter_gets_its_settings_typed(tmp_path: Path) -> None:
    channel = opened(tmp_path, '    name: x\n    token: "${secret:TOKEN}"\n    count: 3\n    ratio: 2\n    flag: true\n'
                               "    tags: [a, b]\n    headers: {X-A: one}\n")
    assert channel.settings == EverySetting("x", Secret("TOKEN"), 3, 2.0, True, ("a", "b"), {"X-A": "one"})
    assert (channel.name, channel.folder) == ("it", tmp_path)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("options", "said"), [
    ('    name: 3\n    token: "${secret:T}"\n', "4:11: `name` of channel it must be a text, not `3`. Put it"),
    ('    name: x\n    token: "${secret:T}"\n    count: 1.5\n', "6:12: `count` of channel it must be a whole number"),
    ('    name: x\n    token: "${secret:T}"\n    flag: yes\n', "6:11: `flag` of channel it must be true or false"),
    ('    name: x\n    token: "${secret:T}"\n    tags: [1]\n', "6:11: `tags` of channel it must be a list of texts"),
    ('    name: x\n    token: "${secret:T}"\n    spare: plain\n', "6:12: `spare` of channel it stands in the file"),
    ("    name: x\n    token: sk-123\n", "a secret never stands in a file. "
     'Write token: "${secret:TOKEN}" and set the environment variable TOKEN.'),
    ("    name: x\n    tokn: \"${secret:T}\"\n", "`tokn` is not a setting of channel it (everything). "
     "Did you mean token?"),
    ("    name: x\n", "channel it has no `token`. Add a line `token: …`."),
    ('    name: x\n    token: "${secret:T}"\n    headers: {A: "${secret:B}"}\n', "`headers` of channel it cannot hold"),
])
def test_wrong_settings_are_sentences(tmp_path: Path, options: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        opened(tmp_path, options)
    assert said in str(caught.value)
    assert len(caught.value.problems) == 1
    assert "sk-123" not in str(caught.value), "a secret is not repeated"


@pytest.mark.parametrize(("adapter", "written", "expected"), [
    ("{adapter: webhook}", "", OnUncertain.RESEND), ("{adapter: folder}", "", OnUncertain.RESEND),
    ('{adapter: slack, token: "${secret:T}"}', "", OnUncertain.HOLD),
    ('{adapter: slack, token: "${secret:T}", ', "on_uncertain: resend}", OnUncertain.RESEND),
    ("{adapter: webhook, ", "on_uncertain: hold}", OnUncertain.HOLD),
    ('{adapter: everything, name: x, token: "${secret:T}"}', "", OnUncertain.HOLD),     # it says nothing of repeats
])
@pytest.mark.usefixtures("installed")
def test_what_becomes_of_an_uncertain_message(tmp_path: Path, adapter: str, written: str,
                                              expected: OnUncertain) -> None:
    (tmp_path / "forestall.yaml").write_text(f"channels:\n  it: {adapter}{written}\n")
    settings = read_settings(tmp_path)
    assert adapter_problems(settings) == ()
    assert when_uncertain(settings.channels[0], open_channel(settings, settings.channels[0])) is expected


def test_a_webhook_channel_knows_its_destinations_and_their_secrets(tmp_path: Path) -> None:
    (tmp_path / "forestall.yaml").write_text(
        "channels: {hooks: {adapter: webhook}, other: {adapter: webhook}}\ndestinations:\n"
        '  crm: {channel: hooks, url: https://crm.example/in, secret: "${secret:CRM}"}\n'
        "  desk: {channel: other, url: https://desk.example/in}\n")
    settings = read_settings(tmp_path)
    hooks = prepared(settings.channels[0], CHANNELS)[1]
    assert hooks.destinations == (                                  # type: ignore[attr-defined]
        Destination("crm", "hooks", "https://crm.example/in", Secret("CRM")),)
    (tmp_path / "forestall.yaml").write_text(
        "channels: {hooks: {adapter: webhook, destinations: [x]}}\ndestinations:\n"
        "  crm: {channel: hooks, url: https://crm.example/in, secret: hunter2}\n")
    found, problems = inspect_settings(tmp_path)
    assert found is not None
    assert [problem.code for problem in (*problems, *adapter_problems(found))] == ["secret-in-file", "unknown-key"]
    assert "hunter2" not in " ".join(map(str, problems))


def test_where_answers_are_listened_for(tmp_path: Path) -> None:
    (tmp_path / "forestall.yaml").write_text(
        'listen: {at: "[::1]:8790", slack_secret: "${secret:S}", done_secret: "${secret:D}"}\n')
    assert read_settings(tmp_path).listen == Listen("::1", 8790, Secret("S"), Secret("D"))
    for at in ("8790", "127.0.0.1", "127.0.0.1:99999", "https://127.0.0.1:1", ":1"):
        (tmp_path / "forestall.yaml").write_text(f'listen: {{at: "{at}", slack_secret: plain}}\n')
        assert [problem.code for problem in inspect_settings(tmp_path)[1]] == ["listen-address", "secret-in-file"]


def test_a_source_of_the_project_opens(project: Path) -> None:
    settings = read_settings(project)
    assert open_source(settings, settings.sources[0], {}).name == "product"


def test_what_an_adapter_refuses_has_its_place(project: Path) -> None:
    file = project / "forestall.yaml"
    file.write_text(file.read_text().replace("path: data/facts.csv", 'path: data/facts.csv, delimiter: "||"'))
    settings = read_settings(project)
    with pytest.raises(ForestallError, match=r"forestall.yaml:2:60: `delimiter` of the source product"):
        open_source(settings, settings.sources[0], {})


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such file"):
        read_settings(tmp_path)


def test_checking_imports_nothing_heavy(project: Path) -> None:
    heavy = ("ibis", "duckdb", "pyarrow", "sqlalchemy", "httpx", "slack_sdk", "rich", "pandas", "numpy", "simpleeval")
    code = (
        "import sys\nfrom forestall.engine.cli.main import cli\n"
        f"cli.main(['check', '--project', {str(project)!r}], standalone_mode=False)\n"
        f"print('HEAVY', [name for name in {heavy!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("HEAVY []\n")


@pytest.mark.parametrize(("written", "engine", "place"), [
    ("", EngineName.DUCKDB, "forestall.yaml"), ("engine: duckdb\n", EngineName.DUCKDB, "forestall.yaml:1:9"),
    ("time_zone: UTC\nengine: spark\n", EngineName.SPARK, "forestall.yaml:2:9"),
])
def test_the_engine_and_where_it_is_named(tmp_path: Path, written: str, engine: EngineName, place: str) -> None:
    (tmp_path / "forestall.yaml").write_text(written)
    settings = read_settings(tmp_path)
    assert settings.engine is engine
    assert str(settings.engine_at).endswith(place)


def test_an_adapter_that_cannot_be_loaded_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "torn-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: torn\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[forestall.channels]\ntorn = torn_adapter_is_not_there:Torn\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    importlib.invalidate_caches()
    (tmp_path / "forestall.yaml").write_text("channels:\n  it: {adapter: torn}\n")
    settings, _ = inspect_settings(tmp_path)
    assert settings is not None
    assert [(problem.code, problem.location.line) for problem in adapter_problems(settings)] == [("broken-adapter", 2)]
