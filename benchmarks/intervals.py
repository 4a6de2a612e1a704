"""How sure a success rate is that rests on few trainings of many episodes each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student

from dvf_ros.core.results import wilson_interval


def resampled_interval(outcomes: np.ndarray, resamples: int = 10_000) -> tuple[float, float]:
    """The 95 % interval (low, high) of the mean of outcomes (tasks, trainings, starts).

    In every task trainings are resampled and then starts, which are the same ones for all trainings. Of three trainings
    that tells less than there is to know: their spread is underestimated by a factor of √(2/3).
    """
    tasks, trainings, starts = outcomes.shape
    rng = np.random.default_rng(0)
    task = np.arange(tasks)[None, :, None, None]
    training = rng.integers(trainings, size=(resamples, tasks, trainings))[..., None]
    start = rng.integers(starts, size=(resamples, tasks, starts))[:, :, None, :]
    low, high = np.quantile(outcomes[task, training, start].mean(axis=(1, 2, 3)), [0.025, 0.975])
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
