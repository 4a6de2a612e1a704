"""In which directions behaviors differ, by how much, and how much of that their episodes show by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from scipy.stats import f as f_distribution

SHRINKAGE = 0.1
"""Share of the mean variance that is added to every one: there are fewer episodes than moments may need."""

PARTS = 6
"""Of the episodes: each is judged by directions that the others taught."""

CHANCE = 0.01
"""How often, about, behaviors that do not differ in a direction may seem to."""

SMALLEST_VARIANCE = 1e-6
"""Within behaviors, in what is expected of a direction: recordings without any chance in them have none."""


@dataclass(frozen=True)
class Traits:
    """T directions, the one that tells behaviors apart best last; along each, episodes of one behavior vary by 1."""

    directions: np.ndarray  # (M, T)
    difference: np.ndarray  # (T,) variance between behaviors over that within them; 0 where it may well be chance


def find_traits(moments: np.ndarray, behavior: np.ndarray, count: int) -> Traits:
    """The `count` directions in which episodes' moments (N, M) tell behavior (N,) best, and how well they do.

    All episodes choose the directions (Fisher 1936), which therefore suit them better than any others. How much
    behaviors differ is measured on episodes that had no part in the choice (cross-fitting, Chernozhukov et al. 2018):
    each behavior's episodes are dealt in pairs to PARTS parts, and a part is judged by directions that all others
    chose, in one analysis of variance over all parts, with its degrees of freedom. What chance shows in a share CHANCE
    of all cases is no difference (F test), and G behaviors differ in G - 1 directions at most.

    A behavior of one to three episodes is in one or two parts only, and judged there by what other behaviors taught; a
    single episode says nothing about what varies within. Where no part has two behaviors, and one of them twice,
    nothing is known to differ.
    """
    part = deal(behavior)
    between, within, groups, left, size = np.zeros(count), np.zeros(count), 0, 0, 0.0
    for index in range(PARTS):
        own = part == index
        names, episodes = np.unique(behavior[own], return_counts=True)
        if len(names) < 2 or len(names) == own.sum():
            continue
        seen = moments[own] @ discriminants(moments[~own], behavior[~own], count)
        means = behavior_means(seen, behavior[own])
        between += np.square(means - seen.mean(axis=0)).sum(axis=0)
        within += np.square(seen - means).sum(axis=0)
        groups += len(names) - 1
        left += own.sum() - len(names)
        # Of unequal groups: times a behavior's variance this is what it adds to the sum of squares between them.
        size += own.sum() - np.square(episodes).sum() / own.sum()
    directions = discriminants(moments, behavior, count)
    if not groups:
        return Traits(directions, np.zeros(count))
    variance = np.maximum(within / left, SMALLEST_VARIANCE)
    ratio = between / groups / variance
    possible = np.arange(count)[::-1] < len(np.unique(behavior)) - 1
    told = possible & (ratio > f_distribution.isf(CHANCE, groups, left))
    return Traits(directions / np.sqrt(variance), np.where(told, (ratio - 1.0) * groups / size, 0.0))


def discriminants(moments: np.ndarray, behavior: np.ndarray, count: int) -> np.ndarray:
    """Directions (M, count) of the largest variance between behaviors over that within, largest last."""
    means = behavior_means(moments, behavior)
    within = np.cov((moments - means).T, bias=True)
    within += np.eye(len(within)) * (SHRINKAGE * np.trace(within) / len(within) + 1e-9)
    directions: np.ndarray = eigh(np.cov(means.T, bias=True), within)[1][:, -count:]
    return directions


def behavior_means(numbers: np.ndarray, behavior: np.ndarray) -> np.ndarray:
    """For each of N episodes' numbers (N, M) their mean over the episodes of its behavior (N,)."""
    _, index, episodes = np.unique(behavior, return_inverse=True, return_counts=True)
    sums = np.zeros((len(episodes), numbers.shape[1]))
    np.add.at(sums, index, numbers)
    means: np.ndarray = (sums / episodes[:, None])[index]
    return means


def deal(behavior: np.ndarray) -> np.ndarray:
    """The part (N,) of every episode: each behavior's (N,) in pairs, beginning with another part for each."""
    part = np.zeros(len(behavior), np.int64)
    for first, name in enumerate(np.unique(behavior)):
        own = np.flatnonzero(behavior == name)
        part[own] = (first + np.arange(len(own)) // 2) % PARTS
    return part
