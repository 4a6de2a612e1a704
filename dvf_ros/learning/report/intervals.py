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
