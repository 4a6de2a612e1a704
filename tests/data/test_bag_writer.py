"""Bags hold what was written, and open with what people open bags with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from mcap.stream_reader import StreamReader
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Reader

from dvf_ros.data.bag_reader import BagReader, read_custom
from dvf_ros.data.bag_writer import BagWriteError, BagWriter, Qos
from tests.data.bag_making import MS, ROOT, SPEC, START, STORE, Bag, custom, joint_state, pose_stamped, write_reach


def test_mcap_summary_says_what_was_written(tmp_path: Path) -> None:
    bag = write_reach(tmp_path / "reach", frames=7)
    with open(bag / "reach_0.mcap", "rb") as stream:
        reader = make_reader(stream)
        assert reader.get_header().profile == "ros2"
        summary = reader.get_summary()
        assert summary is not None and summary.statistics is not None
        statistics = summary.statistics
        assert statistics.message_count == 28
        assert statistics.message_start_time == START + 3 * MS
        assert statistics.message_end_time == START + 613 * MS
        assert {schema.encoding for schema in summary.schemas.values()} == {"ros2msg"}
        assert {channel.message_encoding for channel in summary.channels.values()} == {"cdr"}
        topics = {channel.topic: channel for channel in summary.channels.values()}
        assert set(topics) == {"/joint_states", "/tip", "/outcome", "/cmd"}
        assert statistics.channel_message_counts == {channel.id: 7 for channel in topics.values()}
        offered = yaml.safe_load(topics["/tip"].metadata["offered_qos_profiles"])
        assert offered[0]["reliability"] == "reliable"
        assert topics["/tip"].metadata["topic_type_hash"].startswith("RIHS01_")
        publish_before_receive = [m.log_time - m.publish_time for _, _, m in reader.iter_messages()]
        assert publish_before_receive == [1000] * 28
        records = [record for record in reader.iter_metadata() if record.name == "dvf"]
        assert records[-1].metadata["spec"] == SPEC.text


def test_metadata_is_version_9_with_custom_data(tmp_path: Path) -> None:
    bag = write_reach(tmp_path / "reach", frames=3, about=custom("expert", "success"))
    information = yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert information["version"] == 9
    assert information["storage_identifier"] == "mcap"
    assert information["message_count"] == 12
    assert information["starting_time"]["nanoseconds_since_epoch"] == START + 3 * MS
    assert information["duration"]["nanoseconds"] == 210 * MS
    assert information["relative_file_paths"] == ["reach_0.mcap"]
    assert information["custom_data"]["behavior"] == "expert"
    for entry in information["topics_with_message_count"]:
        assert entry["message_count"] == 3
        assert entry["topic_metadata"]["offered_qos_profiles"][0]["durability"] == "volatile"


def test_rosbags_opens_it_and_agrees_on_types_by_hash(tmp_path: Path) -> None:
    bag = write_reach(tmp_path / "reach", frames=3)
    with Reader(bag) as reader:
        assert (reader.message_count, reader.start_time) == (12, START + 3 * MS)
        assert reader.duration == 210 * MS + 1
    with AnyReader([bag]) as reader:
        # AnyReader compares each type hash with the embedded definition.
        types = {connection.msgtype for connection, _, _ in reader.messages()}
    assert "dvf_ros/msg/Outcome" in types


@settings(max_examples=30, deadline=None)
@given(
    messages=st.lists(
        st.tuples(
            st.sampled_from(["/a", "/b", "/c/d"]),
            st.integers(0, 10**9),
            st.lists(st.floats(allow_nan=True, width=64), min_size=1, max_size=4),
        ),
        max_size=40,
    ),
    text=st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=40), max_size=4),
)
def test_whatever_is_written_comes_back(messages: list, text: dict[str, str]) -> None:
    text = {key: value.replace("\r", "") for key, value in text.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bag"
        with Bag(path, text) as bag:
            for topic, receive, values in messages:
                state = joint_state(receive, {f"joint{i}": value for i, value in enumerate(values)})
                bag.put(topic, state, receive)
        with BagReader(path) as reader:
            back = [(topic, stamp, list(m.position)) for topic, stamp, m in reader.messages({"/a", "/b", "/c/d"})]
            assert reader.custom == text
    expected = sorted(messages, key=lambda item: item[1])
    assert [item[:2] for item in back] == [item[:2] for item in expected]
    for (_, _, found), (_, _, wanted) in zip(back, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_single_file_carries_the_custom_data_too(tmp_path: Path) -> None:
    bag = write_reach(tmp_path / "reach", about=custom("expert", "failure"))
    assert read_custom(bag / "reach_0.mcap") == read_custom(bag) == custom("expert", "failure")


def test_what_is_added_at_the_end_wins(tmp_path: Path) -> None:
    writer = BagWriter(tmp_path / "bag", {"outcome": "", "behavior": "expert"})
    writer.close({"outcome": "success"})
    assert read_custom(tmp_path / "bag") == {"outcome": "success", "behavior": "expert"}
    assert read_custom(tmp_path / "bag" / "bag_0.mcap") == {"outcome": "success", "behavior": "expert"}


def test_an_existing_folder_is_never_overwritten(tmp_path: Path) -> None:
    bag = write_reach(tmp_path / "reach")
    before = (bag / "reach_0.mcap").read_bytes()
    with pytest.raises(BagWriteError, match="exists already"):
        BagWriter(bag)
    assert (bag / "reach_0.mcap").read_bytes() == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_an_error_that_names_the_bag(tmp_path: Path) -> None:
    writer = BagWriter(tmp_path / "bag")
    os.dup2(os.open("/dev/full", os.O_WRONLY), writer._stream.fileno())
    writer.add_topic("/tip", "geometry_msgs/msg/PoseStamped", "", Qos())
    writer.write("/tip", 1, 1, bytes(100))
    with pytest.raises(BagWriteError, match="bag' cannot be written: No space left"):
        writer.flush()
    with pytest.raises(BagWriteError, match="cannot be written"):
        writer.close()


def test_after_a_flush_the_death_of_the_process_loses_nothing(tmp_path: Path) -> None:
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.data.bag_making import *
bag = Bag(Path({str(tmp_path / "bag")!r}), custom("expert"))
for k in range(50):
    bag.put("/tip", pose_stamped(k, k), k)
bag.writer.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"PYTHONPATH": _path()}, timeout=60)
    assert done.returncode == -signal.SIGKILL
    found, metadata = [], {}
    with open(tmp_path / "bag" / "bag_0.mcap", "rb") as stream:
        try:
            for record in StreamReader(stream).records:
                if type(record).__name__ == "Message":
                    kind = "geometry_msgs/msg/PoseStamped"
                    found.append(STORE.deserialize_cdr(record.data, kind).pose.position.x)  # type: ignore[attr-defined]
                elif type(record).__name__ == "Metadata":
                    metadata = record.metadata
        except Exception:
            pass  # the end is missing
    assert found == [float(k) for k in range(50)]
    assert metadata["behavior"] == "expert"


def _path() -> str:
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


def test_the_writer_counts_by_topic(tmp_path: Path) -> None:
    with Bag(tmp_path / "bag") as bag:
        bag.put("/tip", pose_stamped(1, 1), 1)
        bag.put("/tip", pose_stamped(2, 1), 2)
        bag.put("/joint_states", joint_state(2, {"a": 1}), 2)
        assert bag.writer.counts == {"/tip": 2, "/joint_states": 1}
