"""What a dataset can be learned from all the same, but should be mentioned."""

from __future__ import annotations

import numpy as np
import pytest

from dvf_ros.data.checks import remarks
from dvf_ros.data.dataset import Dataset
from tests.data.bag_making import SPEC
from tests.data.test_dataset import episode


@pytest.mark.parametrize(
    ("rewards", "mask", "said"),
    [
        ([0, 0, 0, 0, 0], [1, 1, 1, 1, 0], "All known rewards are 0"),
        ([7, 0, 0, 0, 0], [0, 1, 0, 1, 0], "All known rewards are 0"),  # what is not known does not count
        ([0, 0, 1, 0, 0], [1, 1, 1, 1, 0], ""),
        ([0, 0, 0, 0, 0], [0, 0, 0, 0, 0], "No reward is known"),
    ],
)
def test_rewards_that_tell_nothing(rewards: list[int], mask: list[int], said: str) -> None:
    made = [episode(5, rewards=np.array(rewards, np.float32), reward_mask=np.array(mask, bool))] * 2
    found = [line for line in remarks(Dataset.from_episodes(SPEC, made)) if "0: " in line or "known: " in line]
    assert len(found) == bool(said) and all(line.startswith(said) for line in found)
    assert all("by hand" in line for line in found)
