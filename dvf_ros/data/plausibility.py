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
LEAST = 1e-3  # below this a dimension is at rest, and its ratio to another says nothing


class Largest:
    """The largest magnitude of each number of state and action in a bag."""

    def __init__(self, spec: RobotSpec) -> None:
        self._spec = spec
        self._states, self._actions = np.zeros(spec.state_size), np.zeros(spec.action_size)
        self._jumps: dict[str, float] = {}

    def add(self, episode: Episode) -> None:
        """Take in an episode."""
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
        return found


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
