"""What a person can cause is told whole, wherever it happened."""

import pickle

import pytest

from forestall.engine.errors import ForestallError, Location, Problem


def kinds(error: type[ForestallError] = ForestallError) -> list[type[ForestallError]]:
    return [error, *(found for one in error.__subclasses__() for found in kinds(one))]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_an_error_keeps_its_problems_on_the_way_from_another_process(kind: type[ForestallError]) -> None:
    error = kind([Problem(Location("rules/weights.yaml", 3, 5), "yaml", "this is no YAML.", "Take it out."),
                  Problem(Location("forestall.yaml"), "empty", "nothing is here.", "")])
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.problems, str(again)) == (error.problems, str(error))
