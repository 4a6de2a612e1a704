"""Between messages and vectors: pick a source's fields out of a message, and write an action into one.

Works on any object that carries a ROS message's attributes: rclpy's messages live, a bag library's messages offline.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dvf_ros.core.fields import AXES, Field
from dvf_ros.core.parsing import ConfigError, nearest
from dvf_ros.core.spec import RobotSpec, Source

STEP = re.compile(r"([A-Za-z_]\w*)|\[(\d+)\]")


class SelectionError(ValueError):
    """A message does not hold what the spec says; it names topic, field, what was expected and what was found."""


def steps_of(path: str) -> tuple[str | int, ...]:
    """Split `pose.position` or `data[2]` into attribute names and indices; raises ConfigError if malformed."""
    steps = tuple(name if name else int(index) for name, index in STEP.findall(path))
    canonical = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps).lstrip(".")
    if not steps or canonical != path:
        raise ConfigError(f"path '{path}' is malformed; expected names joined by '.', with [i] for an element")
    return steps


class FieldSelector:
    """Picks the fields of one source out of its messages."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._steps = [steps_of(item.path) for item in source.fields]
        self._joint_order: tuple[str, ...] = ()
        self._joint_index: dict[str, int] = {}

    def select(self, message: Any) -> np.ndarray:
        """(size,) float64: the source's fields in the spec's order, exactly as the message holds them.

        Raises SelectionError where a field, joint or element is missing.
        """
        parts = [
            self._select_field(item, steps, message)
            for item, steps in zip(self.source.fields, self._steps, strict=True)
        ]
        return np.concatenate(parts)

    def stamp(self, message: Any, receive_ns: int) -> int:
        """Nanoseconds: the header's stamp, or `receive_ns` where the spec says `stamp: receive`.

        Raises SelectionError for a message without a header.
        """
        if self.source.stamp == "receive":
            return receive_ns
        header = getattr(message, "header", None)
        if header is None:
            raise SelectionError(f"topic '{self.source.topic}': {self.source.type} has no header; write stamp: receive")
        return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)

    def _select_field(self, item: Field, steps: tuple[str | int, ...], message: Any) -> np.ndarray:
        value = message
        try:
            for step in steps:
                value = value[step] if isinstance(step, int) else getattr(value, step)
            if item.kind in AXES:
                return np.array([getattr(value, axis) for axis in AXES[item.kind]], dtype=np.float64)
        except (AttributeError, IndexError, TypeError) as error:
            raise self._error(item, f"the message has no '{item.path}' ({error})") from error
        if item.kind == "joints":
            return self._select_joints(item, value, message)
        numbers = np.asarray(value, dtype=np.float64).reshape(-1)
        if numbers.size != item.size:
            raise self._error(item, f"expected {item.size} numbers, found {numbers.size}")
        return numbers

    def _select_joints(self, item: Field, values: Sequence[float], message: Any) -> np.ndarray:
        names = tuple(message.name)
        if names != self._joint_order:
            if len(set(names)) != len(names):
                raise self._error(item, f"a joint name stands twice in name[]: {list(names)}")
            self._joint_order, self._joint_index = names, {name: i for i, name in enumerate(names)}
        if len(values) != len(names):
            raise self._error(item, f"expected {len(names)} numbers, one a name, found {len(values)}")
        try:
            return np.array([values[self._joint_index[joint]] for joint in item.joints], dtype=np.float64)
        except KeyError as error:
            joint = str(error.args[0])
            raise self._error(item, f"joint '{joint}' is not in the message; {nearest(joint, names)}") from error

    def _error(self, item: Field, message: str) -> SelectionError:
        return SelectionError(f"topic '{self.source.topic}', field '{item.name}': {message}")


def write_fields(source: Source, values: np.ndarray, message: Any) -> None:
    """Write `values` (size,) into `message` by the source's fields: the inverse of FieldSelector.select."""
    start = 0
    for item in source.fields:
        part = [float(value) for value in values[start : start + item.size]]
        start += item.size
        *parents, last = steps_of(item.path)
        target = message
        for step in parents:
            target = target[step] if isinstance(step, int) else getattr(target, step)
        if item.kind in AXES:
            for axis, number in zip(AXES[item.kind], part, strict=True):
                setattr(getattr(target, str(last)), axis, number)
        elif item.kind == "joints":
            message.name = list(item.joints)
            setattr(target, str(last), part)
        elif isinstance(last, int):
            target[last] = part[0]
        else:
            setattr(target, last, part[0] if item.kind == "scalar" else part)


def check_paths(spec: RobotSpec, fields_of: Callable[[str], Mapping[str, str]]) -> None:
    """Check every path of the spec against the message definitions.

    `fields_of('sensor_msgs/msg/JointState')` gives `{field: type}` and raises KeyError for a type it does not know;
    nested types come as `package/Name` or `package/msg/Name`. Raises ConfigError naming the nearest known field.
    """
    sources = [*spec.state, *spec.action, *([spec.outcome] if spec.outcome else [])]
    for source in sources:
        known = _fields(source.topic, source.type, fields_of)
        if source.stamp == "header" and "header" not in known:
            raise ConfigError(f"topic '{source.topic}': {source.type} has no header; write stamp: receive")
        for item in source.fields:
            _check_path(source, item, fields_of)


def _fields(topic: str, type_name: str, fields_of: Callable[[str], Mapping[str, str]]) -> Mapping[str, str]:
    try:
        return fields_of(type_name)
    except KeyError as error:
        raise ConfigError(
            f"topic '{topic}': the message type '{type_name}' is not known here; {error.args[0]}"
        ) from error


def _check_path(source: Source, item: Field, fields_of: Callable[[str], Mapping[str, str]]) -> None:
    type_name = source.type
    for step in steps_of(item.path):
        if isinstance(step, int):
            continue
        known = _fields(source.topic, type_name, fields_of)
        if step not in known:
            place = f"topic '{source.topic}', field '{item.name}', path '{item.path}'"
            raise ConfigError(f"{place}: {type_name} has no '{step}'; {nearest(step, known)}")
        type_name = _full_name(re.sub(r"\[.*\]|sequence<|[,>].*", "", known[step]))
    if item.kind in AXES:
        known = _fields(source.topic, type_name, fields_of)
        if not set(AXES[item.kind]) <= set(known):
            raise ConfigError(f"topic '{source.topic}', field '{item.name}': {type_name} is no {item.kind}")
    if item.kind == "joints" and "name" not in fields_of(source.type):
        raise ConfigError(f"topic '{source.topic}', field '{item.name}': {source.type} names no joints")


def _full_name(type_name: str) -> str:
    package, _, name = type_name.rpartition("/")
    return type_name if not package or "/msg" in package else f"{package}/msg/{name}"
