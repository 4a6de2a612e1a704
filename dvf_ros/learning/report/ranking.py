"""Ranking: who would earn more from the start, by the model, and who did."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau

from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.driver import recorded_driver
from dvf_ros.learning.report.intervals import half_interval
from dvf_ros.learning.report.returns import Rewards, dataset_returns
from dvf_ros.learning.report.values import value_states

STARTS = 0.9  # share of the first frames that must have the window
MOST = 24  # behaviors; more than these nobody looks at


@dataclass(frozen=True)
class Ranked:
    """One behavior: its value and its return over the same window from the first frames of `episodes` episodes.

    Both with half of their 95 % interval, NaN where there is one episode. `known` says whether the agent knows the
    behavior, by name or by its motion; if not, its value is that of the recorded mixture from its own first states.
    """

    name: str
    known: bool
    episodes: int
    predicted: float
    predicted_half: float
    measured: float
    measured_half: float


@dataclass(frozen=True)
class Ranking:
    """The behaviors, the best by return first; `agreement` is Kendall's τ of the two orders, NaN for one behavior.

    `left_out` is how many more there are, of fewer episodes each. `by_motion` says that the agent knows them by the
    motion of these very episodes, not by name.
    """

    window: int
    behaviors: tuple[Ranked, ...]
    agreement: float
    left_out: int = 0
    by_motion: bool = False

    @property
    def error(self) -> float:
        """Mean distance of value and return, as a share of the mean return; NaN where nothing was earned."""
        distance = np.mean([abs(item.predicted - item.measured) for item in self.behaviors])
        earned = np.mean([abs(item.measured) for item in self.behaviors])
        return float(distance / earned) if earned > 0 else float("nan")


def measure_ranking(
    agent: DvfAgent, dataset: Dataset, rewards: Rewards, most: int, rng: np.random.Generator
) -> Ranking | None:
    """Value at most `most` first frames of every behavior, and the return from all; None where no return is known."""
    window = start_window(dataset.episode_length, dataset.terminated)
    returns = dataset_returns(dataset, rewards, agent.training_config.discount, window)[dataset.episode_start]
    ranked = []
    usable = np.isfinite(returns)
    for index in most_recorded(dataset.behavior[usable], MOST):
        name = dataset.behavior_names[index]
        episodes = np.flatnonzero((dataset.behavior == index) & usable)
        driver = recorded_driver(agent, dataset, int(index))
        drawn = rng.choice(episodes, min(most, len(episodes)), replace=False)
        starts = np.asarray(dataset.states[np.sort(dataset.episode_start[drawn])])
        found = value_states(agent, starts, rng, window, driver)
        error = half_interval(found.within)  # the noise of sampling is part of how the values lie apart
        measured = returns[episodes]
        ranked.append(
            Ranked(
                name, driver is not None, len(episodes), float(found.within.mean()), float(error),
                float(measured.mean()), float(half_interval(measured)),
            )
        )  # fmt: skip
    if not ranked:
        return None
    ranked.sort(key=lambda item: -item.measured)
    left_out = len(np.unique(dataset.behavior[usable])) - len(ranked)
    by_motion = agent.occupancy.motion is not None
    return Ranking(window, tuple(ranked), order_agreement(ranked), left_out, by_motion)


def most_recorded(behavior: np.ndarray, most: int) -> np.ndarray:
    """The at most `most` indices (n,), rising, that stand most often in behavior (E,)."""
    indices, counts = np.unique(behavior, return_counts=True)
    return np.sort(indices[np.argsort(-counts, kind="stable")[:most]])


def order_agreement(ranked: list[Ranked]) -> float:
    """Kendall's τ of predicted and measured: 1 for the same order, -1 for the opposite; NaN for a single behavior."""
    if len(ranked) < 2:
        return float("nan")
    return float(kendalltau([item.predicted for item in ranked], [item.measured for item in ranked]).statistic)


def start_window(length: np.ndarray, terminated: np.ndarray) -> int:
    """The longest window of ticks, >= 1, that STARTS of all episodes have from their first frame on."""
    lasting = np.sort(np.where(terminated, length.max(), length) - 1)
    return max(int(lasting[len(lasting) - math.ceil(STARTS * len(lasting))]), 1)
