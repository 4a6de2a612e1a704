"""Fields for a robot spec, proposed from a message: whatever in it is a number, vector, rotation or joint array."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype

from dvf_ros.core.fields import AXES, Field, Kind
from dvf_ros.data.definitions import Definitions, message_of

JOINT_STATE = "sensor_msgs/msg/JointState"
LARGEST_ARRAY = 32
LARGEST_TOPIC = 64
NUMBER = re.compile(r"float|int|bool|octet|byte|char")
# Counters and clocks are numbers, but nothing that a controller should learn from.
NO_QUANTITY = re.compile(
    r"(^|_)(seq|sequence|id|ids|frame_number|framenumber|timestamp|time|stamp|checksum|crc|version)$"
)
SKIPPED = re.compile(r"^header$|covariance|^layout$|^child_frame_id$")
SKIPPED_TYPES = ("std_msgs/msg/Header", "builtin_interfaces/msg/Time", "builtin_interfaces/msg/Duration")
# What a step of a path says about the name of the field: nothing.
NOISE = ("pose", "twist", "wrench", "transform", "data", "accel")
UNITS = {
    "position": "m", "translation": "m", "point": "m", "linear": "m/s", "angular": "rad/s", "force": "N",
    "torque": "N*m", "linear_acceleration": "m/s^2", "angular_velocity": "rad/s", "theta": "rad", "roll": "rad",
    "pitch": "rad", "yaw": "rad",
}  # fmt: skip
JOINT_UNITS = {"position": "rad", "velocity": "rad/s", "effort": "N*m"}

Types = Mapping[str, Any]  # constants and fields by type, as the rosbags library describes them


@dataclass
class FieldDraft:
    """The fields that a message offers, and what of it was left out and why."""

    fields: list[Field] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many numbers the fields hold together."""
        return sum(item.size for item in self.fields)


def draft_fields(prefix: str, kind: str, message: Any, definitions: Definitions) -> FieldDraft:
    """Propose the fields of a topic from its first message; `prefix` opens their names, at most 64 numbers."""
    draft = FieldDraft()
    # The parts of a type stand in the same store as the whole.
    types = definitions.store(kind).fielddefs
    found = _joints(message, draft) if kind == JOINT_STATE else _walk(kind, "", message, types, draft)
    for path, about in found:
        words = [word for word in re.split(r"\W+", path) if word]
        short = [word for word in words if word not in NOISE]
        item = Field(name="_".join([prefix, *short]), path=path, **about)
        if any(item.name == other.name for other in draft.fields):
            item = Field(name="_".join([prefix, *words]), path=path, **about)
        if draft.size + item.size > LARGEST_TOPIC:
            draft.left_out.append(f"{path} (the topic has more than {LARGEST_TOPIC} numbers)")
        else:
            draft.fields.append(item)
    return draft


def _joints(message: Any, draft: FieldDraft) -> Iterator[tuple[str, dict[str, Any]]]:
    joints = tuple(message.name)
    if not joints or len(set(joints)) != len(joints):
        draft.left_out.append("all of it (name[] is empty or names a joint twice)")
        return
    for path, unit in JOINT_UNITS.items():
        values = np.asarray(getattr(message, path))
        if len(values) == len(joints) and np.isfinite(values).all():
            yield path, {"kind": "joints", "joints": joints, "unit": unit}
        else:
            draft.left_out.append(f"{path} (not filled in)")


def _walk(kind: str, path: str, message: Any, fields: Types, draft: FieldDraft) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (path, keys of the Field) of all that is numeric in a message of type `kind` at `path`."""
    for name, (node, about) in fields[kind][1]:
        if SKIPPED.search(name):
            continue
        place, value = f"{path}.{name}".lstrip("."), getattr(message, name)
        inner = message_of((node, about))
        if inner in SKIPPED_TYPES:
            continue
        if NO_QUANTITY.search(name.lower()):
            draft.left_out.append(f"{place} (a counter or a clock)")
        elif node == Nodetype.BASE:
            if NUMBER.search(about[0]):
                yield place, {"kind": "scalar"} | _unit(name, kind)
        elif node == Nodetype.NAME:
            yield from _nested(inner, kind, name, place, value, fields, draft)
        elif inner and len(value) == 1:
            yield from _walk(inner, f"{place}[0]", value[0], fields, draft)
        elif inner:
            draft.left_out.append(f"{place} ({len(value)} elements; name those you need as {place}[0]…)")
        elif NUMBER.search(str(about[0][1])):
            if 0 < len(value) <= LARGEST_ARRAY:
                yield place, {"kind": "array", "size": len(value)} | _unit(name, kind)
            else:
                draft.left_out.append(f"{place} ({len(value)} numbers)")


def _nested(
    inner: str, kind: str, name: str, place: str, value: Any, fields: Types, draft: FieldDraft
) -> Iterator[tuple[str, dict[str, Any]]]:
    names = {part for part, _ in fields[inner][1]}
    shape: Kind | None = next((shape for shape in ("quaternion", "vector") if names == set(AXES[shape])), None)
    if shape is None:
        yield from _walk(inner, place, value, fields, draft)
        return
    numbers = np.array([getattr(value, axis) for axis in AXES[shape]], np.float64)
    if not np.isfinite(numbers).all() or (shape == "quaternion" and abs(np.linalg.norm(numbers) - 1) > 0.01):
        draft.left_out.append(f"{place} (not filled in)")
        return
    yield place, {"kind": shape} | ({} if shape == "quaternion" else _unit(name, kind))


def _unit(name: str, kind: str) -> dict[str, str]:
    if "/Accel" in kind and name in ("linear", "angular"):
        return {"unit": f"{UNITS[name]}^2"}
    if name in ("x", "y", "z") and re.search(r"Point|Pose", kind):
        return {"unit": "m"}
    return {"unit": UNITS[name]} if name in UNITS else {}
