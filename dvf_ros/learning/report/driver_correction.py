"""What V misses of a driver, from what many recorded ones earned: a Gaussian process over φ and V itself."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, Kernel, StationaryKernelMixin, WhiteKernel
from torch import Tensor

from dvf_ros.core.parsing import ConfigError
from dvf_ros.data.dataset import Dataset, DatasetError
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.context import TRAITS
from dvf_ros.learning.driver import driver_by_motion
from dvf_ros.learning.report.composite import shown_by
from dvf_ros.learning.report.ranking import start_window
from dvf_ros.learning.report.returns import Rewards, dataset_returns

FEWEST = 20
"""Drivers: from fewer, nothing is learned about how the traits of another one matter."""

NOBODY = np.array([-1])
"""The number of a driver of whom there is no record."""

LENGTH, SHORTEST, LONGEST = 3.0, 0.3, 100.0
"""Length scales of the process, first guess and bounds, in what a trait varies by among drivers (about 1)."""


@dataclass(frozen=True)
class Records:
    """What n halves of drivers' episodes earned, V there, and what their driver is known by: its other episodes.

    Both are discounted returns from first states; what comes after the recordings' first ticks is V's in both.
    """

    driver: np.ndarray  # (n,) the driver's number
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
        unknown = "its rewards are not known there: label them, or write one (--reward)"
        advice = "record more, each under a behavior label of its own" if usable.any() else unknown
        raise DatasetError(
            f"expected at least {FEWEST} drivers of two or more episodes whose rewards are known for {window} ticks "
            f"from their first states, found {len(drivers)}: {advice}"
        )
    found = []
    for index in progress(drivers):
        episodes = np.flatnonzero((dataset.behavior == index) & usable)
        for half in (episodes[::2], episodes[1::2]):
            others = np.setdiff1d(np.flatnonzero((dataset.behavior == index) & moving), half)
            driver = driver_by_motion(agent, [dataset.states[dataset.frames_of(int(episode))] for episode in others])
            starts = np.asarray(dataset.states[dataset.episode_start[half]])
            own = shown_by(agent, starts, returns[half], window, driver, rng)
            luck = returns[episodes].var(ddof=1) / len(half)
            shown = np.sum(dataset.episode_length[others] - 1)
            found.append((index, traits_of(driver), own.earned - own.beyond, own.earned, luck, shown))
    return Records(*(np.array(column) for column in zip(*found, strict=True)))


class DriverProcess:
    """A number of drivers as a Gaussian process: smooth in their traits, linear in their V (see `fit_correction`).

    What neither tells of a driver is its own, and the same in both of its records. How far each trait matters (its
    length scale), how much V does, how much is a driver's own and how much is chance maximise the marginal likelihood
    (Rasmussen and Williams 2006). `shown` is how many transitions a driver is known by who lies as far from
    the mean as the process says, on average.
    """

    def __init__(self, records: Records, numbers: np.ndarray, value: np.ndarray) -> None:
        """Learn the numbers (n,) of those whose records are given, as they go with their traits and V (n,)."""
        self._mean, self._scale = float(numbers.mean()), float(numbers.std()) or 1.0
        spread = float(value.std())
        # Where all have the same V, nothing is learned of it, nor does it count.
        self._middle, self._weight = float(value.mean()), 1.0 / spread if spread else 0.0
        lengths = _OfTraits(np.full(records.traits.shape[1], LENGTH), (SHORTEST, LONGEST))
        line = _OfValue(sigma_0=0.0, sigma_0_bounds="fixed")
        told = ConstantKernel(1.0) * lengths + ConstantKernel(1.0) * line
        kernel = told + ConstantKernel(1.0) * _OfDriver() + WhiteKernel(1.0)
        self._process = GaussianProcessRegressor(kernel)
        with warnings.catch_warnings():
            # A trait that does not matter has the longest length there is.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._process.fit(self._known(records.traits, value, records.driver), (numbers - self._mean) / self._scale)
        told_and_own, chance = self._process.kernel_.k1, self._process.kernel_.k2
        scatter = self._scale**2 * (told_and_own.k2.k1.constant_value + chance.noise_level)
        self._luck = min(scatter, float(records.luck.mean()))
        self.shown = float(records.shown.mean())

    def of(self, driver: Tensor, value: float) -> tuple[float, float]:
        """The number of a driver by its φ (1, P) and V, and how far, as a standard deviation, it may lie from that.

        The latter counts how drivers scatter whose traits are the same, less what chance alone did to the records.
        """
        known = self._known(traits_of(driver)[None], np.array([value]), NOBODY)
        mean, deviation = self._process.predict(known, return_std=True)
        variance = (self._scale * float(deviation[0])) ** 2 - self._luck
        return self._mean + self._scale * float(mean[0]), math.sqrt(max(variance, 0.0))

    def _known(self, traits: np.ndarray, value: np.ndarray, driver: np.ndarray) -> np.ndarray:
        """What is known of n drivers (n, T + 2): traits, V, and who it is."""
        return np.column_stack([traits, self._weight * (value - self._middle), driver])


class _OfTraits(RBF):
    """A kernel of all columns but the last two."""

    def __call__(self, X: np.ndarray, Y: np.ndarray | None = None, eval_gradient: bool = False) -> Any:
        return super().__call__(X[:, :-2], None if Y is None else Y[:, :-2], eval_gradient)


class _OfValue(DotProduct):
    """A kernel of the last column but one."""

    def __call__(self, X: np.ndarray, Y: np.ndarray | None = None, eval_gradient: bool = False) -> Any:
        return super().__call__(X[:, -2:-1], None if Y is None else Y[:, -2:-1], eval_gradient)

    def diag(self, X: np.ndarray) -> Any:
        return super().diag(X[:, -2:-1])


class _OfDriver(StationaryKernelMixin, Kernel):
    """A kernel of the last column: 1 for records of one driver, 0 for those of two."""

    def __init__(self) -> None:  # scikit-learn reads off it that there is nothing to learn
        pass

    def __call__(self, X: np.ndarray, Y: np.ndarray | None = None, eval_gradient: bool = False) -> Any:
        same = np.equal.outer(X[:, -1], (X if Y is None else Y)[:, -1]).astype(float)
        return (same, np.empty((*same.shape, 0))) if eval_gradient else same

    def diag(self, X: np.ndarray) -> Any:
        return np.ones(len(X))


def fit_correction(records: Records) -> DriverProcess:
    """What a driver earns from the start beyond its V there, to be added to it.

    That it is linear in V takes V for as much as it is worth: where V tells drivers apart too much, or too little, what
    is earned is ρ V + δ(traits) (Kennedy and O'Hagan 2000), and ρ is learned as well.
    """
    return DriverProcess(records, records.earned - records.value, records.value)


def fit_returns(records: Records) -> DriverProcess:
    """What a driver earns from the start, whatever its V."""
    return DriverProcess(records, records.earned, np.zeros_like(records.value))


def traits_of(driver: Tensor) -> np.ndarray:
    """The traits (T,) of φ (1, P); the rest of it is learned from them."""
    found: np.ndarray = driver[0, :TRAITS].double().cpu().numpy()
    return found
