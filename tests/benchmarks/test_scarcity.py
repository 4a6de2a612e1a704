"""What is hidden of a dataset, and what is not."""

from __future__ import annotations

import numpy as np

from benchmarks.scarcity import hidden
from tests.learning.small import dataset


def test_states_stay_and_labels_are_as_many_as_asked_for() -> None:
    full = dataset(40)
    scarce = hidden(full, 0.25, 30, seed=1)
    np.testing.assert_array_equal(scarce.states, full.states)
    episodes = np.logical_or.reduceat(scarce.action_mask, full.episode_start)
    assert abs(episodes.sum() - 10) <= 1
    assert not scarce.actions[~scarce.action_mask].any()
    np.testing.assert_array_equal(scarce.actions[scarce.action_mask], full.actions[scarce.action_mask])
    assert scarce.reward_mask.sum() == 30 and (scarce.rewards[scarce.reward_mask] > 0.0).sum() == 15
    assert (full.reward_mask | ~scarce.reward_mask).all() and (full.action_mask | ~scarce.action_mask).all()
    again, other = hidden(full, 0.25, 30, seed=1), hidden(full, 0.25, 30, seed=2)
    np.testing.assert_array_equal(scarce.reward_mask, again.reward_mask)
    assert (scarce.reward_mask != other.reward_mask).any()
