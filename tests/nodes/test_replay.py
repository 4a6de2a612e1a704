"""The same recording gives the same commands, to the bit: again, in another process, and beside another robot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped, TwistStamped
from lifecycle_msgs.msg import Transition
from rclpy.time import Time
from sensor_msgs.msg import JointState

from benchmarks.faults.rig import JOINTS, SPEC, SPEC_FILE, small_checkpoint, transition
from tests.nodes.harness import Observer, ros_domain, wait_for

pytestmark = pytest.mark.ros

ROBOTS = ("left", "right")
TICKS = 30


def recording(seed: int) -> Iterator[tuple[int, JointState, PoseStamped]]:
    """An arm that swings, as it was recorded: (stamp in ns, its messages)."""
    rng = np.random.default_rng(seed)
    for tick in range(TICKS):
        stamp = 10**9 + tick * SPEC.period_ns
        state, pose = JointState(name=list(JOINTS), position=rng.uniform(-1, 1, 3).tolist()), PoseStamped()
        state.header.stamp = pose.header.stamp = Time(nanoseconds=stamp).to_msg()
        pose.pose.position.x = rng.uniform(-1, 1)
        yield stamp, state, pose


class Player:
    """Plays a recording to one robot's controller and keeps its commands by stamp."""

    def __init__(self, observer: Observer, robot: str) -> None:
        self.commands: dict[int, tuple[float, ...]] = {}
        node = observer.node
        self._states = node.create_publisher(JointState, f"{robot}/joint_states", 10)
        self._poses = node.create_publisher(PoseStamped, f"{robot}/carriage", 10)
        node.create_subscription(TwistStamped, f"{robot}/cmd_twist", self._on_twist, 100)

    def play(self, seed: int) -> dict[int, tuple[float, ...]]:
        self.commands.clear()
        for stamp, state, pose in recording(seed):
            for _ in range(10):  # a best-effort message may be lost; a recording that was played gaplessly has none
                self._states.publish(state)
                self._poses.publish(pose)
                try:
                    wait_for(lambda s=stamp: s in self.commands, f"the command of {stamp}", timeout=2.0)
                    break
                except AssertionError:
                    continue
        return dict(self.commands)

    def _on_twist(self, message: Any) -> None:
        v = message.twist.linear
        self.commands[Time.from_msg(message.header.stamp).nanoseconds] = (v.x, v.y, v.z)


def test_what_was_recorded_is_answered_alike(tmp_path: Path) -> None:
    checkpoint = small_checkpoint(tmp_path)
    parameters = {"spec": SPEC_FILE, "checkpoint": checkpoint, "tick_on": "state", "lockstep": True, "seed": 7}
    with ros_domain(tmp_path) as (processes, observer):
        players = {robot: Player(observer, robot) for robot in ROBOTS}
        for robot in ROBOTS:
            processes.start("controller", parameters, name=robot, namespace=f"/{robot}")
        for robot in ROBOTS:
            transition(
                observer,
                Transition.TRANSITION_CONFIGURE,
                Transition.TRANSITION_ACTIVATE,
                node=f"{robot}/controller",
            )
        first = players["left"].play(seed=1)
        assert not players["right"].commands, "what one robot hears moves no other"
        beside = players["right"].play(seed=1)
        transition(observer, Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE, node="left/controller")
        again = players["left"].play(seed=1)
        transition(observer, Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE, node="left/controller")
        other = players["left"].play(seed=2)
    assert len(first) == TICKS and any(any(command) for command in first.values())
    assert first == beside == again
    assert first != other
