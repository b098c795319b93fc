"""How old a value is: the day of which the source spoke, as was known on the day that is asked about."""

import random
from datetime import date, timedelta

from forestall.engine.detect.said import Said

D = date(2026, 1, 28)


def on(after):
    return D + timedelta(days=after)


def test_each_metric_has_the_day_and_the_source_that_said_it_last(desk):
    desk.say(("a", D, {"seats": 1.0, "logins": 4.0}), ("a", on(2), {"seats": 3.0}), ("b", on(3), {"seats": 9.0}))
    desk.say(("a", on(5), {"segment": "x"}), source="crm", received_on=on(5))
    said = desk.history.said(desk.catalogue, "a", on(5))
    assert said == {"seats": Said(on(2), "product"), "logins": Said(D, "product"), "segment": Said(on(5), "crm")}
    assert desk.history.said(desk.catalogue, "a", on(1))["seats"] == Said(D, "product")
    assert desk.history.said(desk.catalogue, "nobody", on(5)) == {}
    assert desk.history.last_named("a") == on(5)
    assert desk.history.last_named("nobody") is None


def test_a_late_row_speaks_of_its_day_from_the_day_it_came(desk):
    desk.say(("a", on(2), {"logins": 1.0}))
    desk.say(("a", on(1), {"seats": 2.0}), received_on=on(4))
    assert "seats" not in desk.history.said(desk.catalogue, "a", on(3))
    assert desk.history.said(desk.catalogue, "a", on(4))["seats"] == Said(on(1), "product")
    desk.say(("a", D, {"errors": 2.0}), received_on=on(4))      # a count comes in on the day on which it is received
    assert desk.history.said(desk.catalogue, "a", on(4))["errors"] == Said(on(4), "product")


def test_an_empty_history_has_heard_nothing(desk):
    assert desk.history.said(desk.catalogue, "a", D) == {}
    assert desk.history.last_named("a") is None


def test_ages_agree_with_what_is_carried(desk):
    """A value holds exactly as long as its age is within `stale_after`."""
    chance = random.Random(7)
    for came in range(40):
        about = came - chance.choice([0, 0, 0, 1, 4])
        values = {"logins": 1.0, "seats": 2.0, "segment": "x", "vip": True}
        desk.say(("a", on(about), {name: value if chance.random() < 0.3 else None for name, value in values.items()}),
                 received_on=on(came))
    desk.build(on(45))
    days = desk.days()
    for after in range(5, 45):
        said = desk.history.said(desk.catalogue, "a", on(after))
        for metric in desk.metrics:
            if metric.name in ("errors", "renewal") or ("a", on(after)) not in days:
                continue
            heard = said.get(metric.name)
            holds = heard is not None and (on(after) - heard.on).days <= metric.stale_after
            assert (days["a", on(after)][metric.name] is not None) is holds, (metric.name, after)
