"""How far the value of a driver is open because so little of its motion is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.driver import likely_drivers
from dvf_ros.learning.report.driver_correction import DriverProcess
from dvf_ros.learning.report.values import value_states

DRIVERS = 16
"""Who may have shown such motion, drawn: their standard deviation is known to about a fifth of itself."""

STARTS = 8
"""States that they are valued from: all with the same noise, so that few tell how they differ."""


@dataclass(frozen=True)
class LikelyDrivers:
    """n drivers who may have shown a motion, and what each is worth: the less was shown, the more they differ."""

    drivers: Tensor  # (n, P) φ
    values: np.ndarray  # (n,)

    def deviation(self, correction: DriverProcess | None = None) -> float:
        """Standard deviation of their values, as they are or corrected; what the nets smooth over is not in it."""
        drivers = zip(self.drivers.split(1), self.values.tolist(), strict=True)
        more = [correction.of(driver, value)[0] for driver, value in drivers] if correction else 0.0
        return float(np.std(self.values + more, ddof=1))


def likely_values(
    agent: DvfAgent,
    trajectories: Sequence[np.ndarray],
    starts: np.ndarray,
    seed: int,
    transitions: float | None = None,
) -> LikelyDrivers:
    """Mean values from states (n, D) of drivers who may have shown the trajectories, each (L, D).

    As if so many `transitions` had shown the same, where given. Raises what `driver_by_motion` does.
    """
    drivers = likely_drivers(agent, trajectories, DRIVERS, np.random.default_rng(seed), transitions)
    some = starts[np.linspace(0, len(starts) - 1, min(STARTS, len(starts))).astype(int)]
    found = [
        value_states(agent, some, np.random.default_rng(seed), agent.horizon, driver) for driver in drivers.split(1)
    ]
    return LikelyDrivers(drivers, np.array([one.value.mean() for one in found]))


def corrected_deviation(
    process: DriverProcess, driver: Tensor, value: float, shown: LikelyDrivers, as_recorded: LikelyDrivers
) -> float:
    """How far a driver by its φ (1, P) and V may lie from its value as corrected by a process, one standard deviation.

    The process says so of drivers known as well as the recorded ones, `as_recorded`: by `process.shown` transitions.
    What was shown of this one may be more, or less.
    """
    of_process = process.of(driver, value)[1]
    others, own = as_recorded.deviation(process), shown.deviation(process)
    return math.sqrt(max(of_process**2 - others**2, 0.0) + own**2)
