"""A robot spec against the definitions of its messages, before the first message comes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from dvf_ros.core.fields import AXES, Field
from dvf_ros.core.parsing import ConfigError, nearest
from dvf_ros.core.selection import steps_of
from dvf_ros.core.spec import RobotSpec, Source

NUMBERS = {"bool", "boolean", "byte", "octet", "char", "float", "double", "float32", "float64"}
NUMBERS |= {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
"""What rclpy and message definitions call numbers."""


def check_paths(spec: RobotSpec, fields_of: Callable[[str], Mapping[str, str]]) -> None:
    """Check every path of the spec against the message definitions.

    `fields_of('sensor_msgs/msg/JointState')` gives `{field: type}` and raises KeyError for a type it does not know;
    nested types come as `package/Name` or `package/msg/Name`. Raises ConfigError naming the nearest known field.
    """
    sources = [*spec.state, *spec.action, *([spec.outcome] if spec.outcome else [])]
    for source in sources:
        known = _fields(source.topic, source.part_type, fields_of)
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
    type_name, place = source.part_type, f"topic '{source.topic}', field '{item.name}', path '{item.path}'"
    for step in steps_of(item.path):
        if isinstance(step, int):
            continue
        known = _fields(source.topic, type_name, fields_of)
        if step not in known:
            raise ConfigError(f"{place}: {type_name} has no '{step}'; {nearest(step, known)}")
        type_name = _full_name(re.sub(r"\[.*\]|sequence<|[,>].*", "", known[step]))
    if item.kind not in AXES:
        if type_name not in NUMBERS:
            known = _fields(source.topic, type_name, fields_of) if "/" in type_name else {}
            kinds = [kind for kind, axes in AXES.items() if set(axes) <= set(known)]
            numbers = f"name a number of it; it has: {', '.join(known) or 'none'}"
            hint = f"write kind: {kinds[-1]}" if kinds else numbers
            raise ConfigError(f"{place}: expected numbers, found {type_name}; {hint}")
    else:
        known = _fields(source.topic, type_name, fields_of)
        if not set(AXES[item.kind]) <= set(known):
            raise ConfigError(f"topic '{source.topic}', field '{item.name}': {type_name} is no {item.kind}")
    if item.kind == "joints" and "name" not in fields_of(source.part_type):
        raise ConfigError(f"topic '{source.topic}', field '{item.name}': {source.type} names no joints")


def _full_name(type_name: str) -> str:
    package, _, name = type_name.rpartition("/")
    return type_name if not package or "/msg" in package else f"{package}/msg/{name}"
