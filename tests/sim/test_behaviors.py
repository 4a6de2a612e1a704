"""The scripted behaviours are ordered by skill, repeat themselves, and fail in about two episodes of five."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import pytest

from dvf_ros.sim.behaviors import BEHAVIORS, LiftBehavior, Skill
from dvf_ros.sim.robosuite_sim import RobosuiteSim
from tests.sim.rollout import Episode, rollout

pytest.importorskip("robosuite")

EPISODES = 30
STEPS = 120


@pytest.fixture(scope="module")
def sim() -> Iterator[RobosuiteSim]:
    simulation = RobosuiteSim("lift")
    yield simulation
    simulation.close()


def run(sim: RobosuiteSim, skill: Skill, seed: int) -> Episode:
    behavior = LiftBehavior(skill)
    behavior.reset(seed)
    return rollout(sim, behavior.command, seed, STEPS)


@pytest.mark.timeout(300)
def test_levels_are_ordered_and_three_in_five_episodes_succeed(sim: RobosuiteSim) -> None:
    rates = {
        name: np.mean([run(sim, skill, seed).succeeded for seed in range(EPISODES)])
        for name, skill in BEHAVIORS.items()
    }
    assert list(rates) == ["expert", "adept", "clumsy", "novice"]
    ordered = list(rates.values())
    assert ordered == sorted(ordered, reverse=True) and ordered[-1] > 0.0, rates
    assert ordered[0] >= 0.9 and ordered[-1] <= 0.35, rates
    assert 0.5 <= np.mean(ordered) <= 0.7, rates


def test_a_faultless_skill_lifts_in_time_and_holds(sim: RobosuiteSim) -> None:
    for seed in range(5):
        episode = run(sim, Skill(), seed)
        assert episode.succeeded_at_end and int(np.argmax(episode.success)) <= 80
        assert 0.9 < episode.objects["cube"][-1, 2] < 1.0


def test_an_episode_repeats_bit_for_bit(sim: RobosuiteSim) -> None:
    behavior = LiftBehavior(BEHAVIORS["novice"])
    behavior.reset(5)
    first = rollout(sim, behavior.command, 5, 60)
    behavior.reset(6)
    rollout(sim, behavior.command, 6, 20)
    behavior.reset(5)
    second = rollout(sim, behavior.command, 5, 60)
    np.testing.assert_array_equal(first.linear, second.linear)
    np.testing.assert_array_equal(first.joint_position, second.joint_position)


def test_a_restored_episode_goes_on_as_it_did_and_otherwise_with_other_luck(sim: RobosuiteSim) -> None:
    behavior = LiftBehavior(BEHAVIORS["clumsy"])
    behavior.reset(5)
    observation = sim.reset(5)
    for _ in range(20):
        observation = sim.step(behavior.command(observation))
    state, habits = sim.get_state(), copy.deepcopy(behavior)

    def ahead(hand: LiftBehavior) -> np.ndarray:
        seen = [sim.set_state(state)]
        for _ in range(30):
            seen.append(sim.step(hand.command(seen[-1])))
        return np.array([observation.eef_position for observation in seen])

    expected = ahead(behavior)
    np.testing.assert_array_equal(ahead(copy.deepcopy(habits)), expected)
    other = copy.deepcopy(habits)
    other.go_on(1)
    assert np.abs(ahead(other) - expected).max() > 1e-3


def test_commands_keep_to_the_limits_and_to_four_axes(sim: RobosuiteSim) -> None:
    for name, skill in BEHAVIORS.items():
        episode = run(sim, skill, 2)
        assert np.abs(episode.linear).max() <= 0.5, name
        assert np.abs(episode.angular[:, 2]).max() <= 2.0, name
        assert not episode.angular[:, :2].any(), name
        assert set(np.unique(episode.gripper_width)) <= {0.0, 0.08}, name


def test_a_rollout_states_rewards_on_arrival(sim: RobosuiteSim) -> None:
    episode = run(sim, BEHAVIORS["expert"], 0)
    assert episode.joint_position.shape == (STEPS + 1, 9) and episode.linear.shape == (STEPS, 3)
    np.testing.assert_array_equal(episode.reward, episode.success[1:].astype(float))
