"""The decision log: what each pass went by and what it decided, so that the day can be decided again.

The state before a pass is put together from the log alone: what the passes before it decided, one after the other,
and with each what cannot follow from that (what people said meanwhile, what had arrived). The first pass of a month,
and the first in the log, holds the whole state that it began with: no more than a month is ever read. Rules are kept
once by their digest.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from forestall.engine.errors import Location, StoreError
from forestall.engine.model.alert import Alert, Transition, TransitionKind
from forestall.engine.model.decision_log import Basis, DayRead, Logged
from forestall.engine.model.delivery import PlayRun
from forestall.engine.model.state import Decisions, Renamed, State
from forestall.engine.model.supply import Silent, Supply
from forestall.engine.model.trigger import Existing
from forestall.engine.store import answers, rows, tables
from forestall.engine.store.columns import Packed, expanded, packed, pressed, unpacked
from forestall.engine.store.database import by_column, insert_new
from forestall.engine.store.remembering import Remembered


def write(connection: sa.Connection, number: int, decisions: Decisions, since: State, basis: Basis,
          deliveries: tuple[int, int]) -> None:
    """Keep one pass. `deliveries` numbers the last delivery before it, and its own last."""
    log = tables.decision_log
    before = connection.execute(sa.select(log.c.pass_number, log.c.heard)
                                .order_by(log.c.pass_number.desc()).limit(1)).first()
    goes_on = before is not None and before.pass_number == since.pass_number and _same_month(since, decisions)
    said = answers.spoken_of(connection, before.heard, decisions.heard) if goes_on and before is not None else []
    document = {
        "before": {**_between_passes(since), **(_parts(since, frozenset(said)) if goes_on else _whole(since))},
        "said": len(said), **_decided(decisions), "sizes": [len(since.tiers), len(since.alerts), len(since.runs)],
        "planned": [one.key for one in decisions.deliveries]
        if len(decisions.deliveries) != _count(connection, deliveries) else None,
    }
    insert_new(connection, tables.rulesets, by_column([
        {"digest": decisions.digest, "files": pressed(dict(basis.files))}]))
    connection.execute(sa.insert(log).values(
        pass_number=number, version=basis.version, heard=decisions.heard, first_delivery=deliveries[0],
        last_delivery=deliveries[1], basis=_basis_text(basis), whole=not goes_on, decided=pressed(document)))


def _same_month(since: State, decisions: Decisions) -> bool:
    before = since.previous_pass
    return before is not None and (before.year, before.month) == (decisions.day.year, decisions.day.month)


def last_delivery(connection: sa.Connection) -> int:
    """The number of the last delivery in the outbox."""
    return connection.scalar(sa.select(sa.func.max(tables.outbox.c.id))) or 0


def days(connection: sa.Connection) -> tuple[list[date], date | None]:
    """The days that a pass has decided, in order, and the first of them that is in the log (None: none is)."""
    passes, log = tables.passes, tables.decision_log
    found = sorted(set(connection.scalars(sa.select(passes.c.day))))
    first = connection.scalar(sa.select(sa.func.min(passes.c.day)).join(log, log.c.pass_number == passes.c.id))
    return found, first


def read(connection: sa.Connection, day: date, name: str) -> Iterator[Logged]:
    """The passes of a day that are in the log, in order. StoreError when the log is damaged."""
    passes, log = tables.passes, tables.decision_log
    found = connection.execute(sa.select(log, passes).join(passes, log.c.pass_number == passes.c.id).where(
        log.c.pass_number >= _begins(connection, day), passes.c.day <= day).order_by(log.c.pass_number))
    remembered = Remembered()
    for row in found:
        document = _document(row, name)
        remembered.begins(document["before"], whole=row.whole)
        decisions = _decisions(row, document)
        if row.day == day:
            before = remembered.state(connection, row)
            if [len(before.tiers), len(before.alerts), len(before.runs)] != document["sizes"]:
                raise _damaged(name, row.pass_number, "what the passes before it decided does not add up to it")
            yield _logged(connection, row, document, before, decisions)
        remembered.after(decisions, row)


def _begins(connection: sa.Connection, day: date) -> int:
    """The number of the last pass before the end of this day that holds its state whole."""
    passes, log = tables.passes, tables.decision_log
    first = sa.select(sa.func.min(log.c.pass_number)).join(passes, log.c.pass_number == passes.c.id).where(
        passes.c.day == day)
    wanted = connection.scalar(first) or 0
    return connection.scalar(sa.select(sa.func.max(log.c.pass_number)).where(
        log.c.whole.is_(True), log.c.pass_number <= wanted)) or 0


# -- what is written ---------------------------------------------------------------------------------------------------

def _count(connection: sa.Connection, deliveries: tuple[int, int]) -> int:
    number = tables.outbox.c.id
    return connection.scalar(sa.select(sa.func.count()).where(number > deliveries[0], number <= deliveries[1])) or 0


def _between_passes(since: State) -> dict[str, object]:
    """What no decision of an earlier pass tells."""
    return {
        "approvals": [[one.play, one.given_on.isoformat(), one.given_by, one.cancelled]
                      for one in since.approvals.values()],
        "on_their_way": [[*names, day.isoformat()] for *names, day in sorted(since.on_their_way)],
    }


def _parts(since: State, accounts: frozenset[str]) -> dict[str, object]:
    """What is kept of the accounts of which somebody said something since the last pass."""
    return {"alerts": packed([one for one in since.alerts.values() if one.account in accounts] if accounts else []),
            "runs": packed([one for one in since.runs if one.account in accounts] if accounts else [])}


def _whole(since: State) -> dict[str, object]:
    return {
        "alerts": packed(list(since.alerts.values())), "runs": packed(since.runs), "tiers": _by_tier(since.tiers),
        "triggers": sorted(since.known_triggers), "begun": sorted(map(list, since.begun)),
        "starts": [[play, day.isoformat(), count] for play, found in since.starts.items() for day, count in found],
        "previous_pass": since.previous_pass.isoformat() if since.previous_pass else None,
        "scoring_digest": since.scoring_digest, "pass_number": since.pass_number,
    }


def _decided(decisions: Decisions) -> dict[str, object]:
    return {
        "kinds": [one.kind.value for one in decisions.transitions],
        "transitions": packed([one.alert for one in decisions.transitions]),
        "alerts": packed(decisions.alerts), "tiers": _by_tier(decisions.tiers), "runs": packed(decisions.runs),
        "triggers": sorted(decisions.triggers), "starts": dict(decisions.starts),
        "renamed": [[one.account, one.old, one.new] for one in decisions.renamed],
        "begun": sorted(map(list, decisions.begun)),
        "silences": dict(Counter(one.reason.value for one in decisions.silences)),
    }


def _by_tier(tiers: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for account, tier in tiers.items():
        found.setdefault(tier, []).append(account)
    return found


def _basis_text(basis: Basis) -> str:
    return json.dumps({
        "settings": dict(basis.settings), "gone_after": basis.gone_after, "generation": basis.generation,
        "catalogue": basis.catalogue, "accounts": basis.read.accounts, "rows": basis.read.digest,
        "moment": basis.moment.isoformat() if basis.moment else None,
        "supply": {"known": {metric: list(counts) for metric, counts in basis.supply.known.items()},
                   "silent": {source: asdict(one) for source, one in basis.supply.silent.items()}},
        "existing": basis.existing.value if basis.existing else None, "tiers": dict(basis.tiers),
    }, ensure_ascii=False)


# -- what is read ------------------------------------------------------------------------------------------------------

def _document(row: sa.Row[Any], name: str) -> dict[str, Any]:
    try:
        found = expanded(row.decided)
    except ValueError as error:
        raise _damaged(name, row.pass_number, str(error)) from None
    assert isinstance(found, dict)
    return found


def _damaged(name: str, number: int, why: str) -> StoreError:
    return StoreError.one(Location(name), "log-damaged", f"the decision log of pass {number} cannot be used: {why}.",
                          "Somebody has changed the state database; look at a backup of it.")


def _decisions(row: sa.Row[Any], document: Packed) -> Decisions:
    found = unpacked(Alert, document["transitions"])
    return Decisions(
        row.day, row.digest, row.scoring_digest,
        transitions=tuple(Transition(TransitionKind(kind), alert, row.day)
                          for kind, alert in zip(document["kinds"], found, strict=True)),
        alerts=tuple(unpacked(Alert, document["alerts"])), runs=tuple(unpacked(PlayRun, document["runs"])),
        tiers={account: tier for tier, accounts in document["tiers"].items() for account in accounts},
        triggers=frozenset(document["triggers"]), starts=document["starts"],
        renamed=tuple(Renamed(*one) for one in document["renamed"]),
        begun=dict.fromkeys(map(tuple, document["begun"]), ""), heard=row.heard)


def _logged(connection: sa.Connection, row: sa.Row[Any], document: Packed, before: State,
            decisions: Decisions) -> Logged:
    outbox = tables.outbox
    mine = sa.and_(outbox.c.id > row.first_delivery, outbox.c.id <= row.last_delivery)
    planned = [rows.delivery_of(one) for one in connection.execute(
        sa.select(outbox).where(mine).order_by(outbox.c.id))]
    known = {one.key for one in planned}
    return Logged(row.pass_number, row.day, row.ran_at, _basis(connection, row), before,
                  replace(decisions, deliveries=tuple(planned)), document["silences"], document["said"],
                  tuple(key for key in document["planned"] or () if key not in known))


def _basis(connection: sa.Connection, row: sa.Row[Any]) -> Basis:
    said = json.loads(row.basis)
    rules = tables.rulesets
    files = connection.scalar(sa.select(rules.c.files).where(rules.c.digest == row.digest))
    supply = Supply({metric: (now, then) for metric, (now, then) in said["supply"]["known"].items()},
                    {source: Silent(one["reason"], tuple(one["metrics"]))
                     for source, one in said["supply"]["silent"].items()})
    return Basis(
        row.version, expanded(files) if files is not None else {}, said["settings"], said["gone_after"],
        said["generation"], said["catalogue"], DayRead(said["accounts"], said["rows"]),
        datetime.fromisoformat(said["moment"]) if said["moment"] else None, supply,
        Existing(said["existing"]) if said["existing"] else None, said["tiers"])
