"""Which topics of a bag are the spec's, and what is said when they are not there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from dvf_ros.data import bag_conversion, conversion
from dvf_ros.data.bag_conversion import DEFAULTS
from dvf_ros.data.bag_reader import BagError, BagReader, bag_digest, find_namespace, recorded_topics
from tests.data.bag_making import SPEC, START, Bag, pose_stamped, write_reach

JOINT, POSE = "sensor_msgs/msg/JointState", "geometry_msgs/msg/PoseStamped"


def test_namespace_is_found() -> None:
    assert find_namespace(SPEC, {"/joint_states": JOINT, "/tip": POSE}) == ""
    assert find_namespace(SPEC, {"/a/b/joint_states": JOINT, "/a/b/tip": POSE, "/c/tip": POSE}) == "/a/b"


def test_two_namespaces_are_an_error_that_names_both_unless_one_is_given() -> None:
    types = {
        f"/{robot}/{topic}": kind
        for robot in ("one", "two")
        for topic, kind in (("joint_states", JOINT), ("tip", POSE))
    }
    with pytest.raises(BagError, match=r"under '/one' and '/two'.*--namespace"):
        find_namespace(SPEC, types)
    assert find_namespace(SPEC, types, "two") == find_namespace(SPEC, types, "/two/") == "/two"


def test_a_missing_topic_is_named_with_the_nearest() -> None:
    with pytest.raises(BagError, match=r"state topic '/tip'; did you mean '/tips'"):
        find_namespace(SPEC, {"/joint_states": JOINT, "/tips": POSE})
    with pytest.raises(BagError, match=r"'/one/joint_states'; did you mean '/joint_states'"):
        find_namespace(SPEC, {"/joint_states": JOINT, "/tip": POSE}, "one")


def test_another_type_is_an_error() -> None:
    with pytest.raises(BagError, match=rf"'/tip': the spec says {POSE}, the bag holds geometry_msgs/msg/Pose"):
        recorded_topics(SPEC, {"/joint_states": JOINT, "/tip": "geometry_msgs/msg/Pose"}, "")


def test_topics_without_messages_do_not_count(tmp_path: Path) -> None:
    with Bag(tmp_path / "bag") as bag:
        bag.put("/tip", pose_stamped(START, 1), START)
        bag.writer.add_topic("/joint_states", JOINT, "string[] name")
    with BagReader(tmp_path / "bag") as reader:
        assert set(reader.types) == {"/tip"}


def test_a_bag_without_definitions_falls_back_to_jazzy_and_says_what_it_does_not_know(tmp_path: Path) -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg("float64 x", "odd_msgs/msg/Odd"))
    with Writer(tmp_path / "bag", version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        for topic, kind in (("/flag", "std_msgs/msg/Bool"), ("/odd", "odd_msgs/msg/Odd")):
            connection = writer.add_connection(topic, kind, typestore=store)
            value = {"data": True} if topic == "/flag" else {"x": 1.0}
            writer.write(connection, 5, store.serialize_cdr(store.types[kind](**value), kind))
    import sqlite3

    with sqlite3.connect(tmp_path / "bag" / "bag.db3") as file:
        file.execute("UPDATE message_definitions SET encoding = '', encoded_message_definition = ''")
        file.execute("DELETE FROM message_definitions")
    with BagReader(tmp_path / "bag") as reader:
        assert [(t, r, m.data) for t, r, m in reader.messages({"/flag"})] == [("/flag", 5, True)]
        with pytest.raises(BagError, match=r"topic '/odd': the type 'odd_msgs/msg/Odd' is not embedded"):
            list(reader.messages({"/odd"}))


def test_digest_follows_content_and_metadata(tmp_path: Path) -> None:
    one, two = write_reach(tmp_path / "a" / "bag"), write_reach(tmp_path / "b" / "bag")
    assert bag_digest(one) == bag_digest(two)
    text = (two / "metadata.yaml").read_text()
    (two / "metadata.yaml").write_text(text.replace("behavior: ''", "behavior: other"))
    assert bag_digest(one) != bag_digest(two)


def test_a_conversion_reads_each_bag_for_its_digest_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bags = [write_reach(tmp_path / name, offset=k) for k, name in enumerate("ab")]
    digested = []
    for module in (conversion, bag_conversion):
        monkeypatch.setattr(module, "bag_digest", lambda bag: digested.append(bag.name) or bag_digest(bag))
    report = conversion.convert(bags, tmp_path / "data", jobs=1)
    assert sorted(digested) == ["a", "b"]
    assert [bag.digest for bag in report.bags] == [bag_digest(bag) for bag in bags]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_digest_that_is_known_goes_to_the_process_that_converts(tmp_path: Path, jobs: int) -> None:
    bags = [write_reach(tmp_path / name, offset=k) for k, name in enumerate("ab")]
    done = conversion.convert_bags(bags, SPEC, DEFAULTS, tmp_path / "parts", jobs, {bags[0]: "known"})
    assert {bag.name: report.digest for bag, report in done} == {"a": "known", "b": bag_digest(bags[1])}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is not rosbag2 metadata"),
        ("a: 1", "is not rosbag2"),
    ],
)
def test_bad_metadata_is_said(tmp_path: Path, text: str, said: str) -> None:
    bag = write_reach(tmp_path / "bag")
    (bag / "metadata.yaml").write_text(text)
    with pytest.raises(BagError, match=said):
        BagReader(bag)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("relative_file_paths", None, "expected a list of names, found None"),
        ("relative_file_paths", [1], r"expected a list of names, found \[1\]"),
        ("message_count", None, "expected a number, found None"),
        ("message_count", "many", "expected a number, found 'many'"),
        ("custom_data", ["a"], r"expected a mapping, found \['a'\]"),
    ],
)
def test_metadata_of_another_kind_is_said(tmp_path: Path, key: str, value: object, said: str) -> None:
    bag = write_reach(tmp_path / "bag", frames=4)
    about = yaml.safe_load((bag / "metadata.yaml").read_text())
    about["rosbag2_bagfile_information"][key] = value
    (bag / "metadata.yaml").write_text(yaml.safe_dump(about))
    with pytest.raises(BagError, match=rf"bag/metadata.yaml', {key}: {said}; correct it, or move the file away"):
        BagReader(bag)
    (bag / "metadata.yaml").unlink()
    with BagReader(bag) as reader:
        assert len(list(reader.messages({"/tip"}))) == 4


def test_a_renamed_storage_file_is_read_and_noted(tmp_path: Path) -> None:
    bag = write_reach(tmp_path / "bag", frames=4)
    (bag / "bag_0.mcap").rename(bag / "my.mcap")
    with BagReader(bag) as reader:
        assert "read 'my.mcap' instead" in reader.note
        assert len(list(reader.messages({"/tip"}))) == 4
