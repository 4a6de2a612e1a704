"""Definitions as bags embed them, and what happens to a recording when the disk is full."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS")

from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from dvf_ros.data.bag_writer import BagWriteError, Qos
from dvf_ros.nodes.definitions import definition_of
from dvf_ros.nodes.recording import RecordedTopic, Recording
from tests.data.bag_making import STORE
from tests.nodes.harness import wait_for

TOPIC = RecordedTopic("/flag", "std_msgs/msg/Bool", "bool data", Qos(), "")


@pytest.mark.parametrize(
    "name", ["sensor_msgs/msg/JointState", "nav_msgs/msg/Odometry", "dvf_ros/msg/Outcome", "std_msgs/msg/String"]
)
def test_definitions_are_whole(name: str) -> None:
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(definition_of(name), name))
    assert store.hash_rihs01(name) == STORE.hash_rihs01(name)


@pytest.mark.parametrize(
    ("name", "said"), [("no_msgs/msg/X", "'no_msgs' is not installed"), ("std_msgs/msg/X", "has no 'msg/X.msg'")]
)
def test_definitions_that_are_not_there_are_named(name: str, said: str) -> None:
    with pytest.raises(KeyError, match=said):
        definition_of(name)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_ends_the_recording_with_an_error(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "bag", {}, flush_period=0.05)
    os.dup2(os.open("/dev/full", os.O_WRONLY), recording._writer._stream.fileno())
    recording.put(TOPIC, 1, 1, bytes(8))
    wait_for(lambda: recording.error, "the error")
    recording.put(TOPIC, 2, 2, bytes(8))
    with pytest.raises(BagWriteError, match="No space left"):
        recording.end({})


def test_a_full_backlog_is_counted_by_topic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dvf_ros.nodes.recording.BACKLOG", 1)
    recording = Recording(tmp_path / "bag", {}, flush_period=0.05)
    for k in range(20_000):
        recording.put(TOPIC, k, k, bytes(8))
    lost = recording.backlog_lost["/flag"]
    assert lost > 0
    assert recording.end({}) == 20_000 - lost
