"""A trigger with a new name: its alerts and runs go on under it. A pure function of the rules and the state."""

from __future__ import annotations

from forestall.engine.model.rulebook import Rulebook
from forestall.engine.model.state import Renamed, State


def renamed(rulebook: Rulebook, state: State) -> tuple[Renamed, ...]:
    """Whose alerts and runs are kept under an earlier name of a trigger (`renamed_from`), by account.

    Of several earlier names the first that stands in the line goes on. Where an account has something under the new
    name already, that stands, and what is open under the old name is closed as removed.
    """
    heirs = {old: (trigger.name, place) for trigger in rulebook.triggers.values()
             for place, old in enumerate(trigger.renamed_from)}
    if not heirs:
        return ()
    kept = set(state.alerts) | {(run.account, run.group) for run in state.runs}
    found: dict[tuple[str, str], Renamed] = {}
    for account, old in sorted(kept, key=lambda key: (key[0], heirs.get(key[1], ("", 0))[1])):
        if old in heirs:
            new = heirs[old][0]
            if (account, new) not in kept:
                found.setdefault((account, new), Renamed(account, old, new))
    return tuple(found.values())
