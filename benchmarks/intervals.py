"""How sure a success rate is that rests on few trainings of many episodes each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import t as student
from scipy.stats import trim_mean

from dvf_ros.core.results import wilson_interval

Statistic = Callable[[np.ndarray], np.ndarray]


def mean_of(outcomes: np.ndarray) -> np.ndarray:
    """Means (...) of outcomes (..., tasks, trainings, starts)."""
    found: np.ndarray = outcomes.mean(axis=(-3, -2, -1))
    return found


def interquartile_mean_of(outcomes: np.ndarray) -> np.ndarray:
    """Interquartile means (...) of the rates of outcomes (..., tasks, trainings, starts), as rliable's."""
    rates = outcomes.mean(axis=-1)
    found: np.ndarray = trim_mean(rates.reshape(*rates.shape[:-2], -1), 0.25, axis=-1)
    return found


def resampled_interval(
    outcomes: np.ndarray, statistic: Statistic = mean_of, resamples: int = 10_000
) -> tuple[float, float]:
    """The 95 % interval (low, high) of a statistic, the mean if none is named, of outcomes (tasks, trainings, starts).

    In every task trainings are resampled and then starts, which are the same ones for all trainings. Of three trainings
    that tells less than there is to know: their spread is underestimated by a factor of √(2/3). Outcomes of several
    controllers in the same starts (controllers, tasks, trainings, starts) are resampled together; the statistic then
    says how they differ.
    """
    tasks, trainings, starts = outcomes.shape[-3:]
    rng = np.random.default_rng(0)
    task = np.arange(tasks)[None, :, None, None]
    training = rng.integers(trainings, size=(resamples, tasks, trainings))[..., None]
    start = rng.integers(starts, size=(resamples, tasks, starts))[:, :, None, :]
    low, high = np.quantile(statistic(outcomes[..., task, training, start]), [0.025, 0.975])
    return float(low), float(high)


def success_interval(rates: Sequence[float], episodes: int) -> tuple[float, float]:
    """The 95 % interval (low, high) of the success of trainings of a kind, from the rates of some, `episodes` each.

    The wider of two: Student's over the trainings, which differ by more than their episodes' luck, and Wilson's over
    all episodes, which knows that success in every one of them is not certainty.
    """
    successes = sum(round(rate * episodes) for rate in rates)
    low, high = wilson_interval(successes, len(rates) * episodes)
    if len(rates) > 1:
        mean, error = float(np.mean(rates)), float(np.std(rates, ddof=1)) / len(rates) ** 0.5
        half = float(student.ppf(0.975, len(rates) - 1)) * error
        low, high = min(low, max(mean - half, 0.0)), max(high, min(mean + half, 1.0))
    return low, high
