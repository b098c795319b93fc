"""The ready definition for Zendesk, against a server that answers as Zendesk's API reference says."""

from datetime import date

import pytest
from far_sides.server import Said
from far_sides.zendesk import Zendesk, organization, ticket, user

from forestall.adapters.sources.daily.declared import Daily, DailyMetric, Measure
from forestall.adapters.sources.http.zendesk import ZendeskSettings, ZendeskSource
from forestall.adapters.sources.text.declared import Texts
from forestall.engine.model.catalogue import Metric
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, Secret, SourceError

KINDS = {
    "open_tickets": Kind.NUMBER, "urgent_open_tickets": Kind.NUMBER, "oldest_open_ticket_days": Kind.NUMBER,
    "tickets_7d": Kind.NUMBER, "tickets_30d": Kind.NUMBER, "reopened_tickets_90d": Kind.NUMBER,
    "first_reply_hours_30d": Kind.NUMBER, "satisfaction_90d": Kind.NUMBER, "bad_ratings_90d": Kind.NUMBER,
    "last_ticket_on": Kind.DATE, "account_name": Kind.TEXT}
CATALOGUE = {name: Metric(name, kind, Location("rules/metrics.yaml", 1, 1)) for name, kind in KINDS.items()}


@pytest.fixture
def zendesk(far_side, monkeypatch):
    monkeypatch.setenv("ZENDESK_TOKEN", "s3cret-42")
    there = Zendesk(far_side.url)
    there.records = {
        "organizations": [organization(1, "Acme"), organization(2, "Bolt", updated_at="2026-01-02T08:00:00Z"),
                          organization(3, "Gone", deleted_at="2026-01-20T08:00:00Z",
                                       updated_at="2026-01-20T08:00:00Z")],
        "users": [user(20, 1), user(21, 2), user(22, None)],
        "tickets": [
            ticket(1, "2026-01-05T09:00:00Z", status="solved", solved="2026-01-08T09:00:00Z", reopens=1, reply=120,
                   rating="good"),
            ticket(2, "2026-01-06T23:30:00Z", priority="urgent", reply=360),
            ticket(3, "2026-01-07T09:00:00Z", organization_id=None, requester_id=21, status="closed",
                   solved="2026-01-07T10:00:00Z", rating="bad"),
            ticket(4, "2026-01-07T09:00:00Z", status="deleted", updated="2026-01-08T09:00:00Z"),
            ticket(5, "2026-01-07T09:00:00Z", organization_id=None, requester_id=22)],
    }
    far_side.answers = there
    return there


def source(far_side, keep=None, **more):
    settings = ZendeskSettings(token=Secret("ZENDESK_TOKEN"), url=far_side.url, email="me@acme.example", rate=0,
                               metrics={"account_name": "organization_name"}, **more)
    return ZendeskSource("support", settings, CATALOGUE, None, keep)


def said(made, since=None, until=date(2026, 1, 10)):
    return [row for table in made.snapshots(since, until) for row in table.to_pylist()]


def by_day(rows, account, column):
    return {row["as_of"].day: row[column] for row in rows if row["account"] == account}


def test_the_history_of_an_account(far_side, zendesk):
    made = source(far_side)
    assert made.supplies() == tuple(CATALOGUE)
    rows = said(made)
    assert {row["account"] for row in rows} == {"1", "2"}             # a deleted organization is nobody's account
    assert by_day(rows, "1", "open_tickets") == {1: 0, 2: 0, 3: 0, 4: 0, 5: 1, 6: 2, 7: 2, 8: 1, 9: 1, 10: 1}
    assert by_day(rows, "1", "urgent_open_tickets") == {day: int(day > 5) for day in range(1, 11)}
    assert by_day(rows, "1", "oldest_open_ticket_days") == {
        1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 1, 7: 2, 8: 2, 9: 3, 10: 4}
    assert by_day(rows, "1", "tickets_30d")[10] == 2
    assert by_day(rows, "1", "reopened_tickets_90d")[10] == 1
    assert by_day(rows, "1", "first_reply_hours_30d")[10] == 4
    assert by_day(rows, "1", "satisfaction_90d") == {day: 100 if day > 7 else None for day in range(1, 11)}
    assert by_day(rows, "1", "last_ticket_on")[5] == date(2026, 1, 5)
    assert by_day(rows, "1", "last_ticket_on")[4] is None
    assert by_day(rows, "1", "account_name")[10] == "Acme"
    # the ticket of a user without organization on it belongs to the user's organization
    assert by_day(rows, "2", "tickets_30d")[10] == 1
    assert by_day(rows, "2", "open_tickets")[7] == 0                  # solved on the same day
    assert by_day(rows, "2", "bad_ratings_90d")[10] == 1
    assert by_day(rows, "2", "satisfaction_90d")[10] == 0


def test_windows_end(far_side, zendesk):
    rows = said(source(far_side), date(2026, 2, 1), date(2026, 4, 30))
    assert [row["tickets_30d"] for row in rows if row["account"] == "1" and row["as_of"] in (
        date(2026, 2, 3), date(2026, 2, 4), date(2026, 2, 5))] == [2, 1, 0]
    ends = {row["as_of"]: row for row in rows if row["account"] == "1"}
    assert ends[date(2026, 4, 7)]["satisfaction_90d"] == 100
    assert ends[date(2026, 4, 8)]["satisfaction_90d"] is None
    assert ends[date(2026, 4, 30)]["open_tickets"] == 1
    assert min(ends) == date(2026, 2, 1)


def test_a_day_ends_where_it_is_said_to(far_side, zendesk):
    rows = said(source(far_side, time_zone="Europe/Berlin"))
    assert by_day(rows, "1", "tickets_30d")[6] == 1                   # half past eleven at night, UTC, is the 7th there
    assert by_day(rows, "1", "tickets_30d")[7] == 2


@pytest.mark.parametrize(("field", "accounts"), [
    ("external_id", {"crm-1", "crm-2"}), ("name", {"Acme", "Bolt"}), ("crm_key", {"k1", "k2"})])
def test_the_account_may_be_another_field(far_side, zendesk, field, accounts):
    assert {row["account"] for row in said(source(far_side, account=field))} == accounts


def test_only_what_changed_is_asked_for_and_the_answer_is_the_same(far_side, zendesk, tmp_path):
    made = source(far_side, tmp_path)
    said(made)
    first = len(far_side.asked)
    zendesk.records["tickets"][1] |= {"status": "solved", "updated_at": "2026-01-09T09:00:00Z"}
    zendesk.records["tickets"][1]["metric_set"]["solved_at"] = "2026-01-09T09:00:00Z"
    zendesk.records["tickets"][2] |= {"status": "deleted", "updated_at": "2026-01-09T10:00:00Z"}
    zendesk.records["organizations"][1] |= {"name": "Bolt & Co", "updated_at": "2027-01-01T08:00:00Z"}
    rows = said(made)
    asked = far_side.asked[first:]
    assert [one.path for one in asked] == ["/api/v2/incremental/organizations.json",
                                           "/api/v2/incremental/users/cursor.json",
                                           "/api/v2/incremental/tickets/cursor.json"]
    assert asked[2].params.keys() == {"cursor", "include", "per_page"}
    assert by_day(rows, "1", "open_tickets") == {1: 0, 2: 0, 3: 0, 4: 0, 5: 1, 6: 2, 7: 2, 8: 1, 9: 0, 10: 0}
    assert by_day(rows, "2", "tickets_30d")[10] == 0
    assert by_day(rows, "2", "account_name")[10] == "Bolt & Co"
    assert rows == said(source(far_side))


def test_without_users_a_ticket_has_its_own_organization_or_none(far_side, zendesk):
    made = source(far_side, users=False)
    assert by_day(said(made), "2", "tickets_30d")[10] == 0
    assert not any("users" in path for path in far_side.paths())
    assert [str(one) for one in made.noticed] == [
        "support: 2 of 4 tickets belong to no organization with an account and are left out."]


def test_a_cursor_that_is_not_taken_any_more_means_all_of_it_again(far_side, zendesk, tmp_path):
    made = source(far_side, tmp_path)
    before = said(made)
    zendesk.expired = {asked.params["cursor"] for asked in far_side.asked if "cursor" in asked.params}
    last = said(source(far_side, tmp_path))
    assert last == before
    zendesk.expired = set()

    class Always(set):
        def __contains__(self, cursor):
            return len(far_side.asked) == asked + 3                   # the third question is the one for tickets

    asked, zendesk.expired = len(far_side.asked), Always()
    assert said(made) == before
    assert far_side.asked[asked + 3].params["start_time"] == "0"


def test_a_start_leaves_out_what_did_not_change_since(far_side, zendesk):
    rows = said(source(far_side, start="2026-01-08"))
    asked = {asked.path.split("/")[4]: asked.params["start_time"] for asked in reversed(far_side.asked)
             if "start_time" in asked.params}                         # accounts are needed, whenever they changed
    assert asked == {"organizations.json": "0", "users": "0", "tickets": "1767830400"}
    assert by_day(rows, "1", "tickets_30d")[10] == 1


def test_what_goes_wrong_half_way_leaves_nothing_and_goes_on_later(far_side, zendesk, tmp_path, pauses):
    def answers(asked):
        if asked.path.endswith("tickets/cursor.json") and "cursor" in asked.params:
            return Said("Number of allowed incremental ticket export API requests per minute exceeded", 429,
                        {"Retry-After": "54", "Content-Type": "text/plain"})
        return zendesk(asked)

    far_side.answers = answers
    made = source(far_side, tmp_path)
    with pytest.raises(SourceError) as caught:
        said(made)
    assert str(caught.value) == (
        "support /api/v2/incremental/tickets/cursor.json page 2: the answer is 429 and asks us to wait 54 seconds. "
        "A later run goes on where this one stopped.")
    assert pauses == [54.0] * 5
    far_side.answers = zendesk
    far_side.asked.clear()
    assert by_day(said(made), "1", "open_tickets")[6] == 2
    tickets = [asked for asked in far_side.asked if "tickets" in asked.path]
    assert all("cursor" in asked.params for asked in tickets)


def test_a_wrong_token_is_said_in_zendesks_words(far_side, zendesk, monkeypatch):
    monkeypatch.setenv("ZENDESK_TOKEN", "wrong")
    with pytest.raises(SourceError) as caught:
        said(source(far_side))
    assert str(caught.value) == (
        "support /api/v2/incremental/organizations.json page 1: the answer is 401 (Couldn't authenticate you). "
        "Check the token or password and that it is still in force.")


@pytest.mark.parametrize(("change", "sentence"), [
    ({"created_at": None}, "record 9: created_at ($.created_at) is empty."),
    ({"status": None}, "record 9: status ($.status) is empty."),
    ({"updated_at": "2026-13-40"}, 'record 9: updated_at ($.updated_at) holds "2026-13-40" where a time belongs.'),
])
def test_a_record_that_cannot_be(far_side, zendesk, change, sentence):
    def answers(asked):
        said = zendesk(asked)
        if "tickets" in said.body:
            said.body["tickets"].append(ticket(9, "2026-01-01T00:00:00Z") | change)
        return said

    far_side.answers = answers
    with pytest.raises(SourceError) as caught:
        list(source(far_side).snapshots(None, date(2026, 1, 10)))
    assert sentence in str(caught.value)


@pytest.mark.parametrize("settings", [{}, {"subdomain": "acme", "url": "https://x.example"},
                                      {"subdomain": "acme.zendesk.com"}, {"subdomain": "acme", "account": "a b"}])
def test_settings_that_cannot_be(settings):
    with pytest.raises(ValueError) as caught:
        ZendeskSettings(token=Secret("T"), **settings)
    assert len(caught.value.args) == 2


def test_the_address_is_that_of_the_subdomain():
    assert ZendeskSettings(token=Secret("T"), subdomain="acme").described().url == "https://acme.zendesk.com"


def test_more_metrics_of_the_same_tickets(far_side, zendesk):
    daily = Daily({"chats_30d": DailyMetric(Measure.COUNT, ("opened",), where={"channel": ("chat",)}, days=30),
                   "solved_7d": DailyMetric(Measure.COUNT, ("solved",), days=7),
                   "same_issue_30d": DailyMetric(Measure.REPEATS, ("opened",), of="text.issue", days=30)},
                  text=Texts(("subject", "description"), subject="subject"), today=True)
    catalogue = CATALOGUE | {name: Metric(name, Kind.NUMBER, Location("rules/metrics.yaml", 1, 1))
                             for name in daily.metrics}
    zendesk.records["tickets"][0] |= {"subject": "Export fails"}
    zendesk.records["tickets"][1] |= {"subject": "RE: exports are failing again!", "via": {"channel": "chat"}}
    settings = ZendeskSettings(token=Secret("ZENDESK_TOKEN"), url=far_side.url, email="me@acme.example", daily=daily)
    made = ZendeskSource("support", settings, catalogue, None)
    assert made.supplies() == ("open_tickets", "urgent_open_tickets", "oldest_open_ticket_days", "tickets_7d",
                               "tickets_30d", "reopened_tickets_90d", "first_reply_hours_30d", "satisfaction_90d",
                               "bad_ratings_90d", "last_ticket_on", "chats_30d", "solved_7d", "same_issue_30d")
    rows = said(made)
    assert len({(row["account"], row["as_of"]) for row in rows}) == len(rows)
    assert by_day(rows, "1", "open_tickets")[8] == 1
    assert by_day(rows, "1", "chats_30d")[8] == 1
    assert by_day(rows, "1", "solved_7d")[8] == 1
    assert by_day(rows, "1", "same_issue_30d")[8] == 2
    assert [str(one) for one in made.noticed if "tickets belong" in one.message] == [
        "support: 1 of 4 tickets belong to no organization with an account and are left out."]


def test_a_column_that_the_log_does_not_have(far_side):
    daily = Daily({"open_tickets": DailyMetric(Measure.DISTINCT, of="prioriti", days=30)})
    with pytest.raises(SourceError, match=r"names prioriti, which is no column of its log\. Did you mean priority"):
        ZendeskSource("support", ZendeskSettings(Secret("T"), subdomain="acme", daily=daily), CATALOGUE, None)
