"""Every key that changes a spec's digest is named with what either spec says, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvf_ros.core.spec import RobotSpec
from dvf_ros.core.spec_differences import differences

CONFIG = Path(__file__).parents[2] / "config"
TEXT = """
robot: arm
task: reach
rate: 20.0
frame: world
state:
  - topic: joint_states
    type: sensor_msgs/msg/JointState
    max_age: 0.2
    fields:
      - {name: place, kind: joints, path: position, joints: [a, b], unit: rad}
  - topic: tf
    type: tf2_msgs/msg/TFMessage
    parent: world
    child: tool
    fields:
      - {name: tool, kind: vector, path: transform.translation}
action:
  - topic: command
    type: geometry_msgs/msg/TwistStamped
    fields:
      - {name: linear, kind: vector, path: twist.linear, lower: [-0.5, -0.5, -0.5], upper: [0.5, 0.5, 0.5]}
      - {name: turn, path: twist.angular.z, max_rate: [1.0]}
workspace: {position: tool, velocity: linear, lower: [0, 0, 0], upper: [1, 1, 1]}
"""
SPEC = RobotSpec.parse(TEXT)


def apart(other: RobotSpec) -> str:
    return differences(SPEC, other, ("trained with", "here"))


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("robot: arm", "robot: leg", "robot: trained with 'arm', here 'leg'"),
        ("task: reach", "task: push", "task: trained with 'reach', here 'push'"),
        ("rate: 20.0", "rate: 10", "rate: trained with 20.0, here 10.0"),
        ("max_age: 0.2", "max_age: 0.3", "state[0].max_age: trained with 0.2, here 0.3"),
        ("max_age: 0.2", "stamp: receive", "state[0].stamp: trained with 'header', here 'receive'"),
        ("max_age: 0.2", "resample: linear", "state[0].resample: trained with 'hold', here 'linear'"),
        ("child: tool", "child: tip", "state[1].child: trained with 'tool', here 'tip'"),
        ("[a, b]", "[b, a]", "state[0].fields[0].joints: trained with ['a', 'b'], here ['b', 'a']"),
        ("unit: rad", "unit: deg", "state[0].fields[0].unit: trained with 'rad', here 'deg'"),
        ("topic: command", "topic: cmd", "action[0].topic: trained with 'command', here 'cmd'"),
        (
            "upper: [0.5, 0.5, 0.5]",
            "upper: [0.3, 0.3, 0.3]",
            "action[0].fields[0].upper: trained with [0.5, 0.5, 0.5], here [0.3, 0.3, 0.3]",
        ),
        ("[-0.5, -0.5, -0.5]", "[-0.0, 0, 0]", "lower: trained with [-0.5, -0.5, -0.5], here [-0.0, 0.0, 0.0]"),
        ("max_rate: [1.0]", "stop_mode: hold", "action[0].fields[1].max_rate: trained with [1.0], here [inf]; "),
        ("twist.angular.z", "twist.angular.x", "path: trained with 'twist.angular.z', here 'twist.angular.x'"),
        (
            "      - {name: turn, path: twist.angular.z, max_rate: [1.0]}\n",
            "",
            "action[0].fields: trained with [linear, turn], here [linear]",
        ),
        ("robot: arm\ntask: reach\nrate: 20.0", "robot: leg\ntask: push\nrate: 10.0", "rate: trained with 20.0, here"),
    ],
)
def test_what_counts_is_named(old: str, new: str, found: str) -> None:
    other = RobotSpec.parse(TEXT.replace(old, new))
    assert SPEC.digest != other.digest
    assert found in apart(other)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("robot: arm", "# a comment\nrobot: arm"),
        ("frame: world\n", "frame: tool\n"),
        ("lower: [0, 0, 0], upper: [1, 1, 1]}", "lower: [-1, -1, -1], upper: [2, 2, 2]}"),
        ("max_rate: [1.0]", "max_rate: [1.0], max_acceleration: [2.0]"),
        ("path: twist.linear,", "path: twist.linear, moves: tool,"),
        ("unit: rad", "unit: rad, frozen_after: 0.5"),
    ],
)
def test_what_does_not_count_is_no_difference(old: str, new: str) -> None:
    assert old in TEXT
    other = RobotSpec.parse(TEXT.replace(old, new))
    assert SPEC.digest == other.digest
    assert apart(other) == ""


def test_a_zero_below_zero_has_a_digest_of_its_own_and_is_named() -> None:
    one, other = (RobotSpec.parse(TEXT.replace("[-0.5, -0.5, -0.5]", f"[{zero}, 0, 0]")) for zero in ("0.0", "-0.0"))
    assert one.digest != other.digest
    assert "here [-0.0, 0.0, 0.0]" in differences(one, other, ("trained with", "here"))


def test_the_first_three_are_told_and_the_others_counted() -> None:
    arm, base = (RobotSpec.load(CONFIG / f"{name}.yaml") for name in ("panda_lift", "base_goto"))
    said = differences(arm, base, ("trained with", "here"))
    assert said.startswith("robot: trained with 'panda', here 'base'; task: trained with 'lift', here 'goto'; rate: ")
    assert said.count("; ") == 3 and said.endswith("more")
