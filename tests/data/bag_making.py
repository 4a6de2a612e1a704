"""Bags for tests: messages built with the rosbags library, written by the package's own writer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.bag_writer import BagWriter, Qos

ROOT = Path(__file__).resolve().parents[2]
MS = 1_000_000
START = 1_700_000_000_000_000_000
STORE = get_typestore(Stores.ROS2_JAZZY)
OUTCOME = "dvf_ros/msg/Outcome"
STORE.register(get_types_from_msg((ROOT / "msg" / "Outcome.msg").read_text(), OUTCOME))

JOINTS = """
robot: two_joints
task: reach
rate: 10.0
state:
  - topic: joint_states
    type: sensor_msgs/msg/JointState
    max_age: 0.15
    fields:
      - {name: position, kind: joints, path: position, joints: [a, b]}
  - topic: tip
    type: geometry_msgs/msg/PoseStamped
    max_age: 0.15
    fields:
      - {name: tip, kind: vector, path: pose.position}
action:
  - topic: cmd
    type: geometry_msgs/msg/TwistStamped
    max_age: 0.15
    fields:
      - {name: velocity, kind: vector, path: twist.linear}
outcome:
  topic: outcome
  type: dvf_ros/msg/Outcome
  max_age: 0.01
  fields:
    - {name: reward, path: reward}
    - {name: success, path: success}
    - {name: terminated, path: terminated}
"""
SPEC = RobotSpec.parse(JOINTS)


def make(type_name: str, **values: Any) -> Any:
    """A message with all fields given."""
    return STORE.types[type_name](**values)


def header(stamp: int, frame: str = "world") -> Any:
    time = make("builtin_interfaces/msg/Time", sec=stamp // 10**9, nanosec=stamp % 10**9)
    return make("std_msgs/msg/Header", stamp=time, frame_id=frame)


def vector(x: float, y: float, z: float) -> Any:
    return make("geometry_msgs/msg/Vector3", x=float(x), y=float(y), z=float(z))


def pose(x: float, y: float, z: float) -> Any:
    point = make("geometry_msgs/msg/Point", x=float(x), y=float(y), z=float(z))
    return make("geometry_msgs/msg/Pose", position=point, orientation=quaternion())


def quaternion() -> Any:
    return make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0)


def twist(linear: Any, angular: Any) -> Any:
    return make("geometry_msgs/msg/Twist", linear=vector(*linear), angular=vector(*angular))


def joint_state(stamp: int, joints: Mapping[str, float]) -> Any:
    values = np.array(list(joints.values()), np.float64)
    empty = np.zeros(0)
    return make(
        "sensor_msgs/msg/JointState",
        header=header(stamp),
        name=list(joints),
        position=values,
        velocity=empty,
        effort=empty,
    )


def pose_stamped(stamp: int, x: float, y: float = 0.0, z: float = 0.0) -> Any:
    return make("geometry_msgs/msg/PoseStamped", header=header(stamp), pose=pose(x, y, z))


def twist_stamped(stamp: int, x: float, y: float = 0.0, z: float = 0.0, frame: str = SPEC.frame) -> Any:
    motion = twist((x, y, z), (0, 0, 0))
    return make("geometry_msgs/msg/TwistStamped", header=header(stamp, frame), twist=motion)


def outcome(stamp: int, reward: float, success: bool = False, terminated: bool = False) -> Any:
    return make(
        OUTCOME,
        header=header(stamp),
        reward=float(reward),
        success=success,
        terminated=terminated,
        truncated=False,
    )


class Bag:
    """A bag being written message by message; a context manager that closes it."""

    def __init__(self, folder: Path, custom: Mapping[str, str] | None = None) -> None:
        self.writer = BagWriter(folder, custom)

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()

    def put(self, topic: str, message: Any, receive_ns: int) -> None:
        """Write `message`, announcing its topic the first time."""
        kind = message.__msgtype__
        definition, _ = STORE.generate_msgdef(kind, ros_version=2)
        self.writer.add_topic(topic, kind, definition, Qos(), STORE.hash_rihs01(kind))
        published = max(receive_ns - 1000, 0)
        self.writer.write(topic, receive_ns, published, bytes(STORE.serialize_cdr(message, kind)))


def custom(behavior: str = "", result: str = "", spec: RobotSpec = SPEC) -> dict[str, str]:
    """What the recorder puts into a bag's metadata."""
    return {"spec": spec.text, "spec_digest": spec.digest, "behavior": behavior, "outcome": result}


def write_reach(
    folder: Path,
    frames: int = 20,
    *,
    skip: range = range(0),
    commands: range | None = None,
    offset: float = 0.0,
    namespace: str = "",
    about: Mapping[str, str] | None = None,
    ending: bool = False,
) -> Path:
    """Record `frames` ticks of SPEC: joints (k, −k), tip 10 k, command 100 k, reward 1000 k; `skip` has no tip."""
    with Bag(folder, custom() if about is None else about) as bag:
        for k in range(frames):
            stamp = START + k * 100 * MS
            received = stamp + 3 * MS
            value = k + offset
            bag.put(f"{namespace}/joint_states", joint_state(stamp, {"b": -value, "a": value}), received)
            if k not in skip:
                bag.put(f"{namespace}/tip", pose_stamped(stamp, 10 * value), received + MS)
            bag.put(f"{namespace}/outcome", outcome(stamp, 1000 * k, terminated=ending and k == frames - 1), received)
            if commands is None or k in commands:
                bag.put(f"{namespace}/cmd", twist_stamped(stamp + 5 * MS, 100 * k), received + 10 * MS)
    return folder
