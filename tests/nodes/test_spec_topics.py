"""State topics live: transforms in a chain, and the time of publishing; what a timer cannot do is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped, TransformStamped
from lifecycle_msgs.msg import Transition
from rclpy.qos import DurabilityPolicy
from std_msgs.msg import Header

from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.spec import RobotSpec
from dvf_ros.nodes.command_check import check_command
from dvf_ros.nodes.spec_topics import StateTopics, state_frame
from tests.nodes.harness import Observer, Processes, ros_domain, wait_for
from tests.nodes.test_controller import CONFIG, change_state

pytestmark = pytest.mark.ros

GOAL = """
  - topic: pose
    type: geometry_msgs/msg/PoseStamped
    stamp: publish
    fields: [{name: goal, kind: vector, path: pose.position}]
action: []
"""
CHAIN = """
robot: arm
task: reach
rate: 20.0
state:
  - topic: tf
    type: tf2_msgs/msg/TFMessage
    parent: world
    child: tip
    fields: [{name: place, kind: vector, path: transform.translation}]
  - topic: tf
    type: tf2_msgs/msg/TFMessage
    parent: base
    child: hand
    fields: [{name: hand, kind: vector, path: transform.translation}]
action: []
"""
HEAD = "robot: arm\ntask: reach\nrate: 20.0\nstate:"


@pytest.fixture
def ros(tmp_path: Path) -> Iterator[tuple[Processes, Observer]]:
    with ros_domain(tmp_path) as pair:
        yield pair


def transform(parent: str, child: str, x: float, sec: int) -> TransformStamped:
    part = TransformStamped(child_frame_id=child)
    part.header.frame_id, part.header.stamp.sec = parent, sec
    part.transform.translation.x, part.transform.rotation.w = x, 1.0
    return part


class Heard:
    """What StateTopics observed and refused."""

    def __init__(self, node: Any, text: str) -> None:
        self.values: dict[str, tuple[int, list[float]]] = {}
        self.refused: list[str] = []
        self.topics = StateTopics(node, RobotSpec.parse(text), self._observe, self._refuse)

    def _observe(self, key: str, stamp: int, values: np.ndarray) -> None:
        self.values[key] = (stamp, values.tolist())

    def _refuse(self, topic: str, reason: str) -> None:
        self.refused.append(reason)


def test_the_frame_of_a_state_is_that_of_its_first_source_that_has_one() -> None:
    spec = RobotSpec.load(CONFIG / "base_goto.yaml")
    heard_later_first = {"imu": "imu_link", "odom": "odom"}
    assert state_frame(spec, heard_later_first) == "odom"
    assert state_frame(spec, {"odom": "", "imu": "imu_link"}) == "imu_link"
    assert state_frame(spec, {}) == "", "not the commands'"


def test_transforms_are_joined_over_the_topic_of_those_that_never_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """With messages handed over, not sent: the wheels lack tf2_msgs' C libraries, which a ROS 2 Jazzy has."""
    monkeypatch.setattr("dvf_ros.nodes.spec_topics.message_class", lambda kind: kind)
    node = MagicMock()
    node.get_clock().now().nanoseconds = 1
    heard = Heard(node, CHAIN)
    calls = [call.args for call in node.create_subscription.call_args_list]
    assert [topic for _, topic, _, _ in calls] == ["tf", "tf_static", "tf", "tf_static"]
    latched = [qos.durability == DurabilityPolicy.TRANSIENT_LOCAL for _, _, _, qos in calls]
    assert latched == [False, True, False, True]

    def send(name: str, *parts: TransformStamped) -> None:
        for _, topic, receive, _ in calls:
            if topic == name:
                receive(SimpleNamespace(transforms=list(parts)), {"source_timestamp": 1})

    send("tf_static", transform("world", "base", 10.0, 0), transform("hand", "tip", 1.0, 0))
    assert not heard.values
    send("tf", transform("base", "hand", 2.5, 5))
    assert heard.values == {
        "tf[world/tip]": (5 * 10**9, [13.5, 0.0, 0.0]),
        "tf[base/hand]": (5 * 10**9, [2.5, 0.0, 0.0]),
    }
    assert not heard.refused
    send("tf", transform("table", "hand", 2.5, 6))
    assert "lead from 'base' to 'hand', found 'hand' only below 'table'" in heard.refused[0]


def test_a_state_whose_frame_changes_is_refused_until_it_is_the_first_again() -> None:
    node = MagicMock()
    node.get_clock().now().nanoseconds = 1
    heard = Heard(node, HEAD + GOAL)
    receive = node.create_subscription.call_args_list[0].args[2]

    def send(frame: str, x: float) -> None:
        pose = PoseStamped()
        pose.header.frame_id, pose.pose.position.x = frame, x
        receive(pose, {"source_timestamp": 1})

    send("world", 1.0)
    send("tool", 2.0)
    assert heard.refused == ["topic 'pose': expected frame 'world', as at first, found 'tool'"]
    assert heard.values["pose"][1][0] == 1.0 and heard.topics.frames == {"pose": "world"}
    send("world", 3.0)
    assert heard.values["pose"][1][0] == 3.0 and len(heard.refused) == 1


def test_a_message_counts_from_its_publishing(ros: tuple[Processes, Observer]) -> None:
    _, observer = ros
    heard = Heard(observer.node, HEAD + GOAL)
    poses = observer.node.create_publisher(PoseStamped, "pose", 10)
    pose = PoseStamped()
    pose.header.stamp.sec = 7
    pose.pose.position.x = 4.0
    began = time.time_ns()

    def publish() -> bool:
        poses.publish(pose)
        time.sleep(0.02)
        return bool(heard.values)

    wait_for(publish, "the pose")
    stamp, values = heard.values["pose"]
    assert began <= stamp <= time.time_ns() and values == [4.0, 0.0, 0.0]
    heard.topics.destroy()


def test_a_controller_on_a_timer_refuses_what_needs_the_value_after_the_tick(
    ros: tuple[Processes, Observer], tmp_path: Path
) -> None:
    processes, observer = ros
    text = (CONFIG / "base_goto.yaml").read_text()
    spec = tmp_path / "linear.yaml"
    spec.write_text(
        text.replace("    type: nav_msgs/msg/Odometry\n", "    type: nav_msgs/msg/Odometry\n    resample: linear\n")
    )
    assert RobotSpec.load(spec).state[0].resample == "linear"
    process = processes.start("controller", {"spec": spec, "checkpoint": tmp_path / "none.yaml", "tick_on": "timer"})
    assert not change_state(observer, Transition.TRANSITION_CONFIGURE)
    wait_for(
        lambda: "which needs the value after the tick, and a timer does not wait" in processes.log("controller"),
        "the reason in the log",
    )
    assert processes.end(process) == 0


ARM = """
robot: arm
task: reach
rate: 20.0
frame: base
workspace: {position: place, velocity: speed, lower: [-1, -1, -1], upper: [1, 1, 1]}
state:
  - topic: pose
    type: geometry_msgs/msg/PoseStamped
    fields: [{name: place, kind: vector, path: pose.position}]
  - topic: other
    type: geometry_msgs/msg/PoseStamped
    fields: [{name: object, kind: vector, path: pose.position}]
action:
  - topic: twist
    type: geometry_msgs/msg/TwistStamped
    fields: [{name: speed, kind: vector, path: twist.linear}]
"""


@pytest.mark.parametrize(("frame", "problem"), [("base", ""), ("", ""), ("tool", "expected frame 'base', that of the")])
def test_places_that_bound_commands_are_in_their_frame(frame: str, problem: str) -> None:
    node, heard = MagicMock(), []
    node.get_clock().now().nanoseconds = 1
    spec = RobotSpec.parse(ARM)
    topics = StateTopics(node, spec, lambda key, stamp, values: None, lambda key, why: heard.append(why), spec.frame)
    place, other = (call.args[2] for call in node.create_subscription.call_args_list)
    other(PoseStamped(header=Header(frame_id="map")), {"source_timestamp": 1})
    place(PoseStamped(header=Header(frame_id=frame)), {"source_timestamp": 1})
    assert [problem in why for why in heard] == ([True] if problem else [])
    assert topics.frames["other"] == "map"


COMMAND = """
robot: arm
task: reach
rate: 20.0
state:
  - topic: pose
    type: geometry_msgs/msg/PoseStamped
    fields: [{name: place, kind: vector, path: pose.position}]
action:
  - topic: command
    type: TYPE
    stamp: receive
    fields: [FIELDS]
"""
JOINTS = "{name: NAME, kind: joints, path: PATH, joints: [a], stop_mode: MODE}"


def joints(name: str, path: str, mode: str) -> str:
    return JOINTS.replace("NAME", name).replace("PATH", path).replace("MODE", mode)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("std_msgs/msg/Float64MultiArray", "{name: a, path: 'data[0]'}, {name: b, path: 'data[1]'}", ""),
        ("std_msgs/msg/UInt8", "{name: a, path: data, lower: [0], upper: [255]}", ""),
        ("std_msgs/msg/UInt8", "{name: a, path: data}", "UInt8 cannot hold .*; give whole numbers the 'lower' and"),
        ("std_msgs/msg/Bool", "{name: a, path: data}", ""),
        (
            "diagnostic_msgs/msg/DiagnosticArray",
            "{name: a, path: 'status[0].level', lower: [0], upper: [1]}",
            "found one through a sequence that is empty",
        ),
        (
            "sensor_msgs/msg/JointState",
            f"{joints('p', 'position', 'hold')}, {joints('v', 'velocity', 'zero')}",
            r"found 'p' \(stop_mode: hold\) beside 'v' \(stop_mode: zero\), whose stop would go unsaid",
        ),
        (
            "sensor_msgs/msg/JointState",
            f"{joints('p', 'position', 'hold')}, {joints('v', 'velocity', 'hold')}",
            "",
        ),
    ],
)
def test_what_cannot_be_commanded_is_told_before_it_has_to_be(kind: str, fields: str, message: str) -> None:
    source = RobotSpec.parse(COMMAND.replace("TYPE", kind).replace("FIELDS", fields)).action[0]
    if not message:
        check_command(source)
        return
    with pytest.raises(ConfigError, match=message):
        check_command(source)
