"""TF, times of publishing and interpolation out of bags, and what a report says of odd messages."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import StoragePlugin, Writer

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.bag_reader import BagReader, read_custom
from dvf_ros.data.bag_search import ConversionError, find_bags
from dvf_ros.data.conversion import convert
from dvf_ros.data.dataset import Dataset
from tests.data.bag_making import (
    MS,
    SPEC,
    START,
    STORE,
    Bag,
    header,
    joint_state,
    make,
    pose_stamped,
    vector,
    write_reach,
)
from tests.data.bag_making import custom as about

TF = RobotSpec.parse("""
robot: arm
task: wave
rate: 10.0
state:
  - topic: /tf
    type: tf2_msgs/msg/TFMessage
    parent: world
    child: hand
    max_age: 0.15
    resample: linear
    fields:
      - {name: place, kind: vector, path: transform.translation, unit: m}
      - {name: turn, kind: quaternion, path: transform.rotation}
  - topic: /tf
    type: tf2_msgs/msg/TFMessage
    parent: hand
    child: tip
    max_age: 0.15
    fields: [{name: tip, path: transform.translation.x}]
action: []
""")
SPIN = 2.0  # rad/s about z


def transform(stamp: int, parent: str, child: str, x: float, angle: float = 0.0) -> object:
    turn = make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=np.sin(angle / 2), w=np.cos(angle / 2))
    motion = make("geometry_msgs/msg/Transform", translation=vector(x, 0, 0), rotation=turn)
    kind = "geometry_msgs/msg/TransformStamped"
    return make(kind, header=header(stamp, parent), child_frame_id=child, transform=motion)


def test_transforms_are_told_by_their_frames_and_joined_by_line_and_arc(tmp_path: Path) -> None:
    with Bag(tmp_path / "bag") as bag:
        for k in range(40):
            stamp, time = START + 60 * k * MS, 0.06 * k
            parts = [transform(stamp, "world", "hand", 3 * time, SPIN * time), transform(stamp, "hand", "tip", k)]
            parts.append(transform(stamp, "world", "somebody", 99))
            bag.put("/tf", make("tf2_msgs/msg/TFMessage", transforms=parts), stamp)
        wrong = [transform(stamp + MS, "table", "hand", 7)]
        bag.put("/tf", make("tf2_msgs/msg/TFMessage", transforms=wrong), stamp + MS)
    report = convert([tmp_path / "bag"], tmp_path / "data", TF, jobs=1).bags[0]
    data = Dataset.open(tmp_path / "data")
    time = (data.stamps - START) * 1e-9
    truth = np.stack([3 * time, 0 * time, 0 * time, 0 * time, 0 * time, np.sin(time), np.cos(time)], axis=1)
    assert data.frames == 24
    np.testing.assert_allclose(data.states[:, :7], truth, atol=1e-6)
    np.testing.assert_array_equal(data.states[:, 7], np.floor(time / 0.06 + 1e-9))  # hold
    # Ticks every 100 ms, values every 60 ms: every third tick has a value of its own, and tip is never joined.
    assert data.quality[0]["interpolated"] == 16 / 24 / 2
    assert [report.sources[key]["resample"] for key in ("/tf[world/hand]", "/tf[hand/tip]")] == [
        "linear, slerp",
        "hold",
    ]
    (refused,) = report.refused
    assert "expected transforms that lead from 'world' to 'hand', found 'hand' only below 'table'" in refused


CHAIN = RobotSpec.parse("""
robot: arm
task: wave
rate: 10.0
state:
  - topic: tf
    type: tf2_msgs/msg/TFMessage
    parent: world
    child: tip
    max_age: 0.15
    fields:
      - {name: place, kind: vector, path: transform.translation, unit: m}
      - {name: turn, kind: quaternion, path: transform.rotation}
action: []
""")


@pytest.mark.parametrize("static_first", [True, False])
def test_transforms_several_frames_apart_are_joined_the_static_ones_too(tmp_path: Path, static_first: bool) -> None:
    def tf(*parts: object) -> object:
        return make("tf2_msgs/msg/TFMessage", transforms=list(parts))

    ends = tf(transform(0, "world", "base", 10.0), transform(0, "hand", "tip", 1.0))
    with Bag(tmp_path / "bag") as bag:
        for k in range(101):
            stamp, angle = START + 20 * k * MS, SPIN * 0.02 * k
            if k == (0 if static_first else 3):
                bag.put("/robot/tf_static", ends, stamp)
            bag.put("/robot/tf", tf(transform(stamp, "base", "shoulder", 2.0, angle)), stamp)
            bag.put("/robot/tf", tf(transform(stamp, "shoulder", "hand", 3.0, angle)), stamp + MS)
    report = convert([tmp_path / "bag"], tmp_path / "data", CHAIN, jobs=1).bags[0]
    data = Dataset.open(tmp_path / "data")
    angle = SPIN * (data.stamps - START) * 1e-9
    x = 10 + 2 + 3 * np.cos(angle) + np.cos(2 * angle)
    y = 3 * np.sin(angle) + np.sin(2 * angle)
    truth = np.stack([x, y, 0 * x, 0 * x, 0 * x, np.sin(angle), np.cos(angle)], axis=1)
    np.testing.assert_allclose(data.states, truth, atol=2e-6)
    assert data.frames == (21 if static_first else 20) and data.stamps[0] == START + (not static_first) * 40 * MS
    assert report.messages == {"/robot/tf": 202, "/robot/tf_static": 1} and not report.refused


PUBLISHED = RobotSpec.parse(
    SPEC.text.replace(
        "    max_age: 0.15\n    fields:\n      - {name: ",
        "    max_age: 0.15\n    stamp: publish\n    fields:\n      - {name: ",
    )
)


def test_the_time_of_publishing_out_of_an_mcap_whole_or_cut_off(tmp_path: Path) -> None:
    whole = write_reach(tmp_path / "whole")
    cut = write_reach(tmp_path / "cut", offset=1)
    (cut / "metadata.yaml").unlink()
    (cut / "cut_0.mcap").write_bytes((cut / "cut_0.mcap").read_bytes()[:-20])
    for bag in (whole, cut):
        report = convert([bag], tmp_path / f"{bag.name}_data", PUBLISHED, jobs=1)
        data = Dataset.open(tmp_path / f"{bag.name}_data")
        assert report.bags[0].sources["tip"]["stamp"] == "publish" and data.frames > 15
        # The joints were received 3 ms after their header's stamp and published 1 µs before, the tip 1 ms later: at
        # the first tick there is none yet.
        assert data.stamps[0] == START + 103 * MS - 1000


def test_sqlite3_keeps_no_time_of_publishing(tmp_path: Path) -> None:
    with (
        BagReader(write_reach(tmp_path / "mcap")) as reader,
        Writer(tmp_path / "sqlite", version=9, storage_plugin=StoragePlugin.SQLITE3) as writer,
    ):
        made = {c.id: writer.add_connection(c.topic, c.msgtype, typestore=STORE) for c in reader.connections}
        for connection, receive_ns, data in reader.raw(reader.types):
            writer.write(made[connection.id], receive_ns, data)
    with pytest.raises(ConversionError, match="no time of publishing was kept; write stamp: receive"):
        convert([tmp_path / "sqlite"], tmp_path / "data", PUBLISHED, jobs=1)


TIP = "      - {name: tip, kind: vector, path: pose.position}\n"
TURN = "      - {name: turn, kind: quaternion, path: pose.orientation}\n"
TURNED = RobotSpec.parse(SPEC.text.replace(TIP, TIP + TURN))


def test_everything_odd_is_counted_and_no_wrong_number_comes_in(tmp_path: Path) -> None:
    with Bag(tmp_path / "bag", about(spec=TURNED)) as bag:
        for k in range(30):
            stamp = START + k * 100 * MS
            joints = {"a": k, "b": -k} if k < 20 else {"b": -k, "a": k}  # the order changes once
            tip = pose_stamped(stamp, k)
            tip.header.frame_id = "world" if k < 25 else "base"
            if k == 10:
                nameless = joint_state(stamp, {"a": 77, "b": 77})
                nameless.name = []
                bag.put("/joint_states", nameless, stamp)
                zero = pose_stamped(stamp, 77)
                zero.pose.orientation.w = 0.0
                bag.put("/tip", zero, stamp)
            if k == 15:  # the stamp of frame 14, and a value that came late
                bag.put("/joint_states", joint_state(stamp - 100 * MS, {"a": 14, "b": -14}), stamp)
                bag.put("/tip", pose_stamped(stamp - 150 * MS, 77), stamp)
            bag.put("/joint_states", joint_state(stamp, joints), stamp)
            bag.put("/tip", tip, stamp)
    report = convert([tmp_path / "bag"], tmp_path / "data", jobs=1).bags[0]
    data = Dataset.open(tmp_path / "data")
    np.testing.assert_array_equal(data.states[:, :3], np.arange(30)[:, None] * [1, -1, 1])
    joints, tip = report.sources["joint_states"], report.sources["tip"]
    assert (joints["repeated"], joints["joint_order_changes"]) == (1, 1)
    assert "out_of_order" not in joints and "repeated" not in tip
    assert (tip["out_of_order"], tip["frame_ids"]) == (1, ["world", "base"])
    assert sorted(report.refused.values()) == [1, 1]
    refused = " ".join(report.refused)
    assert "name[] is empty" in refused and "a quaternion of norm 1; found norm 0" in refused
    warnings = " ".join(report.warnings)
    assert (
        "1 stamps repeat" in warnings and "1 stamps are older" in warnings and "frame_id changes (1 times" in warnings
    )


def test_units_that_differ_between_bags_and_angles_that_are_degrees_are_told(tmp_path: Path) -> None:
    text = SPEC.text.replace("path: position, joints: [a, b]", "path: position, joints: [a, b], unit: rad")
    spec = RobotSpec.parse(text)
    for name, scale in (("one", 0.05), ("two", 0.05), ("grad", 0.05 * 180 / np.pi)):
        with Bag(tmp_path / "bags" / name, about(spec=spec)) as bag:
            for k in range(20 + len(name)):
                stamp = START + k * 100 * MS
                bag.put("/joint_states", joint_state(stamp, {"a": scale * k, "b": 0.1}), stamp)
                bag.put("/tip", pose_stamped(stamp, 0.5), stamp)
    report = convert([tmp_path / "bags"], tmp_path / "data", jobs=1)
    silent, between = report.warnings
    assert silent.startswith("no message on the action topic")
    assert "in 'grad'" in between and "degrees, radians" in between
    said = {bag.source: bag.warnings for bag in report.bags}
    assert "are these degrees?" in said["grad"][0] and said["one"] == []


@pytest.mark.parametrize(("factor", "names"), [(180 / np.pi, "rad and deg"), (1000.0, "m and mm"), (1e-3, "m and mm")])
def test_a_unit_that_changes_within_an_episode_is_told_with_its_place(
    tmp_path: Path, factor: float, names: str
) -> None:
    with Bag(tmp_path / "bag", about()) as bag:
        for k in range(60):
            stamp = START + k * 100 * MS
            turn = (1.0 if factor > 1 else 100.0) * (1.0 + 0.5 * np.sin(0.2 * k))
            other = factor if k >= 25 else 1.0
            bag.put("/joint_states", joint_state(stamp, {"a": turn * other, "b": -0.6 * turn * other}), stamp)
            bag.put("/tip", pose_stamped(stamp, turn), stamp)
    (warning,) = convert([tmp_path / "bag"], tmp_path / "data", jobs=1).bags[0].warnings
    assert warning.startswith(
        f"'position' becomes {max(factor, 1 / factor):.4g} times {'larger' if factor > 1 else 'smaller'}"
    )
    assert f"2.500 s from its start at {START}" in warning and names in warning


def test_a_motion_a_step_and_a_single_bad_message_are_no_change_of_unit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with Bag(tmp_path / "bag", about()) as bag:
        for k in range(200):
            stamp = START + k * 100 * MS
            swing = {"a": 3 * np.sin(0.5 * k), "b": rng.normal() * 1e-2}  # through zero, and noise
            if k == 50:
                swing = {name: 1000 * value for name, value in swing.items()}
            bag.put("/joint_states", joint_state(stamp, swing), stamp)
            bag.put("/tip", pose_stamped(stamp, 0.01 if k < 100 else 0.5, 0.02), stamp)
    assert convert([tmp_path / "bag"], tmp_path / "data", jobs=1).bags[0].warnings == []


def test_simulated_and_real_time_that_never_meet_are_told(tmp_path: Path) -> None:
    with Bag(tmp_path / "bag", about()) as bag:
        for k in range(20):
            stamp = START + k * 100 * MS
            bag.put("/joint_states", joint_state(stamp, {"a": k, "b": -k}), stamp)
            bag.put("/tip", pose_stamped(10**9 + k * 100 * MS, k), stamp)
    with pytest.raises(ConversionError, match="clocks disagree: tip go by simulated time, joint_states by real time"):
        convert([tmp_path / "bag"], tmp_path / "data", jobs=1)


@pytest.mark.parametrize(("period", "kept"), [(100, 20), (0, 0)], ids=["simulated from zero", "never set"])
def test_a_stamp_of_zero_is_the_beginning_of_simulated_time_or_none_at_all(
    tmp_path: Path, period: int, kept: int
) -> None:
    with Bag(tmp_path / "bag", about()) as bag:
        for k in range(20):
            stamp, received = k * period * MS, START + k * 100 * MS
            bag.put("/joint_states", joint_state(stamp, {"a": k, "b": -k}), received)
            bag.put("/tip", pose_stamped(stamp, k), received)
    if kept:
        assert convert([tmp_path / "bag"], tmp_path / "data", jobs=1).frames == kept
        return
    with pytest.raises(ConversionError, match="the header's stamp is zero; write stamp: receive"):
        convert([tmp_path / "bag"], tmp_path / "data", jobs=1)


def test_a_loose_file_beside_folders_of_bags_hides_none_of_them(tmp_path: Path) -> None:
    for name in "abc":
        write_reach(tmp_path / name)
    (tmp_path / "c" / "c_0.mcap").rename(tmp_path / "c.mcap")
    shutil.rmtree(tmp_path / "c")
    assert [bag.name for bag in find_bags([tmp_path])] == ["a", "b", "c.mcap"]


def test_metadata_that_were_made_anew_do_not_hide_what_the_recorder_wrote(tmp_path: Path) -> None:
    told = about("expert")
    bag = write_reach(tmp_path / "bag", about=told)
    file = bag / "metadata.yaml"
    information = yaml.safe_load(file.read_text())
    information["rosbag2_bagfile_information"]["custom_data"] = None
    file.write_text(yaml.safe_dump(information))
    assert read_custom(bag) == told
