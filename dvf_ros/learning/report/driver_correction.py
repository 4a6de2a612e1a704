"""What V misses of a driver, from what many recorded ones earned: a Gaussian process over φ."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from torch import Tensor

from dvf_ros.core.parsing import ConfigError
from dvf_ros.data.dataset import Dataset, DatasetError
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.context import TRAITS
from dvf_ros.learning.driver import recorded_driver
from dvf_ros.learning.report.ranking import start_window
from dvf_ros.learning.report.returns import Rewards, dataset_returns
from dvf_ros.learning.report.values import value_states

FEWEST = 20
"""Drivers: from fewer, nothing is learned about how the traits of another one matter."""

LENGTH, SHORTEST, LONGEST = 3.0, 0.3, 100.0
"""Length scales of the process, first guess and bounds, in what a trait varies by among drivers (about 1)."""


@dataclass(frozen=True)
class Records:
    """What n drivers are known by, V from their first states, and what they earned from there.

    Both are discounted returns, as if what the recordings show went on like that for ever.
    """

    traits: np.ndarray  # (n, T)
    value: np.ndarray  # (n,)
    earned: np.ndarray  # (n,)


def driver_records(
    agent: DvfAgent,
    dataset: Dataset,
    rewards: Rewards,
    rng: np.random.Generator,
    progress: Callable[[np.ndarray], Iterable[int]] = iter,
) -> Records:
    """Records of every driver of a dataset whose returns are known; each drives under a behavior label of its own.

    `progress` may follow the indices of the behaviors. Raises ConfigError for an agent that cannot read a driver off
    its motion, DatasetError for fewer than FEWEST drivers.
    """
    if agent.occupancy.motion is None:
        raise ConfigError(
            "expected an agent that reads off motion who drives, found one that knows behaviors by index: "
            "train with --training.representation context"
        )
    window = start_window(dataset.episode_length, dataset.terminated)
    discount = agent.training_config.discount
    returns = dataset_returns(dataset, rewards, discount, window)[dataset.episode_start]
    usable = np.isfinite(returns)
    found = []
    for index in progress(np.unique(dataset.behavior[usable])):
        driver = recorded_driver(agent, dataset, int(index))
        if driver is None:  # of a single state in a row there is no motion
            continue
        episodes = np.flatnonzero((dataset.behavior == index) & usable)
        starts = np.asarray(dataset.states[dataset.episode_start[episodes]])
        within = value_states(agent, starts, rng, window, driver).within
        found.append((traits_of(driver), within.mean(), returns[episodes].mean()))
    if len(found) < FEWEST:
        raise DatasetError(
            f"expected at least {FEWEST} drivers whose rewards are known for {window} ticks from their first states, "
            f"found {len(found)}: record more, each under a behavior label of its own"
        )
    traits, value, earned = (np.array(column) for column in zip(*found, strict=True))
    for_ever = 1.0 - discount**window
    return Records(traits, value / for_ever, earned / for_ever)


class DriverProcess:
    """A number of drivers as a Gaussian process over their traits (Rasmussen and Williams 2006).

    How far each trait matters (its length scale) and how much is chance maximise the marginal likelihood.
    """

    def __init__(self, traits: np.ndarray, numbers: np.ndarray) -> None:
        """Learn from n drivers: traits (n, T), numbers (n,)."""
        self._mean, self._scale = float(numbers.mean()), float(numbers.std()) or 1.0
        lengths = RBF(np.full(traits.shape[1], LENGTH), (SHORTEST, LONGEST))
        self._process = GaussianProcessRegressor(ConstantKernel(1.0) * lengths + WhiteKernel(1.0))
        with warnings.catch_warnings():
            # A trait that does not matter has the longest length there is.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._process.fit(traits, (numbers - self._mean) / self._scale)

    def of(self, driver: Tensor) -> tuple[float, float]:
        """The number of a driver by its φ (1, P), and how far, as a standard deviation, one like it lies from that.

        The latter counts what chance did to the recorded ones, so that it is rather too large for the driver's mean.
        """
        mean, deviation = self._process.predict(traits_of(driver)[None], return_std=True)
        return self._mean + self._scale * float(mean[0]), self._scale * float(deviation[0])


def fit_correction(records: Records) -> DriverProcess:
    """What a driver earns from the start beyond its V there, to be added to it."""
    return DriverProcess(records.traits, records.earned - records.value)


def traits_of(driver: Tensor) -> np.ndarray:
    """The traits (T,) of φ (1, P); the rest of it is learned from them."""
    found: np.ndarray = driver[0, :TRAITS].double().cpu().numpy()
    return found
