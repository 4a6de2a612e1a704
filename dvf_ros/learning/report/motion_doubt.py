"""How far the value of a driver is open because so little of its motion is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.driver import driver_by_motion, likely_drivers
from dvf_ros.learning.report.driver_correction import DriverProcess
from dvf_ros.learning.report.values import value_states

DRIVERS = 16
"""Who may have shown such motion, drawn: their standard deviation is known to about a fifth of itself."""

STARTS = 8
"""States that they are valued from: all with the same noise, so that few tell how they differ."""


def motion_deviation(
    agent: DvfAgent,
    trajectories: Sequence[np.ndarray],
    starts: np.ndarray,
    seed: int,
    beyond: Callable[[Tensor], float] | None = None,
    transitions: float | None = None,
) -> float:
    """Standard deviation of the mean value from states (n, D), over drivers who may have shown the trajectories (L, D).

    `beyond` is what is added to the value of a φ (1, P). As if so many `transitions` had shown the same, where given.
    What the nets smooth over is not in it. Raises what `driver_by_motion` does.
    """
    drivers = likely_drivers(agent, trajectories, DRIVERS, np.random.default_rng(seed), transitions)
    some = starts[np.linspace(0, len(starts) - 1, min(STARTS, len(starts))).astype(int)]

    def worth(driver: Tensor) -> float:
        found = value_states(agent, some, np.random.default_rng(seed), agent.horizon, driver)
        return float(found.value.mean()) + (beyond(driver) if beyond else 0.0)

    return float(np.std([worth(driver) for driver in drivers.split(1)], ddof=1))


def corrected_deviation(
    agent: DvfAgent, process: DriverProcess, trajectories: Sequence[np.ndarray], starts: np.ndarray, seed: int
) -> float:
    """How far a driver may lie from its value from states (n, D) as corrected by a process, one standard deviation.

    The process says so of drivers known as well as the recorded ones; the trajectories (L, D) may show more, or less.
    """
    of_process = process.of(driver_by_motion(agent, trajectories))[1]
    own, as_recorded = (
        motion_deviation(agent, trajectories, starts, seed, lambda driver: process.of(driver)[0], transitions)
        for transitions in (None, process.shown)
    )
    return math.sqrt(max(of_process**2 - as_recorded**2, 0.0) + own**2)
