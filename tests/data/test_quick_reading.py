"""Numbers read straight off the bytes: the same bits as decoding gives, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.interfaces import Nodetype

from dvf_ros.core.fields import Field
from dvf_ros.core.selection import FieldSelector, steps_of
from dvf_ros.core.spec import RobotSpec, Source
from dvf_ros.data.bag_conversion import DEFAULTS, convert_bag
from dvf_ros.data.bag_reader import BagReader
from dvf_ros.data.cdr_layout import CODES, LayoutError, layout_of
from dvf_ros.data.dataset import Dataset
from dvf_ros.data.octets import jazzy_store
from dvf_ros.data.quick_reading import QuickTopic
from dvf_ros.data.report import BagReport
from tests.data.bag_making import MS, SPEC, START, Bag, joint_state, make, pose_stamped, twist_stamped

STORE = jazzy_store()
ARRAY = "std_msgs/msg/Float64MultiArray"
TURNING = RobotSpec.parse(
    SPEC.text.replace(
        "{name: tip, kind: vector, path: pose.position}",
        "{name: tip, kind: vector, path: pose.position}\n"
        "      - {name: turn, kind: quaternion, path: pose.orientation}",
    )
)


def invented(kind: str, rng: np.random.Generator) -> Any:
    """A message of any type with random numbers, texts and lengths."""
    fields = STORE.fielddefs[kind][1]
    return STORE.types[kind](**{name: value(field, rng) for name, field in fields})


def value(field: Any, rng: np.random.Generator) -> Any:
    node, about = field
    if node == Nodetype.NAME:
        return invented(str(about), rng)
    if node == Nodetype.BASE:
        if about[0] == "string":
            return "x" * int(rng.integers(0, 9))
        return drawn(about[0], 1, rng)[0].item()
    inner, count = about
    count = count if node == Nodetype.ARRAY else int(rng.integers(0, 4))
    if inner[0] == Nodetype.BASE and inner[1][0] != "string":
        return drawn(inner[1][0], count, rng)
    return [value(inner, rng) for _ in range(count)]


def drawn(name: str, count: int, rng: np.random.Generator) -> np.ndarray:
    dtype = np.dtype(CODES[name])
    if dtype.kind == "f":
        return rng.normal(size=count).astype(dtype)
    info = (0, 2) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return rng.integers(*info, size=count, dtype=np.int64 if dtype.itemsize < 8 else dtype).astype(dtype)


def reached(message: Any, path: str) -> Any:
    for step in steps_of(path):
        message = message[step] if isinstance(step, int) else getattr(message, step)
    return message


@pytest.mark.parametrize("seed", range(3))
def test_every_number_of_every_common_type_is_found_where_it_lies(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = 0
    for kind in sorted(STORE.fielddefs):
        data = bytes(STORE.serialize_cdr(invented(kind, rng), kind))
        message = STORE.deserialize_cdr(data, kind)
        try:
            layout = layout_of(STORE.fielddefs, kind, data)
        except LayoutError as error:
            assert "messages and strings" in str(error), kind
            continue
        for path, (offset, code, count) in layout.numbers.items():
            right = np.atleast_1d(np.asarray(reached(message, path)))
            there = np.frombuffer(data, np.dtype(code).newbyteorder("<"), count, offset)
            assert np.array_equal(there, right), (kind, path)
            found += count
        for path, text in layout.texts.items():
            assert reached(message, path) == text, (kind, path)
    assert found > 1500


def write_changing(folder: Path) -> Path:
    """A bag whose messages change in every way that counts: joints, frames, rotations, stamps."""
    with Bag(folder) as bag:
        for k in range(400):
            stamp = START + k * 20 * MS
            joints = {"a": 0.1 * k, "b": -0.1 * k, "c": 1.0}
            if k % 100 > 90:
                joints = {name: joints[name] for name in ("b", "a", "c")}  # as many bytes, another order
            if k % 100 == 50:
                del joints["b"]
            bag.put("/joint_states", joint_state(stamp, joints), stamp)
            tip = pose_stamped(0 if k == 33 else stamp - 7 * MS * (k % 37 == 0), 0.01 * k)
            tip.header.frame_id = "world" if k < 200 else "floor"
            tip.pose.orientation.w = 0.5 if k % 51 == 0 else 1.0
            bag.put("/tip", tip, stamp + MS)
            bag.put("/cmd", twist_stamped(stamp + 2 * MS, 0.1 * (k % 7)), stamp + 2 * MS)
    return folder


def converted(bag: Path, folder: Path) -> tuple[BagReport, list[bytes]]:
    report = convert_bag(bag, TURNING.text, DEFAULTS, folder)
    assert report.status == "converted", report.reason
    part = next(folder.iterdir())
    return report, [file.read_bytes() for file in sorted(part.iterdir())]


def test_a_bag_gives_the_same_bytes_and_the_same_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bag = write_changing(tmp_path / "bag")
    decoded = []
    decode = BagReader.decode
    monkeypatch.setattr(BagReader, "decode", lambda *args: decoded.append(0) or decode(*args))
    report, files = converted(bag, tmp_path / "quick")
    few = len(decoded)
    monkeypatch.setattr(QuickTopic, "read", lambda self, data: None)
    assert converted(bag, tmp_path / "decoded") == (report, files)
    assert len(decoded) - few == 1200 and few < 100
    assert report.sources["/joint_states".lstrip("/")]["joint_order_changes"] > 5
    assert report.sources["tip"]["frame_ids"] == ["world", "floor"]
    assert any("norm 0.5" in reason for reason in report.refused) and any("zero" in reason for reason in report.refused)
    assert Dataset.open(next((tmp_path / "quick").iterdir())).frames > 50


def array(*numbers: float) -> tuple[bytes, Any]:
    """A serialized message, and what decoding makes of it."""
    layout = make("std_msgs/msg/MultiArrayLayout", dim=[], data_offset=0)
    data = bytes(STORE.serialize_cdr(make(ARRAY, layout=layout, data=np.array(numbers)), ARRAY))
    return data, STORE.deserialize_cdr(data, ARRAY)


@pytest.mark.parametrize("size", [3, 100])
def test_an_array_is_read_whole_and_by_element(size: int) -> None:
    fields = (Field("all", "data", kind="array", size=size), Field("second", "data[1]"))
    source = Source("numbers", ARRAY, fields, stamp="receive")
    whole = Source("numbers", ARRAY, fields[:1], stamp="receive")
    quick = QuickTopic([source, whole], ARRAY, STORE.fielddefs)
    rng = np.random.default_rng(0)
    quick.learn(*array(*rng.normal(size=size)))
    for _ in range(3):
        data, message = array(*rng.normal(size=size))
        readings = quick.read(data)
        assert readings is not None and readings[0].header_ns is None
        for reading, wanted in zip(readings, (source, whole), strict=True):
            assert reading.values.tobytes() == FieldSelector(wanted).select(message).tobytes()
    assert quick.read(array(*range(size + 1))[0]) is None


def test_messages_that_are_all_built_differently_are_not_learned_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = []
    monkeypatch.setattr("dvf_ros.data.quick_reading.layout_of", lambda *args: tried.append(0) or layout_of(*args))
    quick = QuickTopic([Source("numbers", ARRAY, (Field("first", "data[0]"),))], ARRAY, STORE.fielddefs)
    for k in range(1000):
        data, message = array(*range(1 + k % 2))
        assert quick.read(data) is None
        quick.learn(data, message)
    assert len(tried) < 20


def test_what_cannot_be_known_beforehand_is_left_to_decoding() -> None:
    data, _ = array(1.0, 2.0)
    with pytest.raises(LayoutError, match="little-endian CDR, found 0000"):
        layout_of(STORE.fielddefs, ARRAY, b"\0\0" + data[2:])
    with pytest.raises(LayoutError, match="too short"):
        layout_of(STORE.fielddefs, ARRAY, data[:-8])
    with pytest.raises(LayoutError, match=r"more than \d+ messages"):
        many = [make("geometry_msgs/msg/Point32", x=0.0, y=0.0, z=0.0)] * 1000
        kind = "geometry_msgs/msg/Polygon"
        layout_of(STORE.fielddefs, kind, bytes(STORE.serialize_cdr(make(kind, points=many), kind)))
