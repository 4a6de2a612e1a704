"""Messages that do not decode: one is counted and left out; where none decodes, the definition is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard
from mcap.writer import Writer

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.bag_conversion import DEFAULTS, convert_bag
from dvf_ros.data.bag_storage import BagError
from dvf_ros.data.conversion import convert
from dvf_ros.data.definitions import read_definitions
from dvf_ros.data.inspection import inspect_bag
from tests.data.bag_making import MS, START, STORE, Bag, make, pose_stamped
from tests.data.foreign_bags import COUNT, SPEC, STEP, numbers, write_bag, write_mcap

POSE = "geometry_msgs/msg/PoseStamped"
BOTH = RobotSpec.parse(SPEC.text.replace("action: []", f"""
action: [{{topic: /cmd, type: {POSE}, fields: [{{name: y, kind: vector, path: pose.position}}]}}]"""))  # fmt: skip


def damaged(*places: int) -> list[bytes]:
    """All numbers, of which some are cut off."""
    return [data[:-3] if k in places else data for k, data in enumerate(numbers())]


@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3"])
def test_a_few_messages_that_do_not_decode_are_counted_and_left_out(tmp_path: Path, name: str) -> None:
    bag = write_bag(tmp_path / name, damaged(0, 150, 151))
    report = convert_bag(bag, SPEC.text, DEFAULTS, tmp_path / "parts")
    assert report.status == "converted", report.reason
    assert report.refused == {
        "topic '/fast': the message is no whole std_msgs/msg/Float64: cut off, damaged or of another version of the"
        " type": 3
    }
    assert report.messages == {"/fast": COUNT} and report.frames >= COUNT - 3


def test_what_the_other_messages_say_is_the_same(tmp_path: Path) -> None:
    less = [data for k, data in enumerate(numbers()) if k < 150]
    whole = convert([write_mcap(tmp_path / "whole.mcap", less)], tmp_path / "a", SPEC, jobs=1)
    cut = convert([write_mcap(tmp_path / "cut.mcap", [*less, less[0][:5]])], tmp_path / "b", SPEC, jobs=1)
    assert whole.frames == cut.frames == 150
    assert (tmp_path / "a" / "states.npy").read_bytes() == (tmp_path / "b" / "states.npy").read_bytes()


def test_a_bag_of_which_no_message_of_a_topic_decodes_is_broken_and_the_definition_blamed(tmp_path: Path) -> None:
    bag = write_mcap(tmp_path / "bag.mcap", damaged(*range(COUNT)))
    report = convert_bag(bag, SPEC.text, DEFAULTS, tmp_path / "parts")
    assert report.status == "broken"
    assert "'/fast': a message of 9 bytes is no 'std_msgs/msg/Float64'" in report.reason
    assert "--msg-path" in report.reason


def commanded(folder: Path, commands: list[bytes]) -> Path:
    """A bag of numbers and of `commands` beside them, serialized."""
    with Bag(folder) as bag:
        definition, _ = STORE.generate_msgdef(POSE, ros_version=2)
        bag.writer.add_topic("/cmd", POSE, definition)
        for k in range(50):
            bag.put("/fast", make("std_msgs/msg/Float64", data=float(k)), START + k * 20 * MS)
        for k, data in enumerate(commands):
            bag.writer.write("/cmd", START + k * 20 * MS, START, data)
    return folder


def test_actions_of_which_none_decodes_are_not_left_out_in_silence(tmp_path: Path) -> None:
    command = bytes(STORE.serialize_cdr(pose_stamped(START, 1), POSE))
    part = convert_bag(commanded(tmp_path / "a", [command, *[command[:20]] * 49]), BOTH.text, DEFAULTS, tmp_path / "p")
    assert part.status == "converted" and list(part.refused.values()) == [49]
    none = convert_bag(commanded(tmp_path / "b", [command[:20]] * 50), BOTH.text, DEFAULTS, tmp_path / "p")
    assert none.status == "broken" and "topic '/cmd': a message of 20 bytes" in none.reason


@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3"])
def test_a_message_compressed_by_itself_that_does_not_unpack_is_one_of_them(tmp_path: Path, name: str) -> None:
    packed = [zstandard.compress(data) for data in numbers()]
    packed[100] = packed[100][:-4]
    bag = write_bag(tmp_path / name, packed)
    report = convert_bag(bag, SPEC.text, DEFAULTS, tmp_path / "parts")
    assert (report.status, report.note) == ("converted", ""), report.reason
    assert list(report.refused.values()) == [1] and report.frames >= COUNT - 1


def test_inspection_looks_for_a_message_that_decodes(tmp_path: Path) -> None:
    topic = inspect_bag(write_mcap(tmp_path / "bag.mcap", damaged(0, 1))).topics["/fast"]
    assert topic.problem == "" and topic.first.data == 2.0 and topic.count == COUNT
    topic = inspect_bag(write_mcap(tmp_path / "bag.mcap", damaged(*range(COUNT)))).topics["/fast"]
    assert "is no 'std_msgs/msg/Float64'" in topic.problem and topic.first is None


def test_a_definition_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "my_msgs" / "msg").mkdir(parents=True)
    (tmp_path / "my_msgs" / "msg" / "Odd.msg").write_bytes("float64 größe".encode("latin-1"))
    with pytest.raises(BagError, match=r"Odd.msg': expected a .msg file in UTF-8, which byte 10 is not; save"):
        read_definitions(tmp_path)


@pytest.mark.parametrize("other_first", [False, True])
def test_messages_of_another_type_on_a_topic_are_refused_whoever_came_first(tmp_path: Path, other_first: bool) -> None:
    """A double of which the first half is zero would be read as some number."""
    other = bytes(STORE.serialize_cdr(make("std_msgs/msg/Int64", data=7), "std_msgs/msg/Int64"))
    with (tmp_path / "bag.mcap").open("wb") as stream:
        writer = Writer(stream)
        writer.start(profile="ros2")
        kinds = [("std_msgs/msg/Float64", b"float64 data\n"), ("std_msgs/msg/Int64", b"int64 data\n")]
        channels = {
            kind: writer.register_channel("/fast", "cdr", writer.register_schema(kind, "ros2msg", text))
            for kind, text in (kinds[::-1] if other_first else kinds)
        }
        for k, number in enumerate(numbers()):
            stamp = START + k * STEP
            writer.add_message(channels["std_msgs/msg/Float64"], stamp, number, stamp, k)
            if k % 10 == 0:
                writer.add_message(channels["std_msgs/msg/Int64"], stamp + MS, other, stamp + MS, k)
        writer.finish()
    report = convert_bag(tmp_path / "bag.mcap", SPEC.text, DEFAULTS, tmp_path / "parts")
    assert report.status == "converted", report.reason
    assert report.refused == {"topic '/fast': the message is a std_msgs/msg/Int64": COUNT // 10}
    whole = convert_bag(write_mcap(tmp_path / "whole.mcap", numbers()), SPEC.text, DEFAULTS, tmp_path / "parts")
    states = [file.read_bytes() for file in (tmp_path / "parts").glob("*/states.npy")]
    assert report.frames == whole.frames == COUNT and states[0] == states[1]
