"""What the cases of the judge came through while they were evaluated."""

import math
from collections import Counter
from itertools import groupby

from judge.batch import SEEDS, batch
from judge.reached import in_words, reached, wanted

LEAST = 20


def test_every_function_every_pattern_and_every_equality_is_reached():
    cases, times = Counter(), Counter()
    for seed in SEEDS:
        in_cases, often = reached(batch(seed))
        cases.update(in_cases)
        times.update(often)
    assert set(cases) <= set(wanted())
    assert min(cases[what] for what in wanted()) >= LEAST, "\n" + in_words(cases, times, LEAST)


def longest_silence(rows):
    return max((len(list(days)) for silent, days in groupby(
        all(value is None for value in row.values()) for row in rows.values()) if silent), default=0)


def test_the_histories_have_their_edges():
    accounts = [rows for seed in SEEDS for _, rows in batch(seed).accounts.values()]
    said = [value for rows in accounts for row in rows.values() for value in row.values() if isinstance(value, float)]
    assert sum(len(rows) == 1 for rows in accounts) >= 20
    assert sum(longest_silence(rows) >= 3 for rows in accounts) >= 20
    for edge in (math.isnan, math.isinf, lambda value: 1e15 < value < math.inf, lambda value: value == 0):
        assert sum(map(edge, said)) >= 20
