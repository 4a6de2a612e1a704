"""The parts of the zero-shot benchmark that its figures rest on."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.goals import GOALS, HOLD, kept
from benchmarks.regressed_value import returns
from dvf_ros.core.spec import RobotSpec

SPEC = RobotSpec.load("config/panda_play.yaml")


def state(**fields: list[float]) -> np.ndarray:
    made = SPEC.neutral_state
    for piece in SPEC.state_layout:
        if piece.name in fields:
            made[piece.start : piece.stop] = fields[piece.name]
    return made


def test_a_goal_counts_only_when_it_is_kept() -> None:
    passing = np.zeros(40, bool)
    passing[10 : 10 + HOLD - 1] = True
    passing[30:35] = True
    assert not kept(passing)
    passing[10 + HOLD - 1] = True
    assert kept(passing)


def test_where_a_goal_is_done_its_reward_is_higher_than_at_the_start_and_no_goal_is_done_there() -> None:
    start = state(cube_position=[0.0, 0.0, 0.822], eef_position=[-0.1, 0.0, 1.01])
    ends = [
        state(cube_position=[0.07, 0.13, 0.822]),
        state(cube_position=[-0.08, -0.12, 0.822]),
        state(eef_position=[0.11, -0.1, 0.97]),
        state(cube_position=[0.0, 0.0, 1.0]),
        state(cube_position=[0.05, -0.1, 0.94]),
    ]
    for goal, end in zip(GOALS, ends, strict=True):
        reward, done = goal.expressions(SPEC)
        assert done.evaluate(end) and not done.evaluate(start), goal.name
        assert reward.evaluate(end) > reward.evaluate(start) + 0.3, goal.name


def test_returns_of_a_constant_reward_are_that_reward_and_weights_are_the_mass_within_the_log() -> None:
    mean, weight = returns(np.full(30, 0.4), 0.9)
    np.testing.assert_allclose(mean, 0.4)
    np.testing.assert_allclose(weight, 1.0 - 0.9 ** np.arange(29, 0, -1))


def test_a_return_starts_with_the_next_state() -> None:
    mean, weight = returns(np.array([9.0, 1.0, 0.0, 0.0]), 0.5)
    assert mean * weight == pytest.approx([0.5, 0.0, 0.0])
