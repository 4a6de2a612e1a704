"""The fan of futures is drawn as decisions ask for them: in one go or in hops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dvf_ros.learning.report.fan import sample_states
from dvf_ros.learning.training import train
from tests.learning.small import CONFIG, dataset


def test_only_what_lies_beyond_a_hop_is_reached_in_hops() -> None:
    data = dataset()
    agent, _ = train(data, CONFIG)
    states, offsets = np.array(data.states[:3]), np.array([1, 2, 5])

    def sampled(hop: int) -> np.ndarray:
        agent.configure(replace(CONFIG.decision, hop=hop))
        return sample_states(agent, states, offsets, 8, np.random.default_rng(0))

    whole, hops = sampled(0), sampled(2)
    assert whole.shape == hops.shape == (3, 3, 8, data.spec.state_size)
    assert np.isfinite(hops).all()
    np.testing.assert_array_equal(whole[:, :2], hops[:, :2])
    assert (np.abs(whole[:, 2] - hops[:, 2]).max(axis=(1, 2)) > 0.0).all()
