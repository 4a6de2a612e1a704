"""Hands that nobody named: skills between those of the scripted behaviors, by chance."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np

from dvf_ros.sim.behaviors import BEHAVIORS, Skill


def some_skill(level: float, rng: np.random.Generator) -> Skill:
    """A skill at a level from 0 (novice) to 1 (expert), each of its numbers off by up to a quarter.

    Between the four levels that have names every number is interpolated.
    """
    named = np.array([astuple(BEHAVIORS[name]) for name in ("novice", "clumsy", "adept", "expert")])
    places = np.linspace(0.0, 1.0, len(named))
    numbers = np.array([np.interp(level, places, column) for column in named.T]) * rng.uniform(
        0.75, 1.25, named.shape[1]
    )
    skill = dict(zip(Skill.__dataclass_fields__, numbers.tolist(), strict=True))
    return Skill(**skill | {name: min(skill[name], 1.0) for name in ("patience", "shallow")})
