"""What the simulation says and hears: an observation out, a command in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MAX_LINEAR_SPEED = 0.5
"""m/s, for each world axis; a faster command is clipped to it."""

MAX_ANGULAR_SPEED = 2.0
"""rad/s, about each world axis; a faster command is clipped to it."""

MAX_GRIPPER_WIDTH = 0.08
"""m between the fingers of the open Panda hand."""


class CommandError(ValueError):
    """A command that must not reach the simulation: wrong size or a value that is not finite."""


@dataclass(frozen=True)
class Observation:
    """The state of the world after a step; SI units, world frame, quaternions xyzw with norm one.

    joint_position, joint_velocity: (9,), seven arm joints (rad, rad/s), then two fingers (m, m/s). The
    second finger's position is negative, as in the robot's model.
    eef_position (3,), eef_orientation (4,): the grip site between the finger tips, the point and the axes
    that the commands move; z points out of the hand, x along the fingers' motion.
    objects: name -> (7,), position and orientation.
    reward: the task's sparse success, 1.0 or 0.0. terminated: always False, the caller ends episodes.
    links: (L, 3), places of the arm's links from the base to the grip site, for pictures.
    """

    joint_names: tuple[str, ...]
    joint_position: Array
    joint_velocity: Array
    eef_position: Array
    eef_orientation: Array
    objects: dict[str, Array]
    reward: float
    success: bool
    terminated: bool = False
    links: Array = field(default_factory=lambda: np.zeros((0, 3)))

    @property
    def gripper_width(self) -> float:
        """Distance between the fingers in m."""
        return float(self.joint_position[7] - self.joint_position[8])


@dataclass(frozen=True)
class Command:
    """A velocity of the end effector and a width of the gripper, held for one step.

    linear: (3,) m/s and angular: (3,) rad/s, both along and about world axes.
    gripper_width: m, 0 closed to 0.08 open; the hand is told to close below half, to open otherwise.
    Raises CommandError where a size is wrong or a value is not finite.
    """

    linear: Array = field(default_factory=lambda: np.zeros(3))
    angular: Array = field(default_factory=lambda: np.zeros(3))
    gripper_width: float = MAX_GRIPPER_WIDTH

    def __post_init__(self) -> None:
        object.__setattr__(self, "linear", _checked("linear", self.linear, (3,)))
        object.__setattr__(self, "angular", _checked("angular", self.angular, (3,)))
        width = float(_checked("gripper_width", self.gripper_width, ()))
        object.__setattr__(self, "gripper_width", width)

    @property
    def closes(self) -> bool:
        """Whether the hand is told to close."""
        return self.gripper_width < 0.5 * MAX_GRIPPER_WIDTH


def _checked(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    """Return the value as float64; raises CommandError for another shape or a value that is not finite."""
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise CommandError(f"command.{name}: expected numbers of shape {shape}, found {value!r}") from error
    if array.shape != shape:
        raise CommandError(
            f"command.{name}: expected shape {shape}, found {array.shape}; check the fields that fill it"
        )
    if not np.all(np.isfinite(array)):
        raise CommandError(
            f"command.{name}: expected finite numbers, found {array.tolist()}; stop the arm by zeros, not by NaN"
        )
    return array
