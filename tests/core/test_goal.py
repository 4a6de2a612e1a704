"""Goals: which field, which reward, and what is no goal."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.core.goal import REACH, GoalError, goal_field, goal_reward, positions, topic_of
from dvf_ros.core.spec import RobotSpec

PANDA = RobotSpec.load("config/panda_lift.yaml")
BASE = RobotSpec.load("config/base_goto.yaml")


def test_an_object_goes_before_the_robot_itself() -> None:
    assert positions(PANDA) == ("eef_position", "cube_position")
    assert goal_field(PANDA, "") == "cube_position"
    assert goal_field(PANDA, "eef_position") == "eef_position"
    assert goal_field(BASE, "") == "position"
    assert topic_of(PANDA, "cube_position") == "objects/cube/pose" and topic_of(BASE, "position") == "odom"


def test_the_reward_falls_with_the_distance() -> None:
    reward = parse_expression(goal_reward(PANDA, "cube_position", (0.1, -0.05, 0.9)), PANDA)
    states = np.zeros((2, 30))
    states[:, 23:26] = [(0.1, -0.05, 0.9), (0.1, -0.05, 0.9 + REACH)]
    np.testing.assert_allclose(reward.evaluate(states), [1, math.exp(-1)], rtol=1e-4)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((math.nan, 0, 1), "finite"),
        ((0, 0, 0), r"in the workspace, \[-0.35, -0.35, 0.8\] to .* found \[0.0, 0.0, 0.0\]"),
    ],
)
def test_a_place_that_cannot_be_reached_is_refused(place: tuple[float, ...], message: str) -> None:
    with pytest.raises(GoalError, match=message):
        goal_reward(PANDA, "cube_position", place)


def test_a_field_that_is_no_place_is_refused() -> None:
    with pytest.raises(GoalError, match="found 'cube_orientation'; did you mean 'cube_position'"):
        goal_field(PANDA, "cube_orientation")
