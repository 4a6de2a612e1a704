"""The numbers of a report against closed forms: no model, no picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dvf_ros.core.results import write_results
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.report.calibration import calibrate, draw_frames, fit_line, rank_correlation
from dvf_ros.learning.report.fan import _quantiles, shares_inside
from dvf_ros.learning.report.intervals import half_interval, half_interval_by_episode
from dvf_ros.learning.report.ranking import STARTS, Ranked, most_recorded, order_agreement, start_window
from dvf_ros.learning.report.returns import Rewards, dataset_returns, returns_to_the_end, window_returns
from dvf_ros.learning.report.sensitivity import decompose
from dvf_ros.learning.report.success import EvaluationError, read_evaluation
from dvf_ros.learning.report.trajectories import Group, Trajectories, Trajectory, split_episodes
from dvf_ros.learning.report.values import within_window
from dvf_ros.learning.value import offset_reach, stratified_offsets
from tests.learning.small import SPEC, dataset, episode

DISCOUNT = 0.9


def test_a_window_holds_the_discounted_sum_of_its_rewards() -> None:
    rewards = np.array([1.0, 2.0, 4.0, 8.0, 0.0])
    known = np.array([True, True, True, True, False])
    returns = window_returns(rewards, known, False, 0.5, 2)
    np.testing.assert_allclose(returns, [2.0, 4.0, 8.0, np.nan, np.nan])


def test_a_window_with_an_unknown_reward_has_no_return() -> None:
    known = np.array([True, False, True, True, False])
    returns = window_returns(np.ones(5), known, False, DISCOUNT, 2)
    np.testing.assert_array_equal(np.isfinite(returns), [False, False, True, False, False])


def test_after_a_true_termination_nothing_is_earned_and_that_is_known() -> None:
    returns = window_returns(np.ones(4), np.array([True, True, True, False]), True, 0.5, 10)
    np.testing.assert_allclose(returns, [1.75, 1.5, 1.0, 0.0])


def test_returns_stay_within_their_episodes() -> None:
    data = dataset()
    rewards = Rewards(np.ones(data.frames), np.asarray(data.reward_mask))
    returns = dataset_returns(data, rewards, DISCOUNT, 5).reshape(8, 20)
    np.testing.assert_allclose(returns[:, :15], (1 - DISCOUNT**5) / (1 - DISCOUNT))
    assert np.isnan(returns[:, 15:]).all()
    to_the_end = returns_to_the_end(data, rewards, DISCOUNT).reshape(8, 20)
    np.testing.assert_allclose(to_the_end[0], (1 - DISCOUNT ** np.arange(19, -1, -1)) / (1 - DISCOUNT))


def test_the_value_within_a_window_is_that_of_the_same_ticks() -> None:
    # A reward of 1 for ever: within W ticks it is worth (1 - γ^W) / (1 - γ), and that much the samples must say.
    offsets = stratified_offsets(np.random.default_rng(0), 20_000, DISCOUNT)
    value, error = within_window(offsets, np.ones((1, len(offsets))), 7, DISCOUNT)
    assert value[0] == pytest.approx((1 - DISCOUNT**7) / (1 - DISCOUNT), rel=1e-3)
    assert error[0] > 0
    whole, none = within_window(offsets, np.ones((1, len(offsets))), 10_000, DISCOUNT)
    assert whole[0] == pytest.approx(10.0) and none[0] == pytest.approx(0.0)


def test_calibration_finds_a_known_linear_relation() -> None:
    rng = np.random.default_rng(1)
    predicted = rng.uniform(0, 30, 600)
    measured = 0.8 * predicted + 2.0 + rng.normal(0, 1.0, 600)
    found = calibrate(10, predicted, np.zeros(600), measured, np.arange(600) // 10)
    assert found.slope == pytest.approx(0.8, abs=0.02)
    assert found.intercept == pytest.approx(2.0, abs=0.3)
    assert found.slope_low < 0.8 < found.slope_high and found.slope_high - found.slope_low < 0.05
    assert found.spearman > 0.98
    assert found.bias == pytest.approx((predicted - measured).mean())
    assert found.rmse == pytest.approx(np.sqrt(((predicted - measured) ** 2).mean()))


def test_an_interval_is_as_wide_as_episodes_differ_and_not_as_frames_are_many() -> None:
    rng = np.random.default_rng(2)
    predicted = rng.uniform(0, 1, 20)
    measured = predicted + rng.normal(0, 0.5, 20)
    one = calibrate(1, predicted, np.zeros(20), measured, np.arange(20))
    many = calibrate(
        1, *(np.repeat(x, 50) for x in (predicted, np.zeros(20), measured)), episode=np.repeat(np.arange(20), 50)
    )
    width, repeated = (item.slope_high - item.slope_low for item in (one, many))
    assert repeated == pytest.approx(width, rel=0.01)


def test_one_episode_says_nothing_about_how_episodes_differ() -> None:
    predicted = np.arange(30.0)
    one = calibrate(1, predicted, np.zeros(30), 2 * predicted, np.zeros(30, np.int64))
    assert one.slope == pytest.approx(2.0) and np.isnan([one.slope_low, one.slope_high]).all()


def test_the_interval_of_few_numbers_holds_their_mean_as_often_as_it_says() -> None:
    numbers = np.random.default_rng(7).normal(1.0, 2.0, (5, 20_000))
    held = np.abs(numbers.mean(axis=0) - 1.0) <= half_interval(numbers)
    assert held.mean() == pytest.approx(0.95, abs=0.005)  # 1.96 standard errors hold it 0.88 of the time
    assert np.isnan(half_interval(np.ones((1, 3)))).all()


@pytest.mark.parametrize("episodes", [5, 30])
def test_the_interval_of_alike_frames_of_few_episodes_holds_their_mean_about_as_often_as_it_says(episodes: int) -> None:
    rng, held = np.random.default_rng(8), 0
    episode = np.repeat(np.arange(episodes), 6)
    for _ in range(2000):
        numbers = 1.0 + rng.normal(size=episodes)[episode] + 0.3 * rng.normal(size=len(episode))
        held += abs(numbers.mean() - 1.0) <= half_interval_by_episode(numbers, episode)
    assert held / 2000 == pytest.approx(0.95, abs=0.02)  # frames taken for independent ones hold it half of the time
    assert np.isnan(half_interval_by_episode(np.arange(6.0), np.zeros(6)))


def test_a_line_and_a_rank_need_something_that_varies() -> None:
    assert np.isnan(fit_line(np.full(5, 3.0), np.arange(5.0))).all()
    assert np.isnan(rank_correlation(np.full(5, 3.0), np.arange(5.0)))
    assert rank_correlation(np.arange(5.0), np.exp(np.arange(5.0))) == pytest.approx(1.0)


def test_frames_are_drawn_from_all_episodes_and_only_usable_ones() -> None:
    data = dataset()
    usable = np.arange(data.frames) % 2 == 0
    frames = draw_frames(data, usable, 16, np.random.default_rng(0))
    assert len(frames) == 16 and usable[frames].all() and (np.diff(frames) > 0).all()
    assert (np.bincount(frames // 20, minlength=8) == 2).all()
    assert not len(draw_frames(data, np.zeros(data.frames, bool), 16, np.random.default_rng(0)))


def test_episodes_without_a_usable_frame_leave_their_share_to_the_others() -> None:
    data = dataset()  # 8 episodes of 20 frames
    usable = np.zeros(data.frames, bool)
    usable[40:60] = usable[100:103] = True
    for count, shares in ((16, (13, 3)), (4, (2, 2)), (50, (20, 3))):
        frames = draw_frames(data, usable, count, np.random.default_rng(0))
        assert usable[frames].all() and (np.diff(frames) > 0).all()
        assert ((frames < 60).sum(), (frames >= 100).sum()) == shares


def test_no_episode_gives_two_frames_more_than_another() -> None:
    data = dataset()
    frames = draw_frames(data, np.ones(data.frames, bool), 11, np.random.default_rng(0))
    assert sorted(np.bincount(frames // 20, minlength=8)) == [1] * 5 + [2] * 3


def test_a_band_of_few_samples_holds_what_its_level_says() -> None:
    rng = np.random.default_rng(3)
    bands = _quantiles(rng.normal(size=(4000, 1, 64, 1)))[:, :, 0]
    half, most = shares_inside(bands, rng.normal(size=(4000, 1)))
    assert half == pytest.approx(0.5, abs=0.03) and most == pytest.approx(0.9, abs=0.02)


def test_action_and_noise_are_told_apart() -> None:
    rng = np.random.default_rng(4)
    repeats, candidates = 300, 300
    scores = (
        5.0
        + rng.normal(0, 2.0, candidates)
        + rng.normal(0, 3.0, (repeats, 1))
        + rng.normal(0, 0.5, (repeats, candidates))
    )
    action, scramble, shared = decompose(scores)
    assert (action, scramble, shared) == pytest.approx((2.0, 0.5, 3.0), rel=0.12)


def test_noise_alone_is_not_taken_for_the_action() -> None:
    rng = np.random.default_rng(5)
    found = np.array([decompose(rng.normal(size=(4, 32))) for _ in range(400)])
    assert np.square(found[:, 1]).mean() == pytest.approx(1.0, abs=0.05)
    assert np.square(found[:, 0]).mean() < 0.05  # the spread of means of 4 alone would be 0.25


def test_offsets_reach_as_far_as_recordings_last() -> None:
    np.testing.assert_array_equal(offset_reach(np.array([4, 2]), np.array([False, False])), [4, 2, 1, 0])
    np.testing.assert_array_equal(offset_reach(np.array([4, 2]), np.array([False, True])), [5, 4, 3, 2])


def test_behaviors_in_the_same_order_agree() -> None:
    def ranked(predicted: float, measured: float) -> Ranked:
        return Ranked("x", True, 1, predicted, 0.0, measured, 0.0)

    assert order_agreement([ranked(1, 10), ranked(2, 20), ranked(3, 30)]) == pytest.approx(1.0)
    assert order_agreement([ranked(3, 10), ranked(2, 20), ranked(1, 30)]) == pytest.approx(-1.0)
    assert np.isnan(order_agreement([ranked(3, 10)]))
    assert start_window(np.array([5, 50, 100]), np.array([True, False, False])) == 49


@pytest.mark.parametrize("episodes", [1, 3, 10, 11, 20, 70, 100])
def test_no_longer_window_is_had_by_as_many_episodes_as_asked_for(episodes: int) -> None:
    length = np.arange(2, episodes + 2)
    window = start_window(length, np.zeros(episodes, bool))
    assert (length - 1 >= window).mean() >= STARTS > (length - 1 > window).mean()


def test_the_behaviors_of_most_episodes_are_ranked() -> None:
    np.testing.assert_array_equal(most_recorded(np.array([5, 5, 1, 3, 3, 3]), 2), [3, 5])
    np.testing.assert_array_equal(most_recorded(np.array([5, 5, 1, 3, 3, 3]), 9), [1, 3, 5])


def test_episodes_are_told_apart_by_what_is_known() -> None:
    data = dataset()
    merit = np.where(data.behavior == 1, 2.0, 1.0)
    split, reason = split_episodes(data, merit)
    assert list(split) == ["b", "a"] and "behaviors" in reason
    np.testing.assert_array_equal(split["b"], np.flatnonzero(data.behavior == 1))
    unknown = np.full(8, np.nan)
    won = replace(data, success=np.array([1, 0] * 4, np.float32))
    assert list(split_episodes(won, unknown)[0]) == ["succeeded", "failed"]
    alone = Dataset.from_episodes(SPEC, [episode(seed, "a") for seed in range(4)])
    split, _ = split_episodes(alone, np.array([0.0, 3.0, 1.0, 2.0]))
    assert {name: list(found) for name, found in split.items()} == {"better half": [1, 3], "worse half": [2, 0]}
    split, reason = split_episodes(alone, np.full(4, np.nan))
    assert list(split) == ["all episodes"] and reason.startswith("nothing")


def test_the_gap_is_between_the_means() -> None:
    def group(value: float) -> Group:
        tick = np.arange(3)
        return Group("x", (Trajectory(0, tick, np.full(3, value), np.full(3, 0.6), np.full(3, 0.8), np.zeros(3)),))

    assert Trajectories((group(5.0), group(2.0)), "").gap == pytest.approx(3.0)
    assert np.isnan(Trajectories((group(5.0),), "").gap)
    _, mean, half = group(5.0).mean()
    np.testing.assert_allclose(mean, 5.0)
    np.testing.assert_allclose(half, 1.96)  # one trajectory: its own uncertainty is all there is


def test_the_interval_of_a_groups_mean_knows_how_few_its_trajectories_are() -> None:
    tick = np.arange(3)
    values = (1.0, 2.0, 3.0, 4.0, 5.0)
    drawn = tuple(Trajectory(0, tick, np.full(3, value), np.zeros(3), np.zeros(3), np.zeros(3)) for value in values)
    _, mean, half = Group("x", drawn).mean()
    np.testing.assert_allclose(mean, 3.0)
    np.testing.assert_allclose(half, 2.776 * np.sqrt(2.5 / 5), rtol=1e-3)  # Student's t of 4 degrees of freedom


def test_many_trajectories_do_not_settle_what_the_reward_heads_disagree_about() -> None:
    tick, rng = np.arange(3), np.random.default_rng(6)
    values = rng.normal(5.0, 1.0, 400)  # by sampling errors alone: the true values are the same
    drawn = tuple(Trajectory(0, tick, np.full(3, v), np.ones(3), np.full(3, 2.0), np.zeros(3)) for v in values)
    _, _, half = Group("x", drawn).mean()
    np.testing.assert_allclose(half, 1.96 * np.hypot(values.std(ddof=1) / 20, 2.0), rtol=1e-3)


def test_a_groups_mean_ends_with_the_episode_that_ends_first() -> None:
    def trajectory(ticks: list[int], slope: float) -> Trajectory:
        tick = np.array(ticks)
        return Trajectory(0, tick, slope * tick, *np.zeros((3, len(tick))))

    # The longer one has fewer points, and stands first.
    ticks, mean, _ = Group("x", (trajectory([0, 50, 100], 1.0), trajectory([0, 10, 20, 30], 3.0))).mean()
    np.testing.assert_array_equal(ticks, [0, 10, 20, 30])
    np.testing.assert_allclose(mean, [0.0, 20.0, 40.0, 60.0])


def test_an_evaluation_is_read_back(tmp_path: Path) -> None:
    row = {"success_ever": 0.9, "success_low": 0.8, "success_high": 0.95, "success_last": 0.7}
    figures = {"episodes": 50, "mine": row, "gain over prior alone": {"mean": 0.1, "low": 0.0, "high": 0.2}}
    path = tmp_path / "evaluate.json"
    write_results(path, figures, [], [1])
    found = read_evaluation(path)
    assert [item.name for item in found.controllers] == ["mine"] and found.controllers[0].last == 0.7
    assert found.gains == {"prior alone": (0.1, 0.0, 0.2)} and found.episodes == 50


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        ("not json", "is no evaluation"),
        ("[]", "is no evaluation"),
        ('{"figures": {}}', "expected the key 'episodes'"),
        (json.dumps({"figures": {"episodes": 5}, "commit": ""}), "expected the success of a controller"),
    ],
)
def test_what_is_no_evaluation_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "evaluate.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(EvaluationError, match=message) as caught:
        read_evaluation(path)
    assert "dvf evaluate CHECKPOINT.yaml" in str(caught.value)
