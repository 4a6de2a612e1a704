"""A dataset as bags: `dvf convert` makes the same frames of them, whatever the message types."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from rosbags.typesys import get_types_from_msg

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.bag_export import export_bags
from dvf_ros.data.bag_reader import BagReader
from dvf_ros.data.conversion import convert
from dvf_ros.data.dataset import ARRAYS, Dataset, Episode
from dvf_ros.data.exchange import ExchangeError, draft_spec
from dvf_ros.data.message_building import OUTCOME, OUTCOME_TEXT
from tests.data.bag_making import ROOT, SPEC, START
from tests.data.datasets import datasets
from tests.data.test_dataset import episode

# One of each: several fields of one JointState, nested and indexed fields, whole numbers, bools, single precision, a
# message without a header, one that grows; actions with less and with more than a period to live.
MANY = RobotSpec.parse(
    """
robot: many
task: kinds
rate: 20
state:
  - topic: joint_states
    type: sensor_msgs/msg/JointState
    fields:
      - {name: position, kind: joints, path: position, joints: [a, b, c]}
      - {name: speed, kind: joints, path: velocity, joints: [c, a]}
      - {name: finger, kind: joints, path: position, joints: [d]}
  - topic: /odom
    type: nav_msgs/msg/Odometry
    fields:
      - {name: place, kind: vector, path: pose.pose.position}
      - {name: turn, kind: quaternion, path: pose.pose.orientation}
  - {topic: poses, type: geometry_msgs/msg/PoseArray, fields: [{name: second, kind: vector, path: "poses[1].position"}]}
  - {topic: single, type: std_msgs/msg/Float32, stamp: receive, fields: [{name: single, path: data}]}
action:
  - {topic: twist, type: geometry_msgs/msg/Twist, stamp: receive, max_age: 0.5, fields: [{name: v, path: linear.x}]}
  - topic: array
    type: std_msgs/msg/Float64MultiArray
    stamp: receive
    max_age: 0.02
    fields: [{name: two, path: "data[2]"}, {name: one, path: "data[1]"}]
outcome:
  topic: outcome
  type: dvf_ros/msg/Outcome
  fields: [{name: terminated, path: terminated}, {name: reward, path: reward}]
"""
)
DRAFT = draft_spec("foreign", 30.0, {"obs": ["x", "y"], "more": ["", "", ""]}, {"action": ["x", "y"]})


def there_and_back(dataset: Dataset, folder: Path) -> tuple[Dataset, tuple[str, ...]]:
    lost = export_bags(dataset, folder / "bags")
    convert([folder / "bags"], folder / "data", jobs=1)
    return Dataset.open(folder / "data"), lost


def assert_equal(found: Dataset, dataset: Dataset) -> None:
    for name in (*ARRAYS, "episode_length", "terminated", "truncated", "success"):
        one, two = np.asarray(getattr(found, name)), np.asarray(getattr(dataset, name))
        assert (one.dtype, one.shape, one.tobytes()) == (two.dtype, two.shape, two.tobytes()), name
    behaviors = [[data.behavior_names[i] for i in data.behavior] for data in (found, dataset)]
    assert behaviors[0] == behaviors[1]


@pytest.mark.parametrize("spec", [MANY, DRAFT], ids=["many kinds", "drafted"])
def test_there_and_back_is_the_same(spec: RobotSpec) -> None:
    @given(datasets(spec, shortest=2))
    @settings(max_examples=10, deadline=None)
    def holds(dataset: Dataset) -> None:
        with tempfile.TemporaryDirectory() as folder:
            found, lost = there_and_back(dataset, Path(folder))
            assert_equal(found, dataset)
            assert lost == ()

    holds()


FRAMES = RobotSpec.parse(
    """
robot: arm
task: wave
rate: 10
state:
  - topic: tf
    type: tf2_msgs/msg/TFMessage
    parent: world
    child: hand
    fields:
      - {name: place, kind: vector, path: transform.translation}
      - {name: turn, kind: quaternion, path: transform.rotation}
  - {topic: level, type: std_msgs/msg/Float32, stamp: receive, fields: [{name: level, path: data}]}
  - topic: tf
    type: tf2_msgs/msg/TFMessage
    parent: world
    child: base
    fields: [{name: x, path: transform.translation.x}]
  - topic: tf
    type: tf2_msgs/msg/TFMessage
    parent: base
    child: hand
    fields: [{name: y, path: transform.translation.y}]
action: []
"""
)


def moving(spec: RobotSpec, states: np.ndarray, actions: np.ndarray) -> Dataset:
    """One episode of known actions, its last frame without one."""
    frames = len(states)
    inner = np.arange(frames) < frames - 1
    made = Episode(
        states=states.astype(np.float32),
        actions=np.where(inner[:, None], actions, 0).astype(np.float32),
        action_mask=inner,
        rewards=np.zeros(frames, np.float32),
        reward_mask=np.zeros(frames, bool),
        stamps=START + np.arange(frames) * spec.period_ns,
    )
    return Dataset.from_episodes(spec, [made])


def test_transforms_of_one_topic_come_back_whatever_hangs_below_what(tmp_path: Path) -> None:
    k = np.arange(12.0)
    angle = 0.3 * k
    states = np.stack([k, -k, 2 * k, 0 * k, 0 * k, np.sin(angle), np.cos(angle), 0.5 * k, 7 * k, 0.1 * k], axis=1)
    dataset = moving(FRAMES, states, np.zeros((12, 0)))
    found, lost = there_and_back(dataset, tmp_path)
    assert_equal(found, dataset)
    assert lost == () and found.states[3].tolist() == np.float32(states[3]).tolist()
    with BagReader(tmp_path / "bags" / "episode_000000") as reader:
        (first, *rest) = (message.transforms for _, _, message in reader.messages(["/tf"]))
    assert len(rest) == 11
    frames = [(part.header.frame_id, part.child_frame_id, part.transform.rotation.w) for part in first]
    assert frames == [("world", "hand", 1.0), ("world", "base", 1.0), ("base", "hand", 1.0)]


COMMANDS = """
robot: base
task: drive
rate: 10
state: [{topic: level, type: std_msgs/msg/Float32, stamp: receive, fields: [{name: level, path: data}]}]
action: [{topic: cmd, type: TYPE, stamp: receive, max_age: 0.5, fields: [FIELD]}]
"""


@pytest.mark.parametrize(
    ("kind", "field", "commands"),
    [
        ("geometry_msgs/msg/Twist", "{name: v, path: linear.x, stop_mode: hold}", [0.25, -0.4, 1e-3, 2.5]),
        ("std_msgs/msg/Float32MultiArray", "{name: v, path: 'data[1]', stop_mode: hold}", [0.25, -0.4, 1e-3, 2.5]),
        ("std_msgs/msg/Bool", "{name: close, path: data, stop_mode: hold}", [0.0, 1.0, 1.0, 0.0]),
        ("std_msgs/msg/Int32", "{name: gear, path: data, stop_mode: hold}", [3.0, -2.0, 0.0, 1.0]),
    ],
)
def test_numbers_are_written_as_the_type_declares_them(
    tmp_path: Path, kind: str, field: str, commands: list[float]
) -> None:
    spec = RobotSpec.parse(COMMANDS.replace("TYPE", kind).replace("FIELD", field))
    dataset = moving(spec, np.arange(5.0)[:, None], np.array([*commands, 0.0])[:, None])
    found, _ = there_and_back(dataset, tmp_path)
    assert_equal(found, dataset)
    assert found.actions[:4, 0].tolist() == np.float32(commands).tolist()


@pytest.mark.parametrize("number", [0.5, np.nan])
def test_a_number_that_is_not_whole_is_refused_where_the_type_is(tmp_path: Path, number: float) -> None:
    spec = RobotSpec.parse(COMMANDS.replace("TYPE", "std_msgs/msg/Int32").replace("FIELD", "{name: gear, path: data}"))
    dataset = moving(spec, np.arange(3.0)[:, None], np.array([[1.0], [number], [0.0]]))
    with pytest.raises(ExchangeError, match=r"topic 'cmd': std_msgs/msg/Int32 cannot hold \["):
        export_bags(dataset, tmp_path / "bags")


def test_an_export_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    stamps = START + np.arange(5) * SPEC.period_ns
    whole = replace(episode(5), stamps=stamps, action_mask=np.ones(5, bool))
    apart = replace(whole, stamps=stamps * 2)
    with pytest.raises(ExchangeError, match="ns apart"):
        export_bags(Dataset.from_episodes(SPEC, [whole, apart]), tmp_path / "a")

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_bags(Dataset.from_episodes(SPEC, [whole]), tmp_path / "b", progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_our_outcome_is_that_of_the_message_file() -> None:
    assert get_types_from_msg(OUTCOME_TEXT, OUTCOME) == get_types_from_msg(
        (ROOT / "msg" / "Outcome.msg").read_text(), OUTCOME
    )


def test_the_bag_says_what_is_known_and_leaves_the_rest_at_its_default(tmp_path: Path) -> None:
    mask = np.array([False, True, False, False, False])
    made = replace(
        episode(5), stamps=START + np.arange(5) * SPEC.period_ns, action_mask=mask, reward_mask=mask, behavior="expert"
    )
    export_bags(Dataset.from_episodes(SPEC, [made]), tmp_path / "bags")
    with BagReader(tmp_path / "bags" / "episode_000000") as reader:
        assert reader.custom["behavior"] == "expert" and reader.custom["spec_digest"] == SPEC.digest
        messages = list(reader.messages(["/cmd", "/joint_states", "/outcome", "/tip"]))
    commands = [(stamp, message) for topic, stamp, message in messages if topic == "/cmd"]
    assert [stamp - START for stamp, _ in commands] == [SPEC.period_ns * k for k in (1, 2, 3)]
    assert commands[0][1].header.frame_id == SPEC.frame and np.isnan(commands[1][1].twist.linear.x)
    assert [np.isnan(message.reward) for topic, _, message in messages if topic == "/outcome"] == [
        True,
        False,
        True,
        True,
    ]
    (tip, *_) = (message for topic, _, message in messages if topic == "/tip")
    assert (tip.pose.orientation.w, tip.header.frame_id) == (1.0, "")


def test_what_has_no_place_is_counted(tmp_path: Path) -> None:
    mute = RobotSpec.parse(SPEC.text.partition("outcome:")[0])
    made = replace(episode(5, terminated=True, truncated=False), stamps=START + np.arange(5) * mute.period_ns)
    made = replace(made, reward_mask=np.array([True, True, False, True, False]))
    assert export_bags(Dataset.from_episodes(mute, [made]), tmp_path / "mute") == ("3 rewards", "1 terminations")
    assert export_bags(Dataset.from_episodes(SPEC, [made]), tmp_path / "loud") == ("1 unknown success",)


def test_what_messages_cannot_say_is_refused(tmp_path: Path) -> None:
    stamps = START + np.arange(5) * SPEC.period_ns
    with pytest.raises(ExchangeError, match=r"episode 0 \('bag'\): its frames are not 100000000 ns apart"):
        export_bags(Dataset.from_episodes(SPEC, [replace(episode(5), stamps=stamps * 2)]), tmp_path / "a")
    text = SPEC.text.replace("geometry_msgs/msg/TwistStamped", "std_msgs/msg/Int32MultiArray\n    stamp: receive")
    whole = RobotSpec.parse(text.replace("kind: vector, path: twist.linear", "kind: array, size: 3, path: data"))
    made = replace(episode(5), stamps=stamps, action_mask=np.ones(5, bool))
    with pytest.raises(
        ExchangeError, match=r"'cmd': std_msgs/msg/Int32MultiArray cannot hold .* would be read back as"
    ):
        export_bags(Dataset.from_episodes(whole, [made]), tmp_path / "b")
    gap = replace(made, actions=np.ones((5, 3), np.float32), action_mask=np.array([True, False, True, True, False]))
    with pytest.raises(ExchangeError, match=r"NaN stands for a number that is not known"):
        export_bags(Dataset.from_episodes(whole, [gap]), tmp_path / "c")
    twice = RobotSpec.parse(SPEC.text.replace("topic: cmd", "topic: tip"))
    with pytest.raises(ExchangeError, match=r"the topic 'tip' is state and action at once"):
        export_bags(Dataset.from_episodes(twice, [made]), tmp_path / "d")
