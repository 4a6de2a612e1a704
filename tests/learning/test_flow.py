"""Samplers and loss against a velocity that is known: Gaussian data of mean m and spread s."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from dvf_ros.learning.flow import DATA_SCALE, draw_times, flow_matching_loss, linear_velocity, sample_flow

MEAN, SPREAD = 1.5, 0.7


def exact_velocity(x: Tensor, time: Tensor | float) -> Tensor:
    """E[target - noise | x]: x is Gaussian with mean time m and variance time^2 s^2 + (1 - time)^2."""
    variance = (time * SPREAD) ** 2 + (1 - time) ** 2
    return MEAN + (SPREAD**2 * time - (1 - time)) / variance * (x - time * MEAN)


def test_one_step_gives_the_mean() -> None:
    noise = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(sample_flow(exact_velocity, noise, 1), torch.full((100, 3), MEAN))


@pytest.mark.parametrize(("steps", "tolerance"), [(4, 0.05), (8, 0.025), (64, 0.002)])
def test_more_steps_give_the_distribution(steps: int, tolerance: float) -> None:
    noise = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    sampled = sample_flow(exact_velocity, noise, steps)
    torch.testing.assert_close(sampled, MEAN + SPREAD * noise, atol=tolerance * 2 * SPREAD, rtol=0)


def test_error_falls_with_the_square_of_the_step() -> None:
    noise = torch.ones(1, 1, dtype=torch.float64)
    errors = [abs(float(sample_flow(exact_velocity, noise, n)) - MEAN - SPREAD) for n in (128, 256)]
    assert errors[0] / errors[1] == pytest.approx(4.0, abs=0.5)


def test_the_linear_part_is_the_velocity_of_centred_data() -> None:
    time = torch.linspace(0, 1, 11)[:, None]
    x = torch.ones(11, 1)
    variance = (time * DATA_SCALE) ** 2 + (1 - time) ** 2
    torch.testing.assert_close(linear_velocity(x, time), (DATA_SCALE**2 * time - (1 - time)) / variance)


def test_loss_of_the_exact_velocity_is_its_irreducible_variance_and_any_other_is_worse() -> None:
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(200_000, 1, generator=generator)
    target = MEAN + SPREAD * torch.randn(200_000, 1, generator=generator)
    time = torch.full((200_000, 1), 0.3)
    variance = (0.3 * SPREAD) ** 2 + 0.7**2
    # Var(target - noise) less what x tells about it.
    least = 1 + SPREAD**2 - (0.3 * SPREAD**2 - 0.7) ** 2 / variance
    loss, metrics = flow_matching_loss(exact_velocity, target, noise, time)
    assert float(loss) == pytest.approx(least, rel=0.01)
    assert float(metrics["loss"]) == float(loss)
    worse, _ = flow_matching_loss(lambda x, t: exact_velocity(x, t) + 0.2, target, noise, time)
    assert float(worse - loss) == pytest.approx(0.04, abs=0.01)


def test_one_step_metric_counts_only_the_start() -> None:
    target, noise = torch.ones(4, 2), torch.zeros(4, 2)
    time = torch.tensor([[0.0], [0.0], [0.5], [0.9]])
    velocity = lambda x, t: torch.where(t == 0, 1.0, 3.0).expand_as(x)  # noqa: E731
    loss, metrics = flow_matching_loss(velocity, target, noise, time)
    assert (float(loss), float(metrics["one_step"])) == (2.0, 0.0)


def test_training_times_lie_at_the_start_as_often_as_meant() -> None:
    times = draw_times((100_000,), torch.Generator().manual_seed(2), torch.device("cpu"))
    assert times.shape == (100_000, 1)
    assert float(times.min()) >= 0 and float(times.max()) < 1
    assert float((times == 0).float().mean()) == pytest.approx(0.25, abs=3 * math.sqrt(0.25 * 0.75 / 100_000))
    assert float(times[times > 0].mean()) == pytest.approx(0.5, abs=0.01)
