"""What is hidden of a dataset, and what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.scarcity import hidden, scarce_dataset
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


def test_other_labels_than_those_asked_for_are_not_taken(tmp_path: Path) -> None:
    full = dataset(40)
    made = scarce_dataset(tmp_path, full, 0.25, 30, seed=1)
    np.testing.assert_array_equal(scarce_dataset(tmp_path, full, 0.25, 30, seed=1).reward_mask, made.reward_mask)
    for share, frames, name in ((0.5, 30, "action_mask"), (0.25, 31, "reward_mask")):
        with pytest.raises(ValueError, match=f"expected the {name} of these settings, found another; remove it"):
            scarce_dataset(tmp_path, full, share, frames, seed=1)
