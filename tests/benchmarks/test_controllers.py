"""The parts of the benchmark of unseen controllers that its figures rest on."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from benchmarks.controller_figures import in_deviations, summary, together
from benchmarks.random_skill import some_skill
from dvf_ros.sim.behaviors import BEHAVIORS


@pytest.mark.parametrize(("level", "name"), [(0.0, "novice"), (1 / 3, "clumsy"), (2 / 3, "adept"), (1.0, "expert")])
def test_a_skill_resembles_the_named_one_of_its_level_and_is_another(level: float, name: str) -> None:
    found = some_skill(level, np.random.default_rng(0))
    named = np.array(astuple(BEHAVIORS[name]))
    assert found != BEHAVIORS[name] and found.patience <= 1.0 and found.shallow <= 1.0
    assert np.all(np.abs(np.array(astuple(found)) - named) <= 0.2501 * named)


def test_the_summary_ranks_and_measures_in_shares_of_the_mean_return() -> None:
    values, returns = [1.0, 2.0, 4.0], [1.0, 3.0, 5.0]
    found = {
        str(k): {"value": v, "value_unknown": 3.0, "return": r}
        for k, (v, r) in enumerate(zip(values, returns, strict=True))
    }
    figures = summary(found, "value")
    assert figures["tau"] == pytest.approx(1.0) and figures["error"] == pytest.approx(2 / 9)
    assert summary(found, "value_unknown")["error"] == pytest.approx(4 / 9)


def test_agents_are_averaged_and_how_they_differ_is_doubt() -> None:
    by_agent = [{"value": value, "value_deviation": 3.0, "corrected": 1.0, "return": 2.0} for value in (1.0, 5.0)]
    found = together({"hand": by_agent})["hand"]
    assert found["value"] == 3.0 and found["return"] == 2.0
    assert found["value_deviation"] == pytest.approx(np.hypot(3.0, np.std([1.0, 5.0], ddof=1)))
    assert together({"hand": by_agent[:1]})["hand"] == by_agent[0]


def test_errors_are_measured_in_their_own_deviations() -> None:
    rng = np.random.default_rng(0)
    found = {}
    for k in range(2000):
        deviation = rng.uniform(0.5, 2.0)
        value = rng.normal(scale=deviation)
        found[str(k)] = {"corrected": 3.0 + value, "return": 3.0, "corrected_deviation": deviation}
    assert in_deviations(found, "corrected") == pytest.approx(1.0, abs=0.05)
