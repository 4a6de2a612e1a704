"""The report's scores are those of a decision: of the same share of futures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from dvf_ros.learning.report.sensitivity import measure_sensitivity
from dvf_ros.learning.training import train
from tests.learning.small import CONFIG, dataset


def test_scores_count_the_share_of_futures_that_decisions_count(monkeypatch: pytest.MonkeyPatch) -> None:
    agent, _ = train(dataset(), CONFIG)
    agent.configure(replace(CONFIG.decision, best_share=0.25, pessimism=0.0))
    usual, shares, values = agent.evaluate_with, [], []

    def evaluate_with(states: Any, draws: Any, share: float = 1.0, driver: Any = None) -> Any:
        found = usual(states, draws, share, driver)
        shares.append(share)
        values.append(found.value.numpy())
        return found

    monkeypatch.setattr(agent, "evaluate_with", evaluate_with)
    found = measure_sensitivity(agent, dataset(), 1, 3, np.random.default_rng(0))
    assert found is not None and set(shares) == {0.25}
    np.testing.assert_allclose(found.example, np.stack(values[-3:]), rtol=1e-5)


def test_candidates_are_compared_even_where_decisions_are_left_to_the_actor(monkeypatch: pytest.MonkeyPatch) -> None:
    agent, _ = train(dataset(), CONFIG)
    agent.configure(replace(CONFIG.decision, unsupported="actor"))
    monkeypatch.setattr(agent.support, "holds", lambda spread, rate: torch.zeros(len(spread), dtype=torch.bool))
    found = measure_sensitivity(agent, dataset(), 2, 3, np.random.default_rng(0))
    assert found is not None and found.example.shape == (3, 8) and np.isfinite(found.action).all()
    assert agent.decision.unsupported == "actor"
