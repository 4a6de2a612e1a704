"""A test's hand on the simulation bridge: states in, commands out, by stamp."""

from __future__ import annotations

from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, TwistStamped
from rclpy.time import Time
from sensor_msgs.msg import JointState

from dvf_ros.msg import Outcome
from tests.nodes.harness import Observer, wait_for

TOPICS = {"joint_states": JointState, "eef_pose": PoseStamped, "objects/cube/pose": PoseStamped, "outcome": Outcome}
PERIOD = 50_000_000


def stamp_of(message: Any) -> int:
    return Time.from_msg(message.header.stamp).nanoseconds


class SimulatedArm:
    """Subscribes to all that a bridge says and commands it."""

    def __init__(self, observer: Observer, namespace: str = "") -> None:
        self.said = {topic: observer.collect(kind, namespace + topic) for topic, kind in TOPICS.items()}
        self._twist = observer.node.create_publisher(TwistStamped, namespace + "cmd_twist", 10)
        self._gripper = observer.node.create_publisher(JointState, namespace + "gripper_command", 10)

    def stamps(self) -> list[int]:
        return sorted({stamp_of(message) for message in list(self.said["joint_states"])})

    def newest(self, after: int = 0) -> int:
        """Wait for a state later than `after` and return the newest stamp."""
        return wait_for(
            lambda: (s := self.stamps()) and s[-1] > after and s[-1], f"a state after {after} ns", timeout=60.0
        )

    def state(self, stamp: int) -> np.ndarray:
        """Wait for all that is said of one stamp: joints, end effector, cube, and, after a step, reward and success."""
        found = [wait_for(lambda t=topic: self._at(t, stamp), f"{topic} at {stamp} ns") for topic in list(TOPICS)[:3]]
        joints, *poses = found
        numbers = [*joints.position, *joints.velocity]
        for message in poses:
            p, q = message.pose.position, message.pose.orientation
            numbers += [p.x, p.y, p.z, q.x, q.y, q.z, q.w]
        return np.array(numbers)

    def outcome(self, stamp: int) -> Outcome:
        return wait_for(lambda: self._at("outcome", stamp), f"outcome at {stamp} ns")

    def command(self, stamp: int, twist: Any = (0.0,) * 6, width: Any = (0.08,), frame: str = "world") -> None:
        """Send both halves, the gripper's first or last by turns: their order must not matter."""
        time = Time(nanoseconds=stamp).to_msg()
        message = TwistStamped()
        message.header.stamp, message.header.frame_id = time, frame
        v, w = message.twist.linear, message.twist.angular
        v.x, v.y, v.z, w.x, w.y, w.z = (float(number) for number in twist)
        gripper = JointState(name=["gripper"], position=[float(number) for number in width])
        gripper.header.stamp = time
        halves = [(self._twist, message), (self._gripper, gripper)]
        for publisher, half in halves if stamp // PERIOD % 2 else halves[::-1]:
            publisher.publish(half)

    def step(self, stamp: int, **command: Any) -> int:
        """Answer the state of `stamp` and return the stamp of the next; sent again until the bridge has found us."""
        said = len(self.said["joint_states"])
        for _ in range(20):
            self.command(stamp, **command)
            try:
                wait_for(lambda: stamp + PERIOD in self.stamps()[-3:], f"a step from {stamp} ns", timeout=1.0)
                return stamp + PERIOD
            except AssertionError:
                continue
        raise AssertionError(f"no step from {stamp} ns; {len(self.said['joint_states']) - said} states came meanwhile")

    def _at(self, topic: str, stamp: int) -> Any:
        return next((m for m in reversed(list(self.said[topic])) if stamp_of(m) == stamp), None)
