"""Robot specs: the shipped ones, layouts, digests, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.spec import RobotSpec

CONFIG = Path(__file__).parents[2] / "config"
PANDA = (CONFIG / "panda_lift.yaml").read_text()


def test_the_arm() -> None:
    spec = RobotSpec.load(CONFIG / "panda_lift.yaml")
    assert (spec.state_size, spec.action_size, spec.period_ns) == (30, 5, 50_000_000)
    assert len(spec.state_names) == 30 and len(spec.action_names) == 5
    assert spec.state_names[0] == "joint_position.panda_joint1"
    pieces = {piece.name: (piece.kind, piece.start, piece.stop) for piece in spec.state_layout}
    assert pieces["cube_orientation"] == ("quaternion", 26, 30)
    assert spec.action_lower.tolist() == [-0.5, -0.5, -0.5, -2.0, 0.0]
    assert spec.action_upper.tolist() == [0.5, 0.5, 0.5, 2.0, 0.08]
    assert all(rate == np.inf for source in spec.action for item in source.fields for rate in item.max_rate)
    assert spec.text == PANDA


def test_the_mobile_base() -> None:
    spec = RobotSpec.load(CONFIG / "base_goto.yaml")
    assert (spec.state_size, spec.action_size, spec.outcome) == (16, 2, None)
    assert [rate for source in spec.action for item in source.fields for rate in item.max_rate] == [1.5, 4.0]


def test_layouts_cover_the_vectors() -> None:
    for file in (file for file in CONFIG.glob("*_*.yaml") if "ros__parameters" not in file.read_text()):
        spec = RobotSpec.load(file)
        for layout, size in ((spec.state_layout, spec.state_size), (spec.action_layout, spec.action_size)):
            assert [piece.start for piece in layout] == [0, *(piece.stop for piece in layout[:-1])]
            assert layout[-1].stop == size


def test_the_digest_follows_meaning_and_not_comments() -> None:
    spec = RobotSpec.parse(PANDA)
    assert RobotSpec.parse("# hello\n" + PANDA).digest == spec.digest
    assert RobotSpec.parse(PANDA.replace("rate: 20.0", "rate: 10.0")).digest != spec.digest
    assert RobotSpec.parse(PANDA.replace("path: twist.angular.z", "path: twist.angular.y")).digest != spec.digest


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rate: 20.0", "rate: 0.0", "expected a rate between 0.1 and 1000 Hz, found 0.0"),
        ("  - topic: eef_pose", "  - topic: joint_states", "the topic 'joint_states' stands twice"),
        ("name: cube_position", "name: eef_position", "the field 'eef_position' stands twice"),
        (
            "type: sensor_msgs/msg/JointState\n    max_age: 0.15",
            "type: sensor_msgs/JointState",
            "expected a type such as",
        ),
        (
            "max_age: 0.1\n    fields:\n      - name: gripper",
            "max_age: 0.0\n    fields:\n      - name: gripper",
            "max_age > 0 s",
        ),
        ("joints: [gripper]", "joints: [gripper, gripper]", "names a joint twice"),
        ("        joints: [gripper]\n", "", "field 'gripper_width' of kind 'joints' needs joints: [names]"),
        ("lower: [0.0]", "lower: [0.0, 1.0]", "expected 1 numbers in 'lower', found 2"),
        ("lower: [0.0]", "lower: [0.9]", "a lower limit lies above its upper limit"),
        ("name: reward", "name: rewrd", "outcome: unknown field 'rewrd'; did you mean 'reward'?"),
        ("position: eef_position", "position: eef_positon", "workspace.position: no field 'eef_positon'; did you mean"),
        ("velocity: linear_velocity", "velocity: yaw_rate", "expected a field of 3 numbers"),
        ("upper: [0.35, 0.35, 1.25]", "upper: [0.35]", "expected 3 numbers (x, y, z)"),
        (
            "kind: quaternion, path: pose.orientation}\n  - topic",
            "kind: quat, path: pose.orientation}\n  - topic",
            "expected one of",
        ),
        (
            "        stop_mode: hold\n",
            "",
            "is a place (m), and a stop by zero, which stop_mode is by default, would",
        ),
        ("stop_mode: hold", "stop_mod: hold", "unknown key 'stop_mod'; did you mean 'stop_mode'?"),
    ],
)
def test_errors(old: str, new: str, said: str) -> None:
    assert old in PANDA
    with pytest.raises(ConfigError) as error:
        RobotSpec.parse(PANDA.replace(old, new, 1), "arm.yaml")
    assert said in str(error.value)
    assert str(error.value).startswith("arm.yaml:")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"robot spec '.*nope.yaml' cannot be read: No such file"):
        RobotSpec.load(tmp_path / "nope.yaml")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "bag.mcap").write_bytes(b"\x89MCAP0\r\n")
    with pytest.raises(
        ConfigError, match=r"robot spec '.*bag.mcap': expected YAML in UTF-8, found another kind of file"
    ):
        RobotSpec.load(tmp_path / "bag.mcap")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("{name: more, kind: joints, path: position, joints: [finger]}", ""),
        ("{name: more, kind: joints, path: velocity, joints: [gripper]}", ""),
        ("{name: more, kind: joints, path: position, joints: [gripper]}", "'position' of joint 'gripper' in one field"),
        ("{name: more, kind: joints, path: velocity, joints: [finger]}", "'position' of joint 'finger' in one field"),
    ],
)
def test_joint_fields_of_one_action_topic_fill_its_arrays(other: str, said: str) -> None:
    text = PANDA.replace("        stop_mode: hold\n", f"        stop_mode: hold\n      - {other}\n", 1)
    if not said:
        assert RobotSpec.parse(text).action_size == 6
        return
    with pytest.raises(ConfigError) as error:
        RobotSpec.parse(text)
    assert "action topic 'gripper_command'" in str(error.value) and said in str(error.value)
