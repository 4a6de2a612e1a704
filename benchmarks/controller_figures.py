"""What agents say that controllers are worth, by column, and how it agrees with what they earned."""

from __future__ import annotations

import math
import statistics

import numpy as np
from scipy.stats import kendalltau

from dvf_ros.learning.report.composite import Shown, chance_of, composite

KNOWN, UNKNOWN = VALUES = "value", "value_unknown"
CORRECTED, RETURNS_ALONE = "corrected", "returns_alone"
SHOWN, BEYOND, SCATTER = "shown", "beyond", "scatter"
COMBINED, CORRECTED_COMBINED = "combined", "corrected_combined"
DOUBTED = (KNOWN, CORRECTED, RETURNS_ALONE, COMBINED, CORRECTED_COMBINED)
"""Columns that say how far off they may be, each in a column of its own."""

Figures = dict[str, dict[str, float]]
"""By controller: what every column says of it."""


def deviation_of(column: str) -> str:
    """The column that says how far off another one may be."""
    return f"{column}_deviation"


def together(found: dict[str, list[dict[str, float]]]) -> Figures:
    """The mean of what the agents say of each controller; the value's deviation counts how they differ."""
    means = {}
    doubt = deviation_of(KNOWN)
    for name, by_agent in found.items():
        mean = {key: statistics.mean(one[key] for one in by_agent) for key in by_agent[0]}
        if doubt in mean and len(by_agent) > 1:
            mean[doubt] = math.hypot(mean[doubt], statistics.stdev(one[KNOWN] for one in by_agent))
        means[name] = mean
    return means


def combined(found: Figures, episodes: int, share: float) -> Figures:
    """The same, and what V, as it is and corrected, says together with what `episodes` of each controller earned.

    `share` is how much of a value is earned in the ticks that they last.
    """
    rows = list(found.values())
    value, corrected, beyond = (np.array([one[key] for one in rows]) for key in (KNOWN, CORRECTED, BEYOND))
    chance = chance_of([Shown(episodes, one[SHOWN], one[BEYOND], one[SCATTER]) for one in rows])
    moved: Figures = {name: dict(one) for name, one in found.items()}
    for column, of, said in ((COMBINED, KNOWN, value), (CORRECTED_COMBINED, CORRECTED, corrected)):
        doubt = np.array([one[deviation_of(of)] for one in rows])
        columns = composite(said, doubt, beyond - (said - value), chance, share)
        for one, number, deviation in zip(moved.values(), *columns, strict=True):
            one |= {column: float(number), deviation_of(column): float(deviation)}
    return moved


def summaries(start: Figures) -> dict[str, dict[str, float]]:
    """Order and error of what every column says, and the error in its own error bars where it has some."""
    columns = (*VALUES, CORRECTED, RETURNS_ALONE, SHOWN, COMBINED, CORRECTED_COMBINED)
    found = {column: summary(start, column) for column in columns}
    for column in DOUBTED:
        found[column]["error_in_deviations"] = in_deviations(start, column)
    return found


def summary(found: Figures, column: str) -> dict[str, float]:
    """Kendall's τ of a column with the returns, and its mean error as a share of the mean return."""
    values, truth = (np.array([one[key] for one in found.values()]) for key in (column, "return"))
    return {
        "tau": float(kendalltau(values, truth).statistic),
        "error": float(np.abs(values - truth).mean() / truth.mean()),
    }


def in_deviations(found: Figures, column: str) -> float:
    """Root mean square of a column's errors, each in its own standard deviation: 1 for true ones."""
    errors = [(one[column] - one["return"]) / one[deviation_of(column)] for one in found.values()]
    return float(np.sqrt(np.mean(np.square(errors))))
