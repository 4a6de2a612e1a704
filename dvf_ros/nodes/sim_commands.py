"""Commands on their way into the simulation: two halves on two topics, paired by the stamp of the state they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import TwistStamped
from sensor_msgs.msg import JointState

from dvf_ros.core.selection import FieldSelector, SelectionError
from dvf_ros.core.spec import Field, Source

TWIST_TOPIC = "cmd_twist"
GRIPPER_TOPIC = "gripper_command"
HELD = 64
"""Stamps of which a half is kept; those that came first go first: one ahead of every state would stay for ever."""

_TWIST = Source(
    TWIST_TOPIC,
    "geometry_msgs/msg/TwistStamped",
    (Field("linear", "twist.linear", "vector", unit="m/s"), Field("angular", "twist.angular", "vector", unit="rad/s")),
)
_GRIPPER = Source(
    GRIPPER_TOPIC, "sensor_msgs/msg/JointState", (Field("gripper_width", "position", "joints", ("gripper",), unit="m"),)
)
COMMANDS = {source.topic: source for source in (_TWIST, _GRIPPER)}


class CommandReader:
    """Numbers and stamp of a command message; `frame` is the frame in which the simulation takes velocities."""

    def __init__(self, frame: str) -> None:
        self._frame = frame
        self._selectors = {topic: FieldSelector(source) for topic, source in COMMANDS.items()}

    def read(self, topic: str, message: TwistStamped | JointState) -> tuple[int, np.ndarray]:
        """Stamp (ns) and numbers: (6,) linear and angular velocity, or (1,) width of the gripper.

        Raises SelectionError for a wrong size, a number that is not finite, or a velocity in another frame.
        """
        selector = self._selectors[topic]
        values = selector.select(message)
        if not np.isfinite(values).all():
            found = ", ".join(
                f"{name} = {value}"
                for name, value in zip(_names(selector.source), values, strict=True)
                if not np.isfinite(value)
            )
            raise SelectionError(
                f"topic '{topic}': expected finite numbers, found {found}; stop the arm by zeros, not by NaN"
            )
        frame = message.header.frame_id
        if topic == TWIST_TOPIC and frame not in ("", self._frame):
            raise SelectionError(f"topic '{topic}': expected a velocity in frame '{self._frame}', found '{frame}'")
        return selector.stamp(message, 0), values


@dataclass(frozen=True)
class TimedCommand:
    """A whole command: `twist` (6,) m/s and rad/s, `width` m, and the stamp (ns) of the state that it answers."""

    stamp: int
    twist: np.ndarray
    width: float


class CommandInbox:
    """Halves of commands until both of one stamp are there; DDS keeps no order between topics."""

    def __init__(self) -> None:
        self._halves: dict[int, dict[str, np.ndarray]] = {}

    def put(self, topic: str, stamp: int, values: np.ndarray) -> None:
        """Take in one half; a later one of the same stamp replaces it."""
        self._halves.setdefault(stamp, {})[topic] = values
        if len(self._halves) > HELD:
            del self._halves[next(iter(self._halves))]

    def complete(self, stamp: int) -> bool:
        """Whether both halves of this stamp are there."""
        return len(self._halves.get(stamp, ())) == len(COMMANDS)

    def take_newest(self, stamp: int) -> TimedCommand | None:
        """The newest whole command not after `stamp`; it and all before it are forgotten."""
        past = sorted(known for known in self._halves if known <= stamp)
        whole = [known for known in past if self.complete(known)]
        if not whole:
            return None
        halves = self._halves[whole[-1]]
        for known in past:
            if known <= whole[-1]:
                del self._halves[known]
        return TimedCommand(whole[-1], halves[TWIST_TOPIC], float(halves[GRIPPER_TOPIC][0]))

    def clear(self) -> None:
        """Forget everything."""
        self._halves.clear()

    def describe(self, stamp: int) -> str:
        """What is there for `stamp` and what is not, for people."""
        have = self._halves.get(stamp, {})
        missing = " and ".join(f"'{topic}'" for topic in COMMANDS if topic not in have)
        text = f"nothing with that stamp on {missing}"
        others = [known for known in self._halves if known != stamp]
        return text + (f"; the newest other stamp is {max(others) * 1e-9:.9f} s" if others else "")


def _names(source: Source) -> list[Any]:
    return [name for item in source.fields for name in item.element_names]
