"""`warehouse:` of forestall.yaml: the table that is the history already."""

from __future__ import annotations

from forestall.engine.errors import Location, SettingsError
from forestall.engine.model.places import POSTGRESQL, SCHEMA, PostgresPlace, postgres_place
from forestall.engine.model.warehouse import Holds, Warehouse, table_name
from forestall.engine.rulebook.findings import Findings
from forestall.engine.rulebook.nodes import MapNode, ScalarNode

COMPILED = {"snowflake": "Snowflake", "bigquery": "BigQuery", "databricks": "Databricks"}


def warehouse(root: MapNode, findings: Findings) -> Warehouse | None:
    """What forestall.yaml says of it; what is wrong is said. None: nothing, or nothing that can be used."""
    node = root.get("warehouse")
    if not isinstance(node, MapNode):
        return None
    where = root.key_location("warehouse")
    if root.map("sources").entries:
        findings.say(root.key_location("sources"), "too-many", "forestall.yaml has `sources` and `warehouse`.",
                     "Keep `sources` where Forestall shall build the history, `warehouse` where it is a table already.")
    written = node.scalar("table")
    table = table_name(written.text) if written is not None else None
    if written is not None and table is None:
        findings.say(written.location, "table-name", f"`table` of `warehouse` cannot be read: `{written.text}`.",
                     "Write it like sales.account_days; a part with a dot or a blank in it stands in backticks.")
    holds = Holds.ARRIVALS if node.text("holds") == Holds.ARRIVALS else Holds.DAYS
    for key in ("first_day", "named_day"):
        if key in node and holds is Holds.ARRIVALS:
            findings.say(node.key_location(key), "too-many", f"`{key}` of `warehouse` is for a table of days.",
                         "Take it away: of arrivals it is worked out.")
    place = _place(root, node, where, findings)
    if table is None:
        return None
    return Warehouse(
        table, where, place, account=node.text("account") or "account", as_of=node.text("as_of") or "as_of",
        holds=holds, first_day=node.text("first_day"), named_day=node.text("named_day"),
        metrics={one.key.text: one.value.text for one in node.map("metrics") if isinstance(one.value, ScalarNode)})


def _place(root: MapNode, node: MapNode, where: Location, findings: Findings) -> PostgresPlace | None:
    """The server that holds it; None where Spark reads it."""
    url, spark = node.scalar("url"), root.text("engine") == "spark"
    if url is None:
        if not spark:
            findings.say(where, "missing-key", "`warehouse` has no `url`.",
                         "Name the PostgreSQL server that holds the table, or say `engine: spark`, which reads it.")
        return None
    if spark:
        findings.say(url.location, "too-many", "`warehouse` has a `url`, and `engine` says spark.",
                     "Keep one: what the database at `url` holds is evaluated there.")
        return None
    scheme = url.text.partition("://")[0].partition("+")[0]
    if not url.text.startswith(POSTGRESQL):
        findings.say(url.location, "warehouse-not-built", f"there is no connection to {COMPILED[scheme]} yet."
                     if scheme in COMPILED else "`url` of `warehouse` is not the URL of a PostgreSQL server.",
                     "The SQL for it is written, see docs/engines.md; until then let a source read the table."
                     if scheme in COMPILED else
                     'Write it like "postgresql://reader:${secret:WAREHOUSE_PASSWORD}@db.example.com:5432/analytics".')
        return None
    try:
        place = postgres_place(url.text, url.location, "`url` of `warehouse`")
    except SettingsError as error:
        findings.extend(error.problems)
        return None
    if place.schema != SCHEMA:
        findings.say(url.location, "too-many", "`url` of `warehouse` has a `schema`.",
                     "Write it before the name of the table: `table: sales.account_days`.")
    return place
