"""Bring what is kept up to date: walk through the pages of every resource, or only through what changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

from forestall.adapters.sources.http.asking import Answer, Asker
from forestall.adapters.sources.http.described import NOTHING, Api, PagingKind, Resource
from forestall.adapters.sources.http.kept import Kept, Reached, moment_of
from forestall.adapters.sources.http.paging import Turn, Walk, written_time
from forestall.adapters.sources.http.reading import Record, fields_of, one_of, record, records_of
from forestall.adapters.sources.http.troubles import Place, Progress, Refusal, setting_error

GOES_ON = timedelta(hours=1)             # a walk that broke off is gone on with for so long, …
GOES_ON_WITH_CHANGES = timedelta(days=7)      # … or for so long where what changed meanwhile is asked for afterwards
STEADY = (PagingKind.CURSOR, PagingKind.LINK)      # pages that mean the same later
CURSOR_REFUSED = (400, 404, 410, 422)    # what far sides say to a cursor that is too old for them
ONE_BY_ONE = 1_000                       # changed records that are fetched one by one; if more, the list is read anew
OVERLAP = timedelta(hours=1)             # that a feed is asked for again
GONE = (404, 410)


class Fetcher:
    """Fetches for one source. `now` is only used to judge how old things are that were kept."""

    def __init__(self, source: str, api: Api, asker: Asker, kept: Kept, now: datetime, progress: Progress) -> None:
        self._source, self._api, self._asker, self._kept, self._now = source, api, asker, kept, now
        self._progress = progress
        self._start = start_of(source, api)

    def bring_up_to_date(self) -> None:
        """Ask for everything that is needed. After a SourceError the next run goes on from there."""
        feed = self._api.feed
        through = moment_of(self._kept.note("feed through"))
        if feed is None:
            for name, resource in self._api.resources.items():
                if resource.path != NOTHING:
                    self._resource(name, resource)
        elif through is None or self._now - through > timedelta(days=feed.lasts):
            self._all_of_feed()
        else:
            self._changed(through)

    def _all_of_feed(self) -> None:
        """Read every list; what changes meanwhile will be in the feed from the moment at which we began."""
        began = moment_of(self._kept.note("feed begun"))
        if began is None or self._now - began > GOES_ON_WITH_CHANGES:
            for name in self._api.resources:
                self._kept.forget(name)
            self._kept.put_note("feed begun", self._now.isoformat())
        for name, resource in self._api.resources.items():
            if not self._kept.progress(name).whole_at:
                self._walk(name, resource, whole=True)
        self._kept.put_note("feed through", self._kept.note("feed begun"))
        self._kept.put_note("feed begun", "")

    def _changed(self, through: datetime) -> None:
        """Read the feed, and then each record that it names."""
        feed = self._api.feed
        assert feed is not None
        walk, url = Walk(feed.paging), self._asker.address(feed.path)
        params = {**feed.params, feed.param: written_time(through - OVERLAP, feed.written)}
        turn: Turn | None = walk.first(url, params)
        began, named = "", dict[tuple[str, str], None]()
        while turn is not None:
            place = self._place(turn)
            answer = self._asked(turn, place)
            began = began or answer.said_at.isoformat()
            entries = records_of(answer.document, feed, place)
            for row, entry in enumerate(entries, start=1):
                kind, identity = one_of(entry, feed.kind), one_of(entry, feed.id)
                if not isinstance(kind, str) or not isinstance(identity, str | int):
                    raise place.fault("http-record", f"record {row} does not say what changed ({feed.kind}, "
                                        f"{feed.id}).", "Correct `kind` and `id` of the feed.")
                if kind in feed.kinds:
                    named[feed.kinds[kind], str(identity)] = None
            turn = walk.following(turn, answer, entries, place)
        for name, resource in self._api.resources.items():
            ids = [identity for of, identity in named if of == name]
            if len(ids) > ONE_BY_ONE or (ids and not resource.one):
                self._walk(name, resource, whole=True)
            else:
                self._one_by_one(name, resource, ids)
        self._kept.put_note("feed through", began)

    def _one_by_one(self, name: str, resource: Resource, ids: list[str]) -> None:
        fields = fields_of(resource)
        for done, identity in enumerate(ids):
            self._progress(f"{self._source}: changed {name}", done, len(ids))
            path = resource.one.replace("{id}", quote(identity, safe=""))
            turn = Turn(self._asker.address(path), resource.one_params)
            place = Place(self._source, urlsplit(turn.url).path)
            try:
                found = self._asker.get(turn.url, turn.params, place).document
            except Refusal as refusal:
                if refusal.status not in GONE:
                    raise refusal.error(place) from None
                made = Record(identity, None)
            else:
                if not isinstance(found, dict):
                    raise place.fault("http-page", "the answer is no record.", "Correct `one` of this resource.")
                made = record(found, resource, fields, place, 1)
            self._kept.add(name, [made], self._kept.progress(name))

    def _resource(self, name: str, resource: Resource) -> None:
        progress, changes = self._kept.progress(name), resource.changes
        whole = changes is None or not progress.whole_at
        if changes is not None and changes.whole_every and not whole:
            last = moment_of(progress.whole_at)
            whole = last is None or self._now - last > timedelta(days=changes.whole_every)
        self._walk(name, resource, whole)

    def _walk(self, name: str, resource: Resource, whole: bool) -> None:
        """All pages of one list, from where an earlier walk broke off if that still means the same."""
        before = self._kept.progress(name)
        goes_on = GOES_ON_WITH_CHANGES if resource.changes or self._api.feed else GOES_ON
        begun = moment_of(before.begun_at)
        broken_off = bool(before.turn) and begun is not None and self._now - begun < goes_on
        if broken_off and (before.whole or not whole) and resource.paging.by in STEADY:
            try:
                return self._pages(name, resource, before, Turn.read(before.turn))
            except Refusal:
                pass                      # the place where we stopped means nothing there any more: from the beginning
        progress = replace(before, turn="", whole=whole, round=before.round + 1, begun_at="")
        changes = resource.changes
        if not whole and changes is not None and changes.kept_cursor and before.cursor:
            turn = Turn(self._asker.address(resource.path), {**resource.params, resource.paging.param: before.cursor})
            if resource.paging.size_param:
                turn = replace(turn, params={**turn.params, resource.paging.size_param: str(resource.paging.size)})
            try:
                return self._pages(name, resource, progress, turn)
            except Refusal as refusal:
                if refusal.status not in CURSOR_REFUSED:
                    raise refusal.error(self._place(turn)) from None
                progress = replace(progress, whole=True)          # the cursor is too old: all of it, once more
        turn = self._first(resource, progress)
        try:
            return self._pages(name, resource, progress, turn)
        except Refusal as refusal:
            raise refusal.error(self._place(turn)) from None

    def _first(self, resource: Resource, progress: Reached) -> Turn:
        """The first page of a new walk."""
        params, changes = dict(resource.params), resource.changes
        if changes is not None and not progress.whole:
            since = moment_of(progress.asked_through) or self._start
            params[changes.param] = written_time(since - timedelta(seconds=changes.overlap), changes.written)
        elif resource.start and self._api.start:
            params[resource.start] = written_time(self._start, resource.start_written)
        elif changes is not None and changes.always:
            params[changes.param] = written_time(datetime(1970, 1, 1, tzinfo=UTC), changes.written)
        return _walk_of(resource).first(self._asker.address(resource.path), params)

    def _pages(self, name: str, resource: Resource, progress: Reached, turn: Turn) -> None:
        """Every page from this one on, each kept with the place of the next. Refusal only for the first of them."""
        walk, fields = _walk_of(resource), fields_of(resource)
        first, pages = True, 0
        ahead: Turn | None = turn
        while ahead is not None:
            place = self._place(ahead)
            try:
                answer = self._asker.get(ahead.url, ahead.params, place)
            except Refusal as refusal:
                if first:
                    raise
                raise refusal.error(place) from None
            found = records_of(answer.document, resource, place)
            made = [record(one, resource, fields, place, row) for row, one in enumerate(found, start=1)]
            _check_ids(made, resource, place)
            first = False
            begun = progress.begun_at or answer.said_at.astimezone(UTC).isoformat()
            kept_cursor = resource.changes is not None and resource.changes.kept_cursor
            cursor = (walk.cursor(answer) if kept_cursor else "") or progress.cursor
            ahead = walk.following(ahead, answer, found, place)
            ahead = replace(ahead, url=self._asker.bare(ahead.url)) if ahead else None
            progress = replace(progress, begun_at=begun, cursor=cursor, turn=ahead.written() if ahead else "")
            self._kept.add(name, made, progress)
            pages += 1
            self._progress(f"{self._source}: pages of {name}", pages, pages + (ahead is not None))
        done = replace(progress, turn="", asked_through=progress.begun_at,
                       whole_at=progress.begun_at if progress.whole else progress.whole_at)
        self._kept.finish(name, done)

    def _asked(self, turn: Turn, place: Place) -> Answer:
        try:
            return self._asker.get(turn.url, turn.params, place)
        except Refusal as refusal:
            raise refusal.error(place) from None

    def _place(self, turn: Turn) -> Place:
        try:
            path = urlsplit(turn.url).path
        except ValueError:
            path = ""
        return Place(self._source, path, turn.number)


def start_of(source: str, api: Api) -> datetime:
    """The day from which records are asked for; without one, 1970."""
    try:
        return datetime.fromisoformat(api.start or "1970-01-01").replace(tzinfo=UTC)
    except ValueError:
        raise setting_error("http-settings", f"`start` of the source {source} is no day: {api.start}.",
                            "Write it like 2024-01-31.") from None


def _check_ids(records: list[Record], resource: Resource, place: Place) -> None:
    """SourceError when two different records of a page have the same id: one of them would be lost."""
    seen: dict[str, Record] = {}
    for one in records:
        if seen.setdefault(one.id, one) != one:
            raise place.fault("http-record", f"two different records of this page have the {resource.id} {one.id}.",
                              "Correct `id` of this resource: it must tell the records apart.")


def _walk_of(resource: Resource) -> Walk:
    changes = resource.changes
    return Walk(resource.paging, (changes.param,) if changes is not None and changes.kept_cursor else ())
