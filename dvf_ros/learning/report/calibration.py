"""Calibration: what the values promised, against what the recordings then earned."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.report.returns import Rewards, dataset_returns
from dvf_ros.learning.report.values import value_states

RESAMPLES = 500


@dataclass(frozen=True)
class Calibration:
    """Values and returns of n frames over the same `window` of ticks, and the line return = slope · value + intercept.

    `slope_low` to `slope_high` is the slope's 95 % interval, by resampling whole episodes; NaN where there is one only.
    """

    window: int
    predicted: np.ndarray  # (n,)
    error: np.ndarray  # (n,) standard error of sampling of `predicted`
    measured: np.ndarray  # (n,)
    episode: np.ndarray  # (n,)
    slope: float
    intercept: float
    slope_low: float
    slope_high: float
    spearman: float
    rmse: float
    bias: float  # mean of predicted - measured


def measure_calibration(
    agent: DvfAgent, dataset: Dataset, rewards: Rewards, window: int, count: int, rng: np.random.Generator
) -> Calibration | None:
    """Compare `count` frames, drawn evenly over the episodes; None where fewer than 3 have a known return."""
    measured = dataset_returns(dataset, rewards, agent.training_config.discount, window)
    frames = draw_frames(dataset, np.isfinite(measured), count, rng)
    if len(frames) < 3:
        return None
    found = value_states(agent, dataset.states[frames], rng, window)
    episode = np.searchsorted(dataset.episode_start, frames, side="right") - 1
    return calibrate(window, found.within, found.within_error, measured[frames], episode)


def calibrate(
    window: int, predicted: np.ndarray, error: np.ndarray, measured: np.ndarray, episode: np.ndarray
) -> Calibration:
    """The figures of n pairs: least squares of the return on the value, and their rank correlation (Spearman)."""
    slope, intercept = fit_line(predicted, measured)
    rng = np.random.default_rng(0)
    members = [np.flatnonzero(episode == index) for index in np.unique(episode)]
    slopes = []
    for _ in range(RESAMPLES if len(members) > 1 else 0):
        rows = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        slopes.append(fit_line(predicted[rows], measured[rows])[0])
    low, high = np.nanpercentile(slopes, (2.5, 97.5)) if np.isfinite(slopes).any() else (np.nan, np.nan)
    difference = predicted - measured
    return Calibration(
        window, predicted, error, measured, episode, slope, intercept, float(low), float(high),
        rank_correlation(predicted, measured), float(np.sqrt(np.square(difference).mean())), float(difference.mean()),
    )  # fmt: skip


def fit_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of y on x by least squares; NaN where x does not vary."""
    spread = np.square(x - x.mean()).sum()
    if spread < 1e-12 * max(1.0, float(np.square(x).sum())):
        return float("nan"), float("nan")
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / spread)
    return slope, float(y.mean() - slope * x.mean())


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's ρ, ties at their mean rank; NaN where one of the two does not vary."""
    ranks = rankdata(x), rankdata(y)
    if min(rank.std() for rank in ranks) == 0:
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


def draw_frames(dataset: Dataset, usable: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` usable frames (n,), rising, as evenly over the episodes as they allow; all where there are fewer."""
    frames = [dataset.frames_of(int(index)) for index in rng.permutation(dataset.episodes)]
    candidates = [piece.start + np.flatnonzero(usable[piece]) for piece in frames]
    there = np.array([len(own) for own in candidates])
    most = bisect_left(range(int(there.max())), count, key=lambda each: int(np.minimum(there, each).sum()))
    shares = np.minimum(there, most)
    # So many of each are too many in all: the last ones give one less.
    spared = np.flatnonzero(shares == most)[::-1][: max(int(shares.sum()) - count, 0)]
    shares[spared] -= 1
    chosen = [rng.choice(own, share, replace=False) for own, share in zip(candidates, shares, strict=True)]
    return np.sort(np.concatenate(chosen)).astype(np.int64)
