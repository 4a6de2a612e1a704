"""Message classes by name, and what fields they have."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from rclpy.type_support import check_for_type_support
from rosidl_generator_py.import_type_support_impl import UnsupportedTypeSupport  # type: ignore[import-untyped]


def message_class(type_name: str) -> Any:
    """The class of `sensor_msgs/msg/JointState`; raises KeyError saying which package is not installed."""
    package, _, name = type_name.partition("/msg/")
    try:
        found = getattr(importlib.import_module(f"{package}.msg"), name)
        check_for_type_support(found)
        return found
    except UnsupportedTypeSupport as error:
        raise KeyError(f"the package '{package}' is here without its libraries; source a ROS 2 that has it") from error
    except ImportError as error:
        raise KeyError(f"the package '{package}' is not installed or not sourced") from error
    except AttributeError as error:
        raise KeyError(f"the package '{package}' has no message '{name}'") from error


def fields_of(type_name: str) -> Mapping[str, str]:
    """Field names and types of a message, as `dvf_ros.core.path_check.check_paths` asks for them."""
    return message_class(type_name).get_fields_and_field_types()
