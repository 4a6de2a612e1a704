"""What a controller is worth, by one agent or by several that were trained alike, and what makes that uncertain."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.driver import recorded_driver, recorded_motion
from dvf_ros.learning.report.driver_correction import DriverProcess
from dvf_ros.learning.report.motion_doubt import corrected_deviation, likely_values
from dvf_ros.learning.report.values import value_states

DOUBTS = (
    "by sampling (at most; more --futures lower it)",
    "by reward heads that disagree",
    "by how little motion was shown",
    "by agents that disagree",
)
"""What makes a value uncertain; the last where several agents were asked."""


@dataclass(frozen=True)
class Worth:
    """What a controller is worth: (value, deviation), as it is and, where there is a reference, corrected by it."""

    controller: str
    known_by: str
    value: tuple[float, float]
    doubts: tuple[float, ...]
    """Deviations of the value, one by one, in the order of DOUBTS."""
    corrected: tuple[float, float] | None = None


def worth_by_agent(
    agent: DvfAgent, dataset: Dataset, index: int, starts: np.ndarray, correction: DriverProcess | None, seed: int
) -> Worth:
    """What a controller of a dataset, by its index there, is worth from states (n, D), by one agent.

    Corrected where what others earned says how, and the agent reads off motion who drives.
    """
    driver = recorded_driver(agent, dataset, index)
    motion = recorded_motion(dataset, index) if agent.occupancy.motion is not None else []
    # The same noise for all: what differs is who drives.
    found = value_states(agent, starts, np.random.default_rng(seed), agent.horizon, driver)
    likely = likely_values(agent, motion, starts, seed) if motion else None
    by_motion = likely.deviation() if likely else 0.0
    doubts = (float(found.error.mean()), float(found.disagreement.mean()), by_motion)  # the states share the noise
    value, corrected = float(found.value.mean()), None
    if driver is None:
        known_by = "nothing: as who was recorded"
    elif likely:
        known_by = f"motion: {len(motion)} episode{'s' * (len(motion) > 1)}"
        if correction:
            as_recorded = likely_values(agent, motion, starts, seed, correction.shown)
            deviation = corrected_deviation(correction, driver, value, likely, as_recorded)
            corrected = (value + correction.of(driver, value)[0], deviation)
    else:
        known_by = "name"
    return Worth(dataset.behavior_names[index], known_by, (value, math.hypot(*doubts)), doubts, corrected)


def worth_by_all(by_agent: Sequence[Worth]) -> Worth:
    """The same by several agents: the mean of what each says, in more doubt the more they differ.

    The deviation of a corrected value remains: it was learned from how far off such an agent is.
    """
    first = by_agent[0]
    if len(by_agent) == 1:
        return first
    values = [one.value[0] for one in by_agent]
    doubts = (*np.mean([one.doubts for one in by_agent], axis=0).tolist(), statistics.stdev(values))
    corrected = [one.corrected for one in by_agent if one.corrected]
    means = tuple(statistics.mean(column) for column in zip(*corrected, strict=True))
    value = (statistics.mean(values), math.hypot(*doubts))
    return replace(first, value=value, doubts=doubts, corrected=means or None)
