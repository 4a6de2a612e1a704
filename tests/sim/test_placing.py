"""The hands that stack and that sort a can: a faultless one succeeds, the skilled do more often than others."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from dvf_ros.core.spec import RobotSpec
from dvf_ros.sim.behaviors import BEHAVIORS, Skill
from dvf_ros.sim.placing import HANDS
from dvf_ros.sim.robosuite_sim import RobosuiteSim
from tests.sim.rollout import Episode, rollout

pytest.importorskip("robosuite")

STEPS = 200
TASKS = ("stack", "can")


@cache
def simulation(task: str) -> RobosuiteSim:
    return RobosuiteSim(task)


def run(task: str, skill: Skill, seed: int) -> Episode:
    behavior = HANDS[task](skill)
    behavior.reset(seed)
    return rollout(simulation(task), behavior.command, seed, STEPS)


@pytest.mark.parametrize("task", TASKS)
def test_a_faultless_skill_places_and_stays_within_the_workspace(task: str) -> None:
    episodes = [run(task, Skill(), seed) for seed in range(6)]
    assert sum(episode.succeeded_at_end for episode in episodes) >= 5
    workspace = RobotSpec.load(f"config/panda_{task}.yaml").workspace
    assert workspace is not None
    places = np.concatenate([episode.eef_position for episode in episodes])
    assert (places >= workspace.lower).all() and (places <= workspace.upper).all()


@pytest.mark.parametrize("task", TASKS)
def test_the_skilled_succeed_more_often(task: str) -> None:
    skilled, unskilled = (
        np.mean([run(task, BEHAVIORS[name], seed).succeeded_at_end for seed in range(10)])
        for name in ("expert", "novice")
    )
    assert skilled >= 0.6 and unskilled <= 0.3


@pytest.mark.parametrize("task", TASKS)
def test_an_episode_repeats_bit_for_bit(task: str) -> None:
    first, other, again = (run(task, BEHAVIORS["clumsy"], seed) for seed in (3, 4, 3))
    np.testing.assert_array_equal(first.linear, again.linear)
    assert not np.array_equal(first.linear, other.linear)
