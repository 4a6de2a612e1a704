"""A robot's bags, of any length, for the figures on conversion."""

from __future__ import annotations

import heapq
import math
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rosbags.typesys import Stores, get_typestore

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.bag_writer import BagWriter, Qos
from dvf_ros.data.cdr_layout import layout_of

SPEC = RobotSpec.parse("""
robot: arm
task: move
rate: 50.0
frame: world
state:
  - topic: joint_states
    type: sensor_msgs/msg/JointState
    fields:
      - {name: position, kind: joints, path: position, joints: [j0, j1, j2, j3, j4, j5, j6]}
      - {name: velocity, kind: joints, path: velocity, joints: [j0, j1, j2, j3, j4, j5, j6]}
  - topic: tip
    type: geometry_msgs/msg/PoseStamped
    fields:
      - {name: place, kind: vector, path: pose.position}
      - {name: turn, kind: quaternion, path: pose.orientation}
action:
  - topic: command
    type: geometry_msgs/msg/TwistStamped
    fields:
      - {name: velocity, kind: vector, path: twist.linear}
""")
RATES = {
    # Hz by topic: an arm's drivers, and all at the control rate, which leaves most to do for each message.
    "drivers": {"/joint_states": 500.0, "/tip": 100.0, "/command": 100.0},
    "control_rate": {"/joint_states": 50.0, "/tip": 50.0, "/command": 50.0},
}
START = 1_700_000_000 * 10**9
STORE = get_typestore(Stores.ROS2_JAZZY)


def write_bag(folder: Path, seconds: float, rates: dict[str, float], seed: int = 0) -> Path:
    """Write an MCAP bag of a moving arm, as the recorder does."""
    streams = [_Stream(topic, seed) for topic in rates]
    writer = BagWriter(folder, {"spec": SPEC.text})
    for stream in streams:
        definition, _ = STORE.generate_msgdef(stream.kind, ros_version=2)
        writer.add_topic(stream.topic, stream.kind, definition, Qos(), STORE.hash_rihs01(stream.kind))
    for time, which in heapq.merge(*(_times(i, rate, seconds) for i, rate in enumerate(rates.values()))):
        stamp = START + round(time * 1e9)
        writer.write(streams[which].topic, stamp + 200_000, stamp + 100_000, streams[which].at(time, stamp))
    writer.close({})
    return folder


def _times(which: int, rate: float, seconds: float) -> Iterator[tuple[float, int]]:
    return ((k / rate + 1e-4 * which, which) for k in range(int(rate * seconds)))


class _Stream:
    """One topic's messages: serialized once, then only numbers and stamps are written anew."""

    def __init__(self, topic: str, seed: int) -> None:
        types, (source,) = STORE.types, [s for s in (*SPEC.state, *SPEC.action) if f"/{s.topic}" == topic]
        self.topic, self.kind, self._phase = topic, source.type, float(seed)
        time = types["builtin_interfaces/msg/Time"](sec=0, nanosec=0)
        header = types["std_msgs/msg/Header"](stamp=time, frame_id="world")
        self._data = bytearray(STORE.serialize_cdr(_message(topic, header), self.kind))
        layout = layout_of(STORE.fielddefs, self.kind, bytes(self._data))
        paths = {"/tip": ("pose.position.x", "pose.position.y"), "/command": ("twist.linear.x",)}
        self._arrays = [layout.numbers[path] for path in paths.get(topic, ("position", "velocity"))]

    def at(self, time: float, stamp: int) -> bytes:
        """The message at `time` (s)."""
        struct.pack_into("<iI", self._data, 4, *divmod(stamp, 10**9))
        for place, numbers in enumerate(self._arrays):
            values = [math.sin(time + self._phase + 0.3 * i + place) for i in range(numbers.size)]
            struct.pack_into(f"<{numbers.size}d", self._data, numbers.offset, *values)
        return bytes(self._data)


def _message(topic: str, header: object) -> object:
    types = STORE.types
    vector = types["geometry_msgs/msg/Vector3"]
    if topic == "/joint_states":
        zeros = np.zeros(7)
        names = [f"j{i}" for i in range(7)]
        return types["sensor_msgs/msg/JointState"](header, names, zeros, zeros, zeros)
    if topic == "/tip":
        turn = types["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0)
        pose = types["geometry_msgs/msg/Pose"](types["geometry_msgs/msg/Point"](0.0, 0.0, 0.5), turn)
        return types["geometry_msgs/msg/PoseStamped"](header, pose)
    twist = types["geometry_msgs/msg/Twist"](vector(0.0, 0.0, 0.0), vector(0.0, 0.0, 0.0))
    return types["geometry_msgs/msg/TwistStamped"](header, twist)
