"""The tables of the state database."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

VERSION = 3      # one more for every release that adds tables or columns; see versions.py


class Moment(sa.types.TypeDecorator[datetime]):
    """A moment with a time zone, kept in UTC so that order in the database is order in time."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC, without its zone. ValueError for a moment that has none."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment in the state database needs a time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Back with its zone."""
        return None if value is None else value.replace(tzinfo=UTC)


# The same order on both databases, whatever language a server speaks.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

metadata = sa.MetaData()


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, primary_key=key, nullable=False)


def _added(name: str) -> sa.Column[str]:
    """A text that an older database does not have yet: empty there."""
    return sa.Column(name, TEXT, nullable=False, server_default="")


def _day(name: str, *, key: bool = False, optional: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Date, primary_key=key, nullable=optional)


def _number() -> sa.Column[int]:
    """Counts the rows in the order in which they came; they keep it for ever."""
    return sa.Column("id", sa.Integer, primary_key=True, autoincrement=True)


schema_version = sa.Table("forestall_schema", metadata, sa.Column("version", sa.Integer, primary_key=True))

passes = sa.Table(
    "passes", metadata,
    _number(), _day("day"), sa.Column("ran_at", Moment, nullable=False), _text("digest"), _text("scoring_digest"),
    sqlite_autoincrement=True,
)

known_triggers = sa.Table("known_triggers", metadata, _text("trigger", key=True), _day("since"))

tiers = sa.Table("tiers", metadata, _text("account", key=True), _text("tier"), _day("decided_on"))

alerts = sa.Table(
    "alerts", metadata,
    _text("account", key=True), _text("trigger", key=True), _text("status"), _day("opened_on"), _text("severity"),
    _day("closed_on", optional=True), sa.Column("silent", sa.Boolean, nullable=False), _day("out_since", optional=True),
    _day("acknowledged_on", optional=True), _added("acknowledged_by"), _day("snoozed_until", optional=True),
    _day("reminded_on", optional=True),
)

transitions = sa.Table(
    "transitions", metadata,
    _number(), _day("day"), _text("kind"), _text("digest"),
    _text("account"), _text("trigger"), _text("status"), _day("opened_on"), _text("severity"),
    _day("closed_on", optional=True), sa.Column("silent", sa.Boolean, nullable=False), _day("out_since", optional=True),
    _day("acknowledged_on", optional=True), _added("acknowledged_by"), _day("snoozed_until", optional=True),
    _day("reminded_on", optional=True),
    sa.UniqueConstraint("account", "trigger", "day", "kind", "opened_on"),
    sqlite_autoincrement=True,
)

# What people, customers and sources said about accounts: for good, and each once (`key`).
answers = sa.Table(
    "answers", metadata,
    _number(), sa.Column("key", TEXT, nullable=False, unique=True),
    _text("account"), _text("play"), _text("group"), _day("occurrence", optional=True), _text("trigger"),
    _text("kind"), _text("by"), sa.Column("at", Moment, nullable=False), _day("day"), _text("source"),
    sa.Column("revenue", sa.Float), _text("reason"), _text("note"), _day("until", optional=True),
    _added("address"),
    sa.Index("answers_by_account", "account"), sqlite_autoincrement=True,
)

runs = sa.Table(
    "runs", metadata,
    _text("account", key=True), _text("play", key=True), _text("group", key=True), _day("occurrence", key=True),
    _text("severity"), _text("status"), _text("digest"), sa.Column("step", sa.Integer, nullable=False),
    _day("next_on", optional=True), _day("since", optional=True), _text("reason"), _text("outcome"),
    _day("until", optional=True), _day("met_on", optional=True),
    _day("began_on", optional=True), _day("done_on", optional=True), _added("done_by"),
    _day("due_on", optional=True), _day("told_on", optional=True), _day("escalated_on", optional=True),
)

# The steps of a play as they were when it began for somebody: whoever has begun goes on with them.
begun = sa.Table("begun", metadata, _text("play", key=True), _text("digest", key=True), _text("steps"))

silences = sa.Table(
    "silences", metadata,
    _text("account", key=True), _text("play", key=True), _text("group", key=True), _day("occurrence", key=True),
    _text("step", key=True), _text("reason", key=True), _day("first_day"), _day("last_day"), _text("detail"),
    sa.Index("silences_by_day", "last_day"),
)

approvals = sa.Table(
    "approvals", metadata,
    _number(), _text("play"), _day("given_on"), _text("given_by"), sa.Column("cancelled", sa.Boolean, nullable=False),
    _day("used_on", optional=True), sqlite_autoincrement=True,
)

starts = sa.Table(
    "starts", metadata,
    _text("play", key=True), _day("day", key=True), sa.Column("starts", sa.Integer, nullable=False),
)

# What the texts of many messages in the outbox share.
forms = sa.Table("forms", metadata, _text("name", key=True), _text("texts"))

outbox = sa.Table(
    "outbox", metadata,
    _number(), sa.Column("key", TEXT, nullable=False, unique=True),
    _text("account"), _text("play"), _text("group"), _day("occurrence"), _day("day"), _text("step"), _text("kind"),
    _text("channel"), _text("recipient"), _text("template"), sa.Column("to_customer", sa.Boolean, nullable=False),
    _text("severity"), _text("sender"), _text("sender_address"), _text("person"), _text("started_by"),
    sa.Column("not_before", Moment), sa.Column("quiet", TEXT, nullable=False, server_default=""),
    _day("due_on", optional=True),
    _text("message"), _added("form"), _text("destination"), _text("status"),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt", Moment), sa.Column("claimed_until", Moment), _text("claimed_by"),
    # Asked to be cancelled while a worker held it: it is not tried again.
    sa.Column("withdrawn", sa.Boolean, nullable=False),
    _text("detail"), _text("reference"), sa.Column("sent_at", Moment),
    # When sending began, on a channel on which a repeat would be worse than a question to a person.
    sa.Column("begun_at", Moment),
    sa.Index("outbox_by_status", "status", "next_attempt"),
    sa.Index("outbox_by_run", "account", "play", "occurrence"),
    sa.Index("outbox_by_day", "day"),
    sqlite_autoincrement=True,
)

# Every attempt to send a delivery, in order.
attempts = sa.Table(
    "attempts", metadata,
    _number(), _text("key"), sa.Column("at", Moment, nullable=False), _text("said"), _text("becomes"), _text("detail"),
    _text("reference"), sa.Column("again_at", Moment),
    sa.Index("attempts_by_key", "key"), sqlite_autoincrement=True,
)

# Channels, and destinations on them, that failed and are left in peace until then.
rests = sa.Table(
    "rests", metadata,
    _text("scope", key=True), sa.Column("until", Moment, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
)

# The rules by which any pass was made, each set once: its files by name, as compressed JSON.
rulesets = sa.Table("rulesets", metadata, _text("digest", key=True), sa.Column("files", sa.LargeBinary, nullable=False))

# What each pass went by and what it decided (decision_log.py). `heard` and `first_delivery` number the last answer and
# the last delivery that were there before it, `last_delivery` the last one of its own.
decision_log = sa.Table(
    "decision_log", metadata,
    sa.Column("pass_number", sa.Integer, primary_key=True, autoincrement=False), _text("version"),
    sa.Column("heard", sa.Integer, nullable=False), sa.Column("first_delivery", sa.Integer, nullable=False),
    sa.Column("last_delivery", sa.Integer, nullable=False), _text("basis"),
    # Whether the state that it began with is there whole, and not only what the passes before it do not tell.
    sa.Column("whole", sa.Boolean, nullable=False),
    sa.Column("decided", sa.LargeBinary, nullable=False),
)
