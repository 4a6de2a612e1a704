"""Units that cannot be meant: no message says its unit, but a number of the wrong one is far too large or small."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Episode

# Degrees for radians are a factor of 57, millimetres for metres 1000.
FACTOR = 30.0
MOST_RAD = 4 * math.pi  # joints turn at most twice around
UNITS = {1000.0: "m and mm", 180 / math.pi: "rad and deg", 100.0: "m and cm"}
NEAR = 0.2  # by which a change may miss such a factor: the robot moves meanwhile
AROUND = 5  # frames on either side of a change that have to agree with it
LEAST = 1e-3  # below this a dimension is at rest, and its ratio to another says nothing


class Largest:
    """The largest magnitude of each number of state and action in a bag."""

    def __init__(self, spec: RobotSpec) -> None:
        self._spec = spec
        self._states, self._actions = np.zeros(spec.state_size), np.zeros(spec.action_size)
        self._jumps: dict[str, float] = {}
        self._changes: list[str] = []

    def add(self, episode: Episode) -> None:
        """Take in an episode."""
        self._changes += unit_changes(self._spec, episode.states, episode.stamps)
        whole = np.abs(episode.states).max(axis=0)
        if self._states.any():
            for name, before, now in zip(self._spec.state_names, self._states, whole, strict=True):
                if min(before, now) > LEAST and max(before, now) / min(before, now) >= FACTOR:
                    self._jumps[name] = max(before, now) / min(before, now)
        self._states = np.maximum(self._states, whole)
        self._actions = np.maximum(self._actions, np.abs(episode.actions).max(axis=0, initial=0))

    def to_report(self) -> dict[str, float]:
        """Largest magnitude by name of the number."""
        names = (*self._spec.state_names, *self._spec.action_names)
        return dict(zip(names, (*map(float, self._states), *map(float, self._actions)), strict=True))

    def warnings(self) -> list[str]:
        """Angles that are no radians, and episodes of one bag that differ as units do."""
        found = []
        start = 0
        names = self._spec.state_names
        for item in (item for source in self._spec.state for item in source.fields):
            most = float(self._states[start : start + item.size].max())
            if item.unit == "rad" and most > MOST_RAD:
                found.append(f"'{item.name}' reaches {most:.4g}, and its unit is rad: are these degrees?")
            start += item.size
        for name in names:
            if name in self._jumps:
                found.append(f"'{name}' is up to {self._jumps[name]:.0f} times larger in one episode than in another")
        return found + self._changes


def unit_changes(spec: RobotSpec, states: np.ndarray, stamps: np.ndarray) -> list[str]:
    """Where in an episode, (L, D) and (L,) ns, a field goes on in another unit.

    From one frame to the next all numbers of the field that are not at rest change by one and the same factor, a
    unit's, and the frames around agree: less than that a motion or a single bad message may do as well.
    """
    found = []
    for piece in spec.state_layout:
        if piece.kind == "quaternion":
            continue
        size = np.abs(states[:, piece.start : piece.stop])
        moving = (size[:-1] > LEAST) & (size[1:] > LEAST)
        ratio = np.divide(size[1:], size[:-1], out=np.ones_like(size[1:]), where=moving)
        for factor, names in UNITS.items():
            for change in (factor, 1 / factor):
                fits = (np.abs(ratio / change - 1) < NEAR) | ~moving
                for k in np.flatnonzero(fits.all(axis=1) & moving.any(axis=1)):
                    if _goes_on(size[:, moving[k]], int(k), change):
                        seconds = (stamps[k + 1] - stamps[0]) / 1e9
                        times = f"{factor:.4g} times {'larger' if change > 1 else 'smaller'}"
                        found.append(
                            f"'{piece.name}' becomes {times} within an episode, {seconds:.3f} s from its start at"
                            f" {stamps[0]}: has its unit changed ({names})?"
                        )
    return found


def _goes_on(size: np.ndarray, k: int, change: float) -> bool:
    """Whether the frames before and after the step from k to k+1 move far less than by it, as one motion does."""
    before, after = size[max(k + 1 - AROUND, 0) : k + 1], size[k + 1 : k + 1 + AROUND]
    if min(len(before), len(after)) < AROUND:
        return False
    step = math.sqrt(max(change, 1 / change))
    spread = [np.maximum(part.max(axis=0) / np.maximum(part.min(axis=0), 1e-12), 1.0) for part in (before, after)]
    return bool((spread[0] < step).all() and (spread[1] < step).all())


def unit_warnings(largest: Sequence[tuple[str, Mapping[str, float]]]) -> list[str]:
    """Numbers that are far larger in one bag, (name, largest magnitudes), than they usually are in the others."""
    found = []
    names = largest[0][1] if largest else {}
    for name in names:
        values = {bag: most[name] for bag, most in largest if most[name] > LEAST}
        if len(values) < 2:
            continue
        usual = float(np.median(list(values.values())))
        for bag, value in values.items():
            others = usual if len(values) > 2 else min(values.values())
            if value / others >= FACTOR:
                found.append(
                    f"'{name}' reaches {value:.4g} in '{bag}', usually {others:.4g}: the same unit (degrees, radians;"
                    " millimetres, metres)?"
                )
    return found
