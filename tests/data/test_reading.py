"""Bags in every state that people find them in: each must give the same messages as the bag that is whole."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import zstandard
from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.bag_conversion import Options
from dvf_ros.data.bag_reader import BagError, BagReader
from dvf_ros.data.bag_search import find_bags
from dvf_ros.data.bag_writer import BagWriter
from dvf_ros.data.conversion import convert
from dvf_ros.data.dataset import Dataset
from dvf_ros.data.definitions import read_definitions
from tests.data.bag_making import MS, SPEC, START, STORE, pose_stamped, write_reach

FRAMES = 40


def copy(
    bag: Path,
    folder: Path,
    storage: StoragePlugin = StoragePlugin.MCAP,
    mode: CompressionMode = CompressionMode.NONE,
    version: int = 9,
) -> Path:
    """Write the messages of `bag` as the rosbags library writes them."""
    writer = Writer(folder, version=version, storage_plugin=storage)
    if mode != CompressionMode.NONE:
        writer.set_compression(mode, CompressionFormat.ZSTD)
    with Reader(bag) as source, writer:
        connections = {c.id: writer.add_connection(c.topic, c.msgtype, typestore=STORE) for c in source.connections}
        for connection, stamp, data in source.messages():
            writer.write(connections[connection.id], stamp, data)
    return folder


def heard(bag: Path) -> list[tuple[str, int, float]]:
    """What the state topics of a bag say."""
    with BagReader(bag) as reader:
        messages = reader.messages({"/joint_states", "/tip"})
        return [(topic, stamp, value_of(message)) for topic, stamp, message in messages]


def value_of(message: Any) -> float:
    return float(message.pose.position.x if hasattr(message, "pose") else message.position[1])


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return write_reach(tmp_path / "whole", frames=FRAMES)


@pytest.mark.parametrize("storage", list(StoragePlugin))
@pytest.mark.parametrize("mode", list(CompressionMode))
@pytest.mark.parametrize("metadata", [True, False])
def test_storage_compression_and_metadata_make_no_difference(
    whole: Path, tmp_path: Path, storage: StoragePlugin, mode: CompressionMode, metadata: bool
) -> None:
    if (storage, mode) == (StoragePlugin.SQLITE3, CompressionMode.STORAGE):
        pytest.skip("sqlite3 has no compression of its own")
    bag = copy(whole, tmp_path / "other", storage, mode)
    if not metadata:
        (bag / "metadata.yaml").unlink()
    assert heard(bag) == heard(whole)
    with BagReader(bag) as reader:
        assert ("no metadata.yaml" in reader.note) is not metadata


def test_a_single_packed_file_is_a_bag(whole: Path, tmp_path: Path) -> None:
    file = tmp_path / "alone.mcap.zstd"
    file.write_bytes(zstandard.compress((whole / "whole_0.mcap").read_bytes()))
    assert heard(file) == heard(whole)


def split(folder: Path, parts: int, frames: int) -> Path:
    """A bag of files NAME_0 … whose poses go on from file to file."""
    folder.mkdir()
    for part in range(parts):
        writer = BagWriter(folder / "tmp")
        definition, _ = STORE.generate_msgdef("geometry_msgs/msg/PoseStamped", ros_version=2)
        writer.add_topic("/tip", "geometry_msgs/msg/PoseStamped", definition)
        for k in range(part * frames, (part + 1) * frames):
            stamp = START + k * 100 * MS
            writer.write(
                "/tip",
                stamp,
                stamp,
                bytes(STORE.serialize_cdr(pose_stamped(stamp, k), "geometry_msgs/msg/PoseStamped")),
            )
        writer.close()
        writer.file.rename(folder / f"{folder.name}_{part}.mcap")
        shutil.rmtree(folder / "tmp")
    return folder


def test_a_split_bag_is_read_in_the_order_of_its_recording(tmp_path: Path) -> None:
    bag = split(tmp_path / "split", parts=11, frames=3)
    assert [value for _, _, value in heard(bag)] == list(range(33))
    assert find_bags([tmp_path]) == [bag]


def test_files_of_other_names_are_bags_of_their_own(tmp_path: Path) -> None:
    bag = split(tmp_path / "split", parts=2, frames=3)
    (bag / "split_1.mcap").rename(bag / "other.mcap")
    assert [found.name for found in find_bags([tmp_path])] == ["other.mcap", "split_0.mcap"]


def test_a_missing_file_of_a_split_bag_is_told(whole: Path) -> None:
    text = (whole / "metadata.yaml").read_text()
    (whole / "metadata.yaml").write_text(text.replace("- whole_0.mcap", "- whole_0.mcap\n  - whole_1.mcap", 1))
    with BagReader(whole) as reader:
        assert "1 of 2 files are missing: 'whole_1.mcap'" in reader.note
    (whole / "whole_0.mcap").unlink()
    with pytest.raises(BagError, match=r"holds no messages: expected 'whole_0.mcap', 'whole_1.mcap', found no such"):
        BagReader(whole)


def chunked(file: Path, chunk: CompressionType, messages: int = 200) -> Path:
    """An MCAP file of one topic in many small chunks."""
    with file.open("wb") as stream:
        writer = McapWriter(stream, chunk_size=1000, compression=chunk)
        writer.start(profile="ros2")
        definition, _ = STORE.generate_msgdef("geometry_msgs/msg/PoseStamped", ros_version=2)
        schema = writer.register_schema("geometry_msgs/msg/PoseStamped", "ros2msg", definition.encode())
        channel = writer.register_channel("/tip", "cdr", schema)
        for k in range(messages):
            stamp = START + k * 10 * MS
            data = bytes(STORE.serialize_cdr(pose_stamped(stamp, k), "geometry_msgs/msg/PoseStamped"))
            writer.add_message(channel, stamp, data, stamp)
        writer.finish()
    return file


@pytest.mark.parametrize("compression", [CompressionType.NONE, CompressionType.ZSTD])
def test_of_a_file_that_was_cut_anywhere_what_is_whole_is_salvaged(
    tmp_path: Path, compression: CompressionType
) -> None:
    file = chunked(tmp_path / "bag.mcap", compression)
    content = file.read_bytes()
    counts = []
    for length in range(2500, len(content), 997):
        file.write_bytes(content[:length])
        values = [value for _, _, value in heard(file)]
        assert values == list(range(len(values)))
        counts.append(len(values))
        with BagReader(file) as reader:
            assert f"{len(values)} messages salvaged" in reader.note
            assert reader.connections[0].msgcount == len(values)
    assert counts == sorted(counts) and counts[-1] == 200 and counts[0] > 0


def test_a_damaged_chunk_is_counted_and_the_rest_salvaged(tmp_path: Path) -> None:
    file = chunked(tmp_path / "bag.mcap", CompressionType.ZSTD)
    content = bytearray(file.read_bytes())[:-40]
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    values = [value for _, _, value in heard(file)]
    assert 180 < len(values) < 200 and values[-1] == 199
    with BagReader(file) as reader:
        assert "1 chunks, wholly or in part" in reader.note


def test_a_damaged_chunk_in_a_file_with_an_index_is_passed_over(tmp_path: Path) -> None:
    file = chunked(tmp_path / "bag.mcap", CompressionType.ZSTD)
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 0xFF
    file.write_bytes(content)
    with BagReader(file) as reader:
        values = [value_of(message) for _, _, message in reader.messages({"/tip"})]
        assert "1 chunks, wholly or in part" in reader.note
    assert 180 < len(values) < 200 and values[-1] == 199 and values == sorted(set(values))


def test_a_file_without_chunks_need_not_be_in_order(tmp_path: Path) -> None:
    with (tmp_path / "bag.mcap").open("wb") as stream:
        writer = McapWriter(stream, use_chunking=False)
        writer.start(profile="ros2")
        definition, _ = STORE.generate_msgdef("geometry_msgs/msg/PoseStamped", ros_version=2)
        schema = writer.register_schema("geometry_msgs/msg/PoseStamped", "ros2msg", definition.encode())
        channel = writer.register_channel("/tip", "cdr", schema)
        for k in (0, 2, 1, 3):
            data = bytes(STORE.serialize_cdr(pose_stamped(START + k, k), "geometry_msgs/msg/PoseStamped"))
            writer.add_message(channel, START + k, data, START + k)
        writer.finish()
    assert [value for _, _, value in heard(tmp_path / "bag.mcap")] == [0, 2, 1, 3]
    with BagReader(tmp_path / "bag.mcap") as reader:
        assert reader.note == ""


def test_a_damaged_database_is_told(whole: Path, tmp_path: Path) -> None:
    bag = copy(whole, tmp_path / "other", StoragePlugin.SQLITE3)
    file = bag / "other.db3"
    file.write_bytes(file.read_bytes()[:-20000])
    with pytest.raises(BagError, match=r"other\.db3' cannot be read"):
        heard(bag)


def test_what_metadata_counts_and_is_not_there_is_lost(whole: Path) -> None:
    text = (whole / "metadata.yaml").read_text()
    file = whole / "whole_0.mcap"
    file.write_bytes(file.read_bytes()[:-20])
    (whole / "metadata.yaml").write_text(text.replace(f"message_count: {4 * FRAMES}", f"message_count: {5 * FRAMES}"))
    with BagReader(whole) as reader:
        assert f"{FRAMES} of {5 * FRAMES} messages that metadata.yaml counts are lost" in reader.note


def test_a_recording_that_was_cut_off_still_says_what_it_is(whole: Path) -> None:
    (whole / "metadata.yaml").unlink()
    file = whole / "whole_0.mcap"
    file.write_bytes(file.read_bytes()[:-20])
    with BagReader(whole) as reader:
        assert reader.custom["spec_digest"] == SPEC.digest


ODD = "odd_msgs/msg/Odd"


def odd_bag(folder: Path) -> Path:
    """A bag of a type that it does not define, with a type within it that it does not define either."""
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg("float64 x", "odd_msgs/msg/Part") | get_types_from_msg("Part part\nint32 n", ODD))
    with Writer(folder, version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connection = writer.add_connection("/odd", ODD, typestore=store)
        for k in range(30):
            message = store.types[ODD](part=store.types["odd_msgs/msg/Part"](x=float(k)), n=k)
            writer.write(connection, START + k * 100 * MS, store.serialize_cdr(message, ODD))
    with sqlite3.connect(folder / f"{folder.name}.db3") as file:
        file.execute("DELETE FROM message_definitions")
    return folder


def test_the_users_definitions_decode_what_the_bag_does_not_define(tmp_path: Path) -> None:
    bag = odd_bag(tmp_path / "bag")
    package = tmp_path / "ws" / "src" / "odd_msgs" / "msg"
    package.mkdir(parents=True)
    (package / "Part.msg").write_text("float64 x\n")
    (package / "Odd.msg").write_text("Part part\nint32 n\n")
    definitions = read_definitions(tmp_path / "ws")
    with BagReader(bag, definitions) as reader:
        assert [message.part.x for _, _, message in reader.messages({"/odd"})] == list(range(30))
    text = f"""
robot: odd
task: odd
rate: 10.0
state: [{{topic: /odd, type: {ODD}, stamp: receive, fields: [{{name: x, path: part.x}}]}}]
action: []
"""
    convert([bag], tmp_path / "data", RobotSpec.parse(text), Options(definitions=tuple(definitions.items())), jobs=1)
    assert Dataset.open(tmp_path / "data").frames == 30


def test_wrong_or_missing_definitions_are_told(tmp_path: Path) -> None:
    bag = odd_bag(tmp_path / "bag")
    (tmp_path / "flat").mkdir()
    with pytest.raises(BagError, match=r"holds no \.msg file"):
        read_definitions(tmp_path / "flat")
    (tmp_path / "flat" / "Odd.msg").write_text("float32[7] x\n")
    with BagReader(bag, read_definitions(tmp_path / "flat")) as reader, pytest.raises(BagError) as caught:
        list(reader.messages({"/odd"}))
    assert "is no 'odd_msgs/msg/Odd' as msg-path defines it" in str(caught.value)
    (tmp_path / "flat" / "Odd.msg").write_text("no definition at all")
    with BagReader(bag, read_definitions(tmp_path / "flat")) as reader, pytest.raises(BagError) as caught:
        list(reader.messages({"/odd"}))
    assert "holds a 'odd_msgs/msg/no', which nothing defines" in str(caught.value)
