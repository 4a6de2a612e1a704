"""A robot of two joints that a recorder records, the recorder's services, and what a bag then holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, TwistStamped
from mcap.reader import make_reader
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import JointState

from dvf_ros.msg import Outcome
from dvf_ros.srv import EndEpisode, StartEpisode
from tests.data.bag_making import START
from tests.nodes.harness import Observer, wait_for

TYPES = {"joint_states": JointState, "tip": PoseStamped, "cmd": TwistStamped, "outcome": Outcome}
RELIABLE = QoSProfile(depth=1000)
SENSOR = QoSProfile(depth=1000, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Robot:
    """Publishes all topics of the two-joint spec; its numbers are random and its stamps irregular."""

    def __init__(self, observer: Observer, qos: QoSProfile = RELIABLE) -> None:
        self.publishers = {t: observer.node.create_publisher(kind, t, qos) for t, kind in TYPES.items()}
        self.sent = 0
        self._rng = np.random.default_rng(0)

    def wait(self) -> None:
        for topic, publisher in self.publishers.items():
            wait_for(lambda p=publisher: p.get_subscription_count() > 0, f"a subscription to {topic}")

    def step(self, k: int) -> None:
        """One message on each topic."""
        stamp = Time(nanoseconds=START + 100_000_000 * k + int(self._rng.integers(20_000_000))).to_msg()
        for topic, publisher in self.publishers.items():
            message = TYPES[topic]()
            message.header.stamp = stamp
            if topic == "joint_states":
                message.name = ["b", "a"]
                message.position = self._rng.normal(size=2).tolist()
            elif topic == "tip":
                message.pose.position.x = self._rng.normal()
            elif topic == "cmd":
                message.twist.linear.y = self._rng.normal()
            else:
                message.reward = float(k)
            publisher.publish(message)
        self.sent += 1

    def destroy(self, observer: Observer) -> None:
        for publisher in self.publishers.values():
            observer.node.destroy_publisher(publisher)


def start(observer: Observer, name: str = "", behavior: str = "") -> Any:
    return observer.call(StartEpisode, "recorder/start", StartEpisode.Request(name=name, behavior=behavior))


def end(observer: Observer, outcome: str = "", discard: bool = False) -> Any:
    return observer.call(EndEpisode, "recorder/end", EndEpisode.Request(outcome=outcome, discard=discard))


def counts(bag: Path) -> dict[str, int]:
    """Messages by topic, counted by reading them; metadata.yaml and the MCAP summary have to agree."""
    found: dict[str, int] = {}
    with AnyReader([bag]) as reader:
        announced = {c.topic: c.msgcount for c in reader.connections}
        for connection, _, data in reader.messages():
            reader.deserialize(data, connection.msgtype)
            found[connection.topic] = found.get(connection.topic, 0) + 1
    assert announced == found
    with open(next(bag.glob("*.mcap")), "rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None and summary.statistics is not None
    assert summary.statistics.message_count == sum(found.values())
    return found


def received_on(diagnostics: list[DiagnosticArray], topic: str) -> int:
    """What the recorder last said that it had received on `topic`."""
    said = [v.value for array in list(diagnostics)[-5:] for s in array.status for v in s.values if v.key == topic]
    return int(said[-1].split()[0]) if said else 0
