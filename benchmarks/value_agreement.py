"""How well predicted values agree with returns, with intervals that respect that states of one episode are alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import spearmanr

RESAMPLES = 1000

# (predicted (N,), found (N,)) -> a figure
Figure = Callable[[np.ndarray, np.ndarray], float]


def spearman(predicted: np.ndarray, found: np.ndarray) -> float:
    """Rank correlation, in -1 .. 1; 0 where either is constant."""
    if np.ptp(predicted) == 0.0 or np.ptp(found) == 0.0:
        return 0.0
    return float(spearmanr(predicted, found).statistic)


def slope(predicted: np.ndarray, found: np.ndarray) -> float:
    """What a return rises by on average where the prediction rises by 1: 1 if it is calibrated, less if it exaggerates.

    Noise in the returns leaves it unbiased, noise in the prediction lowers it.
    """
    variance = np.var(predicted)
    return float(np.cov(predicted, found, bias=True)[0, 1] / variance) if variance > 0.0 else 0.0


def squared_error(predicted: np.ndarray, found: np.ndarray) -> float:
    """Mean squared difference."""
    return float(np.mean((predicted - found) ** 2))


def interval(figure: Callable[[np.ndarray], float], episode: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of figure(rows), rows drawn by whole episodes with replacement; episode (N,) of each row."""
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(episode == number) for number in np.unique(episode)]
    found = [
        figure(np.concatenate([rows[k] for k in rng.integers(len(rows), size=len(rows))])) for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def _picked(figure: Figure, trainings: np.ndarray, found: np.ndarray) -> Callable[[np.ndarray], float]:
    return lambda rows: float(np.mean([figure(predicted[rows], found[rows]) for predicted in trainings]))


def agreement(predicted: np.ndarray, found: np.ndarray, episode: np.ndarray, noise: float = 0.0) -> dict[str, object]:
    """Spearman's rank correlation, slope, bias and squared error of predictions, each with its 95 % interval.

    predicted (N,) or, of several trainings, (S, N): figures are then the mean over trainings, each one's own beside it.
    Intervals are over episodes. `noise` is the variance of `found` about the truth, which the squared error does not
    count.
    """
    trainings = np.atleast_2d(predicted)
    figures: dict[str, Figure] = {
        "spearman": spearman,
        "slope": slope,
        "bias": lambda predicted, found: float(np.mean(predicted - found)),
        "squared_error": lambda predicted, found: squared_error(predicted, found) - noise,
    }
    result: dict[str, object] = {}
    for name, figure in figures.items():
        mean = _picked(figure, trainings, found)
        result[name] = mean(np.arange(len(found)))
        result[f"{name}_interval"] = interval(mean, episode)
        if len(trainings) > 1:
            result[f"{name}_by_training"] = [figure(one, found) for one in trainings]
    return result
