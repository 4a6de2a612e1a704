"""Scripted behaviours of several skill levels that lift the cube, or fail to.

All levels run the same closed loop: above the cube, turn to a face, down, close, lift, hold. They differ in
how often and how badly a decision goes wrong. Errors are drawn per decision and last a few tenths of a second,
so levels visit the same states and differ in what they do there. One error is no noise about a good mean: a
shallow grasp closes above the cube, and who makes it stays there and tries again, while the skilled pass by in a
few steps. Most of what was recorded there is wrong, so that neither a sample of the mixture nor its mean or mode
lifts the cube reliably; a good choice among its samples does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from dvf_ros.sim.observation import MAX_GRIPPER_WIDTH, Array, Command, Observation

TICK = 0.05
"""s, the step these behaviours are timed for (20 Hz)."""

CUBE_ON_TABLE = 0.822
HOLD_HEIGHT = 0.945
"""m, world height of the cube's centre on the table, and of the grip where the cube is held up."""

CLOSING_STEPS = 10
"""Steps that the fingers need from open to closed."""

NOISE_TIME = 0.35
"""s, correlation time of the noise on velocities."""


@dataclass(frozen=True)
class Skill:
    """How well a behaviour lifts; zero everywhere but speed and patience is a perfect hand.

    speed: m/s of travel. noise, yaw_noise: m/s, rad/s, standard deviation of the velocity noise.
    offset, yaw_offset: m, rad, standard deviation of the error of an aim; a new aim is taken aim_rate times
    a second, and after every miss. lapse_rate: 1/s, how often the hand does something else for a while.
    early_close: 1/s, how often it closes too soon near the cube. slip_rate: 1/s, how often it lets go.
    shallow: probability that an aim lies too high above the object, where the fingers close on nothing.
    patience: probability that a missed grasp is tried again at once rather than after a second or more.
    """

    speed: float = 0.2
    noise: float = 0.0
    yaw_noise: float = 0.0
    offset: float = 0.0
    yaw_offset: float = 0.0
    aim_rate: float = 0.5
    lapse_rate: float = 0.0
    early_close: float = 0.0
    slip_rate: float = 0.0
    patience: float = 1.0
    shallow: float = 0.0


BEHAVIORS = {
    "expert": Skill(0.15, 0.02, 0.05, 0.005, 0.05, 0.5, 0.15, 0.08, 0.03, 1.0, 0.10),
    "adept": Skill(0.15, 0.04, 0.15, 0.011, 0.15, 0.7, 0.35, 0.25, 0.20, 0.8, 0.25),
    "clumsy": Skill(0.15, 0.055, 0.20, 0.016, 0.20, 0.9, 0.40, 0.35, 0.25, 0.9, 0.50),
    "novice": Skill(0.14, 0.08, 0.35, 0.030, 0.40, 1.0, 0.70, 0.80, 0.60, 0.6, 0.75),
}


Act = tuple[Array, float, bool]


class _Lapse(Enum):
    """What the hand may do instead of the task."""

    NONE = 0
    HOVER = 1
    WANDER = 2
    PLUNGE = 3


class LiftBehavior:
    """One skill's closed loop for the task "lift"; deterministic given the seed and the observations.

    `grasped` names the object, `grip_height` is where above its centre (m) it is taken. A shallow grasp closes
    higher by `shallow` m, from and to; what lies within `in_hand` m of the closed hand has been caught.
    """

    grasped = "cube"
    grip_height = -0.004
    shallow = (0.025, 0.045)
    in_hand = 0.035

    def __init__(self, skill: Skill) -> None:
        self.skill = skill
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Forget the last episode and draw this one's habits from the seed."""
        # A stream apart from the simulation's: the same seed must not tie errors to where the cube lies.
        self._rng = np.random.default_rng([seed, 1])
        self._pace = self._rng.uniform(0.85, 1.15)
        self._hover = self._rng.uniform(0.06, 0.10)
        self._quarter_turns = 0 if self._rng.random() < 0.8 else int(self._rng.choice([-1, 1]))
        self._noise = np.zeros(4)
        self._closed_for = 0
        self._wait = 0
        self._stuck = 0
        self._lapse, self._lapse_left, self._wander = _Lapse.NONE, 0, np.zeros(3)
        self._aim()

    def go_on(self, seed: int | Sequence[int]) -> None:
        """Draw what is still to come from another seed: the same hand in the same situation, with other luck."""
        self._rng = np.random.default_rng(seed)

    @property
    def grasping(self) -> bool:
        """Whether the hand has closed, or was just told to."""
        return self._closed_for > 0

    def command(self, observation: Observation) -> Command:
        """Return the next command; only x, y, z, yaw rate and gripper width are used."""
        self._drift()
        if self._happens(self.skill.aim_rate):
            self._aim()
        velocity, yaw_rate, closed = self._act(observation)
        velocity, yaw_rate = self._distract(observation, velocity, yaw_rate)
        velocity = np.clip(velocity + self._noise[:3], -0.5, 0.5)
        yaw_rate = float(np.clip(yaw_rate + self._noise[3], -2.0, 2.0))
        return Command(velocity, np.array([0.0, 0.0, yaw_rate]), 0.0 if closed else MAX_GRIPPER_WIDTH)

    def _act(self, observation: Observation) -> Act:
        """What the task asks for: velocity (3,) m/s, yaw rate in rad/s, and whether the hand is to be closed."""
        return self._grasp(observation) if self._closed_for > 0 else self._approach(observation)

    def _approach(self, observation: Observation) -> Act:
        """Go above the aim, turn to the face, then down; close at the cube's height, or too soon."""
        hand, cube = observation.eef_position, observation.objects[self.grasped]
        error = np.append(cube[:2] + self._offset - hand[:2], 0.0)
        distance = float(np.hypot(error[0], error[1]))
        turn = self._turn(observation)
        low = cube[2] + self.grip_height + self._depth
        # A cone over the cube: the further aside, the higher the hand must stay.
        cone = np.clip((distance - 0.008) / 0.03, 0.0, 1.0)
        if abs(turn) > 0.35:
            cone = max(cone, 0.7)
        error[2] = low + cone * self._hover - hand[2]

        near = hand[2] - cube[2] < 0.05 and distance < 0.04
        self._stuck = self._stuck + 1 if near else 0
        arrived = abs(error[2]) < 0.008 and cone < 0.2
        if self._wait > 0:
            self._wait -= 1
            error[:2] = 0.0
            error[2] = cube[2] + self._hover - hand[2]
        elif arrived or self._stuck > 30 or (near and self._happens(self.skill.early_close)):
            self._closed_for, self._stuck = 1, 0
        return self._towards(error), float(np.clip(2.5 * turn, -1.0, 1.0)), self._closed_for > 0

    def _grasp(self, observation: Observation) -> Act:
        """Let the fingers close, carry what they caught; open again after a miss or a slip."""
        self._closed_for += 1
        hand, cube = observation.eef_position, observation.objects[self.grasped]
        if self._closed_for <= CLOSING_STEPS:
            return np.zeros(3), 0.0, True
        caught = observation.gripper_width > 0.015 and float(np.linalg.norm(cube[:3] - hand)) < self.in_hand
        if caught and not self._happens(self.skill.slip_rate):
            return self._carry(observation)
        self._closed_for = 0
        if not caught and self._rng.random() > self.skill.patience:
            self._wait = int(self._rng.integers(15, 60))
        self._aim()
        return np.zeros(3), 0.0, False

    def _carry(self, observation: Observation) -> Act:
        """Lift what is in the hand and hold it up."""
        return self._towards(np.array([0.0, 0.0, HOLD_HEIGHT - observation.eef_position[2]])), 0.0, True

    def _distract(self, observation: Observation, velocity: Array, yaw_rate: float) -> tuple[Array, float]:
        """Start, continue or end a lapse; the hand's opening is left to the loop."""
        if self._lapse_left > 0:
            self._lapse_left -= 1
        elif self._happens(self.skill.lapse_rate):
            self._lapse = _Lapse(int(self._rng.integers(1, 4)))
            self._lapse_left = int(self._rng.integers(6, 16))
            self._wander = self._rng.normal(0.0, [0.12, 0.12, 0.08])
        if self._lapse_left == 0:
            return velocity, yaw_rate
        if self._lapse is _Lapse.HOVER:
            return np.zeros(3), 0.0
        if self._lapse is _Lapse.WANDER:
            return self._wander, yaw_rate
        sink = -0.15 if observation.eef_position[2] > CUBE_ON_TABLE else 0.0
        return np.array([velocity[0], velocity[1], sink]), 0.0

    def _towards(self, error: Array) -> Array:
        """Return the velocity (3,) m/s that closes the error (3,) m, not faster than the skill's pace."""
        velocity = 4.0 * error
        speed = float(np.linalg.norm(velocity))
        limit = self.skill.speed * self._pace
        limited: Array = velocity * min(1.0, limit / speed) if speed > 0.0 else velocity
        return limited

    def _turn(self, observation: Observation) -> float:
        """Return the yaw in rad that brings the fingers square to a face of the cube."""
        quarter = 0.5 * np.pi
        hand, cube = yaw(observation.eef_orientation), yaw(observation.objects[self.grasped][3:])
        turn = (cube + self._yaw_offset - hand + 0.5 * quarter) % quarter - 0.5 * quarter
        # Between two faces either will do: a hand may prefer the further one.
        if self._quarter_turns * turn < -0.35:
            turn += self._quarter_turns * quarter
        return float(turn)

    def _aim(self) -> None:
        """Draw where, at which height and at which yaw to grasp."""
        self._offset = self._rng.normal(0.0, self.skill.offset, 2)
        careful = 0.4 * self.skill.offset
        shallow = self._rng.random() < self.skill.shallow
        self._depth = self._rng.uniform(*self.shallow) if shallow else abs(self._rng.normal(0.0, careful))
        self._yaw_offset = self._rng.normal(0.0, self.skill.yaw_offset)

    def _drift(self) -> None:
        """Advance the Ornstein-Uhlenbeck noise (4,) on linear velocity and yaw rate by one step."""
        keep = np.exp(-TICK / NOISE_TIME)
        scale = np.array([self.skill.noise] * 3 + [self.skill.yaw_noise])
        self._noise = keep * self._noise + np.sqrt(1.0 - keep**2) * scale * self._rng.standard_normal(4)

    def _happens(self, rate: float) -> bool:
        """Return whether an event of the rate (1/s) falls into this step."""
        return bool(self._rng.random() < rate * TICK)


def yaw(quaternion: Array) -> float:
    """Return the heading in rad of the x axis of a rotation (4,) xyzw, about world z."""
    x, y, z, w = quaternion
    return float(np.arctan2(2.0 * (x * y + w * z), 1.0 - 2.0 * (y * y + z * z)))
