"""What arrives from outside, as answers: who says it is proved first, then it is kept, and then replied to."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from forestall.engine.errors import Location, SettingsError
from forestall.engine.model.delivery import MessageKind, OutboxRow, StartedBy
from forestall.engine.model.outcome import Answer, AnswerKind
from forestall.engine.model.people import bare_address
from forestall.engine.model.token import WEBHOOK_SECRET, key_of
from forestall.engine.runtime import store_path
from forestall.engine.settings import Settings
from forestall.engine.store import Store

SNOOZE = timedelta(days=7)                # how long a press on Snooze lasts
LONGEST = 2_000                           # characters of a note or a reason that a program writes
PRESSED: Mapping[str, AnswerKind] = {
    "acknowledge": AnswerKind.ACKNOWLEDGED, "snooze": AnswerKind.SNOOZED, "saved": AnswerKind.SAVED,
    "lost": AnswerKind.LOST}
TOLD = (AnswerKind.DONE, AnswerKind.ACKNOWLEDGED, AnswerKind.SAVED, AnswerKind.LOST, AnswerKind.EXPANDED,
        AnswerKind.REPLIED)


class Refused(Exception):
    """The request cannot be answered; the text says why, and holds nothing that it should not."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button in Slack. `message` is the message it stands in, `reply_to` where Slack takes a new form of it."""

    action: str
    key: str
    user: str
    name: str
    at: datetime
    message: Mapping[str, Any]
    reply_to: str


class Answering:
    """Keeps what was said in the state database."""

    def __init__(self, settings: Settings, now: Callable[[], datetime]) -> None:
        """SettingsError when a secret is not set."""
        self._settings, self._now = settings, now
        listen = settings.listen
        secrets = (listen.slack_secret, listen.done_secret, listen.unsubscribe_secret) if listen else (None,) * 3
        self._slack, self._done, self._leave = (one.reveal().strip() if one else "" for one in secrets)
        if self._done and not WEBHOOK_SECRET.fullmatch(self._done):
            raise SettingsError.one(Location(settings.file), "secret", "`done_secret` of `listen` is no base64.",
                                    "Use the whsec_… text of Standard Webhooks.")

    def pressed(self, body: bytes, headers: Mapping[str, str]) -> Pressed | None:
        """The button that was pressed; None for what needs no answer, such as a link. Refused unless Slack says so."""
        from slack_sdk.signature import Clock, SignatureVerifier

        class Ours(Clock):
            def now(_) -> float:
                return self._now().timestamp()

        if not self._slack:
            raise Refused(HTTPStatus.NOT_FOUND, "nobody listens for Slack here")
        try:
            signed = SignatureVerifier(self._slack, Ours()).is_valid_request(body, dict(headers))
        except (ValueError, TypeError):       # a time that is no number, letters that no signature has
            signed = False
        if not signed:
            raise Refused(HTTPStatus.UNAUTHORIZED, "the signature is not Slack's, or older than five minutes")
        try:
            said = json.loads(parse_qs(body.decode())["payload"][0])
            actions = [one for one in said.get("actions", ()) if one.get("action_id") in PRESSED]
            if said.get("type") != "block_actions" or not actions:
                return None
            user = said["user"]
            return Pressed(str(actions[0]["action_id"]), str(actions[0]["value"]), str(user["id"]),
                           str(user.get("name") or user.get("username") or user["id"]),
                           datetime.fromtimestamp(float(actions[0]["action_ts"]), UTC),
                           said.get("message") or {}, str(said.get("response_url") or ""))
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError, OSError):
            raise Refused(HTTPStatus.BAD_REQUEST, "the payload is not one of Slack's buttons") from None

    def press(self, pressed: Pressed) -> str:
        """Keep what the button says; a sentence about it. Pressed again at the same moment it counts once."""
        kind = PRESSED[pressed.action]
        person = next((one for one in self._settings.directory.people.values() if one.slack == pressed.user), None)
        day = self._day()
        until = day + SNOOZE if kind is AnswerKind.SNOOZED else None
        with Store.open(store_path(self._settings)) as store:
            row = _row(store, pressed.key)
            store.answer(_answer(row, kind, person.key if person else pressed.name, pressed.at, day, until=until))
        name = person.name if person else pressed.name
        return f"Snoozed until {until} by {name}" if until else f"{kind.value.capitalize()}: {name}"

    def done(self, body: bytes, headers: Mapping[str, str]) -> dict[str, object]:
        """Keep what a program says of a task: `key`, the webhook-id that came with it, and perhaps `kind`, `by`,
        `revenue`, `reason` and `note`.
        """
        from standardwebhooks import Webhook, WebhookVerificationError

        if not self._done:
            raise Refused(HTTPStatus.NOT_FOUND, "nobody listens for callbacks here")
        try:
            Webhook(self._done).verify(body, dict(headers))
            at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        except json.JSONDecodeError:
            raise Refused(HTTPStatus.BAD_REQUEST, "the body is no JSON") from None
        except (WebhookVerificationError, ValueError, LookupError, TypeError):
            raise Refused(HTTPStatus.UNAUTHORIZED, "the signature is not right, or older than five minutes") from None
        said = json.loads(body)
        if not isinstance(said, dict) or not all(isinstance(said.get(name, ""), str) for name in
                                                 ("key", "kind", "by", "reason", "note")):
            raise Refused(HTTPStatus.BAD_REQUEST, "key, kind, by, reason and note are texts")
        kind = next((one for one in TOLD if one.value == said.get("kind", AnswerKind.DONE.value)), None)
        revenue = said.get("revenue")
        if kind is None:
            raise Refused(HTTPStatus.BAD_REQUEST, f"kind is one of {', '.join(one.value for one in TOLD)}")
        if revenue is not None and (isinstance(revenue, bool) or not isinstance(revenue, int | float)
                                    or not math.isfinite(revenue)):
            raise Refused(HTTPStatus.BAD_REQUEST, "revenue is a number")
        with Store.open(store_path(self._settings)) as store:
            row = _row(store, said.get("key", ""))
            by = said.get("by", "")[:LONGEST] or row.delivery.person or row.delivery.channel
            applied = store.answer(_answer(
                row, kind, by, at, self._day(), revenue=None if revenue is None else float(revenue),
                reason=said.get("reason", "")[:LONGEST], note=said.get("note", "")[:LONGEST]))
        return {"version": 1, "kind": kind.value, "account": row.delivery.account, "play": row.delivery.play,
                "new": applied.new}

    def leaving(self, token: str) -> OutboxRow:
        """The email whose reader holds this token. Refused for a forged one, and for a colleague's message."""
        key = key_of(token, self._leave) if self._leave else None
        if key is None:
            raise Refused(HTTPStatus.NOT_FOUND, "this address is not one of ours")
        with Store.open(store_path(self._settings), read_only=True) as store:
            row = _row(store, key)
        if row.delivery.kind is not MessageKind.EMAIL or not row.delivery.to_customer:
            raise Refused(HTTPStatus.FORBIDDEN, "this message is part of your work: ask whoever keeps the rules")
        return row

    def leave(self, token: str) -> str:
        """Keep that this reader wants no email any more; their address. What waits for them is cancelled."""
        row = self.leaving(token)
        address = bare_address(row.delivery.recipient)
        with Store.open(store_path(self._settings)) as store:
            if address not in store.unsubscribed():
                store.answer(_answer(row, AnswerKind.UNSUBSCRIBED, address, self._now(), self._day(),
                                     source=StartedBy.CUSTOMER))
        return address

    def _day(self) -> date:
        return self._now().astimezone(self._settings.time_zone).date()


def _row(store: Store, key: str) -> OutboxRow:
    found = [row for row in store.named(key, 2) if row.delivery.key == key] if key else []
    if not found:
        raise Refused(HTTPStatus.NOT_FOUND, "no message has this key")
    return found[0]


def _answer(row: OutboxRow, kind: AnswerKind, by: str, at: datetime, day: date, **more: Any) -> Answer:
    about = row.delivery
    return Answer(about.account, kind, by, at, day, about.play, about.group, about.occurrence, **more)


def answered(message: Mapping[str, Any], action: str, sentence: str) -> list[dict[str, Any]]:
    """The blocks of a message in Slack with the sentence in it, and without the buttons that say nothing new."""
    gone = set(PRESSED) if action in ("saved", "lost") else {action}
    blocks: list[dict[str, Any]] = []
    for block in message.get("blocks") or ():
        if block.get("type") == "actions":
            left = [one for one in block.get("elements", ()) if one.get("action_id") not in gone]
            if not left:
                continue
            block = {**block, "elements": left}
        blocks.append(block)
    note = {"type": "context", "elements": [{"type": "plain_text", "text": sentence[:2000], "emoji": False}]}
    return [*blocks[:49], note]                                # Slack takes 50
