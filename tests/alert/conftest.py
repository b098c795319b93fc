"""Rules and lives for the tests of alerts."""

import pytest

from alert.lives import Life, Rules, rules_maker


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    """Rules from texts, through the one loader."""
    return rules_maker(tmp_path_factory)


@pytest.fixture
def life(rules: Rules) -> Life:
    return Life(rules())


@pytest.fixture
def short(rules: Rules) -> Life:
    """Tier alerts rest 5 days and last 8."""
    return Life(rules(triggers="triggers: {}\n", tier_cooldown=5, tier_lasts=8))
