"""`dvf spec`: what it proposes parses, fits the bag's messages, and converts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dvf_ros.cli.main import main as dvf
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.bag_conversion import Options
from dvf_ros.data.bag_storage import BagError
from dvf_ros.data.conversion import convert
from dvf_ros.data.dataset import Dataset
from dvf_ros.data.definitions import read_definitions
from dvf_ros.data.inspection import inspect_bag
from dvf_ros.data.spec_draft import draft_spec
from tests.data.bag_making import (
    MS,
    ROOT,
    START,
    Bag,
    header,
    joint_state,
    make,
    outcome,
    pose,
    pose_stamped,
    quaternion,
    twist,
    vector,
)  # fmt: skip

BAGS = ROOT.parent / "shared" / "bags"
real_bags = pytest.mark.skipif(not BAGS.is_dir(), reason=f"the recorded bags are not at {BAGS}")
FRAMES = 120


def odometry(stamp: int, x: float) -> Any:
    placed = make("geometry_msgs/msg/PoseWithCovariance", pose=pose(x, 0, 0), covariance=np.zeros(36))
    moved = twist((1, 0, 0), (0, 0, 0.5))
    speed = make("geometry_msgs/msg/TwistWithCovariance", twist=moved, covariance=np.zeros(36))
    return make("nav_msgs/msg/Odometry", header=header(stamp, "odom"), child_frame_id="base", pose=placed, twist=speed)


def imu(stamp: int, x: float) -> Any:
    nothing = make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=0.0)
    zeros = {f"{name}_covariance": np.zeros(9) for name in ("orientation", "angular_velocity", "linear_acceleration")}
    turn, push = vector(0, 0, x), vector(0, 0, 9.81)
    values = {"orientation": nothing, "angular_velocity": turn, "linear_acceleration": push}
    return make("sensor_msgs/msg/Imu", header=header(stamp), **values, **zeros)


def wrench(stamp: int, x: float) -> Any:
    about = make("geometry_msgs/msg/Wrench", force=vector(x, 0, 0), torque=vector(0, x, 0))
    return make("geometry_msgs/msg/WrenchStamped", header=header(stamp), wrench=about)


def array(values: list[float]) -> Any:
    layout = make("std_msgs/msg/MultiArrayLayout", dim=[], data_offset=0)
    return make("std_msgs/msg/Float64MultiArray", layout=layout, data=np.array(values))


def battery(stamp: int) -> Any:
    return make("sensor_msgs/msg/Temperature", header=header(stamp), temperature=20.0, variance=0.0)


def rich_bag(folder: Path) -> Path:
    """Everything that a robot says, 20 Hz; a thermometer at 2 Hz; commands without header."""
    with Bag(folder) as bag:
        for k in range(FRAMES):
            stamp, value = START + k * 50 * MS, k / 10
            for topic, message in {
                "/joint_states": joint_state(stamp, {"b": -value, "a": value}),
                "/left/pose": pose_stamped(stamp, value),
                "/right/pose": pose_stamped(stamp, value),
                "/odom": odometry(stamp, value),
                "/imu": imu(stamp, value),
                "/wrench": wrench(stamp, value),
                "/pressures": array([value, 2 * value, 3.0]),
                "/height": make("std_msgs/msg/Float64", data=value),
                "/cmd_vel": twist((value, 0, 0), (0, 0, -value)),
                "/outcome": outcome(stamp, value),
                "/text": make("std_msgs/msg/String", data="hello"),
            }.items():
                bag.put(topic, message, stamp + MS)
            if k % 10 == 0:
                bag.put("/temperature", battery(stamp), stamp + MS)
    return folder


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rich_bag(tmp_path_factory.mktemp("rich") / "robot")


def propose(bag: Path, definitions: dict[str, str] | None = None) -> RobotSpec:
    return RobotSpec.parse(draft_spec(inspect_bag(bag, definitions), definitions))


def test_every_known_type_gives_its_fields(rich: Path) -> None:
    spec = propose(rich)
    fields = {source.topic: {item.path: (item.kind, item.unit) for item in source.fields} for source in spec.state}
    assert fields == {
        "/height": {"data": ("scalar", "1")},
        "/imu": {"angular_velocity": ("vector", "rad/s"), "linear_acceleration": ("vector", "m/s^2")},
        "/joint_states": {"position": ("joints", "rad")},
        "/left/pose": {"pose.position": ("vector", "m"), "pose.orientation": ("quaternion", "1")},
        "/right/pose": {"pose.position": ("vector", "m"), "pose.orientation": ("quaternion", "1")},
        "/odom": {
            "pose.pose.position": ("vector", "m"),
            "pose.pose.orientation": ("quaternion", "1"),
            "twist.twist.linear": ("vector", "m/s"),
            "twist.twist.angular": ("vector", "rad/s"),
        },
        "/pressures": {"data": ("array", "1")},
        "/temperature": {"temperature": ("scalar", "1"), "variance": ("scalar", "1")},
        "/wrench": {"wrench.force": ("vector", "N"), "wrench.torque": ("vector", "N*m")},
    }
    names = {item.name for source in spec.state for item in source.fields}
    assert {"left_pose_position", "right_pose_position", "odom_linear", "height", "wrench_force"} <= names
    joints = next(source for source in spec.state if source.topic == "/joint_states").fields[0]
    assert joints.joints == ("b", "a")


def test_commands_have_the_range_that_was_recorded(rich: Path) -> None:
    (source,) = propose(rich).action
    linear, angular = source.fields
    assert (source.topic, source.stamp) == ("/cmd_vel", "receive")
    assert (linear.lower, linear.upper) == ((0.0, 0.0, 0.0), (11.9, 0.0, 0.0))
    assert (angular.lower, angular.upper) == ((0.0, 0.0, -11.9), (0.0, 0.0, 0.0))
    assert linear.stop_mode == "zero"


def test_rate_ages_frame_and_outcome(rich: Path) -> None:
    spec = propose(rich)
    assert spec.rate == 20.0  # the thermometer's 2 Hz hold nobody back
    ages = {source.topic: source.max_age for source in spec.state}
    assert ages["/odom"] == pytest.approx(0.15, rel=0.05) and ages["/temperature"] == pytest.approx(1.5, rel=0.05)
    assert spec.frame in ("world", "odom")
    assert spec.outcome is not None and spec.outcome.topic == "/outcome"
    stamps = {source.topic: source.stamp for source in spec.state}
    assert stamps["/odom"] == "header" and stamps["/height"] == "receive"


def test_the_proposal_converts(rich: Path, tmp_path: Path) -> None:
    output = tmp_path / "robot.yaml"
    assert dvf(["spec", str(rich), "--output", str(output)]) == 0
    assert dvf(["convert", str(rich), str(tmp_path / "data"), "--spec", str(output), "--jobs", "1"]) == 0
    data = Dataset.open(tmp_path / "data")
    assert data.frames == FRAMES - 1  # less the tick before all had spoken; the thermometer's last word holds
    column = data.spec.state_names.index("height")
    assert np.all(np.diff(data.states[:, column]) > 0)


def test_comments_say_what_was_left_out_and_why(rich: Path) -> None:
    text = draft_spec(inspect_bag(rich))
    assert "# left out: orientation (not filled in)" in text
    assert "# left out: velocity (not filled in)" in text
    assert "task: task # check: any name" in text


def test_it_is_printed_or_written_but_never_overwritten(
    rich: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dvf(["spec", str(rich)]) == 0
    RobotSpec.parse(capsys.readouterr().out)
    (tmp_path / "mine.yaml").write_text("mine")
    assert dvf(["spec", str(rich), "--output", str(tmp_path / "mine.yaml")]) == 1
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "mine.yaml").read_text() == "mine"


def stamped_bag(folder: Path, simulated: int, wall: int) -> Path:
    """`simulated` topics in simulated time at half speed and `wall` ones in real time, 20 Hz."""
    with Bag(folder) as bag:
        for k in range(FRAMES):
            receive = START + k * 50 * MS
            for number in range(simulated):
                bag.put(f"/sim{number}/pose", pose_stamped((k + 1) * 25 * MS, k), receive)
            for number in range(wall):
                bag.put(f"/wall{number}/pose", pose_stamped(receive - 3 * MS, k), receive)
    return folder


@pytest.mark.parametrize(
    ("simulated", "wall", "stamp", "rate"), [(2, 0, "header", 40.0), (1, 1, "receive", 20.0), (0, 2, "header", 20.0)]
)
def test_all_topics_go_by_a_clock_that_they_share(
    tmp_path: Path, simulated: int, wall: int, stamp: str, rate: float
) -> None:
    bag = stamped_bag(tmp_path / "bag", simulated, wall)
    spec = propose(bag)
    assert {source.stamp for source in spec.state} == {stamp}
    assert spec.rate == rate
    assert convert([bag], tmp_path / "data", spec, jobs=1).frames > FRAMES - 5


def test_zero_stamps_are_not_used(tmp_path: Path) -> None:
    with Bag(tmp_path / "bag") as bag:
        for k in range(FRAMES):
            bag.put("/pose", pose_stamped(0, k), START + k * 50 * MS)
    assert propose(tmp_path / "bag").state[0].stamp == "receive"


def test_wide_messages_are_bounded_and_said_to_be(tmp_path: Path) -> None:
    with Bag(tmp_path / "bag") as bag:
        for k in range(FRAMES):
            stamp = START + k * 50 * MS
            bag.put("/many", array([0.0] * 500), stamp)
            bag.put("/joints", joint_state(stamp, {f"j{i}": 0.0 for i in range(60)}), stamp)
    text = draft_spec(inspect_bag(tmp_path / "bag"))
    assert RobotSpec.parse(text).state_size == 60
    assert "#   /many: no number in it; data (500 numbers)" in text


def test_without_a_state_each_topic_is_told_why(tmp_path: Path) -> None:
    with Bag(tmp_path / "bag") as bag:
        for k in range(FRAMES):
            bag.put("/cmd_vel", twist((1, 0, 0), (0, 0, 0)), START + k * 50 * MS)
            bag.put("/text", make("std_msgs/msg/String", data="x"), START + k * 50 * MS)
        bag.put("/rare", quaternion(), START)
    with pytest.raises(BagError) as caught:
        draft_spec(inspect_bag(tmp_path / "bag"))
    said = str(caught.value)
    assert "no topic that could be a state" in said
    for reason in ("/cmd_vel: a command: 'cmd' in its name", "/text: no vector", "/rare: 1 messages are too few"):
        assert reason in said


@real_bags
@pytest.mark.parametrize("name", ["p4_flybag", "p4_yx1bag", "p4_pitch45bag", "p4_fly90bag", "robot_kf"])
def test_proposals_for_real_bags_convert(tmp_path: Path, name: str) -> None:
    spec = propose(BAGS / name)
    report = convert([BAGS / name], tmp_path / "data", spec, jobs=1)
    assert report.bags[0].status == "converted" and not report.bags[0].refused
    data = Dataset.open(tmp_path / "data")
    assert data.frames > 40 and np.isfinite(data.states).all()


@real_bags
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nav2_cm_moving_obstacle_zstd", "/local_costmap/costmap: no vector of numbers"),
        ("selfdriving_speed", "/cmd_vel: a command: 'cmd' in its name"),
        (
            "turtlesim_recording",
            "/turtle1/pose: nothing defines its type turtlesim/msg/Pose",
        ),
        ("go2_vicon_standard-replay-position", "nothing defines its type vicon_receiver/msg/Position"),
    ],
)
def test_real_bags_without_a_known_state_are_refused_for_that_reason(name: str, reason: str) -> None:
    with pytest.raises(BagError) as caught:
        propose(BAGS / name)
    assert reason in str(caught.value)


VICON = """std_msgs/Header header
float32 x_trans
float32 y_trans
float32 z_trans
float32 x_rot
float32 y_rot
float32 z_rot
float32 w
string segment_name
string subject_name
int32 frame_number
string translation_type
"""
TURTLE = "float32 x\nfloat32 y\nfloat32 theta\nfloat32 linear_velocity\nfloat32 angular_velocity\n"


@real_bags
@pytest.mark.parametrize(
    ("name", "kind", "text", "size", "actions"),
    [
        ("go2_vicon_standard-replay-position", "vicon_receiver/msg/Position", VICON, 7, 0),
        ("turtlesim_recording", "turtlesim/msg/Pose", TURTLE, 5, 6),
    ],
    ids=["go2", "turtle"],
)
def test_real_bags_convert_with_the_users_definitions(
    tmp_path: Path, name: str, kind: str, text: str, size: int, actions: int
) -> None:
    file = tmp_path / "ws" / f"{kind}.msg"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    definitions = read_definitions(tmp_path / "ws")
    spec = propose(BAGS / name, definitions)
    assert (spec.state_size, spec.action_size) == (size, actions)
    other = definitions | {kind: "float32[9] x"}
    with pytest.raises(BagError, match=f"is no '{kind}' as msg-path defines it"):
        propose(BAGS / name, other)
    options = Options(definitions=tuple(definitions.items()))
    assert convert([BAGS / name], tmp_path / "data", spec, options, jobs=1).frames > 1000


def test_a_commanded_point_is_held_and_a_damaged_command_passed_over(tmp_path: Path) -> None:
    with Bag(tmp_path / "bag") as bag:
        for k in range(FRAMES):
            stamp = START + k * 50 * MS
            bag.put("/pose", pose_stamped(stamp, k / 10), stamp)
            goal = make("geometry_msgs/msg/Point", x=float(k), y=0.0, z=0.0)
            bag.put("/goal_point", make("geometry_msgs/msg/PointStamped", header=header(stamp), point=goal), stamp)
        bag.writer.write("/goal_point", stamp + MS, stamp, b"\x00\x01\x00\x00abc")
    spec = RobotSpec.parse(draft_spec(inspect_bag(tmp_path / "bag")))
    assert [item.stop_mode for item in spec.action[0].fields] == ["hold"]
