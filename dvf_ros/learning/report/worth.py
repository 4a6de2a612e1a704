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
from dvf_ros.learning.report.composite import Shown, chance_of, composite, mean_shown, shown_by
from dvf_ros.learning.report.driver_correction import DriverProcess
from dvf_ros.learning.report.motion_doubt import corrected_deviation, likely_values
from dvf_ros.learning.report.ranking import start_window
from dvf_ros.learning.report.returns import dataset_returns, rewards_of_states
from dvf_ros.learning.report.values import value_states

DOUBTS = (
    "by sampling (at most; more --futures or --starts lower it)",
    "by reward heads that disagree",
    "by how little motion was shown",
    "by agents that disagree",
)
"""What makes a value uncertain; the last where several agents were asked."""

NOTHING = "nothing"
"""What a controller is known by that is valued as whoever was recorded."""


@dataclass(frozen=True)
class Worth:
    """What a controller is worth: (value, deviation), as it is and, where there is a reference, corrected by it.

    `combined` is either, the latter if there is one, moved towards what its episodes earned; None before `settled`, and
    where none is whole.
    """

    controller: str
    known_by: str
    value: tuple[float, float]
    doubts: tuple[float, ...]
    """Deviations of the value, one by one, in the order of DOUBTS."""
    corrected: tuple[float, float] | None = None
    shown: Shown | None = None
    combined: tuple[float, float] | None = None

    @property
    def by_model(self) -> tuple[float, float]:
        """What it is worth whatever its episodes earned."""
        return self.corrected or self.value

    @property
    def best(self) -> tuple[float, float]:
        """The value that most is known for."""
        return self.combined or self.by_model


@dataclass(frozen=True)
class Earned:
    """What a dataset's episodes earned from their first states in `window` ticks, by an agent's reward on their states.

    The window is the longest that nearly all episodes have; returns (E,) are NaN where it is not whole.
    """

    window: int
    returns: np.ndarray
    share: float
    """Of a value, what the window holds: 1 - γ^window."""

    @classmethod
    def by(cls, agent: DvfAgent, dataset: Dataset) -> Earned:
        """Of all episodes, labels left aside."""
        window = start_window(dataset.episode_length, dataset.terminated)
        rewards = rewards_of_states(agent, dataset)
        discount = agent.training_config.discount
        found = dataset_returns(dataset, rewards, discount, window)
        return cls(window, found[dataset.episode_start], 1.0 - discount**window)


def worth_by_agent(
    agent: DvfAgent,
    dataset: Dataset,
    index: int,
    starts: np.ndarray,
    earned: Earned,
    correction: DriverProcess | None,
    seed: int,
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
    sampling = float(np.linalg.norm(found.error)) / len(starts)  # of a mean of values with noise of their own
    doubts = (sampling, float(found.disagreement.mean()), by_motion)
    value, corrected = float(found.value.mean()), None
    if driver is None:
        known_by = NOTHING
    elif likely:
        known_by = f"{len(motion)} episode{'s' * (len(motion) > 1)}"
        if correction:
            as_recorded = likely_values(agent, motion, starts, seed, correction.shown)
            deviation = corrected_deviation(correction, driver, value, likely, as_recorded)
            corrected = (value + correction.of(driver, value)[0], deviation)
    else:
        known_by = "name"
    whole = np.flatnonzero((dataset.behavior == index) & np.isfinite(earned.returns))
    own = np.asarray(dataset.states[dataset.episode_start[whole]])
    rng = np.random.default_rng(seed)
    shown = shown_by(agent, own, earned.returns[whole], earned.window, driver, rng) if len(whole) else None
    return Worth(dataset.behavior_names[index], known_by, (value, math.hypot(*doubts)), doubts, corrected, shown)


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
    shown = mean_shown([one.shown for one in by_agent if one.shown]) if first.shown else None
    return replace(first, value=value, doubts=doubts, corrected=means or None, shown=shown)


def settled(found: Sequence[Worth], share: float) -> list[Worth]:
    """The same controllers, those of whom anything was shown whole with a combined value (see `composite`).

    None of them, where nothing tells how much of that is chance: it takes two episodes of one controller.
    """
    known = [one for one in found if one.shown]
    shown = [one.shown for one in found if one.shown]
    if not any(one.episodes > 1 for one in shown):
        return list(found)
    value, deviation = np.transpose([one.by_model for one in known])
    correction = value - [one.value[0] for one in known]
    beyond = np.array([one.beyond for one in shown]) - correction
    value, deviation = composite(value, deviation, beyond, chance_of(shown), share)
    combined = zip(value.tolist(), deviation.tolist(), strict=True)
    return [replace(one, combined=next(combined)) if one.shown else one for one in found]
