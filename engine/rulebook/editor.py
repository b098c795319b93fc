"""The schemas with the names of one project in them, so that an editor completes metrics, triggers and templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from forestall.engine.model.expression import Kind
from forestall.engine.rulebook.completion import expression, metric_said
from forestall.engine.rulebook.metrics import ROLE_KINDS
from forestall.engine.rulebook.named import Named
from forestall.engine.rulebook.schema import published
from forestall.engine.rulebook.steps import COLLEAGUES, ROLES

SCHEMAS = ("metrics", "weights", "triggers", "playbook", "settings", "story")
COMMENT = "Written by `forestall schema` with the names of this project; it writes them anew when names have changed."
_OWN_CHANNELS = ("email", "slack", "webhook")


def schemas(named: Named) -> dict[str, dict[str, Any]]:
    """Each schema by its name, knowing the names of the project."""
    found = {}
    for name in SCHEMAS:
        schema = published(name)
        _FILL[name](schema, named)
        first = {"$schema": schema.pop("$schema"), "$comment": COMMENT}
        found[name] = first | schema
    return found


def _metrics(schema: dict[str, Any], named: Named) -> None:
    keys = schema["properties"]
    for role, place in keys["account"]["properties"].items():
        wanted = ROLE_KINDS.get(role, Kind.TEXT)
        _one_of(place, {name: metric_said(one) for name, one in named.metrics.items() if one.kind is wanted},
                f"metric of kind {wanted}")
    computed = keys["metrics"]["additionalProperties"]["properties"]["is"]
    _expressions(schema, named, [computed], score=False, history=False)


def _weights(schema: dict[str, Any], named: Named) -> None:
    keys = schema["properties"]
    numbers = {name: metric_said(one) for name, one in named.metrics.items() if one.kind is Kind.NUMBER}
    signals = [definition["properties"] for definition in schema["definitions"].values()]
    for signal in signals:
        _one_of(signal["metric"], numbers, "metric of kind number")
    profile = keys["profiles"]["items"]["properties"]
    _expressions(schema, named, [*(signal["score"] for signal in signals), profile["applies_to"],
                                 keys["tiers"]["additionalProperties"]["properties"]["when"]], score=False)
    profile["signals"]["properties"] = {name: {"$ref": "#/definitions/profile_signal"} for name in named.signals}


def _triggers(schema: dict[str, Any], named: Named) -> None:
    trigger = schema["properties"]["triggers"]["additionalProperties"]["properties"]
    _expressions(schema, named, [trigger["when"], trigger["clear_when"]])
    tiers = {"tier": "the account's own tier on the day the alert opens"} | dict.fromkeys(named.tiers, "")
    for place in (trigger, schema["properties"]["defaults"]["properties"]):
        _one_of(place["severity"], tiers, "tier")


def _playbook(schema: dict[str, Any], named: Named) -> None:
    play = schema["properties"]["plays"]["additionalProperties"]["properties"]
    one = {"type": "string"}
    _one_of(one, named.triggers, "trigger")
    trigger = {key: play["trigger"][key] for key in ("title", "description")}
    play["trigger"] = trigger | {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
    for key in ("tier", "recovered_to"):
        _one_of(play[key], dict.fromkeys(named.tiers, ""), "tier")
    _one_of(schema["properties"]["limits"]["properties"]["urgent"]["items"], dict.fromkeys(named.tiers, ""), "tier")
    digest = schema["properties"]["limits"]["properties"]["digest"]["properties"]
    _one_of(digest["template"], named.templates, "template")
    steps = schema["definitions"]["step"]["properties"]
    _expressions(schema, named, [play["applies_to"]], score=False)
    _expressions(schema, named, [play["goal"]["properties"]["when"], steps["stop_if"],
                                 steps["task"]["properties"]["done_when"]])
    colleagues = _roles(named, COLLEAGUES)
    _one_of(play["owner"], colleagues, "colleague")
    for kind, roles in (("email", ROLES), ("slack", COLLEAGUES), ("webhook", ()), ("task", COLLEAGUES)):
        keys = steps[kind]["properties"]
        _one_of(keys["template"], named.templates, "template")
        for who in ("from", "for"):
            if who in keys:
                _one_of(keys[who], colleagues, "colleague")
        if named.directory is not None:
            _one_of(keys["to"], _roles(named, roles) | _destinations(named, "" if kind == "task" else kind),
                    "role or destination")


def _settings(schema: dict[str, Any], named: Named) -> None:
    keys = schema["properties"]
    if named.directory is None:
        return
    channels = {name: f"by the adapter {adapter}" for name, adapter in named.channels.items()}
    _one_of(keys["destinations"]["additionalProperties"]["properties"]["channel"], channels, "channel")
    people = {key: person.name for key, person in named.directory.people.items()}
    _one_of(keys["people"]["additionalProperties"]["properties"]["manager"], people, "person")
    owner = {"type": "string"}
    _one_of(owner, people | _destinations(named, ""), "person or destination")
    owners = {key: keys["owners"][key] for key in ("title", "description")}
    keys["owners"] = owners | {"anyOf": [owner, {"type": "array", "items": owner}]}


def _story(schema: dict[str, Any], named: Named) -> None:
    story = schema["properties"]["stories"]["items"]["properties"]
    for key in ("account", "series"):
        value = story[key].pop("additionalProperties")
        story[key] |= {"additionalProperties": False, "properties": {
            name: value | {"title": name, "description": metric_said(one)} for name, one in named.metrics.items()
            if one.supplied}}
        story[key].pop("examples", None)
    for name, one in named.metrics.items():
        if one.one_of and one.supplied:
            story["account"]["properties"][name] |= {"enum": list(one.one_of)}
    expected = story["expect"]["items"]["properties"]
    _one_of(expected["tier"], dict.fromkeys((*named.tiers, "unscored"), ""), "tier")
    alerts = {**named.triggers, **{f"tier:{name}": f"fell into {name}" for name in named.tier_plays},
              **{f"recovered:{name}": f"recovered into {name}" for name in named.recovery_plays}}
    sent = {f"{play}.{kind}": "" for play, kinds in named.plays.items() for kind in kinds}
    for key, names, noun in (("alerts", alerts, "trigger"), ("no_alerts", alerts, "trigger"),
                             ("deliveries", sent, "message of a play"),
                             ("no_deliveries", dict.fromkeys(named.plays, "") | sent, "play")):
        _one_of(expected[key]["items"], names, noun)
        expected[key].pop("examples", None)


def _one_of(place: dict[str, Any], names: Mapping[str, str] | Iterable[str], noun: str) -> None:
    """Only these names from now on. Where there is none yet, everything stays allowed: nobody can begin otherwise."""
    said = names if isinstance(names, Mapping) else dict.fromkeys(names, "")
    if not said:
        return
    for key in ("examples", "x-names-said-by-reader"):
        place.pop(key, None)
    place["enum"] = list(said)
    place.pop("enumDescriptions", None)
    if any(said.values()):
        place["enumDescriptions"] = list(said.values())
    place["errorMessage"] = f"There is no {noun} of this name. If it is new, run `forestall schema` again."


def _expressions(schema: dict[str, Any], named: Named, places: Iterable[dict[str, Any]], *, score: bool = True,
                 history: bool = True) -> None:
    """What may stand in these places; the long list of snippets stands once in the file."""
    described = expression(named, score=score, history=history)
    name = "condition" if score else "of_metrics"
    schema.setdefault("definitions", {})[name] = {"type": "string", "defaultSnippets": described.snippets}
    for place in places:
        place.pop("examples", None)      # they may name what this project does not have
        del place["type"]
        place["markdownDescription"] = f"{place['description']}\n\n{described.told}"
        place["$ref"] = f"#/definitions/{name}"


def _roles(named: Named, roles: Iterable[str]) -> dict[str, str]:
    """Those that a metric plays, with its name."""
    played = {role: getattr(named.roles, role.split(".")[0]) for role in roles}
    return {role: f"who the metric {metric} names" if "." not in role else f"the manager of who {metric} names"
            for role, metric in played.items() if metric}


def _destinations(named: Named, kind: str) -> dict[str, str]:
    """Those that a step of this kind reaches."""
    if named.directory is None:
        return {}
    adapters = {name: named.channels.get(one.channel, kind) for name, one in named.directory.destinations.items()}
    return {name: f"by the channel {one.channel}" for name, one in named.directory.destinations.items()
            if not kind or adapters[name] == kind or adapters[name] not in _OWN_CHANNELS}


_FILL = {"metrics": _metrics, "weights": _weights, "triggers": _triggers, "playbook": _playbook, "settings": _settings,
         "story": _story}
