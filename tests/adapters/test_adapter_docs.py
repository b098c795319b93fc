"""The examples of docs/sources.md and docs/channels.md do what the pages say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from forestall.adapters.channels.apprise import AppriseChannel
from forestall.adapters.channels.email import EmailChannel
from forestall.adapters.channels.folder import FolderChannel
from forestall.adapters.channels.slack import SlackChannel
from forestall.adapters.channels.webhook import WebhookChannel
from forestall.adapters.sources.files.csv import CsvSource
from forestall.adapters.sources.files.jsonl import JsonLinesSource
from forestall.adapters.sources.files.parquet import ParquetSource
from forestall.adapters.sources.sql.source import SqlSource
from forestall.engine.conformance import PROMISES
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.delivery import Message, MessageKind, ReceiptStatus
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, Secret
from forestall.engine.settings_filling import written

DOCS = Path(__file__).parents[2] / "docs"
ADAPTERS = {"csv": CsvSource, "jsonl": JsonLinesSource, "parquet": ParquetSource, "sql": SqlSource,
            "email": EmailChannel, "slack": SlackChannel, "webhook": WebhookChannel,
            "folder": FolderChannel, "apprise": AppriseChannel}
CATALOGUE = {name: Metric(name, kind, Location("rules/metrics.yaml", 1, 1)) for name, kind in {
    "logins_14d": Kind.NUMBER, "segment": Kind.TEXT, "email_opt_out": Kind.FLAG, "renewal_date": Kind.DATE}.items()}


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)


def python(page: str, index: int = 0) -> dict:
    names: dict = {"__name__": "example"}
    exec(blocks(page, "python")[index], names)
    return names


def described() -> list[dict]:
    """Every source and channel of the pages that has an adapter of ours."""
    found = []
    for page in ("sources.md", "channels.md"):
        for block in blocks(page, "yaml"):
            read = yaml.safe_load(block)
            for entry in [*read.get("sources", {}).values(), *read.get("channels", {}).values()]:
                if entry["adapter"] in ADAPTERS:
                    found.append(entry)
    return found


@pytest.mark.parametrize("entry", described(), ids=lambda entry: entry["adapter"])
def test_each_configuration_is_one_that_the_adapter_takes(entry, tmp_path):
    kind = ADAPTERS[entry["adapter"]]
    given = {key: value for key, value in entry.items() if key != "adapter"}
    for key, value in given.items():
        if isinstance(value, str) and value.startswith("${secret:"):
            given[key] = Secret(value[9:-1])
        elif isinstance(value, list):
            given[key] = tuple(value)
    settings = kind.Settings(**given)
    made = kind("x", settings, CATALOGUE, tmp_path) if hasattr(kind, "supplies") else kind("x", settings, tmp_path)
    assert made.name == "x"


@pytest.mark.parametrize("kind", ADAPTERS.values(), ids=ADAPTERS.keys())
def test_each_setting_is_explained(kind):
    page = "channels.md" if not hasattr(kind, "supplies") else "source-sql.md" if kind is SqlSource else "sources.md"
    text = (DOCS / page).read_text("utf-8")
    for setting in written(kind.Settings):
        assert f"`{setting.name}`" in text


def test_the_table_of_the_page_can_be_read(tmp_path):
    (tmp_path / "usage.csv").write_text(blocks("sources.md", "csv")[0])
    source = CsvSource("product", CsvSource.Settings("usage.csv"), CATALOGUE, tmp_path)
    assert source.supplies() == tuple(CATALOGUE)
    assert sum(table.num_rows for table in source.snapshots(None, None)) == 2


def test_the_stand_of_the_page(tmp_path):
    stand = python("source-kit.md")["CsvStand"]
    for promise in PROMISES:
        if promise.name in ("values", "failure"):
            (folder := tmp_path / promise.name).mkdir()
            assert promise.kept_by(stand(folder))


def test_the_channel_of_the_page(tmp_path):
    made = python("channels.md", 1)["LogChannel"]
    message = Message("key", MessageKind.SLACK, "dana", "Hello", "text")
    assert made("log", made.Settings(), tmp_path).send(message).status is ReceiptStatus.SENT
    assert (tmp_path / "sent.log").read_text() == "key dana Hello\n"
    assert made("log", made.Settings("no/folder"), tmp_path).send(message).status is ReceiptStatus.RETRY


def test_the_receiver_of_the_page():
    assert callable(python("channels.md")["verified"])


LIGHT = """
import sys
from pathlib import Path
from forestall.engine.model.ports import Secret
CsvSource("a", CsvSource.Settings("x"), {}, Path())
JsonLinesSource("a", JsonLinesSource.Settings("x"), {}, Path())
ParquetSource("a", ParquetSource.Settings("x"), {}, Path())
SqlSource("a", SqlSource.Settings("SELECT 1", "sqlite:///a"), {}, Path())
EmailChannel("a", EmailChannel.Settings("mail.example", "a@b.example"), Path())
SlackChannel("a", SlackChannel.Settings(Secret("X")), Path())
WebhookChannel("a", WebhookChannel.Settings(), Path())
FolderChannel("a", FolderChannel.Settings(), Path())
AppriseChannel("a", AppriseChannel.Settings(Secret("X")), Path())
from forestall.adapters.sources.http.source import HttpSource
from forestall.adapters.sources.http.stripe import StripeSource
from forestall.adapters.sources.http.zendesk import ZendeskSource
StripeSource("a", StripeSource.Settings(Secret("X")), {}, Path())
ZendeskSource("a", ZendeskSource.Settings(Secret("X"), subdomain="acme"), {}, Path())
heavy = {"pyarrow", "httpx", "slack_sdk", "markdown_it", "standardwebhooks", "jinja2", "sqlalchemy", "duckdb",
         "apprise", "requests", "fsspec"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


def test_building_every_adapter_loads_nothing_heavy():
    imports = "".join(f"from {kind.__module__} import {kind.__name__}\n" for kind in ADAPTERS.values())
    subprocess.run([sys.executable, "-c", imports + LIGHT], check=True)
