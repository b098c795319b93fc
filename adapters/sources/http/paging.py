"""How one page leads to the next. Decides only; asks nobody."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from forestall.adapters.sources.http.asking import Answer
from forestall.adapters.sources.http.described import Paging, PagingKind, TimeForm
from forestall.adapters.sources.http.reading import one_of
from forestall.adapters.sources.http.troubles import Place


@dataclass(frozen=True, slots=True)
class Turn:
    """One page to ask for: its address, the parameters, its number from 1, and how many records came before it."""

    url: str
    params: Mapping[str, str]
    number: int = 1
    before: int = 0

    def written(self) -> str:
        """As a text that `read` understands, to go on after a failure."""
        return json.dumps([self.url, dict(self.params), self.number, self.before])

    @classmethod
    def read(cls, text: str) -> Turn:
        """What `written` wrote."""
        url, params, number, before = json.loads(text)
        return cls(url, params, number, before)


@dataclass(slots=True)
class Walk:
    """The pages of one list, in their order; notices one that comes again. `opening` are parameters of the first page
    that a cursor replaces.
    """

    paging: Paging
    opening: tuple[str, ...] = ()
    _marks: set[str] = field(default_factory=set)
    _turns: set[str] = field(default_factory=set)

    def first(self, url: str, params: Mapping[str, str]) -> Turn:
        """The first page."""
        asked = dict(params)
        if self.paging.size_param:
            asked[self.paging.size_param] = str(self.paging.size)
        if self.paging.by is PagingKind.PAGE:
            asked[self.paging.param] = str(self.paging.first)
        if self.paging.by is PagingKind.OFFSET:
            asked[self.paging.param] = "0"
        return Turn(url, asked)

    def following(self, turn: Turn, answer: Answer, records: list[dict[str, Any]], place: Place) -> Turn | None:
        """The page after this one, or None. SourceError when the same page comes again and again."""
        if records:
            mark = hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()
            if mark in self._marks:
                raise _repeated(place)
            self._marks.add(mark)
        ahead = self._ahead(turn, answer, records, place)
        if ahead is None:
            return None
        asked = json.dumps([ahead.url, dict(ahead.params)])
        if asked in self._turns:
            raise _repeated(place)
        self._turns.add(asked)
        return replace(ahead, number=turn.number + 1, before=turn.before + len(records))

    def cursor(self, answer: Answer) -> str:
        """The cursor that an answer names, "" for none."""
        found = one_of(answer.document, self.paging.next)
        return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""

    def _ahead(self, turn: Turn, answer: Answer, records: list[dict[str, Any]], place: Place) -> Turn | None:
        paging = self.paging
        if paging.by is PagingKind.NONE or (paging.done and one_of(answer.document, paging.done)):
            return None
        if paging.more and not one_of(answer.document, paging.more):
            return None
        found = one_of(answer.document, paging.next)
        if found is True or not isinstance(found, str | int | None):
            raise place.fault("http-page", f"{paging.next} holds something else than a text or number.",
                              "Correct `next` of `paging`: it must lead to the cursor or the address itself.")
        if paging.by is PagingKind.LINK:
            link = self.cursor(answer) if paging.next else answer.link
            try:
                return Turn(urljoin(answer.url, link), {}) if link else None
            except ValueError:                # it is no address: whoever asks for it says so
                return Turn(link, {})
        if paging.by is PagingKind.CURSOR:
            cursor = self.cursor(answer)
            if paging.after:
                last = one_of(records[-1], paging.after) if records else None
                cursor = "" if last is None else str(last)
            kept = {name: value for name, value in turn.params.items() if name not in self.opening}
            return Turn(turn.url, kept | {paging.param: cursor}) if cursor else None
        # A page with fewer records than were asked for need not be the last: many APIs give fewer than one asks for.
        if not records:
            return None
        number = paging.first + turn.number if paging.by is PagingKind.PAGE else turn.before + len(records)
        return Turn(turn.url, {**turn.params, paging.param: str(number)})


def written_time(when: datetime, form: TimeForm) -> str:
    """A time as a parameter has it."""
    when = when.astimezone(UTC)
    if form is TimeForm.UNIX:
        return str(max(int(when.timestamp()), 0))
    return when.date().isoformat() if form is TimeForm.DATE else when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _repeated(place: Place) -> Exception:
    return place.fault("http-page", "the same page came again, so nobody can tell where the list ends.",
                         "Correct `paging` of this resource: its `param` may be ignored there.")
