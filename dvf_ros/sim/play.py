"""Scripted play with one cube: reach, push, lift, carry and release at random places, for no reward at all.

What is recorded covers the table rather than a task: every act draws its own place, height and pause, and neither
its choice nor its course depends on any goal, and it may be dropped halfway for another one. Nobody labels the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from dvf_ros.sim.behaviors import CLOSING_STEPS, CUBE_ON_TABLE, NOISE_TIME, TICK, yaw
from dvf_ros.sim.observation import MAX_GRIPPER_WIDTH, Array, Command, Observation

LOWER = np.array([-0.18, -0.22])
UPPER = np.array([0.16, 0.22])
"""m, world x and y of the places that acts draw; the table's centre is the origin, the arm stands at x = -0.56."""

LOWEST, HIGHEST = 0.84, 1.10
"""m, heights that acts draw."""

LOW_SHARE, LOW = 0.35, (0.83, 0.87)
"""How often the cube is held just above the table instead, and m, at which heights."""


@dataclass(frozen=True)
class Style:
    """How somebody plays: `acts`, how often each is drawn with an empty hand; `speed`, m/s, range of an act's; `pause`,
    steps, longest; `whim`, the chance in every step to drop the act for another one.
    """

    acts: dict[str, float]
    speed: tuple[float, float]
    pause: int
    whim: float


STYLES = {
    "calm": Style({"reach": 0.25, "push": 0.05, "lift": 0.2, "carry": 0.5}, (0.15, 0.35), 12, 0.01),
    "brisk": Style({"reach": 0.25, "push": 0.03, "lift": 0.15, "carry": 0.57}, (0.2, 0.45), 8, 0.02),
}

HELD = {"take": 0.75, "release": 0.25}
"""How often each act is drawn when the hand holds the cube."""

NOISE = np.array([0.05, 0.05, 0.05, 0.02, 0.02, 0.1])
"""m/s and rad/s, standard deviation of the noise on linear and angular velocity."""

OFFSET = 0.006
"""m, standard deviation of the error of a grasp's aim."""

# velocity (3,) m/s, yaw rate rad/s, whether the hand is told to close
Motion = tuple[Array, float, bool]


class PlayBehavior:
    """An endless row of random acts; deterministic given the style, the seed and the observations."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Forget the last episode and start another row of acts."""
        # A stream apart from the simulation's and the other behaviors': see LiftBehavior.
        self._rng = np.random.default_rng([seed, 2])
        self._noise = np.zeros(6)
        self._start_yaw = float("nan")
        self._motions = self._play()

    def command(self, observation: Observation) -> Command:
        """Return the next command; unlike in LiftBehavior all three turns are used, to keep the hand upright.

        Episodes are long and goals are relative to the achieved pose: contacts would tilt the hand for good.
        """
        self._seen = observation
        if np.isnan(self._start_yaw):
            self._start_yaw = yaw(observation.eef_orientation)
        keep = np.exp(-TICK / NOISE_TIME)
        self._noise = keep * self._noise + np.sqrt(1.0 - keep**2) * NOISE * self._rng.standard_normal(6)
        velocity, yaw_rate, closed = next(self._motions)
        velocity = np.clip(velocity + self._noise[:3], -0.5, 0.5)
        turn = self._righting() + self._noise[3:]
        turn[2] += yaw_rate
        return Command(velocity, np.clip(turn, -2.0, 2.0), 0.0 if closed else MAX_GRIPPER_WIDTH)

    def _righting(self) -> Array:
        """Return the angular velocity (3,) rad/s, about x and y, that brings the hand's axis back to straight down."""
        x, y, z, w = self._seen.eef_orientation
        # The axis out of the hand is a = (2(xz + yw), 2(yz - xw), ...); a x (0, 0, -1) turns it downwards.
        return 3.0 * np.array([-2.0 * (y * z - x * w), 2.0 * (x * z + y * w), 0.0])

    def _play(self) -> Iterator[Motion]:
        acts = {
            "reach": self._reach,
            "push": self._push,
            "lift": self._lift,
            "carry": self._carry,
            "take": self._take,
            "release": self._release,
        }
        while True:
            self._speed = self._rng.uniform(*self.style.speed)
            shares = HELD if self._holds else self.style.acts
            name = self._rng.choice(list(shares), p=list(shares.values()))
            # A cube that was pushed or rolled off the drawn places is left alone.
            away = ((self._cube[:2] < LOWER - 0.06) | (self._cube[:2] > UPPER + 0.06)).any()
            act = self._reach() if away or self._cube[2] < CUBE_ON_TABLE - 0.01 else acts[str(name)]()
            for motion in act:
                yield motion
                if self._rng.random() < self.style.whim:
                    break

    def _reach(self) -> Iterator[Motion]:
        """Move the hand to a place in the air, open or closed, and stay for a moment."""
        goal = np.append(self._place(), self._height())
        closed = self._rng.random() < 0.3
        yield from self._move(lambda: goal, closed, turn=self._turn_to_rest)
        yield from self._stay(closed)

    def _push(self) -> Iterator[Motion]:
        """Come down beside the cube with a closed hand and shove it towards a place."""
        start, goal = self._cube, self._place()
        way = goal - start[:2]
        length = max(float(np.linalg.norm(way)), 1e-3)
        way /= length
        beside = start[:2] - 0.06 * way
        depth = self._rng.uniform(0.0, 0.015)
        low = CUBE_ON_TABLE + depth
        yield from self._move(lambda: np.append(beside, CUBE_ON_TABLE + 0.09), True, turn=self._turn_to_rest)
        yield from self._move(lambda: np.append(beside, low), True)
        reach = min(length, self._rng.uniform(0.05, 0.25)) - 0.03
        end = start[:2] + reach * way
        self._speed = self._rng.uniform(0.08, 0.15)
        yield from self._move(lambda: np.append(end, low), True)
        yield from self._rise(True)

    def _lift(self) -> Iterator[Motion]:
        """Grasp the cube, raise it, hold it, and let go above or on the table."""
        yield from self._grasp()
        if self._holds:
            place, height = self._cube[:2], self._holding_height()
            yield from self._move(lambda: np.append(place, height), True)
            yield from self._stay(True)
            yield from self._release()

    def _carry(self) -> Iterator[Motion]:
        """Grasp the cube, take it to a place at some height, and let go above or on the table."""
        yield from self._grasp()
        if self._holds:
            yield from self._take()
            yield from self._release()

    def _take(self) -> Iterator[Motion]:
        """With the cube in the hand: to a place at some height, over the start or straight there, and stay."""
        place, height = self._place(), self._holding_height()
        start = self._cube[:2]
        if self._rng.random() < 0.5:
            yield from self._move(lambda: np.append(start, height), True)
        yield from self._move(lambda: np.append(place, height), True)
        yield from self._stay(True)

    def _grasp(self) -> Iterator[Motion]:
        """Above the cube, square to a face, down, close; the hand opens again where it caught nothing."""
        offset, depth = self._rng.normal(0.0, OFFSET, 2), abs(self._rng.normal(0.0, OFFSET))
        hover = self._rng.uniform(0.05, 0.10)

        def above() -> Array:
            aim = np.append(self._cube[:2] + offset, self._cube[2] - 0.004 + depth)
            aside = float(np.linalg.norm(aim[:2] - self._hand[:2]))
            # A cone over the cube: the further aside, the higher the hand must stay.
            cone = np.clip((aside - 0.008) / 0.03, 0.0, 1.0)
            aim[2] += hover * max(cone, 0.7 if abs(self._turn_to_cube()) > 0.35 else 0.0)
            return aim

        yield from self._move(above, False, turn=self._turn_to_cube, near=0.01)
        for _ in range(CLOSING_STEPS):
            yield np.zeros(3), 0.0, True

    def _release(self) -> Iterator[Motion]:
        """Set the cube down and open, or just open; then leave it."""
        if self._rng.random() < 0.7:
            place, drop = self._hand[:2], self._rng.uniform(0.0, 0.02)
            yield from self._move(lambda: np.append(place, CUBE_ON_TABLE + drop), True)
        for _ in range(CLOSING_STEPS // 2):
            yield np.zeros(3), 0.0, False
        yield from self._rise(False)

    def _rise(self, closed: bool) -> Iterator[Motion]:
        above = self._hand + np.array([0.0, 0.0, self._rng.uniform(0.03, 0.1)])
        yield from self._move(lambda: above, closed)

    def _stay(self, closed: bool) -> Iterator[Motion]:
        place = self._hand
        for _ in range(int(self._rng.integers(0, self.style.pause))):
            yield self._towards(place), 0.0, closed

    def _move(
        self,
        goal: Callable[[], Array],
        closed: bool,
        turn: Callable[[], float] = lambda: 0.0,
        near: float = 0.02,
        patience: int = 70,
    ) -> Iterator[Motion]:
        """Towards a goal (3,) m and a turn of 0 rad, until `near` m or after `patience` steps."""
        for _ in range(patience):
            place = goal()
            if np.linalg.norm(place - self._hand) < near and abs(turn()) < 0.2:
                return
            yield self._towards(place), float(np.clip(2.5 * turn(), -1.0, 1.0)), closed

    def _towards(self, place: Array) -> Array:
        """Return the velocity (3,) m/s towards a place (3,) m, not faster than the act's speed."""
        velocity = 4.0 * (place - self._hand)
        limited: Array = velocity * min(1.0, self._speed / max(float(np.linalg.norm(velocity)), 1e-9))
        return limited

    def _turn_to_rest(self) -> float:
        return _wrap(self._start_yaw - yaw(self._seen.eef_orientation), 2.0 * np.pi)

    def _turn_to_cube(self) -> float:
        """Return the yaw in rad to the face of the cube that is closest to how the hand started.

        Not to the closest of all: turn by turn that would wind up the wrist.
        """
        face = self._start_yaw + _wrap(yaw(self._seen.objects["cube"][3:]) - self._start_yaw, 0.5 * np.pi)
        return _wrap(face - yaw(self._seen.eef_orientation), 2.0 * np.pi)

    def _place(self) -> Array:
        return self._rng.uniform(LOWER, UPPER)

    def _height(self) -> float:
        return float(self._rng.uniform(LOWEST, HIGHEST))

    def _holding_height(self) -> float:
        return float(self._rng.uniform(*LOW)) if self._rng.random() < LOW_SHARE else self._height()

    @property
    def _hand(self) -> Array:
        return self._seen.eef_position

    @property
    def _cube(self) -> Array:
        return self._seen.objects["cube"][:3]

    @property
    def _holds(self) -> bool:
        return self._seen.gripper_width > 0.015 and bool(np.linalg.norm(self._cube - self._hand) < 0.035)


def _wrap(angle: float, period: float) -> float:
    """Return the angle moved by whole periods into [-period/2, period/2)."""
    return float((angle + 0.5 * period) % period - 0.5 * period)
