"""Scripted behaviours that carry what they grasped to a place and let go: the tasks "stack" and "can".

They grasp as the lifting hand does. One more error is added, and again it is no noise about a good mean: a hasty hand
lets go on the way, short of the place, where the skilled pass by in a few steps. What falls down is grasped anew.
"""

from __future__ import annotations

import numpy as np

from dvf_ros.sim.behaviors import CLOSING_STEPS, Act, LiftBehavior, yaw
from dvf_ros.sim.observation import Array, Observation

LEAVING_STEPS = 16
"""Steps from letting go until the hand looks again: the fingers open, then it goes straight up."""

ARRIVED = (0.01, 0.008)
"""m, beside and above the place, within which a careful hand lets go."""


class PlacingBehavior(LiftBehavior):
    """One skill's closed loop for a task that is done once an object lies in its place and the hand is away.

    What is carried travels `clearance` m above the place, at `haste` times the skill's speed. A hasty hand lets go
    between the two distances `short` (m) before it.
    """

    clearance: float
    haste: float
    short: tuple[float, float]

    def reset(self, seed: int) -> None:
        """Forget the last episode and draw this one's habits from the seed."""
        self._leaving, self._carrying = 0, False
        super().reset(seed)

    def place(self, observation: Observation) -> Array:
        """Where (3,) m the object's centre belongs."""
        raise NotImplementedError

    def placed(self, observation: Observation) -> bool:
        """Whether the object lies there, as this hand sees it."""
        raise NotImplementedError

    def _act(self, observation: Observation) -> Act:
        if self._leaving > 0:
            self._leaving -= 1
            up = 0.0 if self._leaving > LEAVING_STEPS - CLOSING_STEPS else self.skill.speed
            return np.array([0.0, 0.0, up]), 0.0, False
        if self._closed_for == 0 and self.placed(observation):
            above = self.place(observation)[2] + self.clearance + self._hover - observation.eef_position[2]
            return self._towards(np.array([0.0, 0.0, above])), 0.0, False
        if self._closed_for == 0:
            self._carrying = False
        return super()._act(observation)

    def _distract(self, observation: Observation, velocity: Array, yaw_rate: float) -> tuple[Array, float]:
        """Lapses come while there is something to do: a hand that is done stays out of the way."""
        if self._leaving > 0 or (self._closed_for == 0 and self.placed(observation)):
            return velocity, yaw_rate
        return super()._distract(observation, velocity, yaw_rate)

    def _carry(self, observation: Observation) -> Act:
        """Up, over the place and down on it; let go there, or too soon."""
        if not self._carrying:
            self._carrying = True
            hasty = self._rng.random() < self.skill.shallow
            self._until = self._rng.uniform(*self.short) if hasty else 0.0
            self._error = self._rng.normal(0.0, self.skill.offset, 2)
        error = self.place(observation) - observation.objects[self.grasped][:3]
        error[:2] += self._error
        distance = float(np.hypot(error[0], error[1]))
        # Over a cone again; and nowhere sideways before it is high enough.
        rise = error[2] + self.clearance * np.clip((distance - 0.01) / 0.03, 0.0, 1.0)
        there = distance < ARRIVED[0] and abs(error[2]) < ARRIVED[1]
        if there or distance < self._until or (distance < 0.03 and self._happens(self.skill.early_close)):
            self._closed_for, self._leaving = 0, LEAVING_STEPS
            self._aim()
            return np.zeros(3), 0.0, False
        aside = error[:2] * np.clip(1.0 - (rise - 0.02) / 0.03, 0.0, 1.0)
        return self.haste * self._towards(np.append(aside, rise) / self.haste), 0.0, True


class StackBehavior(PlacingBehavior):
    """The red cube on the green one."""

    grasped = "red_cube"
    clearance = 0.05
    haste = 1.0
    short = (0.032, 0.045)
    height = 0.047
    """m, of the red cube's centre over the green one's, where it is let go."""

    def place(self, observation: Observation) -> Array:
        """On the green cube."""
        return observation.objects["green_cube"][:3] + np.array([0.0, 0.0, self.height])

    def placed(self, observation: Observation) -> bool:
        """Whether the red cube lies on the green one."""
        aside = self.place(observation) - observation.objects[self.grasped][:3]
        return float(np.hypot(aside[0], aside[1])) < 0.035 and abs(aside[2]) < 0.012


class CanBehavior(PlacingBehavior):
    """The can in its quarter of the second bin."""

    grasped = "can"
    grip_height = 0.018
    shallow = (0.05, 0.07)
    in_hand = 0.06
    clearance = 0.12
    haste = 2.0
    short = (0.10, 0.14)
    quarter = np.array([0.15, 0.345, 0.875])
    """m, world, in the can's quarter, on the side that the arm reaches well, and the height at which it is let go."""

    def place(self, observation: Observation) -> Array:
        """In the quarter, with room on every side."""
        return self.quarter.copy()

    def placed(self, observation: Observation) -> bool:
        """Whether the can lies in the quarter."""
        x, y, z = observation.objects[self.grasped][:3]
        return bool(0.105 < x < 0.29 and 0.285 < y < 0.52 and z < 0.9)

    def _turn(self, observation: Observation) -> float:
        """A can is round: the hand stays as it began, square to the bins."""
        turn = 0.5 * np.pi + self._yaw_offset - yaw(observation.eef_orientation)
        return float((turn + np.pi) % (2.0 * np.pi) - np.pi)


HANDS: dict[str, type[LiftBehavior]] = {"lift": LiftBehavior, "stack": StackBehavior, "can": CanBehavior}
"""Whose hand does which of the simulation's tasks."""
