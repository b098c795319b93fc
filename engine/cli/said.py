"""What people said of an account, in words and as a document."""

from __future__ import annotations

from datetime import date

from forestall.engine.cli.screen import near
from forestall.engine.intervene.explained import without_addresses
from forestall.engine.model.delivery import StartedBy
from forestall.engine.model.outcome import Answer


def by_whom(said: Answer) -> str:
    """Who said it, without the address of a customer."""
    if said.source is StartedBy.PERSON:
        return said.by
    return "the data" if said.source is StartedBy.DATA else "the customer"


def about(said: Answer, around: date) -> str:
    """What is known beside: until when, how much, why, and the note."""
    parts = [f"until {near(said.until, around)}"] if said.until else []
    parts += [f"{said.revenue:,.10g}"] if said.revenue is not None else []
    parts += [text for text in (said.reason, without_addresses(said.note)) if text]
    return "; ".join(parts)


def sentence(said: Answer, around: date) -> str:
    """`saved on 2 January, by dana: 1,200; price (re_engage)`."""
    beside, meant = about(said, around), said.play or said.alert
    return (f"{said.kind.value} on {near(said.day, around)}, by {by_whom(said)}" + (f": {beside}" if beside else "")
            + (f" ({meant})" if meant else ""))


def as_document(said: Answer) -> dict[str, object]:
    """As `said` in schemas/output/outcomes.json describes it."""
    return {
        "kind": said.kind.value, "by": said.by if said.source is StartedBy.PERSON else "", "source": said.source.value,
        "at": said.at.isoformat(), "day": said.day.isoformat(), "play": said.play, "because_of": said.alert,
        "occurrence": said.occurrence.isoformat() if said.occurrence else None,
        "until": said.until.isoformat() if said.until else None, "revenue": said.revenue, "reason": said.reason,
        "note": without_addresses(said.note),
    }
