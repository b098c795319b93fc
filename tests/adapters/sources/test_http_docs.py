"""docs/source-http.md explains every setting and column, and its examples are taken."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from forestall.adapters.sources.http import described
from forestall.adapters.sources.http.kept import Kept
from forestall.adapters.sources.http.ready import definition
from forestall.adapters.sources.http.stripe import StripeSettings
from forestall.adapters.sources.http.tabulated import tables
from forestall.adapters.sources.http.zendesk import ZendeskSettings
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, Secret
from forestall.engine.settings import open_source, read_settings

PAGE = (Path(__file__).parents[3] / "docs" / "source-http.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
METRICS = {name: Metric(name, kind, Location("rules/metrics.yaml", 1, 1)) for name, kind in {
    "account_name": Kind.TEXT, "segment": Kind.TEXT, "mrr": Kind.NUMBER, "renewal_date": Kind.DATE, "won": Kind.NUMBER,
    "calls_30d": Kind.NUMBER, "last_spoken_on": Kind.DATE, "open_tickets": Kind.NUMBER}.items()}


@pytest.mark.parametrize("kind", [
    described.Auth, described.Paging, described.Changes, described.Resource, described.Feed, described.Rows,
    described.Happening, described.HttpSettings, ZendeskSettings, StripeSettings], ids=lambda kind: kind.__name__)
def test_each_setting_is_explained(kind):
    missing = [one.name for one in fields(kind) if not re.search(rf"[`{{ ]{one.name}[`:,]", PAGE)]
    assert missing == []


@pytest.mark.parametrize("name", ["zendesk", "stripe"])
def test_each_column_is_explained(name):
    assert [one for one in definition(name).gives if f"`{one}`" not in PAGE] == []


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: next(iter(yaml.safe_load(text)["sources"])))
def test_each_example_is_taken(text, tmp_path):
    (tmp_path / "forestall.yaml").write_text(text)
    settings = read_settings(tmp_path)
    made = open_source(settings, settings.sources[0], METRICS)
    assert made.supplies()


@pytest.mark.parametrize("settings", [ZendeskSettings(token=Secret("T"), subdomain="acme"),
                                      StripeSettings(key=Secret("K"))], ids=["zendesk", "stripe"])
def test_the_columns_that_are_listed_are_those_that_the_query_gives(settings):
    made = settings.described()
    with tables(Kept(None, ""), made.resources, "UTC") as connection:
        connection.execute("CREATE TABLE asked AS SELECT DATE '2026-01-01' AS since, DATE '2026-01-31' AS until")
        assert set(connection.sql(made.query).columns) - {"account", "as_of"} == set(made.gives)
