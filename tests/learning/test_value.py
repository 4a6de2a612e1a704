"""The value estimator with an exact occupancy in place of the trained one: its own error alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dvf_ros.learning.value import (
    ValueEstimate,
    best_estimate,
    coverage_horizon,
    draw_randomness,
    estimate_value,
    offset_reach,
    sample_futures,
    stratified_offsets,
)
from tests.learning.systems import Chain, LinearGaussian

SYSTEM = LinearGaussian()
START = np.array([[-1.5, 1.0], [0.0, 0.0], [1.2, -0.5]])


def exact_future(state: Tensor, offset: Tensor, noise: Tensor) -> Tensor:
    """The linear-Gaussian occupancy in closed form; nothing terminates."""
    share = torch.as_tensor(SYSTEM.decay, dtype=noise.dtype) ** offset.unsqueeze(-1)
    future = share * state + (1 - share**2).sqrt() * noise[..., :2]
    return torch.cat([future, torch.full_like(future[..., :1], -1.0)], dim=-1)


def reward(state: Tensor) -> Tensor:
    scaled = (state - torch.as_tensor(SYSTEM.centre, dtype=state.dtype)) / SYSTEM.width
    return torch.exp(-0.5 * scaled.square().sum(-1)).unsqueeze(0)


@pytest.mark.parametrize("horizon", [400, 20, 5])
def test_value_of_a_linear_gaussian_system(horizon: int) -> None:
    """Within 0.5 % of the value's range, also where most offsets take several hops."""
    draws = draw_randomness(np.random.default_rng(0), 200_000, 2, SYSTEM.discount, horizon)
    starts = torch.tensor(START, dtype=torch.float32).unsqueeze(1)
    estimate = estimate_value(exact_future, reward, starts, draws, SYSTEM.discount, horizon)
    exact = np.array([SYSTEM.value(state) for state in START])
    np.testing.assert_allclose(estimate.value, exact, atol=0.005 * np.ptp(exact))


def test_standard_error_is_honest_and_not_wasteful() -> None:
    """Over 300 estimates the reported error lies between the true one and 1.5 times it."""
    starts = torch.tensor(START[:1], dtype=torch.float32).unsqueeze(1)
    values, errors = [], []
    for seed in range(300):
        draws = draw_randomness(np.random.default_rng(seed), 32, 2, SYSTEM.discount, 50)
        estimate = estimate_value(exact_future, reward, starts, draws, SYSTEM.discount, 50)
        values.append(float(estimate.value[0]))
        errors.append(float(estimate.standard_error[0]))
    assert 0.95 < np.mean(errors) / np.std(values) < 1.5
    assert np.mean(values) == pytest.approx(SYSTEM.value(START[0]), abs=4 * np.std(values) / math.sqrt(300))


def test_strata_and_antithetic_noise_halve_the_error_of_plain_sampling() -> None:
    exact, rng = SYSTEM.value(START[0]), np.random.default_rng(0)
    starts = torch.tensor(START[:1], dtype=torch.float32).unsqueeze(1)
    stratified, plain = [], []
    for seed in range(300):
        draws = draw_randomness(np.random.default_rng(seed), 32, 2, SYSTEM.discount, 1000)
        stratified.append(estimate_value(exact_future, reward, starts, draws, SYSTEM.discount, 1000).value[0])
        offset = torch.from_numpy(rng.geometric(1 - SYSTEM.discount, 32))
        noise = torch.from_numpy(rng.standard_normal((32, 3), dtype=np.float32))
        plain.append(reward(exact_future(starts, offset, noise)[..., :2]).mean() / (1 - SYSTEM.discount))
    root = [np.sqrt(np.mean(np.square(np.array(item) - exact))) for item in (stratified, plain)]
    assert root[0] < 0.6 * root[1]


def even_reward(state: Tensor) -> Tensor:
    """Evenly distributed in 0 .. 1 where the state's first number is normally distributed."""
    return torch.special.ndtr(state[..., 0]).unsqueeze(0)


def noise_alone(state: Tensor, offset: Tensor, noise: Tensor) -> Tensor:
    return torch.cat([noise[..., :2].expand(len(state), -1, -1), torch.full((len(state), len(noise), 1), -1.0)], -1)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.125])
def test_the_best_share_of_evenly_distributed_rewards(share: float) -> None:
    """Its mean is 1 - share / 2; the reported error is the true one, or more where antithetic noise helps (half)."""
    values, errors = [], []
    for seed in range(400):
        draws = draw_randomness(np.random.default_rng(seed), 256, 2, 0.9, 1000)
        estimate = estimate_value(noise_alone, even_reward, torch.zeros(1, 1, 2), draws, 0.9, 1000, share)
        values.append(float(estimate.value[0]) * (1 - 0.9))
        errors.append(float(estimate.standard_error[0]) * (1 - 0.9))
    assert np.mean(values) == pytest.approx(1 - share / 2, abs=0.01)
    if share < 1.0:
        assert 0.9 < np.mean(errors) / np.std(values) < (1.5 if share < 0.5 else 4.0)


def rewarded(rewards: list[float], share: float) -> ValueEstimate:
    """The estimate of one state whose futures earn such rewards; γ = 0.5."""
    draws = draw_randomness(np.random.default_rng(0), len(rewards), 1, 0.5, 1000)
    futures = torch.tensor([[[number, -1.0] for number in rewards]])
    return estimate_value(
        lambda state, offset, noise: futures, lambda state: state[..., 0][None], torch.zeros(1, 1, 1), draws, 0.5, 1000,
        share,
    )  # fmt: skip


def test_of_the_best_futures_two_are_left_at_least_whose_spread_is_the_error() -> None:
    found = rewarded([0.0, 0.1, 0.8, 0.2, 0.1, 0.4, 0.0, 0.1], 0.05)
    assert float(found.value) == pytest.approx(2 * 0.6)
    # Manistre and Hancock: (variance + (1 - B/M) (mean - worst)²) / B, for B = 2 of M = 8.
    assert float(found.standard_error) == pytest.approx(2 * math.sqrt((0.2**2 + 0.75 * 0.2**2) / 2))


def test_the_error_is_of_the_share_that_was_taken_and_not_of_the_one_asked_for() -> None:
    third, more = (rewarded([0.0, 0.1, 0.8, 0.2, 0.1, 0.4], share) for share in (1 / 3, 0.4))  # both are 2 of 6
    assert float(third.value) == float(more.value)
    assert float(third.standard_error) == pytest.approx(float(more.standard_error))
    assert float(more.standard_error) == pytest.approx(2 * math.sqrt((0.2**2 + 2 / 3 * 0.2**2) / 2))


def test_offsets_follow_the_geometric_distribution() -> None:
    discount = 0.9
    offsets = np.concatenate([stratified_offsets(np.random.default_rng(seed), 64, discount) for seed in range(400)])
    assert offsets.min() == 1
    for offset in (1, 2, 5, 20):
        share = (1 - discount) * discount ** (offset - 1)
        assert np.mean(offsets == offset) == pytest.approx(share, abs=4 * math.sqrt(share / len(offsets)))
    draw = stratified_offsets(np.random.default_rng(0), 64, discount)
    assert (np.diff(draw) >= 0).all()


def test_hops_end_where_one_step_ends_and_what_terminated_stays_so() -> None:
    chain = Chain()

    def walk_right(state: Tensor, offset: Tensor, noise: Tensor) -> Tensor:
        # The index moves one up a tick; past the goal the terminal bit is set, as after it in the data.
        ahead = state[..., :1] + offset.unsqueeze(-1)
        bit = torch.where(ahead > chain.goal, 1.0, -1.0)
        return torch.cat([ahead.clamp(max=chain.goal) * torch.where(bit > 0, 0.0, 1.0), bit], dim=-1)

    draws = draw_randomness(np.random.default_rng(0), 64, 1, 0.9, 3)
    futures = sample_futures(walk_right, torch.tensor([[[0.0]], [[4.0]]]), draws, 3)
    for row, start in enumerate((0, 4)):
        ended = draws.offsets + start > chain.goal
        assert torch.equal(futures[row, :, 1] > 0, ended)
        assert torch.equal(futures[row, ~ended, 0], (draws.offsets[~ended] + start).float())


def test_nothing_is_earned_after_the_end() -> None:
    def ended(state: Tensor, offset: Tensor, noise: Tensor) -> Tensor:
        return torch.ones(1, len(offset), 2)

    draws = draw_randomness(np.random.default_rng(0), 8, 1, 0.9, 100)
    estimate = estimate_value(ended, lambda s: torch.ones(1, *s.shape[:-1]), torch.zeros(1, 1, 1), draws, 0.9, 100)
    assert float(estimate.value[0]) == 0.0


def test_the_same_state_twice_gets_the_same_value() -> None:
    draws = draw_randomness(np.random.default_rng(0), 16, 2, 0.9, 10)
    starts = torch.tensor(START[[0, 1, 0]], dtype=torch.float32).unsqueeze(1)
    value = estimate_value(exact_future, reward, starts, draws, 0.9, 10).value
    assert float(value[0]) == float(value[2]) != float(value[1])


def test_disagreement_is_the_spread_of_the_reward_heads() -> None:
    draws = draw_randomness(np.random.default_rng(0), 16, 2, 0.9, 10)
    heads = lambda s: torch.cat([reward(s), reward(s) + 0.2])  # noqa: E731
    starts = torch.tensor(START, dtype=torch.float32).unsqueeze(1)
    estimate = estimate_value(exact_future, heads, starts, draws, 0.9, 10)
    torch.testing.assert_close(estimate.disagreement, torch.full((3,), 0.1 / (1 - 0.9)), atol=1e-4, rtol=0)


def test_the_best_behavior_is_taken_state_by_state() -> None:
    draws = draw_randomness(np.random.default_rng(0), 16, 2, 0.9, 10)
    near = estimate_value(exact_future, reward, torch.tensor(START, dtype=torch.float32).unsqueeze(1), draws, 0.9, 10)
    far = estimate_value(exact_future, reward, torch.zeros(3, 1, 2), draws, 0.9, 10)
    best = best_estimate([near, far], pessimism=1.0)
    torch.testing.assert_close(best.value, torch.maximum(near.value, far.value))
    for row in range(3):
        source = near if near.value[row] >= far.value[row] else far
        assert torch.equal(best.futures[row], source.futures[row])


def test_horizon_is_what_half_of_the_frames_reach() -> None:
    cut = np.array([False, False])
    assert coverage_horizon(np.array([101, 101]), cut, 0.5) == 51  # 100 frames of each have a future, 50 one at 51
    assert coverage_horizon(np.array([101, 101]), cut, 1.0) == 1
    assert coverage_horizon(np.array([11, 40]), np.array([False, True]), 0.5) == 40  # the end lasts for ever


@given(st.lists(st.tuples(st.integers(1, 60), st.booleans()), min_size=1, max_size=12), st.floats(0.01, 1.0))
def test_reach_and_horizon_are_what_counting_frame_by_frame_gives(
    episodes: list[tuple[int, bool]], share: float
) -> None:
    length, terminated = (np.array(column) for column in zip(*episodes, strict=True))
    reach = [
        sum(frames if ended else max(frames - offset, 0) for frames, ended in episodes)
        for offset in range(1, length.max() + 1)
    ]
    np.testing.assert_array_equal(offset_reach(length, terminated), reach)
    longest = max(offset for offset, count in enumerate(reach, 1) if count >= share * reach[0])
    assert coverage_horizon(length, terminated, share) == longest
