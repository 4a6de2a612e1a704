"""The text of a message definition with all that it depends on, as a bag embeds it."""

from __future__ import annotations

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rosidl_adapter.parser import parse_message_string  # type: ignore[import-untyped]

SEPARATOR = "=" * 80


def definition_of(type_name: str) -> str:
    """The .msg text of `sensor_msgs/msg/JointState`, followed by those of the types in it (rosbag2's `ros2msg`).

    Raises KeyError saying which package or file is missing, or that the type is none of a message.
    """
    if "/msg/" not in type_name:  # events of a service, messages of an action
        raise KeyError("it has no .msg file; what ROS makes of services and actions itself, 'ros2 bag record' records")
    parts: list[str] = []
    found = {type_name}
    waiting = [type_name]
    while waiting:
        current = waiting.pop(0)
        package, _, name = current.partition("/msg/")
        text = _text(package, name)
        parts.append(f"{SEPARATOR}\nMSG: {package}/{name}\n{text}" if parts else text)
        for field in parse_message_string(package, name, text).fields:
            inner = f"{field.type.pkg_name}/msg/{field.type.type}"
            if not field.type.is_primitive_type() and inner not in found:
                found.add(inner)
                waiting.append(inner)
    return "\n".join(parts)


def _text(package: str, name: str) -> str:
    try:
        file = Path(get_package_share_directory(package)) / "msg" / f"{name}.msg"
        return file.read_text(encoding="utf-8")
    except PackageNotFoundError as error:
        raise KeyError(f"the package '{package}' is not installed or not sourced") from error
    except OSError as error:
        raise KeyError(f"the package '{package}' has no 'msg/{name}.msg': {error.strerror}") from error
