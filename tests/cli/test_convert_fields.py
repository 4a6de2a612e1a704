"""`dvf convert` takes a state field of every kind of message, the user's own among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.typesys import get_types_from_msg

from dvf_ros.cli.main import main as dvf
from dvf_ros.data.dataset import Dataset
from tests.cli.test_spec import array, imu, odometry, wrench
from tests.data.bag_making import MS, START, STORE, Bag, header, joint_state, make, pose, pose_stamped, twist, vector
from tests.data.test_sources import transform

FINGER, HAND = "my_robot/msg/Finger", "my_robot/msg/Hand"
STORE.register(get_types_from_msg("float32 force\nint16[2] steps\n", FINGER))
STORE.register(get_types_from_msg("std_msgs/Header header\nmy_robot/Finger[] fingers\nuint8 mode\nbool open\n", HAND))

# topic, type, lines of the spec, fields, and what frame k holds.
CASES: list[tuple[str, str, str, list[str], Any]] = [
    (
        "/joint_states",
        "sensor_msgs/msg/JointState",
        "",
        ["{name: joints, kind: joints, path: position, joints: [b, a]}"],
        lambda k: [-k, k],
    ),
    (
        "/pose",
        "geometry_msgs/msg/Pose",
        "stamp: receive",
        ["{name: p, kind: vector, path: position}"],
        lambda k: [k, 1, 2],
    ),
    (
        "/pose_stamped",
        "geometry_msgs/msg/PoseStamped",
        "",
        ["{name: ps, kind: vector, path: pose.position}", "{name: q, kind: quaternion, path: pose.orientation}"],
        lambda k: [k, 0, 0, 0, 0, 0, 1],
    ),
    (
        "/twist",
        "geometry_msgs/msg/Twist",
        "stamp: receive",
        ["{name: t, kind: vector, path: angular}"],
        lambda k: [0, 0, -k],
    ),
    (
        "/twist_stamped",
        "geometry_msgs/msg/TwistStamped",
        "stamp: publish",
        ["{name: ts, kind: vector, path: twist.linear}"],
        lambda k: [k, 0, 0],
    ),
    (
        "/odom",
        "nav_msgs/msg/Odometry",
        "",
        ["{name: o, kind: vector, path: pose.pose.position}", "{name: ow, path: twist.twist.angular.z}"],
        lambda k: [k, 0, 0, 0.5],
    ),
    ("/imu", "sensor_msgs/msg/Imu", "", ["{name: i, kind: vector, path: linear_acceleration}"], lambda k: [0, 0, 9.81]),
    (
        "/wrench",
        "geometry_msgs/msg/Wrench",
        "stamp: receive",
        ["{name: w, kind: vector, path: torque}"],
        lambda k: [0, k, 0],
    ),
    (
        "/wrench_stamped",
        "geometry_msgs/msg/WrenchStamped",
        "",
        ["{name: ws, kind: vector, path: wrench.force}"],
        lambda k: [k, 0, 0],
    ),
    ("/height", "std_msgs/msg/Float64", "stamp: receive", ["{name: h, path: data}"], lambda k: [k]),
    (
        "/pressures",
        "std_msgs/msg/Float64MultiArray",
        "stamp: receive",
        ["{name: whole, kind: array, path: data, size: 3}", "{name: one, path: 'data[1]'}"],
        lambda k: [k, 2 * k, 3, 2 * k],
    ),
    (
        "/hand",
        HAND,
        "",
        [
            "{name: force, path: 'fingers[1].force'}",
            "{name: steps, kind: array, path: 'fingers[0].steps', size: 2}",
            "{name: mode, path: mode}",
            "{name: open, path: open}",
        ],
        lambda k: [k / 4, -k, k, k % 7, k % 2],
    ),
    (
        "/tf",
        "tf2_msgs/msg/TFMessage",
        "parent: world\n    child: tip",
        ["{name: tip, kind: vector, path: transform.translation}"],
        lambda k: [10 + k + 1, 0, 0],
    ),
]


def messages(k: int, stamp: int) -> dict[str, Any]:
    finger = [make(FINGER, force=f, steps=np.array([-k, k], np.int16)) for f in (0.0, k / 4)]
    shifted = make("geometry_msgs/msg/TwistStamped", header=header(stamp), twist=twist((k, 0, 0), (0, 0, 0)))
    return {
        "/joint_states": joint_state(stamp, {"a": k, "b": -k} if k % 2 else {"b": -k, "a": k}),
        "/pose": pose(k, 1, 2),
        "/pose_stamped": pose_stamped(stamp, k),
        "/twist": twist((0, 0, 0), (0, 0, -k)),
        "/twist_stamped": shifted,
        "/odom": odometry(stamp, k),
        "/imu": imu(stamp, k),
        "/wrench": make("geometry_msgs/msg/Wrench", force=vector(0, 0, 0), torque=vector(0, k, 0)),
        "/wrench_stamped": wrench(stamp, k),
        "/height": make("std_msgs/msg/Float64", data=float(k)),
        "/pressures": array([k, 2.0 * k, 3.0]),
        "/hand": make(HAND, header=header(stamp), fingers=finger, mode=k % 7, open=bool(k % 2)),
        "/tf": make("tf2_msgs/msg/TFMessage", transforms=[transform(stamp, "base", "hand", k)]),
    }


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fields") / "bag"
    ends = [transform(0, "world", "base", 10.0), transform(0, "hand", "tip", 1.0)]
    with Bag(folder) as written:
        written.put("/tf_static", make("tf2_msgs/msg/TFMessage", transforms=ends), START)
        for k in range(40):
            stamp = START + k * 50 * MS
            for topic, message in messages(k, stamp).items():
                written.put(topic, message, stamp + MS)
    return folder


@pytest.mark.parametrize(("topic", "kind", "lines", "fields", "truth"), CASES, ids=[case[0][1:] for case in CASES])
def test_a_field_of_every_kind(
    bag: Path, tmp_path: Path, topic: str, kind: str, lines: str, fields: list[str], truth: Any
) -> None:
    spec = tmp_path / "robot.yaml"
    listed = "\n".join(f"      - {item}" for item in fields)
    spec.write_text(
        f"robot: any\ntask: any\nrate: 20.0\nstate:\n  - topic: {topic}\n    type: {kind}\n    {lines}\n"
        f"    fields:\n{listed}\naction: []\n"
    )
    assert dvf(["convert", str(bag), str(tmp_path / "data"), "--spec", str(spec), "--jobs", "1"]) == 0
    data = Dataset.open(tmp_path / "data")
    assert data.frames == 40 and data.episodes == 1
    expected = np.array([truth(k) for k in range(40)], np.float32)
    np.testing.assert_allclose(data.states, expected, atol=1e-6)
