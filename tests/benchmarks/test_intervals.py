"""Intervals of success know that trainings differ."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student
from scipy.stats import trim_mean

from benchmarks.intervals import interquartile_mean_of, resampled_interval, success_interval
from dvf_ros.core.results import wilson_interval


def test_episodes_of_one_training_are_as_sure_as_a_mean_of_them_is() -> None:
    outcomes = np.repeat([1.0, 0.0], 50).reshape(1, 1, 100)
    low, high = resampled_interval(outcomes)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 100), rel=0.05)


def test_trainings_that_differ_are_less_sure_than_their_episodes() -> None:
    alike, apart = np.zeros((1, 3, 50)), np.zeros((1, 3, 50))
    alike[:, :, :25] = 1.0
    apart[:, 0], apart[:, 1, :25] = 1.0, 1.0
    narrow, wide = (high - low for low, high in map(resampled_interval, (alike, apart)))
    assert apart.mean() == alike.mean() and wide > 2 * narrow


@pytest.mark.parametrize("trainings", [4, 10])
def test_the_interval_of_many_tasks_holds_the_truth_about_as_often_as_it_says(trainings: int) -> None:
    """Trainings and starts both differ; resampling few trainings is known to be a little too narrow."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):
        chance = 0.5 + 0.2 * rng.standard_normal((2, trainings, 1)) + 0.2 * rng.standard_normal((2, 1, 30))
        low, high = resampled_interval(chance, resamples=400)
        held += low <= 0.5 <= high
    assert 0.84 < held / 200 <= 1.0


def test_the_interquartile_mean_leaves_out_the_best_and_the_worst_quarter_of_the_trainings() -> None:
    outcomes = np.random.default_rng(0).random((2, 3, 3, 50)) < np.linspace(0, 1, 9).reshape(3, 3, 1)
    for found, one in zip(interquartile_mean_of(outcomes), outcomes, strict=True):
        assert found == pytest.approx(trim_mean(one.mean(axis=-1), 0.25, axis=None))
        assert found == pytest.approx(np.sort(one.mean(axis=-1), axis=None)[2:-2].mean())


def test_what_controllers_have_in_common_takes_nothing_from_how_sure_their_difference_is() -> None:
    rng = np.random.default_rng(0)
    theirs = rng.random((2, 3, 50)) < rng.random((2, 1, 50))  # some starts are harder for all
    ours = theirs | (rng.random((2, 3, 50)) < 0.1)
    apart = resampled_interval(ours)[0] - resampled_interval(theirs)[1]
    low, _ = resampled_interval(np.array([ours, theirs]), lambda drawn: np.subtract(*drawn.mean(axis=(-3, -2, -1))))
    assert apart < 0 < low


def test_success_of_trainings_that_differ_is_as_sure_as_their_mean() -> None:
    rates = [0.5, 0.7, 0.9, 0.7]
    half = student.ppf(0.975, 3) * np.std(rates, ddof=1) / 2
    assert success_interval(rates, 30) == pytest.approx((0.7 - half, 0.7 + half))


def test_success_of_trainings_that_agree_is_as_sure_as_their_episodes() -> None:
    assert success_interval([0.5, 0.5], 20) == pytest.approx(wilson_interval(20, 40))
    assert success_interval([1.0] * 5, 30) == pytest.approx(wilson_interval(150, 150))
    assert success_interval([0.5], 20) == pytest.approx(wilson_interval(10, 20))
