"""Whether an action topic's messages can carry whatever will be sent there, before the first of them has to be."""

from __future__ import annotations

import numpy as np
from rclpy.serialization import serialize_message

from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.selection import write_fields
from dvf_ros.core.spec import Source
from dvf_ros.nodes.message_types import message_class

UNBOUNDED = 1e18
"""Stands for a limit that is not there."""


def check_command(source: Source) -> None:
    """Raise ConfigError where a stop could not be said on the topic, or where its messages cannot hold its numbers.

    A target is left out of a stop while nobody knows where the robot is, and with it all that is in the same message.
    """
    modes = {item.stop_mode: item.name for item in source.fields}
    if "hold" in modes and len(modes) > 1:
        other, name = next((mode, name) for mode, name in modes.items() if mode != "hold")
        raise ConfigError(
            f"topic '{source.topic}': expected fields that all stop alike, found '{modes['hold']}' (stop_mode: hold) "
            f"beside '{name}' (stop_mode: {other}), whose stop would go unsaid while the robot's place is not known; "
            "put them on topics of their own"
        )
    for limits in ("lower", "upper"):
        bounds = np.concatenate([getattr(item, limits) for item in source.fields])
        _write(source, np.clip(bounds, -UNBOUNDED, UNBOUNDED))


def _write(source: Source, values: np.ndarray) -> None:
    message = message_class(source.type)()
    try:
        write_fields(source, values, message)
        serialize_message(message)
    except IndexError as error:
        raise ConfigError(
            f"topic '{source.topic}': expected paths that lead to numbers of a new {source.type}, "
            f"found one through a sequence that is empty there ({error})"
        ) from error
    except (AssertionError, OverflowError, SystemError, TypeError, ValueError) as error:
        raise ConfigError(
            f"topic '{source.topic}': {source.type} cannot hold {values.tolist()}, which the limits of its fields "
            "allow; give whole numbers the 'lower' and 'upper' of their type"
        ) from error
