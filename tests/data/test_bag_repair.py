"""A bag that was cut off anywhere becomes a whole one, with all that is whole of it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer
from rosbags.highlevel import AnyReader

from dvf_ros.cli.main import main
from dvf_ros.data.bag_reader import BagReader, bag_digest, read_custom
from dvf_ros.data.bag_repair import repair_bag
from dvf_ros.data.bag_storage import BagError
from dvf_ros.data.inspection import inspect_bag
from tests.data.bag_making import MS, ROOT, SPEC, START, STORE, Bag, custom, joint_state, write_reach

FLIGHT = ROOT.parent / "shared" / "bags" / "p4_flybag" / "flybag_0.mcap"
JOINT_STATE = "sensor_msgs/msg/JointState"
Message = tuple[str, int, int, int, bytes]  # topic, receive and publish time, sequence number, data


def recorded(bag: Path) -> list[Message]:
    """All messages by mcap's own indexed reader."""
    with open(next(bag.glob("*.mcap")), "rb") as stream:
        reader = make_reader(stream)
        summary = reader.get_summary()
        found = [(c.topic, m.log_time, m.publish_time, m.sequence, m.data) for _, c, m in reader.iter_messages()]
    assert summary is not None and summary.statistics is not None
    assert summary.statistics.message_count == len(found)
    return found


def check(bag: Path, expected: list[Message]) -> None:
    """mcap's reader, the rosbags library and ours see `expected`, and metadata.yaml counts it."""
    assert recorded(bag) == expected
    with AnyReader([bag]) as reader:
        seen = [(c.topic, stamp, data) for c, stamp, data in reader.messages()]
        for connection, _, data in reader.messages():
            reader.deserialize(data, connection.msgtype)
    assert seen == [(topic, stamp, data) for topic, stamp, _, _, data in expected]
    with BagReader(bag) as ours:
        assert ours.note == ""
        assert len(list(ours.messages(ours.types))) == len(expected)
    information = yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert (information["version"], information["message_count"]) == (9, len(expected))
    for entry in information["topics_with_message_count"]:
        assert entry["topic_metadata"]["offered_qos_profiles"][0]["reliability"] == "reliable"
        assert entry["topic_metadata"]["type_description_hash"].startswith("RIHS01_")


def record(folder: Path) -> None:
    """As the recorder does: metadata at once, a flush now and then, losses noted, no end."""
    bag = Bag(folder, custom("expert"))
    for k in range(60):
        bag.put("/joint_states", joint_state(START + k * MS, {"a": float(k)}), START + k * MS + 7)
        if k % 9 == 8:
            bag.writer.flush()
        if k == 30:
            bag.writer.note({"lost": json.dumps({"/joint_states": {"transport": 2}})})
    bag.writer.flush()
    bag.writer.abandon()


def test_cut_anywhere_it_becomes_whole_and_the_original_stays(tmp_path: Path) -> None:
    record(tmp_path / "bag")
    data = (tmp_path / "bag" / "bag_0.mcap").read_bytes()
    repair = repair_bag(tmp_path / "bag")
    assert repair is not None
    everything = recorded(repair.output)
    assert len(everything) == 60 and everything[3][1:4] == (START + 3 * MS + 7, START + 3 * MS - 993, 3)
    assert json.loads(read_custom(repair.output)["lost"]) == {"/joint_states": {"transport": 2}}

    cuts = [0, 1, 8, 60, *sorted(random.Random(0).sample(range(61, len(data)), 25))]
    kept = []
    for cut in cuts:
        bag = tmp_path / f"cut_{cut}"
        bag.mkdir()
        (bag / "bag_0.mcap").write_bytes(data[:cut])
        before = bag_digest(bag)
        try:
            repair = repair_bag(bag)
            assert repair is not None
            kept.append(sum(repair.messages.values()))
            check(repair.output, everything[: kept[-1]])
        except BagError as error:
            assert "expected a whole message at least, found none, so nothing was written" in str(error)
            assert not (tmp_path / f"cut_{cut}_salvaged").exists()
            kept.append(0)
        assert bag_digest(bag) == before
    assert kept == sorted(kept) and kept[0] == 0 and kept[-1] >= 45


def test_what_the_recorder_said_at_the_start_survives_a_cut_right_after(tmp_path: Path) -> None:
    bag = Bag(tmp_path / "bag", custom("expert"))  # nothing but the metadata is in the file
    bag.writer.abandon()
    assert read_custom(tmp_path / "bag")["spec"] == SPEC.text
    with pytest.raises(BagError, match=r"expected a whole message at least, found none.*0 messages salvaged"):
        repair_bag(tmp_path / "bag")


def test_the_command_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = write_reach(tmp_path / "whole", frames=5)
    assert main(["salvage", str(whole)]) == 0
    assert "is whole: nothing to do" in capsys.readouterr().out

    expected = recorded(whole)
    (whole / "metadata.yaml").unlink()
    assert main(["salvage", str(whole), "--output", str(tmp_path / "new")]) == 0
    said = capsys.readouterr().out
    assert "20 messages in 0.41 s" in said and "/tip: 5" in said and "only the index" in said
    check(tmp_path / "new", expected)

    assert main(["salvage", str(whole), "--output", str(tmp_path / "new")]) == 1
    assert "exists already" in capsys.readouterr().err


def serialized(message: Any) -> bytes:
    return bytes(STORE.serialize_cdr(message, message.__msgtype__))


def one_chunk(bag: Path, messages: int) -> list[int]:
    """A bag as other recorders write it, in one chunk as it is, without a checksum; returns where each message ends."""
    bag.mkdir()
    file = bag / "bag_0.mcap"
    data = [serialized(joint_state(START + k * MS, {"a": float(k)})) for k in range(messages)]
    with file.open("wb") as stream:
        writer = Writer(stream, chunk_size=1 << 20, compression=CompressionType.NONE, enable_crcs=False)
        writer.start(profile="ros2")
        definition, _ = STORE.generate_msgdef(JOINT_STATE, ros_version=2)
        schema = writer.register_schema(JOINT_STATE, "ros2msg", definition.encode())
        channel = writer.register_channel("/joint_states", "cdr", schema)
        for k, message in enumerate(data):
            writer.add_message(channel, START + k * MS, message, START + k * MS)
        writer.finish()
    content = file.read_bytes()
    return [content.index(message) + len(message) for message in data]


def test_of_a_chunk_that_was_cut_off_all_messages_before_the_cut_are_salvaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = one_chunk(tmp_path / "bag", messages=50)
    content = (tmp_path / "bag" / "bag_0.mcap").read_bytes()
    for cut, kept in ((ends[30], 31), (ends[30] - 1, 30), (ends[30] + 5, 31), (ends[0], 1), (ends[0] - 1, 0)):
        bag = tmp_path / f"cut_{cut}"
        bag.mkdir()
        (bag / "bag_0.mcap").write_bytes(content[:cut])
        assert main(["salvage", str(bag)]) == (0 if kept else 1)
        assert (tmp_path / f"cut_{cut}_salvaged").exists() is bool(kept)
        said = capsys.readouterr()
        if kept:
            assert f": {kept} messages in" in said.out and "1 chunks, wholly or in part" in said.out
            assert [data for *_, data in recorded(tmp_path / f"cut_{cut}_salvaged")] == [
                serialized(joint_state(START + k * MS, {"a": float(k)})) for k in range(kept)
            ]
        else:
            assert "expected a whole message at least, found none, so nothing was written" in said.err


def test_a_damaged_chunk_without_a_checksum_is_counted_and_read_up_to_the_damage(tmp_path: Path) -> None:
    ends = one_chunk(tmp_path / "bag", messages=50)
    file = tmp_path / "bag" / "bag_0.mcap"
    content = bytearray(file.read_bytes())
    for place in range(ends[30] - 3, ends[30] + 200):  # from the end of message 30 on
        content[place] ^= 0xFF
    file.write_bytes(content)
    repair = repair_bag(tmp_path / "bag")
    assert repair is not None and repair.messages == {"/joint_states": 30}
    assert "30 messages salvaged; lost: 1 chunks, wholly or in part" in repair.lost


@pytest.mark.skipif(not FLIGHT.exists(), reason=f"the recorded bag is not at {FLIGHT}")
def test_a_real_flight_that_was_cut_off(tmp_path: Path) -> None:
    (tmp_path / "cut.mcap").write_bytes(FLIGHT.read_bytes()[:60000])
    repair = repair_bag(tmp_path / "cut.mcap")
    assert repair is not None and sum(repair.messages.values()) == 503


def test_files_of_a_split_bag_become_one(tmp_path: Path) -> None:
    bag = tmp_path / "split"
    bag.mkdir()
    for number in range(2):
        part = write_reach(tmp_path / f"part{number}", frames=4, offset=10 * number)
        data = (part / f"part{number}_0.mcap").read_bytes()
        (bag / f"split_{number}.mcap").write_bytes(data if number == 0 else data[:-40])
    repair = repair_bag(bag)
    assert repair is not None and repair.messages == dict.fromkeys(("/joint_states", "/tip", "/outcome", "/cmd"), 8)
    assert "'split_0.mcap': 16 messages salvaged; lost: only the index; 'split_1.mcap'" in repair.lost


@pytest.mark.parametrize(
    ("name", "said"), [("nope", "is not there"), ("empty", "found none"), ("a.db3", "found a.db3")]
)
def test_what_cannot_be_salvaged_is_refused(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.db3").touch()
    with pytest.raises(BagError, match=said):
        repair_bag(tmp_path / name)
    assert not (tmp_path / f"{name}_salvaged").exists()


def test_a_full_disk_leaves_the_original_and_no_half_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(tmp_path / "bag")
    before = bag_digest(tmp_path / "bag")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mcap.writer.Writer.add_message", full)
    with pytest.raises(BagError, match="No space left on device; name a folder on another disk"):
        repair_bag(tmp_path / "bag")
    assert bag_digest(tmp_path / "bag") == before
    assert [folder.name for folder in tmp_path.iterdir()] == ["bag"]


def test_a_damaged_definition_costs_no_message_whose_type_is_known_otherwise(tmp_path: Path) -> None:
    ends = one_chunk(tmp_path / "bag", messages=50)
    file = tmp_path / "bag" / "bag_0.mcap"
    content = file.read_bytes()[: ends[40]]
    assert b"string[] name" in content
    file.write_bytes(content.replace(b"string[] name", b"string[] nam\xff"))
    assert inspect_bag(tmp_path / "bag").topics
    repair = repair_bag(tmp_path / "bag")
    assert repair is not None and repair.messages == {"/joint_states": 41}
