"""Inputs that no longer arrive, repeat themselves, or come from the future."""

from __future__ import annotations

import numpy as np
import pytest

from dvf_ros.control.watch import InputWatch
from dvf_ros.core.spec import RobotSpec

SPEC = RobotSpec.parse(
    """
robot: arm
task: test
rate: 20
state:
  - topic: joint_states
    type: sensor_msgs/msg/JointState
    max_age: 0.15
    fields:
      - {name: position, kind: joints, path: position, joints: [a, b, c], frozen_after: 0.5}
  - topic: pose
    type: geometry_msgs/msg/PoseStamped
    max_age: 0.15
    fields:
      - {name: eef, kind: vector, path: pose.position, frozen_after: 0.5}
      - {name: still, kind: vector, path: pose.position}
action:
  - topic: command
    type: sensor_msgs/msg/JointState
    fields: [{name: target, kind: joints, path: position, joints: [a, b, c], follows: position, stop_mode: hold}]
"""
)
PERIOD = SPEC.period_ns
START = 100 * PERIOD


def watch(frozen: str = "", moving: bool = True, periods: int = 20) -> list[str]:
    """The problem at each of some ticks, while all inputs come and everything but `frozen` changes."""
    found, inputs = [], InputWatch(SPEC.state)
    for tick in range(periods):
        now = START + tick * PERIOD
        joints = np.array([0.1, 0.2, 0.3]) + tick * 1e-12
        pose = np.array([tick, 0.0, 0.0, 1, 1, 1]) * 1e-9
        if frozen in "abc" and frozen:
            joints["abc".index(frozen)] = 0.5
        if frozen == "eef":
            pose[0] = 0.0
        inputs.note("joint_states", now, joints, now)
        inputs.note("pose", now, pose, now)
        found.append(inputs.problem(now, now, START if moving else None))
    return found


def test_inputs_that_change_by_their_last_bit_are_alive() -> None:
    assert not any(watch())


@pytest.mark.parametrize(("part", "name"), [("b", "position.b"), ("eef", "eef")])
def test_a_joint_or_a_vector_that_repeats_itself_in_motion_is_dead(part: str, name: str) -> None:
    found = watch(part)
    assert not any(found[:11]), "0.5 s are allowed"
    assert all(f"repeats itself: {name} unchanged" in problem for problem in found[11:])


def test_a_robot_that_is_not_told_to_move_may_stand_still_to_the_bit() -> None:
    assert not any(watch("b", moving=False))


def test_a_dead_sensor_stays_dead_until_it_says_something_new() -> None:
    inputs = InputWatch(SPEC.state)
    for tick in range(20):
        inputs.note("joint_states", START + tick * PERIOD, np.zeros(3), START)
    last = START + 19 * PERIOD
    assert "repeats itself" in inputs.problem(last, START, START)
    assert "repeats itself" in inputs.problem(last, START, None), "the stop it led to proves nothing"
    inputs.note("joint_states", last + PERIOD, np.full(3, 1e-12), START)
    assert inputs.problem(last + PERIOD, START, None) == ""


def test_fresh_stamps_do_not_hide_that_nothing_arrives() -> None:
    inputs = InputWatch(SPEC.state)
    inputs.note("joint_states", START, np.zeros(3), START)
    inputs.note("pose", START, np.zeros(6), START)
    assert inputs.problem(START, START + 150_000_000, None) == ""
    assert "nothing new on 'joint_states' for 0.16 s" in inputs.problem(START, START + 160_000_000, None)
    assert inputs.problem(START, None, None) == "", "a simulation that waits has no deadline"


def test_stamps_from_the_future_are_reported_as_such() -> None:
    inputs = InputWatch(SPEC.state)
    inputs.note("pose", START + 10 * 10**9, np.zeros(6), START)
    assert inputs.problem(START, START, None) == "stamps on 'pose' lie 10.00 s ahead of the clock"


def test_a_refused_message_explains_and_a_good_one_forgives() -> None:
    inputs = InputWatch(SPEC.state)
    inputs.refuse("joint_states", "joint 'c' is not in the message")
    assert "joint 'c'" in inputs.refusals and "joint 'c'" in inputs.silence(START)
    inputs.note("joint_states", START, np.zeros(3), START)
    assert inputs.refusals == ""


def test_stamps_that_lie_behind_the_clock_are_reported_where_they_make_the_ticks() -> None:
    inputs = InputWatch(SPEC.state)
    inputs.note("joint_states", START, np.zeros(3), START)
    inputs.note("pose", START, np.zeros(6), START)
    assert inputs.problem(START, START, None, START + 2 * PERIOD) == ""
    assert "'pose' lie 10.00 s behind the clock" in inputs.problem(START, START, None, START + 10**10)


def test_silence_names_what_is_missing_and_nothing_where_all_comes() -> None:
    inputs = InputWatch(SPEC.state)
    inputs.note("joint_states", START, np.zeros(3), START)
    assert "pose" in inputs.silence(START)
    inputs.note("pose", START, np.zeros(6), START)
    assert inputs.silence(START + PERIOD) == ""
    inputs.note("pose", START + 4 * PERIOD, np.zeros(6), START + 4 * PERIOD)
    assert "nothing new on 'joint_states' for 0.20 s" in inputs.silence(START + 4 * PERIOD)
