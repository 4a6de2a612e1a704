"""Traits against normal populations, whose variances between and within behaviors are known."""

from __future__ import annotations

import numpy as np
import pytest

from dvf_ros.learning.traits import deal, find_traits

MOMENTS = 40
COUNT = 4
TURN = np.linalg.qr(np.random.default_rng(99).standard_normal((MOMENTS, MOMENTS)))[0]
"""Of all moments, so that what behaviors differ in is no single one of them."""


def population(behaviors: int, episodes: int, differ: tuple[float, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Moments (N, M) and behavior (N,): unit variance within, the behaviors' means evenly spread along a few axes.

    `differ` are their variances there.
    """
    rng = np.random.default_rng(seed)
    behavior = np.repeat(np.arange(behaviors), episodes)
    moments = rng.standard_normal((len(behavior), MOMENTS))
    for axis, variance in enumerate(differ):
        means = rng.permutation(np.linspace(-1.0, 1.0, behaviors))
        moments[:, axis] += (np.sqrt(variance) * means / means.std(ddof=1))[behavior]
    return moments @ TURN, behavior


def true_difference(directions: np.ndarray, differ: tuple[float, ...]) -> np.ndarray:
    """Variance between behaviors over that within them along directions (M, T)."""
    along = np.square(TURN[: len(differ)] @ directions).T @ np.array(differ)
    found: np.ndarray = along / np.square(directions).sum(axis=0)
    return found


def certainty(difference: np.ndarray, episodes: int) -> np.ndarray:
    return difference * episodes / (1.0 + difference * episodes)


@pytest.mark.parametrize(("behaviors", "episodes"), [(100, 20), (60, 12), (20, 8), (24, 3)])
def test_a_difference_is_what_the_trait_shows_in_the_population(behaviors: int, episodes: int) -> None:
    """Averaged over recordings, and within a quarter; what the choosing episodes show is up to ten times as much."""
    found, true = [], []
    for seed in range(30 if behaviors < 60 else 5):
        traits = find_traits(*population(behaviors, episodes, (4.0,), seed), COUNT)
        found.append(traits.difference[-1])
        true.append(true_difference(traits.directions, (4.0,))[-1])
    assert np.mean(found) == pytest.approx(np.mean(true), rel=0.25)


def test_many_behaviors_of_many_episodes_differ_by_what_their_population_does() -> None:
    found = [find_traits(*population(100, 20, (4.0, 0.5), seed), COUNT).difference for seed in range(5)]
    np.testing.assert_allclose(np.mean(found, axis=0), [0.0, 0.0, 0.5, 4.0], rtol=0.1, atol=0.02)


def test_episodes_that_taught_nothing_vary_by_one_along_every_trait() -> None:
    moments, behavior = population(20, 8, (4.0, 0.5), seed=0)
    traits = find_traits(moments, behavior, COUNT)
    fresh, _ = population(1, 2000, (), seed=1)
    np.testing.assert_allclose((fresh @ traits.directions).var(axis=0), 1.0, rtol=0.35)


@pytest.mark.parametrize(("behaviors", "episodes"), [(2, 4), (2, 20), (4, 10), (24, 2), (24, 8), (100, 20)])
def test_behaviors_that_do_not_differ_are_told_apart_by_nothing(behaviors: int, episodes: int) -> None:
    seeds = range(20 if behaviors < 100 else 4)
    found = np.array([find_traits(*population(behaviors, episodes, (), seed), COUNT).difference for seed in seeds])
    assert certainty(found, episodes).mean() < 0.05
    assert (found > 0.0).mean() < 0.1, "CHANCE, and a little more where the parts are small"


@pytest.mark.parametrize(("behaviors", "episodes"), [(2, 20), (4, 10), (24, 3), (24, 8), (100, 20)])
def test_behaviors_that_clearly_differ_are_told_apart(behaviors: int, episodes: int) -> None:
    differences = [find_traits(*population(behaviors, episodes, (9.0,), seed), COUNT).difference for seed in range(3)]
    assert (certainty(np.array(differences)[:, -1], episodes) > 0.9).all()


@pytest.mark.parametrize("behavior", [[0], [0, 1], [0, 1, 2], [0, 0, 0, 0], [0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 1, 1]])
def test_too_few_episodes_tell_nothing(behavior: list[int]) -> None:
    moments = np.random.default_rng(0).standard_normal((len(behavior), MOMENTS)) + 10.0 * np.array(behavior)[:, None]
    found = find_traits(moments, np.array(behavior), COUNT)
    assert not found.difference.any() and np.isfinite(found.directions).all()


def test_single_episodes_among_others_do_no_harm() -> None:
    found, true = [], []
    for seed in range(20):
        moments, behavior = population(30, 6, (4.0,), seed)
        kept = np.concatenate([np.flatnonzero(behavior == index)[: 6 if index < 20 else 1] for index in range(30)])
        traits = find_traits(moments[kept], behavior[kept], COUNT)
        found.append(traits.difference[-1])
        true.append(true_difference(traits.directions, (4.0,))[-1])
    assert np.mean(found) == pytest.approx(np.mean(true), rel=0.25)


def test_recordings_without_chance_differ_without_end() -> None:
    means = np.random.default_rng(0).standard_normal((3, MOMENTS))
    found = find_traits(np.repeat(means, 8, axis=0), np.repeat(np.arange(3), 8), COUNT)
    assert np.isfinite(found.directions).all() and (found.difference[-2:] > 1e3).all()
    assert (found.difference[:-2] == 0.0).all(), "three behaviors differ in two directions"


def test_pairs_of_a_behaviors_episodes_are_judged_together() -> None:
    behavior = np.array([5, 3] * 10)
    part = deal(behavior)
    for name, first in ((3, 0), (5, 1)):
        np.testing.assert_array_equal(part[behavior == name], (first + np.repeat(np.arange(5), 2)) % 6)
