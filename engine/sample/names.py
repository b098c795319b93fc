"""Invented companies and people; none of them exists, and no address of theirs can receive anything."""

from __future__ import annotations

from forestall.engine.model.people import Person

# Our own side, as `forestall init --sample` writes it into `people` of forestall.yaml.
CSMS = (
    Person("dana", "Dana Whitlock", "dana@example.com", "U0SAMPLE01", "robin", "Europe/Berlin"),
    Person("luis", "Luis Ferreira", "luis@example.com", "U0SAMPLE02", "robin", "Europe/Lisbon"),
    Person("mina", "Mina Okafor", "mina@example.com", "U0SAMPLE03", "robin", "America/New_York"),
    Person("tomas", "Tomas Hruby", "tomas@example.com", "U0SAMPLE04", "robin", "Europe/Prague"),
)
EXECUTIVES = (
    Person("robin", "Robin Achterberg", "robin@example.com", "U0SAMPLE05", "", "Europe/Berlin"),
    Person("sasha", "Sasha Lindqvist", "sasha@example.com", "U0SAMPLE06", "", "America/New_York"),
)
PEOPLE = CSMS + EXECUTIVES

_FIRST = ("Otter", "Thimble", "Lantern", "Bramble", "Puffin", "Cobalt", "Marzipan", "Juniper", "Walrus", "Pebble",
          "Saffron", "Magpie", "Tangram", "Biscuit", "Heron", "Velvet", "Clover", "Domino", "Ferret", "Nutmeg")
_SECOND = ("Teapot", "Harbour", "Compass", "Meadow", "Kettle", "Anchor", "Orchard", "Button", "Comet", "Ladder",
           "Mitten", "Paddle", "Ribbon", "Saddle", "Trumpet", "Umbrella", "Whistle", "Candle", "Feather")
_TRADES = ("Freight", "Dental", "Logistics", "Insurance", "Foods", "Robotics", "Travel", "Energy", "Textiles", "Media",
           "Clinics", "Tools", "Housing")
_GIVEN = ("Ada", "Bela", "Cleo", "Dov", "Edda", "Femi", "Gita", "Hugo", "Ines", "Jaro", "Kaja", "Lio", "Mara", "Nils",
          "Oona", "Pia", "Quin", "Rafi", "Suna", "Timo", "Ulla", "Vito", "Wanda", "Yara", "Zeno")
_FAMILY = ("Ashgrove", "Birkhaven", "Crowther", "Dunmore", "Elderfield", "Farthing", "Greaves", "Holloway", "Ironside",
           "Jessop", "Kestrel", "Larkin", "Merriweather", "Northcott", "Oakley", "Penhallow", "Quill", "Ravenhill",
           "Stirling", "Thornbury", "Underhill", "Varley", "Wexcombe")


def company(number: int) -> str:
    """The name of the company with this number, counted from 0; all differ."""
    # 20, 19 and 13 share no factor, so all 4,940 combinations come before the first repeats
    name = f"{_FIRST[number % 20]} & {_SECOND[number % 19]} {_TRADES[number % 13]}"
    repeat = number // (len(_FIRST) * len(_SECOND) * len(_TRADES))
    return f"{name} {repeat + 1}" if repeat else name


def domain(number: int) -> str:
    """The made-up domain of the company with this number."""
    return company(number).lower().replace(" & ", "-").replace(" ", "-") + ".example"


def person(draw: float) -> str:
    """A made-up person; `draw` is at least 0 and below 1."""
    index = int(draw * len(_GIVEN) * len(_FAMILY))
    return f"{_GIVEN[index % len(_GIVEN)]} {_FAMILY[index // len(_GIVEN)]}"


def address(name: str, number: int) -> str:
    """The email address of a made-up person at the company with this number."""
    return f"{name.lower().replace(' ', '.')}@{domain(number)}"
