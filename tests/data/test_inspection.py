"""What is said about a bag: timing, clocks, roles, definitions; and that it costs no memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dvf_ros.data.inspection import Inspection, inspect_bag
from dvf_ros.data.topic_roles import role_of
from dvf_ros.data.topic_timing import CELLS, HeaderClock, Intervals, Timeline
from tests.data.bag_making import MS, ROOT, START, Bag, custom, make, pose, pose_stamped, twist, write_reach

BAGS = ROOT.parent / "shared" / "bags"
real_bags = pytest.mark.skipif(not BAGS.is_dir(), reason=f"the recorded bags are not at {BAGS}")


def intervals(stamps: list[int]) -> Intervals:
    found = Intervals()
    for stamp in stamps:
        found.add(stamp)
    return found


def test_rate_and_jitter_of_a_topic_that_ticks() -> None:
    random = np.random.default_rng(0)
    stamps = np.arange(5000) * 10 * MS + random.normal(0, 0.5 * MS, 5000)
    found = intervals(stamps.astype(int).tolist())
    assert found.regular and not found.gaps
    assert found.rate == pytest.approx(100, rel=1e-3)
    assert found.quantile(0.5) == pytest.approx(0.01, rel=0.02)
    assert found.jitter == pytest.approx(0.5e-3 * np.sqrt(2), rel=0.05)


def test_gaps_are_told_longest_first_and_do_not_lower_the_rate() -> None:
    stamps = [k * 10 * MS for k in range(1000) if not (200 <= k < 300 or 500 <= k < 800)]
    found = intervals(stamps)
    assert found.gaps == [(3010 * MS, 4990 * MS), (1010 * MS, 1990 * MS)]
    assert found.rate == pytest.approx(100, rel=1e-2)
    assert found.longest_s == pytest.approx(3.01)


def test_a_topic_that_speaks_now_and_then_has_no_gaps() -> None:
    random = np.random.default_rng(0)
    found = intervals(np.cumsum(random.exponential(1000 * MS, 200)).astype(int).tolist())
    assert not found.regular and not found.gaps and found.longest_s > 2


def test_stamps_that_repeat_or_go_back_are_counted() -> None:
    found = intervals([0, 10, 10, 20, 15, 30])
    assert (found.repeated, found.backward, found.last) == (1, 1, 30)


def test_one_or_no_message_has_no_rate() -> None:
    for stamps in ([], [5]):
        found = intervals(stamps)
        assert (found.rate, found.longest_s, found.gaps) == (0.0, 0.0, [])
        assert np.isnan(found.quantile(0.5))


@pytest.mark.parametrize(
    ("stamp", "agrees", "simulated"),
    [
        (lambda k: START + k * 10 * MS, True, False),
        (lambda k: START + k * 10 * MS - 3000 * MS, False, False),
        (lambda k: START + k * 20 * MS, False, False),
        (lambda k: 1000 * MS + k * 10 * MS, False, True),
        (lambda k: 0, False, False),
    ],
)
def test_header_clocks_are_told_apart(stamp: Callable[[int], int], agrees: bool, simulated: bool) -> None:
    clock = HeaderClock()
    for k in range(500):
        clock.add(stamp(k), START + k * 10 * MS + 2 * MS)
    assert (clock.agrees, clock.simulated) == (agrees, simulated)


def test_a_bag_recorded_in_simulated_time_agrees_with_itself() -> None:
    clock = HeaderClock()
    for k in range(500):
        clock.add(k * 10 * MS + MS, k * 10 * MS + 2 * MS)
    assert clock.agrees and not clock.simulated


def test_the_timeline_counts_all_however_long_the_bag() -> None:
    line = Timeline()
    for k in range(20000):
        line.add(START + k * 10 * MS)
    assert line.counts.sum() == 20000 and len(line.counts) == CELLS
    used = line.counts[line.counts > 0]
    assert (len(used) > CELLS // 3 and used[:-1].min() == used[:-1].max()) or np.ptp(used[:-1]) <= 1


@pytest.mark.parametrize(
    ("topic", "kind", "role"),
    [
        ("/cmd_vel", "geometry_msgs/msg/Twist", "action"),
        ("/cf_controll", "geometry_msgs/msg/Pose", "action"),
        ("/arm/joint_command", "sensor_msgs/msg/JointState", "action"),
        ("/gripper/target", "std_msgs/msg/Float64", "action"),
        ("/steer", "ackermann_msgs/msg/AckermannDriveStamped", "action"),
        ("/motion", "geometry_msgs/msg/Twist", "action"),
        ("/base/velocity", "geometry_msgs/msg/TwistStamped", "state"),
        ("/estimate", "geometry_msgs/msg/TwistWithCovarianceStamped", "state"),
        ("/controller/joint_states", "sensor_msgs/msg/JointState", "state"),
        ("/odom", "nav_msgs/msg/Odometry", "state"),
        ("/reference/arm/pose", "geometry_msgs/msg/PoseStamped", "state"),
        ("/camera/image", "sensor_msgs/msg/Image", "none"),
        ("/camera/image/compressed", "sensor_msgs/msg/CompressedImage", "none"),
        ("/tf", "tf2_msgs/msg/TFMessage", "none"),
        ("/rosout", "rcl_interfaces/msg/Log", "none"),
        ("/outcome", "dvf_ros/msg/Outcome", "outcome"),
        ("/navigate_to_pose/_action/feedback", "nav2_msgs/action/NavigateToPose_FeedbackMessage", "none"),
    ],
)
def test_names_and_types_tell_what_a_topic_could_be(topic: str, kind: str, role: str) -> None:
    assert role_of(topic, kind)[0] == role


def test_a_bag_is_told_whole(tmp_path: Path) -> None:
    found = inspect_bag(write_reach(tmp_path / "bag", frames=60, skip=range(20, 40), about=custom("expert")))
    assert {topic.name: topic.role for topic in found.heard} == {
        "/joint_states": "state", "/tip": "state", "/cmd": "action", "/outcome": "outcome"
    }  # fmt: skip
    assert found.custom["behavior"] == "expert"
    assert found.topics["/joint_states"].log.rate == pytest.approx(10, rel=0.01)
    clock = found.topics["/tip"].header
    assert clock is not None and clock.agrees and clock.offset == pytest.approx((0.004, 0.004))
    assert found.topics["/tip"].definition == "bag"
    assert len(found.warnings) == 1
    assert "/tip: a gap, the longest 2.1 s at 1.9 s after its first message" in found.warnings[0]


def record(folder: Path, **stamps: Callable[[int], int]) -> Inspection:
    """A bag of poses, 10 Hz, whose topics carry the given header stamps; and `/bare` without any."""
    with Bag(folder) as bag:
        for k in range(50):
            receive = START + k * 100 * MS
            for topic, stamp in stamps.items():
                bag.put(f"/{topic}", pose_stamped(stamp(k), k), receive)
            bag.put("/bare", pose(k, 0, 0), receive)
    return inspect_bag(folder)


def test_clocks_that_disagree_are_told(tmp_path: Path) -> None:
    found = record(tmp_path / "bag", simulated=lambda k: (k + 1) * 50 * MS, wall=lambda k: START + k * 100 * MS)
    text = "\n".join(found.warnings)
    assert "/simulated: header stamps are simulated time, 0.50 s of it in a second of the log" in text
    assert "clocks disagree: /simulated carry simulated time, /wall real time" in text
    assert "clocks disagree: /simulated carry simulated time, /bare no stamps but the log's" in text


def test_machines_that_disagree_are_told(tmp_path: Path) -> None:
    found = record(tmp_path / "bag", one=lambda k: START + k * 100 * MS, two=lambda k: START + k * 100 * MS - 700 * MS)
    assert found.warnings == ("clocks disagree: the headers of /two and /one are 0.7 s apart, seen from the log",)


def test_stamps_that_are_zero_repeated_or_backward_are_told(tmp_path: Path) -> None:
    found = record(
        tmp_path / "bag",
        zero=lambda k: 0,
        some=lambda k: (k % 5 > 0) * (START + k * 100 * MS),
        repeated=lambda k: START + k // 2 * 200 * MS,
        backward=lambda k: START + k * 100 * MS - (k % 10 == 9) * 250 * MS,
    )
    text = "\n".join(found.warnings)
    assert "/zero: all header stamps are zero; use stamp: receive" in text
    assert "/some: 10 of 50 header stamps are zero" in text
    assert "/repeated: 25 header stamps repeat" in text
    assert "/backward: 5 header stamps are older than the one before" in text


def test_a_bag_without_state_or_messages_says_so(tmp_path: Path) -> None:
    with Bag(tmp_path / "commands") as bag:
        bag.put("/cmd_vel", twist((1, 0, 0), (0, 0, 0)), START)
    with Bag(tmp_path / "empty"):
        pass
    assert "no topic could be a state" in inspect_bag(tmp_path / "commands").warnings[-1]
    assert inspect_bag(tmp_path / "empty").warnings == ("the bag holds no message",)


def test_what_is_left_of_a_damaged_bag_is_told(tmp_path: Path) -> None:
    file = write_reach(tmp_path / "bag", frames=40) / "bag_0.mcap"
    file.write_bytes(file.read_bytes()[:-100])
    found = inspect_bag(tmp_path / "bag")
    assert "'bag_0.mcap' is not whole: 160 messages salvaged" in found.warnings[0]
    assert len(found.heard) == 4


def test_memory_does_not_grow_with_the_bag(tmp_path: Path) -> None:
    def peak(messages: int) -> int:
        folder = tmp_path / str(messages)
        with Bag(folder) as bag:
            point = make("geometry_msgs/msg/Point", x=0.0, y=0.0, z=0.0)
            for k in range(messages):
                bag.put("/point", point, START + k * MS)
        tracemalloc.start()
        assert inspect_bag(folder).topics["/point"].count == messages
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(100)
    assert peak(20000) < 1.5 * peak(5000)


@real_bags
@pytest.mark.parametrize(
    ("name", "states", "actions", "said"),
    [
        ("p4_flybag", 2, 2, ""),
        ("p4_yx1bag", 2, 2, ""),
        ("p4_pitch45bag", 2, 2, "a gap, the longest 0.0909 s"),
        ("p4_fly90bag", 2, 2, "2 gaps, the longest 32.6 s"),
        ("go2_vicon_standard-replay-position", 1, 0, "nothing defines the type vicon_receiver/msg/Position"),
        ("robot_kf", 3, 0, "header stamps are simulated time, 0.22 s of it in a second of the log"),
        ("nav2_cm_moving_obstacle_zstd", 0, 1, "no topic could be a state"),
        ("turtlesim_recording", 1, 1, "nothing defines the type turtlesim/msg/Pose"),
        ("selfdriving_speed", 0, 1, "no topic could be a state"),
    ],
)
def test_real_bags(name: str, states: int, actions: int, said: str) -> None:
    found = inspect_bag(BAGS / name)
    assert (len(found.of("state")), len(found.of("action"))) == (states, actions)
    assert any(said in warning for warning in found.warnings) or (not said and not found.warnings)
