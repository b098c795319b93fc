"""A declared HTTP source against a server on this machine: pages, who asks, what changed, and every bad answer."""

import base64
import gzip
import json
import sqlite3
from datetime import UTC, date, datetime

import pytest
from far_sides.server import Said

from forestall.adapters.sources.http import kept
from forestall.adapters.sources.http.described import (
    Auth,
    AuthKind,
    Changes,
    HttpSettings,
    Paging,
    PagingKind,
    Resource,
    Rows,
    TimeForm,
)
from forestall.adapters.sources.http.source import HttpSource
from forestall.engine.detect.collect import import_all
from forestall.engine.detect.history import History
from forestall.engine.model.catalogue import Catalogue, Metric, Roles
from forestall.engine.model.expression import Kind
from forestall.engine.model.ports import Location, Secret, SettingsError, SourceError

CATALOGUE = {name: Metric(name, kind, Location("rules/metrics.yaml", 1, 1)) for name, kind in {
    "seats_total": Kind.NUMBER, "segment": Kind.TEXT, "email_opt_out": Kind.FLAG, "renewal_date": Kind.DATE}.items()}
COMPANIES = [{"id": number, "seats": 10 * number, "segment": "growth", "opt_out": False, "renews": "2026-06-30",
              "seen": f"2026-01-{number:02}T12:00:00Z"} for number in range(1, 8)]
DAY = date(2026, 1, 31)


def companies(**more):
    return Resource("companies", records="$.data", texts={"key": "$.id", "segment": "$.segment"},
                    numbers={"seats_total": "$.seats"}, flags={"email_opt_out": "$.opt_out"},
                    times={"renewal_date": "$.renews", "seen": "$.seen"}, **more)


def source(far_side, keep=None, resource=None, rows=None, **more):
    settings = HttpSettings(url=f"{far_side.url}/v2", resources={"companies": resource or companies()},
                            rows=rows or Rows("companies", "key", as_of="seen"), **more)
    return HttpSource("crm", settings, CATALOGUE, None, keep)


def said(made, since=None, until=DAY):
    return [row for table in made.snapshots(since, until) for row in table.to_pylist()]


def accounts(made, since=None, until=DAY):
    return sorted(row["account"] for row in said(made, since, until))


def failure(made):
    with pytest.raises(SourceError) as caught:
        said(made)
    (problem,) = caught.value.problems
    return f"{problem.location}: {problem.message}"


def test_records_become_rows(far_side):
    far_side.answers = lambda asked: Said({"data": COMPANIES[:2]})
    made = source(far_side)
    assert made.supplies() == tuple(CATALOGUE)
    assert said(made) == [
        {"account": "1", "as_of": date(2026, 1, 1), "seats_total": 10.0, "segment": "growth", "email_opt_out": False,
         "renewal_date": date(2026, 6, 30)},
        {"account": "2", "as_of": date(2026, 1, 2), "seats_total": 20.0, "segment": "growth", "email_opt_out": False,
         "renewal_date": date(2026, 6, 30)}]
    assert far_side.asked[0].path == "/v2/companies"
    assert said(made, date(2026, 1, 2), date(2026, 1, 2))[0]["account"] == "2"


def by_cursor(asked):
    start = int(asked.params.get("from", 0))
    end = start + 3
    return Said({"data": COMPANIES[start:end], "meta": {"next": end if end < len(COMPANIES) else None}})


def by_after(asked):
    ids = [one["id"] for one in COMPANIES]
    start = ids.index(int(asked.params["after"])) + 1 if "after" in asked.params else 0
    return Said({"data": COMPANIES[start:start + 3], "has_more": start + 3 < len(COMPANIES)})


def by_page(asked):
    start = (int(asked.params["page"]) - 1) * 3
    return Said({"data": COMPANIES[start:start + 3]})


def by_offset(asked):
    start = int(asked.params["skip"])
    return Said({"data": COMPANIES[start:start + 3]})


def by_body_link(asked):
    start = int(asked.params.get("s", 0))
    return Said({"data": COMPANIES[start:start + 3], "next": f"/v2/companies?s={start + 3}" if start < 6 else None})


def by_header(asked):
    start = int(asked.params.get("s", 0))
    links = f'<http://{asked.headers["host"]}/v2/companies?s={start + 3}>; rel="next"' if start < 6 else ""
    return Said({"data": COMPANIES[start:start + 3]}, headers={"Link": links})


PAGINGS = {
    "cursor": (Paging(PagingKind.CURSOR, next="$.meta.next", param="from"), by_cursor),
    "after": (Paging(PagingKind.CURSOR, after="$.id", param="after", more="$.has_more"), by_after),
    "page": (Paging(PagingKind.PAGE, param="page", size_param="limit", size=50), by_page),
    "offset": (Paging(PagingKind.OFFSET, param="skip"), by_offset),
    "link": (Paging(PagingKind.LINK, next="$.next"), by_body_link),
    "header": (Paging(PagingKind.LINK), by_header),
}


@pytest.mark.parametrize(("paging", "answers"), PAGINGS.values(), ids=PAGINGS)
def test_all_pages_are_read(far_side, paging, answers):
    far_side.answers = answers
    assert accounts(source(far_side, resource=companies(paging=paging))) == list("1234567")
    assert len(far_side.asked) in (3, 4)


@pytest.mark.parametrize(("paging", "answers"), [
    (Paging(PagingKind.PAGE, param="p"), lambda asked: Said({"data": COMPANIES[:3]})),
    (Paging(PagingKind.CURSOR, next="$.meta.next", param="from"),
     lambda asked: Said({"data": [], "meta": {"next": "again"}})),
], ids=["ignored", "empty"])
def test_a_page_that_comes_again_ends_the_run(far_side, paging, answers):
    far_side.answers = answers
    assert failure(source(far_side, resource=companies(paging=paging))) == (
        "crm /v2/companies page 2: the same page came again, so nobody can tell where the list ends.")


AUTHS = {
    "bearer": (Auth(AuthKind.BEARER, token=Secret("CRM")), "authorization", "Bearer s3cret-42"),
    "basic": (Auth(AuthKind.BASIC, user="me", password=Secret("CRM")), "authorization",
              "Basic " + base64.b64encode(b"me:s3cret-42").decode()),
    "key": (Auth(AuthKind.KEY, token=Secret("CRM"), name="X-Key"), "x-key", "s3cret-42"),
}


@pytest.mark.parametrize(("auth", "header", "value"), AUTHS.values(), ids=AUTHS)
def test_who_asks(far_side, monkeypatch, auth, header, value):
    monkeypatch.setenv("CRM", "s3cret-42")
    far_side.answers = lambda asked: Said({"data": COMPANIES})
    said(source(far_side, auth=auth))
    assert far_side.asked[0].headers[header] == value


def test_a_key_may_travel_as_a_parameter_and_is_in_no_sentence_and_no_log(far_side, monkeypatch, caplog):
    monkeypatch.setenv("CRM", "s3cret-42")
    caplog.set_level(1)
    auth = Auth(AuthKind.KEY, token=Secret("CRM"), name="api_key", sent_as="parameter")
    far_side.answers = lambda asked: Said({"error": {"message": f"no right for {asked.params['api_key']}"}}, 403)
    assert failure(source(far_side, auth=auth)) == (
        "crm /v2/companies page 1: the answer is 403 (no right for ***).")
    assert "s3cret" not in caplog.text


def test_a_key_in_a_link_is_not_kept(far_side, monkeypatch, tmp_path):
    monkeypatch.setenv("CRM", "s3cret-42")
    auth = Auth(AuthKind.KEY, token=Secret("CRM"), name="api_key", sent_as="parameter")

    def answers(asked):
        assert asked.params["api_key"] == "s3cret-42"
        if asked.params.get("s") == "3" and len(far_side.asked) == 2:
            return Said({}, 403)
        start = int(asked.params.get("s", 0))
        return Said({"data": COMPANIES[start:start + 3],
                     "next": f"/v2/companies?s={start + 3}&api_key=s3cret-42" if start < 6 else None})

    far_side.answers = answers
    made = source(far_side, tmp_path, companies(paging=Paging(PagingKind.LINK, next="$.next")), auth=auth)
    failure(made)
    assert b"companies?s=3" in (tmp_path / "records.db").read_bytes()
    assert b"s3cret" not in (tmp_path / "records.db").read_bytes()
    assert accounts(made) == list("1234567")


def test_oauth_fetches_a_token_and_another_one_when_it_is_refused(far_side, monkeypatch):
    monkeypatch.setenv("CRM", "s3cret-42")
    good = ["t1"]

    def answers(asked):
        if asked.path == "/token":
            assert asked.body == "grant_type=client_credentials&scope=read"
            assert asked.headers["authorization"] == "Basic " + base64.b64encode(b"me:s3cret-42").decode()
            good.append(f"t{len(good) + 1}")
            return Said({"access_token": good[-1], "token_type": "bearer", "expires_in": 3600})
        if asked.headers["authorization"] != f"Bearer {good[-1]}" or len(good) == 2:
            return Said({"error": "invalid_token"}, 401)
        return Said({"data": COMPANIES})

    far_side.answers = answers
    auth = Auth(AuthKind.OAUTH, token_url=f"{far_side.url}/token", client_id="me", client_secret=Secret("CRM"),
                scope="read")
    assert len(accounts(source(far_side, auth=auth))) == 7
    assert far_side.paths() == ["/token", "/v2/companies", "/token", "/v2/companies"]


def test_a_secret_that_is_not_set_is_said(far_side):
    with pytest.raises(SettingsError, match="the secret NOT_THERE is not set"):
        said(source(far_side, auth=Auth(AuthKind.BEARER, token=Secret("NOT_THERE"))))
    assert far_side.asked == []


def test_429_is_waited_for_as_long_as_it_says(far_side, pauses):
    answers = [Said("Rate limit exceeded", 429, {"Retry-After": "7", "Content-Type": "text/html"}),
               Said({}, 429, {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}), Said({"data": COMPANIES})]
    far_side.answers = lambda asked: answers[len(far_side.asked) - 1]
    assert len(accounts(source(far_side))) == 7
    assert pauses == [7.0, 0.0]


def test_compressed_answers_are_read_and_broken_ones_asked_for_again(far_side, pauses):
    whole = gzip.compress(json.dumps({"data": COMPANIES}).encode())
    answers = [Said(b"no gzip", headers={"Content-Encoding": "gzip"}),
               Said(whole, headers={"Content-Encoding": "gzip"})]
    far_side.answers = lambda asked: answers[len(far_side.asked) - 1]
    assert len(accounts(source(far_side))) == 7
    assert far_side.asked[0].headers["accept-encoding"] == "gzip, deflate"


def test_500_and_half_answers_are_asked_for_again(far_side, pauses):
    answers = [Said({"error": "oops"}, 500), Said("<html>Maintenance</html>", 503, {"Content-Type": "text/html"}),
               Said('{"data": [{"id": 1, "se'), Said({"data": COMPANIES}, cut=40), Said({"data": COMPANIES})]
    far_side.answers = lambda asked: answers[len(far_side.asked) - 1]
    assert len(accounts(source(far_side))) == 7
    assert len(pauses) == 4


BAD = {
    "429": (Said({"error": "too many"}, 429, {"Retry-After": "3600"}), 1,
            "the answer is 429 (too many) and asks us to wait 3600 seconds."),
    "500": (Said({"error": {"message": "boom"}}, 500), 3, "the answer is 500 (boom)."),
    "html": (Said("<!DOCTYPE html><p>Sign in", headers={"Content-Type": "text/html"}), 3,
             "the answer is a web page (HTML) where JSON belongs."),
    "half": (Said('{"data": [{"id": 1}, {"i'), 3, "the JSON of the answer breaks off."),
    "401": (Said({"error": "Couldn't authenticate you"}, 401), 1, "the answer is 401 (Couldn't authenticate you)."),
    "elsewhere": (Said({"records": []}), 1, "there is no list of records at $.data."),
    "no id": (Said({"data": [{"seats": 1}]}), 1, "record 1 has no $.id."),
    "kind": (Said({"data": [{"id": 5, "seats": "a dozen"}]}), 1,
             'record 5: seats_total ($.seats) holds "a dozen" where a number belongs.'),
    "time": (Said({"data": [{"id": 5, "seen": "yesterday"}]}), 1,
             'record 5: seen ($.seen) holds "yesterday" where a time belongs.'),
    "redirect": (Said({}, 302, {"Location": "https://elsewhere.example/v2/companies?token=x"}), 1,
                 "a redirect leads to https://elsewhere.example, which the settings do not name."),
}


@pytest.mark.parametrize(("answer", "times", "sentence"), BAD.values(), ids=BAD)
def test_a_bad_answer_on_page_two_gives_nothing_and_one_sentence(far_side, pauses, answer, times, sentence):
    far_side.answers = lambda asked: by_cursor(asked) if "from" not in asked.params else answer
    resource = companies(paging=Paging(PagingKind.CURSOR, next="$.meta.next", param="from"))
    made = source(far_side, resource=resource, retries=2)
    assert failure(made) == f"crm /v2/companies page 2: {sentence}"
    assert len(far_side.asked) == 1 + times


def test_a_link_to_another_host_is_not_followed_and_gets_no_token(far_side):
    far_side.answers = lambda asked: Said({"data": COMPANIES[:1], "next": "https://elsewhere.example/more"})
    resource = companies(paging=Paging(PagingKind.LINK, next="$.next"))
    assert failure(source(far_side, resource=resource)) == (
        "crm /more page 2: the next page leads to https://elsewhere.example, which the settings do not name.")


@pytest.mark.parametrize(("link", "sentence"), [
    ("http://[half", "crm page 2: the next page leads to http://%5bhalf, which the settings do not name."),
    ("mailto:me@example.com", "crm me@example.com page 2: the next page leads to mailto://, which the settings do "),
    (7, "crm /v2/7 page 2: there is no list of records at $.data."),
    ({"href": "/x"}, None),
], ids=["half", "mail", "number", "object"])
def test_links_that_are_none(far_side, link, sentence):
    far_side.answers = lambda asked: Said({"no": 1} if asked.path == "/v2/7" else {"data": COMPANIES, "next": link})
    made = source(far_side, resource=companies(paging=Paging(PagingKind.LINK, next="$.next")))
    if sentence:
        assert failure(made).startswith(sentence)
    else:
        assert failure(made) == "crm /v2/companies page 1: $.next holds something else than a text or number."


def test_a_redirect_on_the_same_host_is_followed(far_side):
    far_side.answers = lambda asked: Said({"data": COMPANIES}) if asked.path == "/new" else Said(
        {}, 301, {"Location": "/new"})
    assert len(accounts(source(far_side))) == 7


def test_nobody_there(far_side, pauses):
    made = source(far_side, retries=1)
    object.__setattr__(made._settings, "url", "http://127.0.0.1:9")
    assert failure(made).startswith("crm /companies page 1: 127.0.0.1 cannot be reached (")


def test_the_rate_is_kept_to(far_side, pauses):
    far_side.answers = by_cursor
    resource = companies(paging=Paging(PagingKind.CURSOR, next="$.meta.next", param="from"))
    said(source(far_side, resource=resource, rate=2))
    assert len(pauses) == 1
    assert 59 < pauses[0] <= 60


def test_a_cursor_is_gone_on_with_after_a_failure(far_side, tmp_path):
    resource = companies(paging=Paging(PagingKind.CURSOR, next="$.meta.next", param="from"))
    far_side.answers = lambda asked: Said({}, 403) if asked.params.get("from") == "6" else by_cursor(asked)
    made = source(far_side, tmp_path / "keep", resource)
    failure(made)
    far_side.asked.clear()
    far_side.answers = by_cursor
    assert accounts(made) == list("1234567")
    assert [asked.params for asked in far_side.asked] == [{"from": "6"}]


def test_a_place_that_is_too_old_means_from_the_beginning(far_side, tmp_path):
    resource = companies(paging=Paging(PagingKind.CURSOR, next="$.meta.next", param="from"))
    made = source(far_side, tmp_path, resource)
    far_side.answers = lambda asked: Said({}, 403) if asked.params.get("from") == "3" else by_cursor(asked)
    failure(made)
    far_side.asked.clear()
    refused = []

    def answers(asked):
        if asked.params.get("from") == "3" and not refused:
            refused.append(asked)
            return Said({"error": "cursor expired"}, 410)
        return by_cursor(asked)

    far_side.answers = answers
    assert accounts(made) == list("1234567")
    assert len(far_side.asked) == 4


def test_what_is_not_listed_any_more_is_gone(far_side, tmp_path):
    made = source(far_side, tmp_path)
    far_side.answers = lambda asked: Said({"data": COMPANIES})
    said(made)
    far_side.answers = lambda asked: Said({"data": COMPANIES[3:]})
    assert accounts(made) == list("4567")


def changing(there):
    def answers(asked):
        since = asked.params.get("updated_since", "")
        return Said({"data": [one for one in there if one["seen"] >= since]}, headers={
            "Date": "Sat, 31 Jan 2026 10:00:00 GMT"})
    return answers


def test_only_what_changed_is_asked_for_and_the_answer_is_the_same(far_side, tmp_path):
    resource = companies(changes=Changes("updated_since", overlap=60, whole_every=0), deleted={"$.gone": "true"})
    there = [dict(one) for one in COMPANIES]
    far_side.answers = changing(there)
    made = source(far_side, tmp_path, resource)
    said(made)
    assert far_side.asked[0].params == {}
    there[0] |= {"seats": 99, "seen": "2026-01-31T11:00:00Z"}
    there[1] |= {"gone": True, "seen": "2026-01-31T11:00:00Z"}
    rows = said(made)
    assert far_side.asked[1].params == {"updated_since": "2026-01-31T09:59:00Z"}
    assert sorted(rows, key=str) == sorted(said(source(far_side, None, resource)), key=str)
    assert {row["account"]: row["seats_total"] for row in rows}["1"] == 99
    assert len(rows) == 6


def test_everything_is_asked_for_now_and_then(far_side, tmp_path):
    resource = companies(changes=Changes("since", TimeForm.UNIX, whole_every=7))
    far_side.answers = lambda asked: Said({"data": COMPANIES}, headers={"Date": "Sat, 31 Jan 2026 10:00:00 GMT"})
    made = source(far_side, tmp_path, resource)
    said(made)
    far_side.answers = lambda asked: Said({"data": COMPANIES[1:]})
    assert "1" not in accounts(made)                 # by our clock, January 2026 is longer ago than seven days
    assert [asked.params for asked in far_side.asked] == [{}, {}]


def test_today_is_the_day_where_a_record_has_none(far_side):
    far_side.answers = lambda asked: Said({"data": COMPANIES[:1]})
    made = source(far_side, rows=Rows("companies", "key"))
    today = datetime.now(UTC).date()
    assert said(made, until=today)[0]["as_of"] == today
    assert said(made, until=DAY) == []               # what is so today was not so then


def test_two_records_of_one_account_and_day_are_refused(far_side):
    far_side.answers = lambda asked: Said({"data": [COMPANIES[0] | {"id": "x"}, COMPANIES[0] | {"id": "y"}]})
    resource = Resource("companies", records="$.data", texts={"key": "$.segment", "segment": "$.segment"},
                        times={"seen": "$.seen"})
    assert failure(source(far_side, resource=resource)) == (
        "crm: record x and record y both speak of growth on 2026-01-01.")


def test_records_of_nobody_are_counted(far_side):
    far_side.answers = lambda asked: Said({"data": [*COMPANIES, {"id": 8, "seen": "2026-01-01"}]})
    resource = Resource("companies", records="$.data", texts={"key": "$.segment", "segment": "$.segment"},
                        times={"seen": "$.seen"})
    made = source(far_side, resource=resource)
    said(made)
    assert [str(one) for one in made.noticed] == ["crm: 1 of 8 records of companies name no account and are left out."]


def test_records_of_days_to_come_are_counted(far_side):
    far_side.answers = lambda asked: Said({"data": [COMPANIES[0], COMPANIES[1] | {"seen": "2062-01-05"}]})
    made = source(far_side)
    assert [row["account"] for row in said(made)] == ["1"]
    assert [str(one) for one in made.noticed] == [
        "crm: 1 of its rows are of days to come, from 2062-01-05 on, and are left out. Correct the day there, or let "
        "them wait until then."]


def test_a_keep_that_is_damaged_or_of_other_settings_costs_time_only(far_side, tmp_path):
    far_side.answers = lambda asked: Said({"data": COMPANIES})
    said(source(far_side, tmp_path))
    (tmp_path / "records.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert len(accounts(source(far_side, tmp_path))) == 7
    other = companies(deleted={"$.id": "3"})
    assert len(accounts(source(far_side, tmp_path, other))) == 6


WRONG = {
    "auth": (lambda: Auth(AuthKind.BEARER), "`auth` is bearer and has no token."),
    "cursor": (lambda: Paging(PagingKind.CURSOR, param="x"), "`paging` by cursor has neither `next` nor `after`."),
    "page": (lambda: Paging(PagingKind.PAGE), "`paging` by page has no `param`."),
    "twice": (lambda: Resource("x", texts={"a": "$.a"}, times={"a": "$.b"}), "the column a of x is there twice."),
    "nothing": (lambda: HttpSettings("https://x.example", {"a": Resource("a")}), "it must say what the records mean"),
    "as_of": (lambda: HttpSettings("https://x.example", {"a": Resource("a", texts={"k": "$.k"})},
                                   rows=Rows("a", "k", as_of="k")), "k is none of the `times` of a."),
}


@pytest.mark.parametrize(("make", "sentence"), WRONG.values(), ids=WRONG)
def test_settings_that_disagree(make, sentence):
    with pytest.raises(ValueError) as caught:
        make()
    assert caught.value.args[0].startswith(sentence)
    assert caught.value.args[1]


@pytest.mark.parametrize(("url", "sentence"), [
    ("ftp://x.example", "`url` of the source crm is no address of an API"),
    ("https://me:pw@x.example", "`url` of the source crm is no address of an API"),
    ("http://x.example", "`url` of the source crm is not encrypted"),
])
def test_addresses_that_are_refused(url, sentence):
    made = HttpSource("crm", HttpSettings(url, {"a": companies()}, rows=Rows("a", "key")), CATALOGUE, None)
    with pytest.raises(SourceError, match=sentence):
        said(made)


def test_a_path_that_is_no_json_path(far_side):
    made = source(far_side, resource=companies(paging=Paging(PagingKind.LINK, next="next page")))
    with pytest.raises(SourceError, match="`resources` of the source crm: next page is no JSON path"):
        made.supplies()


def test_it_says_how_far_it_is(far_side):
    told = []
    far_side.answers = by_cursor
    made = source(far_side, resource=companies(paging=PAGINGS["cursor"][0]))
    made.progress = lambda *how_far: told.append(how_far)
    said(made)
    assert told == [("crm: pages of companies", 1, 2), ("crm: pages of companies", 2, 3),
                    ("crm: pages of companies", 3, 3)]


def test_odd_signs_and_numbers_do_no_harm(far_side):
    far_side.answers = lambda asked: Said(
        b'{"data": [{"id": 1, "seats": 1e999, "segment": "\\ud800 and \\ud83d\\ude00", "seen": 1767225600}]}')
    (row,) = said(source(far_side))
    assert (row["seats_total"], row["segment"]) == (None, "? and \U0001f600")


@pytest.mark.parametrize(("given", "sentence"), [
    ({"seats": 10**400}, "record 1: seats_total ($.seats) holds 100000000000000000000000000000000000000… where a"),
    ({"seen": 10**400}, "record 1: seen ($.seen) holds 100000000000000000000000000000000000000… where a time belongs"),
    ({"seen": "0001-01-01T00:00:00+14:00"}, 'record 1: seen ($.seen) holds "0001-01-01T00:00:00+14:00" where a time'),
    ({"segment": {"a": 1}}, 'record 1: segment ($.segment) holds {"a": 1} where a text belongs.'),
    ({"opt_out": "maybe"}, 'record 1: email_opt_out ($.opt_out) holds "maybe" where a flag belongs.'),
], ids=["number", "time", "zone", "text", "flag"])
def test_values_that_cannot_be(far_side, given, sentence):
    far_side.answers = lambda asked: Said({"data": [COMPANIES[0] | given]})
    assert sentence in failure(source(far_side))


def test_two_records_with_one_id_are_refused(far_side):
    far_side.answers = lambda asked: Said({"data": [COMPANIES[0], COMPANIES[1] | {"id": 1}]})
    assert failure(source(far_side)) == "crm /v2/companies page 1: two different records of this page have the $.id 1."


def test_an_answer_in_ever_smaller_pieces_ends_in_time(far_side, pauses):
    far_side.answers = lambda asked: Said({"data": COMPANIES}, drip=0.02)
    assert failure(source(far_side, timeout=0.1, retries=0)) == (
        "crm /v2/companies page 1: no whole answer came within 0.1 seconds.")


def test_a_keep_that_another_process_has_is_left_alone(far_side, tmp_path, monkeypatch):
    far_side.answers = lambda asked: Said({"data": COMPANIES})
    made = source(far_side, tmp_path)
    said(made)
    monkeypatch.setattr(kept, "PATIENCE", 0.01)
    other = sqlite3.connect(tmp_path / "records.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert failure(made) == "crm: what was fetched cannot be kept (database is locked)."
    other.execute("ROLLBACK")
    other.close()
    assert len(said(made)) == 7


def test_values_that_are_kept_as_they_are_may_become_texts(far_side):
    far_side.answers = lambda asked: Said({"data": [COMPANIES[0] | {"tags": ["a", "ä"]}]})
    resource = Resource("companies", records="$.data", texts={"key": "$.id"}, values={"segment": "$.tags"},
                        times={"seen": "$.seen"})
    assert said(source(far_side, resource=resource))[0]["segment"] == '["a","ä"]'


def test_an_import_is_told_how_far_it_is(far_side, tmp_path):
    told = []
    far_side.answers = lambda asked: Said({"data": COMPANIES})
    import_all(History(tmp_path), [source(far_side)], Catalogue(CATALOGUE, Roles()), DAY, 14,
               lambda *how_far: told.append(how_far))
    assert ("crm: pages of companies", 1, 1) in told
