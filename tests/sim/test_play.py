"""Play moves the cube about the table, repeats itself, and is the same through the spec as without it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dvf_ros.sim.play import STYLES, PlayBehavior
from dvf_ros.sim.robosuite_sim import RobosuiteSim
from tests.sim.rollout import Episode, rollout

pytest.importorskip("robosuite")


@pytest.fixture(scope="module")
def sim() -> Iterator[RobosuiteSim]:
    simulation = RobosuiteSim("play")
    yield simulation
    simulation.close()


def run(sim: RobosuiteSim, seed: int, steps: int = 300) -> Episode:
    behavior = PlayBehavior(STYLES["calm" if seed % 2 else "brisk"])
    behavior.reset(seed)
    return rollout(sim, behavior.command, seed, steps)


def test_the_cube_is_lifted_carried_and_left_again_and_nothing_counts_as_success(sim: RobosuiteSim) -> None:
    episodes = [run(sim, seed) for seed in range(4)]
    heights = [episode.objects["cube"][:, 2] for episode in episodes]
    up = np.concatenate(heights) > 0.86
    assert 0.05 < up.mean() < 0.6
    assert np.mean([(height > 0.86).any() for height in heights]) >= 0.75
    released = [((height[:-1] > 0.86) & (height[1:] <= 0.86)).any() for height in heights]
    assert np.mean(released) >= 0.5
    moved = [np.ptp(episode.objects["cube"][:, :2], axis=0).max() for episode in episodes]
    assert np.mean(moved) > 0.05
    assert not any(episode.succeeded or episode.reward.any() for episode in episodes)


def test_the_hand_stays_upright(sim: RobosuiteSim) -> None:
    axis = Rotation.from_quat(run(sim, 1).eef_orientation).apply([0.0, 0.0, 1.0])
    assert np.degrees(np.arccos(-axis[:, 2])).max() < 20.0


def test_an_episode_repeats_bit_for_bit(sim: RobosuiteSim) -> None:
    first, other, second = run(sim, 5, 60), run(sim, 6, 60), run(sim, 5, 60)
    np.testing.assert_array_equal(first.joint_position, second.joint_position)
    np.testing.assert_array_equal(first.angular, second.angular)
    assert not np.array_equal(first.linear, other.linear)
