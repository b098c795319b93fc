"""How an API is described: what is asked, how pages follow each other, and what a record says."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from forestall.adapters.sources.daily.declared import Daily
from forestall.engine.model.ports import Secret

NOTHING = ""               # the path of a list that is not asked for and has no records
ID = "id"                  # the column of every resource that tells its records apart


class AuthKind(StrEnum):
    """How a request shows who asks."""

    BEARER = "bearer"      # Authorization: Bearer TOKEN
    BASIC = "basic"        # a user and a password
    KEY = "key"            # a key in a header or a parameter of its own
    OAUTH = "oauth"        # OAuth 2.0, client credentials: a token is fetched, and fetched again when it ends


NEEDED = {AuthKind.BEARER: ("token",), AuthKind.BASIC: ("user", "password"), AuthKind.KEY: ("token", "name"),
          AuthKind.OAUTH: ("token_url", "client_id", "client_secret")}


@dataclass(frozen=True, slots=True)
class Auth:
    """`kind` says which of the others are needed: bearer: token; basic: user, password; key: name, token; oauth:
    token_url, client_id, client_secret, scope. `sent_as` is `header` or `parameter`: how a key travels, and how the
    client's name and secret travel to token_url.
    """

    kind: AuthKind
    token: Secret | None = None
    user: str = ""
    password: Secret | None = None
    name: str = "X-API-Key"
    sent_as: str = "header"
    token_url: str = ""
    client_id: str = ""
    client_secret: Secret | None = None
    scope: str = ""

    def __post_init__(self) -> None:
        missing = [name for name in NEEDED[self.kind] if not getattr(self, name)]
        if missing:
            raise ValueError(f"`auth` is {self.kind.value} and has no {' and no '.join(missing)}.",
                             f"Add {', '.join(missing)}.")
        if self.sent_as not in ("header", "parameter"):
            raise ValueError(f"`sent_as` of `auth` is {self.sent_as}.", "Write header or parameter.")


class PagingKind(StrEnum):
    """How one page leads to the next."""

    NONE = "none"          # there is one page
    CURSOR = "cursor"      # a value of the answer is sent with the next question
    LINK = "link"          # the answer names the next address, in its body or in its Link header
    PAGE = "page"          # pages are counted
    OFFSET = "offset"      # records are counted


@dataclass(frozen=True, slots=True)
class Paging:
    """`next` is the JSON path of the cursor or link ("" with link: the Link header); `param` carries cursor, number or
    offset. `size_param` asks for `size` records. `more` is the path of a flag that is true while there is more, `done`
    of one that is true at the end. `after` is the path, in the last record, of what serves as cursor.
    """

    by: PagingKind = PagingKind.NONE
    next: str = ""
    after: str = ""
    param: str = ""
    size_param: str = ""
    size: int = 100
    first: int = 1
    more: str = ""
    done: str = ""
    shorthand: ClassVar[str] = "by"

    def __post_init__(self) -> None:
        if self.by in (PagingKind.CURSOR, PagingKind.PAGE, PagingKind.OFFSET) and not self.param:
            raise ValueError(f"`paging` by {self.by.value} has no `param`.",
                             "Add the name of the parameter that carries it.")
        if self.by is PagingKind.CURSOR and not (self.next or self.after):
            raise ValueError("`paging` by cursor has neither `next` nor `after`.",
                             "Add the JSON path of the cursor, like `next: $.meta.next_cursor`.")


class TimeForm(StrEnum):
    """How a time is written in a parameter."""

    ISO = "iso"            # 2026-01-31T00:00:00Z
    DATE = "date"          # 2026-01-31
    UNIX = "unix"          # seconds since 1970


@dataclass(frozen=True, slots=True)
class Changes:
    """How to ask only for what changed: `param` carries a time in the form `written`: when we last began to ask, by the
    clock of the far side, `overlap` seconds earlier.

    With `kept_cursor` the cursor of the last page goes on next time instead, and `param` is for the first time only.
    `always`: the API wants `param` also when all is asked for, which is then since 1970. `whole_every` days all is
    asked for anew (0: never), which notices what was deleted where the API does not say so.
    """

    param: str
    written: TimeForm = TimeForm.ISO
    overlap: int = 300
    kept_cursor: bool = False
    always: bool = False
    whole_every: int = 7


@dataclass(frozen=True, slots=True)
class Resource:
    """One list of the API: where it is, which part of an answer are its records, and what is kept of a record.

    `records` and `id` are JSON paths, as is every value of the five maps that follow, which name what is kept: in the
    column NAME a text, number, flag, time, or whatever stands there. `required` names columns that are never empty.
    `deleted` maps paths to the text that marks a record as deleted (`*`: any value but null and false).
    `start` is the parameter that carries `start` of the source, when all is asked for. `one` is the address of one
    record, with `{id}`, for a source with a `feed`; `one_params` go with it.
    """

    path: str
    records: str = "$"
    id: str = "$.id"
    params: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)
    times: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    deleted: dict[str, str] = field(default_factory=dict)
    paging: Paging = field(default_factory=Paging)
    changes: Changes | None = None
    start: str = ""
    start_written: TimeForm = TimeForm.ISO
    one: str = ""
    one_params: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = [*self.texts, *self.numbers, *self.flags, *self.times, *self.values]
        twice = [column for column in columns if columns.count(column) > 1 or column == ID]
        if twice:
            raise ValueError(f"the column {twice[0]} of {self.path} is there twice.", "Give it another name.")
        strange = [column for column in self.required if column not in columns]
        if strange:
            raise ValueError(f"`required` of {self.path} names {strange[0]}, which is no column of it.",
                             "Correct `required`, or add the column.")
        if self.changes is not None and self.changes.kept_cursor and self.paging.by is not PagingKind.CURSOR:
            raise ValueError(f"`changes` of {self.path} keeps a cursor, and its pages have none.",
                             "Write `by: cursor` below `paging`, or take `kept_cursor` away.")


@dataclass(frozen=True, slots=True)
class Feed:
    """A list of what happened, which tells what changed: each such record is fetched anew by `one` of its resource.

    `kind` and `id` are the paths, in an entry, of the kind and the id of what changed; `kinds` maps kinds to resources.
    `param` carries the time from which to ask. Entries are there for `lasts` days: after a longer break everything is
    asked for again.
    """

    path: str
    param: str
    kind: str
    id: str
    kinds: dict[str, str]
    records: str = "$"
    params: dict[str, str] = field(default_factory=dict)
    paging: Paging = field(default_factory=Paging)
    written: TimeForm = TimeForm.UNIX
    lasts: int = 25


@dataclass(frozen=True, slots=True)
class Api:
    """Everything that is needed to fetch: the address that all paths start from, who asks, and how fast.

    `hosts` are further hosts that links may lead to; `rate` is the most requests in a minute (0: no limit of ours);
    `patience` the seconds that one request may be waited for in all, its retries included.
    """

    url: str
    resources: dict[str, Resource]
    auth: Auth | None = None
    feed: Feed | None = None
    headers: dict[str, str] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    start: str = ""
    rate: int = 0
    timeout: float = 60.0
    retries: int = 5
    patience: float = 900.0
    unencrypted: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """Each record of the resource `of` is what one account is: `account` and `as_of` are columns of it.

    Without `as_of` it is what the account is today. `through`, written RESOURCE.COLUMN, says that `account` is the id
    of a record of that resource, whose column names the account.
    """

    of: str
    account: str
    as_of: str = ""
    through: str = ""


@dataclass(frozen=True, slots=True)
class Happening:
    """Each record of the resource `of` is something that happened to an account at the time in the column `at`, if
    there is one. `name` is what it is called, or with `name_in` what that column says. `through` as in Rows.
    """

    of: str
    account: str
    at: str
    name: str = ""
    name_in: str = ""
    through: str = ""


@dataclass(frozen=True, slots=True)
class HttpSettings(Api):
    """An API, and what its records say of accounts: `rows`, or the rows of a `query`, or a `log` with `daily` metrics.

    `query` is a SELECT of DuckDB over tables with the names of the resources, with columns account, as_of and those
    that `gives` lists; it knows the table asked(since, until), the days asked for, and the function day_of(time). The
    rows of `problems` and `notices`, two more such queries, are sentences: those stop the run, these are shown.
    `metrics` names the column of a metric where it is not the metric's own name. `time_zone` is where a day ends;
    empty: that of forestall.yaml.
    """

    rows: Rows | None = None
    log: tuple[Happening, ...] = ()
    daily: Daily | None = None
    query: str = ""
    gives: tuple[str, ...] = ()
    problems: str = ""
    notices: str = ""
    metrics: dict[str, str] = field(default_factory=dict)
    time_zone: str = ""

    def __post_init__(self) -> None:
        if not self.rows and not self.query and not self.daily:
            raise ValueError("it must say what the records mean: `rows`, or `log` and `daily`, or `query`.",
                             "Add one of them, and not both `rows` and `query`.")
        if self.rows and self.query:
            raise ValueError("`rows` and `query` cannot both be there.", "Keep one of them.")
        if bool(self.query) != bool(self.gives):
            raise ValueError("`query` and `gives` belong together.", "List the columns of the query that are metrics.")
        if self.daily and not self.log:
            raise ValueError("`daily` needs a `log`.", "Say with `log` which records are happenings.")
        if self.log and not self.daily and not self.query:
            raise ValueError("`log` needs `daily`.", "Declare with `daily` what becomes of it.")
        if not self.resources:
            raise ValueError("`resources` is empty.", "Add at least one.")
        for one in (self.rows, *self.log):
            if one is not None:
                self._check(one)

    def _check(self, one: Rows | Happening) -> None:
        resource = self.resources.get(one.of)
        if resource is None:
            raise ValueError(f"`of: {one.of}` is none of the resources.", f"There are {', '.join(self.resources)}.")
        times = [one.at] if isinstance(one, Happening) else [one.as_of] if one.as_of else []
        for column in times:
            if column not in resource.times:
                raise ValueError(f"{column} is none of the `times` of {one.of}.", "Add it there, with its JSON path.")
        other, _, column = one.through.partition(".")
        if one.through and column not in self.resources.get(other, Resource("")).texts:
            raise ValueError(f"`through: {one.through}` is no column of texts.", "Write it like companies.account.")
        if one.account not in resource.texts and one.account != ID:
            raise ValueError(f"`account: {one.account}` is none of the `texts` of {one.of}.", "Add it there.")
