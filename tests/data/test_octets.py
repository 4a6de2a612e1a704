"""ROS 2's `byte` is an unsigned octet, however it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from dvf_ros.core.fields import Field
from dvf_ros.core.selection import FieldSelector
from dvf_ros.core.spec import RobotSpec, Source
from dvf_ros.data.bag_conversion import DEFAULTS, convert_bag
from dvf_ros.data.dataset import Dataset
from dvf_ros.data.definitions import Definitions
from dvf_ros.data.message_building import MessageBuilder
from dvf_ros.data.octets import jazzy_store
from dvf_ros.data.quick_reading import QuickTopic
from tests.data.bag_making import MS, START, Bag, make

ARRAY, BYTE, STATUS = "std_msgs/msg/ByteMultiArray", "std_msgs/msg/Byte", "diagnostic_msgs/msg/DiagnosticStatus"
STORE = jazzy_store()


def array(*numbers: int) -> Any:
    layout = make("std_msgs/msg/MultiArrayLayout", dim=[], data_offset=0)
    return make(ARRAY, layout=layout, data=np.array(numbers, np.uint8))


@pytest.mark.parametrize(
    ("messages", "field", "expected"),
    [
        ([array(1, 2, 3), array(200, 130, 7)], Field("d", "data", "array", size=3), [200.0, 130.0, 7.0]),
        ([array(1, 2, 3), array(9, 255, 7)], Field("d", "data[1]"), [255.0]),
        ([make(BYTE, data=1), make(BYTE, data=200)], Field("d", "data"), [200.0]),
    ],
)
def test_a_byte_above_127_is_read_as_it_is_quickly_and_decoded(
    messages: list[Any], field: Field, expected: list[float]
) -> None:
    kind = messages[0].__msgtype__
    source = Source("x", kind, (field,), stamp="receive")
    store = Definitions([]).store(kind)
    quick = QuickTopic([source], kind, store.fielddefs)
    first, second = (bytes(STORE.serialize_cdr(message, kind)) for message in messages)
    quick.learn(first, store.deserialize_cdr(first, kind))
    readings = quick.read(second)
    assert readings is not None and readings[0].values.tolist() == expected
    assert FieldSelector(source).select(store.deserialize_cdr(second, kind)).tolist() == expected


@pytest.mark.parametrize("quickly", [True, False])
def test_a_bag_of_bytes_is_converted_as_it_is(tmp_path: Path, quickly: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not quickly:
        monkeypatch.setattr(QuickTopic, "read", lambda self, data: None)
    with Bag(tmp_path / "bag") as bag:
        for k in range(100, 250):
            bag.put("/bytes", array(k, 255 - k), START + k * 20 * MS)
    spec = RobotSpec.parse(f"""
robot: r
task: t
rate: 50.0
state: [{{topic: /bytes, type: {ARRAY}, stamp: receive, fields: [{{name: x, kind: array, size: 2, path: data}}]}}]
action: []
""")
    report = convert_bag(tmp_path / "bag", spec.text, DEFAULTS, tmp_path / "parts")
    assert report.status == "converted", report.reason
    (part,) = (tmp_path / "parts").iterdir()
    assert Dataset.open(part).states[:, 0].tolist() == list(range(100, 250))


def test_a_nested_byte_and_the_rest_of_the_message_are_read_too() -> None:
    status = make(STATUS, level=200, name="n", message="m", hardware_id="h", values=[])
    kind = "diagnostic_msgs/msg/DiagnosticArray"
    stamp = make("builtin_interfaces/msg/Time", sec=1, nanosec=2)
    header = make("std_msgs/msg/Header", stamp=stamp, frame_id="f")
    data = STORE.serialize_cdr(make(kind, header=header, status=[status, status]), kind)
    read = Definitions([]).store(kind).deserialize_cdr(data, kind)
    assert [(part.level, part.hardware_id) for part in read.status] == [(200, "h"), (200, "h")]


def test_what_is_written_of_a_type_and_its_hash_still_say_byte() -> None:
    right = get_typestore(Stores.ROS2_JAZZY)
    for kind in (ARRAY, BYTE, STATUS):
        STORE.get_msgdef(kind)
        assert STORE.generate_msgdef(kind, ros_version=2) == right.generate_msgdef(kind, ros_version=2)
        assert STORE.hash_rihs01(kind) == right.hash_rihs01(kind)


def test_a_byte_above_127_is_written_into_a_message() -> None:
    source = Source("x", BYTE, (Field("d", "data"),), stamp="receive")
    data = MessageBuilder([source], Definitions([])).build([np.array([200.0])], 0)
    assert data == b"\0\1\0\0\xc8"
