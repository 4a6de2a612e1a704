"""What resembles the data: limits at stated rates, and an ensemble that parts where there was none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dvf_ros.learning.support import Support
from dvf_ros.learning.training import train
from tests.learning.small import CONFIG, dataset


@pytest.mark.parametrize("rate", [1.0, 0.5, 0.1, 0.01, 1e-3, 1e-4])
def test_a_limit_is_exceeded_by_its_share_of_the_data(rate: float) -> None:
    spread = torch.from_numpy(np.random.default_rng(0).exponential(size=200_000).astype(np.float32))
    support = Support()
    support.fit(spread)
    # The limits lie on a grid of rates; between two the error is theirs.
    assert float((~support.holds(spread, rate)).float().mean()) == pytest.approx(rate, rel=0.03, abs=1e-5)


def test_before_it_is_fitted_everything_resembles() -> None:
    assert bool(Support().holds(torch.tensor([1e9]), 1e-3).all())


def test_far_from_the_data_nothing_resembles_it() -> None:
    data = dataset()
    agent, _ = train(data, CONFIG)
    rng = np.random.default_rng(0)
    near = np.array(data.states[3])
    assert agent.decide(near, rng).supported.any()
    far = near + np.array([100, 100, 100, 0, 0, 0, 0], np.float32)
    assert not agent.decide(far, rng).supported.any()
