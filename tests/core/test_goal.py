"""Goals: which field, which reward, and what is no goal."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.core.goal import GoalError, goal_field, goal_reward, positions, source_of
from dvf_ros.core.spec import RobotSpec

REACH = 0.1
PANDA = RobotSpec.load("config/panda_lift.yaml")
BASE = RobotSpec.load("config/base_goto.yaml")


def test_an_object_goes_before_the_robot_itself() -> None:
    assert positions(PANDA) == ("eef_position", "cube_position")
    assert goal_field(PANDA, "") == "cube_position"
    assert goal_field(PANDA, "eef_position") == "eef_position"
    assert goal_field(BASE, "") == "position"
    assert source_of(PANDA, "cube_position") == "objects/cube/pose" and source_of(BASE, "position") == "odom"


def test_the_reward_falls_with_the_distance() -> None:
    reward = parse_expression(goal_reward("cube_position", (0.1, -0.05, 0.9), REACH), PANDA)
    states = np.zeros((2, 30))
    states[:, 23:26] = [(0.1, -0.05, 0.9), (0.1, -0.05, 0.9 + REACH)]
    np.testing.assert_allclose(reward.evaluate(states), [1, math.exp(-1)], rtol=1e-4)


NUMBERS = st.floats(-1e7, 1e7) | st.floats(-1.0, 1.0)


@given(st.tuples(NUMBERS, NUMBERS, NUMBERS))
def test_a_goal_lies_where_it_was_asked_for_however_far_away(place: tuple[float, float, float]) -> None:
    reward = parse_expression(goal_reward("position", place, REACH), BASE)
    states = np.zeros((1, BASE.state_size))
    states[:, :3] = place
    distance = -REACH * np.log(reward.evaluate(states))
    assert distance < 1e-4


def test_a_goals_numbers_stay_as_they_were_written() -> None:
    text = goal_reward("position", (123.456, -1234.56, 1e-9), 2.5)
    assert text == "exp(-distance(position, [123.456, -1234.56, 0]) / 2.5)"


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((math.nan, 0, 1), "finite"),
        ((0, 0, 0), r"in the workspace, \[-0.35, -0.35, 0.8\] to .* found \[0.0, 0.0, 0.0\]"),
    ],
)
def test_a_place_that_cannot_be_reached_is_refused(place: tuple[float, ...], message: str) -> None:
    with pytest.raises(GoalError, match=message):
        goal_reward("cube_position", place, REACH, PANDA.workspace)


def test_a_field_that_is_no_place_is_refused() -> None:
    with pytest.raises(GoalError, match="found 'cube_orientation'; did you mean 'cube_position'"):
        goal_field(PANDA, "cube_orientation")
