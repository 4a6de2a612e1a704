"""What controllers are worth by a model and by what their own episodes earned, each as far as it is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from scipy.optimize import brentq
from torch import Tensor

from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.report.values import value_states

NOTHING = 1e-200
"""A variance that is none."""


@dataclass(frozen=True)
class Shown:
    """What episodes of a controller earned in their first ticks, the same number in each."""

    episodes: int
    earned: float
    """Their mean discounted return; what comes after those ticks is V's."""
    beyond: float
    """What those ticks earned beyond V: by chance, and by what V misses."""
    scatter: float
    """Variance of single returns, NaN of one alone."""

    @property
    def deviation(self) -> float:
        """Standard error of what they earned, NaN of one alone."""
        return math.sqrt(self.scatter / self.episodes)


def shown_by(
    agent: DvfAgent,
    starts: np.ndarray,
    returns: np.ndarray,
    window: int,
    driver: Tensor | None,
    rng: np.random.Generator,
) -> Shown:
    """What episodes from first states (n, D), n >= 1, earned in their first `window` ticks, returns (n,), beside V."""
    found = value_states(agent, starts, rng, window, driver)
    beyond = float(returns.mean() - found.within.mean())
    scatter = float(returns.var(ddof=1)) if len(returns) > 1 else math.nan
    return Shown(len(returns), float(found.value.mean()) + beyond, beyond, scatter)


def mean_shown(by_agent: Sequence[Shown]) -> Shown:
    """The same episodes by several agents, whose rewards and values differ."""
    episodes, *means = np.mean([astuple(one) for one in by_agent], axis=0).tolist()
    return Shown(round(episodes), *means)


def chance_of(shown: Sequence[Shown]) -> np.ndarray:
    """Variances (m,) of what m controllers earned, means over their episodes; one of them has two or more.

    Single returns are taken to vary alike under all of them: a few that happen to be alike say little of the next one.
    """
    episodes = np.array([one.episodes for one in shown])
    several = [one for one in shown if one.episodes > 1]
    scatter = np.average([one.scatter for one in several], weights=[one.episodes - 1 for one in several])
    chance: np.ndarray = scatter / episodes
    return chance


def composite(
    value: np.ndarray, deviation: np.ndarray, beyond: np.ndarray, chance: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Values of m controllers moved towards what they earned, and their standard deviations, (m,) each.

    Fay and Herriot (1979). What was earned lies `beyond` (m,) the value by the model because of chance, of variance
    `chance` (m,), and of the model's error. The latter's variance is `deviation` (m,) squared, which the model says
    itself, and what it does not count, taken to be the same for all: as much as makes all of `beyond` as large as is to
    be expected (Paule and Mandel 1982). Episodes tell of the `share`, in 0 .. 1, of a value that their ticks hold
    (1 - γ^window): of its error that share of the standard deviation. The rest stays in doubt.
    """
    told = share**2
    counted = told * np.square(deviation)
    model = counted + _uncounted(np.square(beyond), counted + chance)
    total = model + chance
    weight = np.divide(model, total, out=np.zeros_like(total), where=total > 0.0)
    return value + weight * beyond, np.sqrt(weight * chance + (1.0 / told - 1.0) * model)


def _uncounted(squares: np.ndarray, counted: np.ndarray) -> float:
    """The variance >= 0 that, with what is counted (m,), makes squares (m,) in such units 1 in the mean, or less."""
    if np.all(squares <= np.maximum(counted, NOTHING)):
        return 0.0

    def excess(variance: float) -> float:
        return float(np.mean(squares / (variance + counted))) - 1.0

    least = 1e-12 * float(squares.max())
    return float(brentq(excess, least, float(squares.max()))) if excess(least) > 0.0 else 0.0
