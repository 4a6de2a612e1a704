"""What V misses of a driver, from what many recorded ones earned: a Gaussian process over φ."""

from __future__ import annotations

import math
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
from dvf_ros.learning.driver import driver_by_motion
from dvf_ros.learning.report.ranking import start_window
from dvf_ros.learning.report.returns import Rewards, dataset_returns
from dvf_ros.learning.report.values import value_states

FEWEST = 20
"""Drivers: from fewer, nothing is learned about how the traits of another one matter."""

LENGTH, SHORTEST, LONGEST = 3.0, 0.3, 100.0
"""Length scales of the process, first guess and bounds, in what a trait varies by among drivers (about 1)."""


@dataclass(frozen=True)
class Records:
    """What n halves of drivers' episodes earned, V there, and what their driver is known by: its other episodes.

    Both are discounted returns from first states, as if what the recordings show went on like that for ever.
    """

    traits: np.ndarray  # (n, T)
    value: np.ndarray  # (n,)
    earned: np.ndarray  # (n,) a mean
    luck: np.ndarray  # (n,) its variance by chance
    shown: np.ndarray  # (n,) transitions that the driver is known by


def driver_records(
    agent: DvfAgent,
    dataset: Dataset,
    rewards: Rewards,
    rng: np.random.Generator,
    progress: Callable[[np.ndarray], Iterable[int]] = iter,
) -> Records:
    """Two records of every driver of a dataset whose returns are known; each drives under a behavior label of its own.

    No episode's return is set against its own motion, in which its luck shows: who was lucky moves like somebody
    skilled. `progress` may follow the indices of the behaviors. Raises ConfigError for an agent that cannot read a
    driver off its motion, DatasetError for fewer than FEWEST drivers of two episodes.
    """
    if agent.occupancy.motion is None:
        raise ConfigError(
            "expected an agent that reads off motion who drives, found one that knows behaviors by index: "
            "train with --training.representation context"
        )
    window = start_window(dataset.episode_length, dataset.terminated)
    discount = agent.training_config.discount
    returns = dataset_returns(dataset, rewards, discount, window)[dataset.episode_start]
    moving = dataset.episode_length > 1
    usable = np.isfinite(returns) & moving
    driven = np.bincount(dataset.behavior[usable], minlength=len(dataset.behavior_names))
    drivers = np.flatnonzero(driven > 1)
    if len(drivers) < FEWEST:
        raise DatasetError(
            f"expected at least {FEWEST} drivers of two or more episodes whose rewards are known for {window} ticks "
            f"from their first states, found {len(drivers)}: record more, each under a behavior label of its own"
        )
    found = []
    for index in progress(drivers):
        episodes = np.flatnonzero((dataset.behavior == index) & usable)
        for half in (episodes[::2], episodes[1::2]):
            others = np.setdiff1d(np.flatnonzero((dataset.behavior == index) & moving), half)
            driver = driver_by_motion(agent, [dataset.states[dataset.frames_of(int(episode))] for episode in others])
            starts = np.asarray(dataset.states[dataset.episode_start[half]])
            within = value_states(agent, starts, rng, window, driver).within
            luck = returns[episodes].var(ddof=1) / len(half)
            shown = np.sum(dataset.episode_length[others] - 1)
            found.append((traits_of(driver), within.mean(), returns[half].mean(), luck, shown))
    traits, value, earned, luck, shown = (np.array(column) for column in zip(*found, strict=True))
    for_ever = 1.0 - discount**window
    return Records(traits, value / for_ever, earned / for_ever, luck / for_ever**2, shown)


class DriverProcess:
    """A number of drivers as a Gaussian process over their traits (Rasmussen and Williams 2006).

    How far each trait matters (its length scale) and how much is chance maximise the marginal likelihood. `shown` is
    how many transitions a driver is known by who lies as far from the mean as the process says, on average.
    """

    def __init__(self, traits: np.ndarray, numbers: np.ndarray, luck: np.ndarray, shown: np.ndarray) -> None:
        """Learn from n records of drivers: traits (n, T), numbers (n,), the variance of these by chance (n,), and how
        many transitions each driver is known by (n,).
        """
        self._mean, self._scale = float(numbers.mean()), float(numbers.std()) or 1.0
        lengths = RBF(np.full(traits.shape[1], LENGTH), (SHORTEST, LONGEST))
        self._process = GaussianProcessRegressor(ConstantKernel(1.0) * lengths + WhiteKernel(1.0))
        with warnings.catch_warnings():
            # A trait that does not matter has the longest length there is.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._process.fit(traits, (numbers - self._mean) / self._scale)
        scatter = self._scale**2 * self._process.kernel_.k2.noise_level
        self._luck = min(scatter, float(luck.mean()))
        self.shown = float(shown.mean())

    def of(self, driver: Tensor) -> tuple[float, float]:
        """The number of a driver by its φ (1, P), and how far, as a standard deviation, it may lie from that.

        The latter counts how drivers scatter whose traits are the same, less what chance alone did to the records.
        """
        mean, deviation = self._process.predict(traits_of(driver)[None], return_std=True)
        variance = (self._scale * float(deviation[0])) ** 2 - self._luck
        return self._mean + self._scale * float(mean[0]), math.sqrt(max(variance, 0.0))


def fit_correction(records: Records) -> DriverProcess:
    """What a driver earns from the start beyond its V there, to be added to it."""
    return DriverProcess(records.traits, records.earned - records.value, records.luck, records.shown)


def traits_of(driver: Tensor) -> np.ndarray:
    """The traits (T,) of φ (1, P); the rest of it is learned from them."""
    found: np.ndarray = driver[0, :TRAITS].double().cpu().numpy()
    return found
