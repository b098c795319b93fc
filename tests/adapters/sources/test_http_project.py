"""HTTP sources as people have them: forestall.yaml, `check` and `history import`."""

import pytest
from click.testing import CliRunner
from far_sides.server import Said
from far_sides.zendesk import Zendesk, organization, ticket, user

from forestall.engine.cli.main import cli
from forestall.engine.errors import ForestallError

RULES = {
    "metrics": "metrics:\n  heat: {kind: number}\n  calls_7d: {kind: number}\n  last_call_on: {kind: date}\n"
               "  open_tickets: {kind: number}\n  won: {kind: number}\n",
    "weights": "signals:\n  warmth: {weight: 100, metric: heat, points: {0: 0, 100: 100}}\n"
               "tiers: {healthy: 60-100, critical: 0-59}\n",
    "triggers": "triggers: {}\n",
    "playbook": "plays: {}\n",
}
DECLARED = """\
sources:
  crm:
    adapter: http
    url: URL/v2
    auth: {kind: bearer, token: "${secret:CRM_TOKEN}"}
    resources:
      companies:
        path: companies
        records: $.results
        texts: {account: $.properties.key}
        times: {seen: $.seen}
        numbers: {heat: $.properties.heat}
        paging: {by: cursor, next: $.paging.next.after, param: after, size_param: limit}
      calls:
        path: calls
        records: $.results
        texts: {company: $.company, outcome: $.outcome}
        times: {at: $.at}
        paging: link
    rows: {of: companies, account: account, as_of: seen}
    log:
      - {of: calls, name: call, account: company, through: companies.account, at: at}
    daily:
      metrics:
        calls_7d: {measure: count, events: call, days: 7}
        last_call_on: {measure: last_day, events: call}
"""


def answers(asked):
    if asked.headers.get("authorization") != "Bearer s3cret-42":
        return Said({"message": "who?"}, 401)
    if asked.path == "/v2/calls":
        return Said({"results": [{"id": n, "company": "c1", "at": f"2026-01-{n:02}T09:00:00Z", "outcome": "ok"}
                                 for n in (5, 6, 9)] + [{"id": 99, "company": "c9", "at": "2026-01-09T09:00:00Z"}]})
    if "after" not in asked.params:
        return Said({"results": [{"id": "c1", "seen": "2026-01-06", "properties": {"key": "acme", "heat": "70"}}],
                     "paging": {"next": {"after": "1", "link": "…"}}})
    return Said({"results": [{"id": "c2", "seen": "2026-01-07", "properties": {"key": "bolt", "heat": 50}}]})


@pytest.fixture
def project(tmp_path, monkeypatch, far_side):
    (tmp_path / "rules").mkdir()
    for name, text in RULES.items():
        (tmp_path / "rules" / f"{name}.yaml").write_text(text)
    (tmp_path / "forestall.yaml").write_text(DECLARED.replace("URL", far_side.url))
    monkeypatch.setenv("CRM_TOKEN", "s3cret-42")
    monkeypatch.chdir(tmp_path)
    far_side.answers = answers
    return tmp_path


def forestall(*arguments):
    done = CliRunner().invoke(cli, list(arguments))
    if isinstance(done.exception, ForestallError):
        return done.output + str(done.exception)
    assert done.exit_code in (0, 1), done.exception
    return done.output


def shown(sources):
    import duckdb

    return duckdb.sql(f"SELECT account, strftime(as_of, '%m-%d') AS day, COLUMNS('.* (number|date)$') FROM "
                      f"read_parquet('{sources}/.forestall/history/arrivals/*.parquet') ORDER BY ALL").fetchall()


def test_a_declared_source_is_imported_once(project, far_side):
    assert "crm" not in forestall("check")
    assert far_side.asked == []                                        # `check` asks nobody
    said = forestall("history", "import")
    assert "crm:" in said
    assert "1 of 4 records of calls name no account and are left out." in said
    rows = shown(project)
    assert {row[:2] for row in rows} >= {("acme", "01-05"), ("acme", "01-06"), ("bolt", "01-07")}
    assert [asked.params for asked in far_side.asked if "companies" in asked.path] == [
        {"limit": "100"}, {"limit": "100", "after": "1"}]
    assert (project / ".forestall" / "sources" / "crm" / "records.db").exists()
    forestall("history", "import")
    assert shown(project) == rows


def test_what_is_wrong_with_nested_settings_is_said_with_its_line(project):
    text = (project / "forestall.yaml").read_text()
    (project / "forestall.yaml").write_text(text.replace("by: cursor", "by: curser").replace(
        "records: $.results\n        texts: {account", "record: $.results\n        texts: {account"))
    said = forestall("check")
    assert "forestall.yaml:9:" in said
    assert "forestall.yaml:13:" in said
    assert "Did you mean records?" in said
    assert "Did you mean cursor?" in said


def test_a_failure_leaves_the_history_as_it_was(project, far_side, pauses):
    far_side.answers = lambda asked: Said("<html>", 200, {"Content-Type": "text/html"}) \
        if "calls" in asked.path else answers(asked)
    said = forestall("history", "import")
    assert "crm /v2/calls page 1: the answer is a web page (HTML) where JSON belongs." in said
    assert "s3cret" not in said
    assert not (project / ".forestall" / "history" / "manifest.json").exists()
    far_side.asked.clear()
    far_side.answers = answers
    assert "crm:" in forestall("history", "import")


def test_a_query_puts_records_together(project, far_side):
    (project / "forestall.yaml").write_text(f"""\
sources:
  deals:
    adapter: http
    url: {far_side.url}
    resources:
      deals:
        path: deals
        records: $[*]
        texts: {{company: $.company, stage: $.stage}}
        numbers: {{amount: $.amount}}
        times: {{closed: $.closed}}
    gives: [won]
    query: |
      SELECT company AS account, day_of(closed) AS as_of, sum(amount) AS won
      FROM deals, asked WHERE stage = 'won' AND day_of(closed) BETWEEN since AND until GROUP BY ALL
""")
    deals = [{"id": 1, "company": "acme", "stage": "won", "amount": 5, "closed": 1767225600},
             {"id": 2, "company": "acme", "stage": "won", "amount": "6.5", "closed": 1767225600000},
             {"id": 3, "company": "acme", "stage": "lost", "amount": 9, "closed": 1767225600}]
    far_side.answers = lambda asked: Said(deals)
    assert "deals: 1 row of 1 account, 2026-01-01 to 2026-01-01; 1 new" in forestall("history", "import")
    assert 11.5 in shown(project)[0]
    text = (project / "forestall.yaml").read_text()
    (project / "forestall.yaml").write_text(text.replace("sum(amount)", "sum(amuont)"))
    assert "deals: the query does not work (Binder Error" in forestall("history", "import")
    (project / "forestall.yaml").write_text(text.replace("FROM deals, asked", "FROM read_csv('/etc/passwd'), asked"))
    assert "deals: the query does not work (Permission Error" in forestall("history", "import")


def test_zendesk_in_a_project(project, far_side, monkeypatch):
    monkeypatch.setenv("ZENDESK_TOKEN", "s3cret-42")
    there = far_side.answers = Zendesk(far_side.url)
    there.records = {"organizations": [organization(1, "Acme")], "users": [user(20, 1)],
                     "tickets": [ticket(1, "2026-01-05T09:00:00Z")]}
    (project / "forestall.yaml").write_text(f"""\
sources:
  support:
    adapter: zendesk
    url: {far_side.url}
    email: me@acme.example
    token: "${{secret:ZENDESK_TOKEN}}"
    account: external_id
    rate: 100
""")
    assert "support:" not in forestall("check")
    assert "of 1 account, 2026-01-01 to " in forestall("history", "import")
    (project / "forestall.yaml").write_text("sources:\n  support:\n    adapter: zendesk\n    token: plain\n"
                                            "    subdomain: acme\n")
    assert "stands in the file, and a secret never stands in a file" in forestall("check")
