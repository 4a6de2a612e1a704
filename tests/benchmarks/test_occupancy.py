"""The yardstick of the occupancy against what is known of it in closed form."""

from __future__ import annotations

import math

import pytest
import torch

from benchmarks.occupancy import energy_distance, energy_score


def normal(count: int, seed: int, mean: float = 0.0) -> torch.Tensor:
    return torch.randn(count, 1, generator=torch.Generator().manual_seed(seed)) + mean


def test_samples_of_one_distribution_are_no_distance_apart() -> None:
    found = [energy_distance(normal(500, seed), normal(500, seed + 100)) for seed in range(20)]
    assert abs(sum(found) / len(found)) < 0.003, "unbiased: without the pairs of a sample with itself"


def test_points_that_are_far_apart_are_twice_their_distance_apart() -> None:
    assert energy_distance(normal(400, 0), normal(400, 1, mean=100.0)) == pytest.approx(200.0, rel=0.03)


def test_what_a_future_has_to_do_with_its_present_is_seen() -> None:
    present = normal(1000, 0)
    others = normal(1000, 1)
    followed = torch.cat([others, others], dim=1)
    related = energy_distance(torch.cat([present, present], dim=1), followed)
    unrelated = energy_distance(torch.cat([present, present.flip(0)], dim=1), followed)
    assert unrelated > 10 * abs(related)


def test_a_score_is_least_for_forecasts_from_the_distribution_that_is_found() -> None:
    present, found = normal(4000, 0), normal(4000, 1)

    def score(spread: float, shift: float) -> float:
        forecasts = torch.stack([present + shift + spread * normal(4000, 2 + k) for k in range(8)])
        return float(energy_score(forecasts, present + found).mean())

    right = score(1.0, 0.0)
    # E|X - y| - E|X - X'| / 2 of standard normals: 2 / √π - 1 / √π
    assert right == pytest.approx(math.pi**-0.5, rel=0.03)
    assert right < min(score(0.7, 0.0), score(1.4, 0.0), score(1.0, 0.3)), "too narrow, too wide, shifted"
