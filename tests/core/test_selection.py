"""Messages to vectors and back: the same numbers from rclpy's messages and from a bag library's."""

from __future__ import annotations

from array import array
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rosbags.typesys import Stores, get_typestore

from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.selection import FieldSelector, SelectionError, steps_of, write_fields
from dvf_ros.core.spec import Field, RobotSpec, Source

CONFIG = Path(__file__).parents[2] / "config"
STORE = get_typestore(Stores.ROS2_JAZZY)
JOINTS = Source("joints", "sensor_msgs/msg/JointState", (Field("q", "position", "joints", ("a", "b")),))
numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)


def joints(**values: float) -> SimpleNamespace:
    return SimpleNamespace(name=list(values), position=list(values.values()))


def test_joints_by_name_whatever_their_order() -> None:
    selector = FieldSelector(JOINTS)
    assert selector.select(joints(a=1, b=2)).tolist() == [1, 2]
    assert selector.select(joints(b=4, c=9, a=3)).tolist() == [3, 4]
    assert selector.select(joints(a=5, b=6)).tolist() == [5, 6]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (joints(a=1, c=2), "topic 'joints', field 'q': joint 'b' is not in the message; known: a, c"),
        (SimpleNamespace(name=["a", "b"], position=[1.0]), "expected 2 numbers, one a name, found 1"),
        (SimpleNamespace(name=["a", "b", "a"], position=[1.0, 2.0, 3.0]), "a joint name stands twice"),
        (SimpleNamespace(name=["a", "b"]), "path 'position': SimpleNamespace has no 'position'; known: name"),
        (SimpleNamespace(name=[], position=[]), "joint 'a' is not in the message; known: none"),
    ],
)
def test_joints_that_do_not_fit(message: SimpleNamespace, said: str) -> None:
    with pytest.raises(SelectionError) as error:
        FieldSelector(JOINTS).select(message)
    assert said in str(error.value)


def lacking(path: str, message: object, kind: str = "scalar") -> str:
    source = Source("t", "p/msg/T", (Field("f", path, kind),), stamp="receive")  # type: ignore[arg-type]
    with pytest.raises(SelectionError) as error:
        FieldSelector(source).select(message)
    return str(error.value)


def test_a_field_that_a_message_has_not_is_told_with_the_nearest() -> None:
    pose = STORE.types["geometry_msgs/msg/Pose"]
    point = STORE.types["geometry_msgs/msg/Point"](1.0, 2.0, 3.0)
    message = SimpleNamespace(pose=pose(position=point, orientation=None), data=[1.0], flag=True)
    has_no = "geometry_msgs/msg/Pose has no 'positon'; did you mean 'position'?"
    assert lacking("pose.positon", message, "vector") == f"topic 't', field 'f': path 'pose.positon': {has_no}"
    assert lacking("pose", message, "vector").endswith("Pose has no 'x'; known: orientation, position")
    assert lacking("flg", message).endswith("SimpleNamespace has no 'flg'; did you mean 'flag'?")
    assert lacking("flag.real.x", message).endswith("int has no 'x'; known: none")
    assert "the message has no 'data[3]' (list index out of range)" in lacking("data[3]", message)


def test_rclpy_s_messages_tell_their_fields_too() -> None:
    pose = pytest.importorskip("geometry_msgs.msg", reason="needs ROS").Pose
    assert lacking("positon.x", pose()).endswith("Pose has no 'positon'; did you mean 'position'?")


@pytest.mark.parametrize(("value", "found"), [(SimpleNamespace(x=1.0, y=2.0), "SimpleNamespace"), ("text", "str")])
def test_what_is_no_number_is_told_with_its_place(value: object, found: str) -> None:
    selector = FieldSelector(Source("pose", "p/msg/P", (Field("hand", "at"),)))
    with pytest.raises(
        SelectionError, match=f"^topic 'pose', field 'hand': path 'at': expected numbers, found {found}$"
    ):
        selector.select(SimpleNamespace(at=value))


def test_arrays_elements_and_vectors() -> None:
    source = Source(
        "t",
        "p/msg/T",
        (
            Field("array", "data", "array", size=3),
            Field("one", "data[1]"),
            Field("deep", "list[0].v", "vector"),
            Field("flag", "flag"),
        ),
    )
    message = SimpleNamespace(
        data=np.array([1.0, 2.0, 3.0]), list=[SimpleNamespace(v=SimpleNamespace(x=4, y=5, z=6))], flag=True
    )
    assert FieldSelector(source).select(message).tolist() == [1, 2, 3, 2, 4, 5, 6, 1]
    message.data = np.array([1.0, 2.0])
    with pytest.raises(SelectionError, match="field 'array': expected 3 numbers, found 2"):
        FieldSelector(source).select(message)


@pytest.mark.parametrize("path", ["", ".a", "a.", "a..b", "a b", "a[x]", "a[1", "1a", "a-b"])
def test_malformed_paths(path: str) -> None:
    with pytest.raises(ConfigError, match="malformed"):
        steps_of(path)


def test_stamps() -> None:
    header = SimpleNamespace(header=SimpleNamespace(stamp=SimpleNamespace(sec=1_700_000_000, nanosec=999_999_999)))
    selector = FieldSelector(JOINTS)
    assert selector.stamp(header, 5) == 1_700_000_000_999_999_999
    with pytest.raises(SelectionError, match="has no header; write stamp: receive"):
        selector.stamp(joints(a=1), 5)
    received = Source("t", "p/msg/T", (Field("x", "x"),), stamp="receive")
    assert FieldSelector(received).stamp(header, 5) == 5


@given(st.lists(numbers, min_size=4, max_size=4))
def test_what_is_written_is_what_is_selected(values: list[float]) -> None:
    spec = RobotSpec.load(CONFIG / "panda_lift.yaml")
    source = spec.action[0]
    axes = lambda: SimpleNamespace(x=0.0, y=0.0, z=0.0)  # noqa: E731
    message = SimpleNamespace(twist=SimpleNamespace(linear=axes(), angular=axes()))
    write_fields(source, np.array(values), message)
    assert FieldSelector(source).select(message).tolist() == values
    assert (message.twist.angular.x, message.twist.angular.y) == (0, 0)


@pytest.mark.parametrize(
    ("present", "wanted", "written"),
    [(False, 0.5, True), (True, 0.49, False), (0, 2.6, 3), (0.0, 2.6, 2.6), (np.int8(0), -1.2, -1)],
)
def test_a_scalar_is_written_as_what_the_message_holds(present: object, wanted: float, written: object) -> None:
    source = Source("gripper", "p/msg/T", (Field("close", "data"),), stamp="receive")
    message = SimpleNamespace(data=present)
    write_fields(source, np.array([wanted]), message)
    assert message.data == written and type(message.data) is type(written)


def test_whole_numbers_are_written_where_an_array_holds_such() -> None:
    source = Source("modes", "p/msg/T", (Field("modes", "data", "array", size=2),), stamp="receive")
    message = SimpleNamespace(data=array("i"))
    write_fields(source, np.array([1.6, -0.2]), message)
    assert message.data == [2, 0] and all(isinstance(number, int) for number in message.data)


def test_joint_fields_that_share_a_message_share_its_names() -> None:
    arm, hand = Field("arm", "position", "joints", ("a", "b")), Field("hand", "position", "joints", ("g",))
    speed = Field("speed", "velocity", "joints", ("b", "a"))
    source = Source("targets", "sensor_msgs/msg/JointState", (arm, hand, speed))
    message = SimpleNamespace(name=[], position=[], velocity=[])
    write_fields(source, np.array([1.0, 2.0, 3.0, 4.0, 5.0]), message)
    assert message.name == ["a", "b", "g"] and message.position == [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(message.velocity, [5.0, 4.0, np.nan])
    assert FieldSelector(source).select(message).tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]


def _values(source: Source, rng: np.random.Generator) -> np.ndarray:
    parts = [rng.normal(size=item.size) for item in source.fields]
    return np.concatenate(
        [part / np.linalg.norm(part) if item.kind == "quaternion" else part
         for item, part in zip(source.fields, parts, strict=True)]
    )  # fmt: skip


def test_rclpy_and_rosbags_give_the_same_vectors() -> None:
    serialization = pytest.importorskip("rclpy.serialization", reason="needs ROS")
    from dvf_ros.nodes.message_types import message_class

    rng = np.random.default_rng(0)
    for file in ("panda_lift.yaml", "base_goto.yaml"):
        spec = RobotSpec.load(CONFIG / file)
        for source in (*spec.state, *spec.action):
            message = message_class(source.type)()
            if hasattr(message, "header"):
                message.header.stamp.sec, message.header.stamp.nanosec = 1_700_000_000, 123_456_789
            if source.type.endswith("JointState"):
                names = sorted({joint for item in source.fields for joint in item.joints}, key=lambda _: rng.random())
                message.name = names
                message.position, message.velocity, message.effort = rng.normal(size=(3, len(names))).tolist()
            else:
                write_fields(source, _values(source, rng), message)
            offline = STORE.deserialize_cdr(serialization.serialize_message(message), source.type)
            selector = FieldSelector(source)
            live = selector.select(message)
            assert np.any(live != 0)
            assert selector.select(offline).tobytes() == live.tobytes()
            assert selector.stamp(offline, 7) == selector.stamp(message, 7)


def test_a_sequence_of_numbers_grows_as_far_as_it_is_written() -> None:
    source = Source("cmd", "p/msg/T", (Field("b", "data[1]"), Field("a", "data[0]")), stamp="receive")
    message = SimpleNamespace(data=array("d"))
    write_fields(source, np.array([2.0, 1.0]), message)
    assert message.data == array("d", [1.0, 2.0])
