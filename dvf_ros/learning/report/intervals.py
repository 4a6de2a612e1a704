"""How sure a mean of few numbers is."""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student


def half_interval(numbers: np.ndarray) -> np.ndarray:
    """Half of the 95 % interval of the mean of numbers (n, ...) over n, Student's; NaN where n is 1."""
    count = len(numbers)
    if count < 2:
        return np.full(numbers.shape[1:], np.nan)
    return student.ppf(0.975, count - 1) * numbers.std(axis=0, ddof=1) / np.sqrt(count)


def half_interval_by_episode(numbers: np.ndarray, episode: np.ndarray) -> float:
    """Half of the 95 % interval of the mean of numbers (n,) of some episodes (n,); NaN where these are one.

    Frames of one episode are alike: only what differs between episodes tells how far the mean may lie off (the
    cluster-robust error of Liang and Zeger 1986, by Student's quantile of as many episodes).
    """
    names, member = np.unique(episode, return_inverse=True)
    count = len(names)
    if count < 2:
        return float("nan")
    together = np.bincount(member, numbers - numbers.mean())
    error = np.sqrt(count / (count - 1) * np.square(together).sum()) / len(numbers)
    return float(student.ppf(0.975, count - 1) * error)
