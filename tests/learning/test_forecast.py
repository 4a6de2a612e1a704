"""The linear forecast against a process whose coefficients are known, and what the occupancy gains by it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dvf_ros.learning.forecast import LinearForecast

KEEP = torch.tensor([0.99, 0.8, 0.0])  # of an AR(1) process in a tick, by number


def process_pairs(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pairs of x_{t+1} = a x_t + sqrt(1 - a²) e, which has unit variance, at offsets of 1 … 100."""
    generator = torch.Generator().manual_seed(0)
    offset = torch.exp(torch.rand(count, generator=generator) * np.log(101.0)).long()
    state = torch.randn(count, 3, generator=generator)
    noise = torch.randn(count, 3, generator=generator)
    lasting = KEEP ** offset.unsqueeze(1)
    return state, offset, lasting * state + (1.0 - lasting.square()).sqrt() * noise


@pytest.mark.parametrize("offset", [1, 2, 10, 50])
def test_an_autoregressive_process_is_forecast_as_the_closed_form_says(offset: int) -> None:
    forecast = LinearForecast(3)
    forecast.fit(*process_pairs(400_000))
    retention, scale = forecast(torch.tensor(offset))
    lasting = KEEP**offset
    torch.testing.assert_close(retention, lasting, atol=0.05, rtol=0.0)
    torch.testing.assert_close(scale, (1.0 - lasting.square()).sqrt(), atol=0.05, rtol=0.0)


def test_offsets_that_no_pair_has_are_forecast_as_the_nearest_ones() -> None:
    state, _, future = process_pairs(100_000)
    forecast = LinearForecast(3)
    forecast.fit(state, torch.full((len(state),), 10), future)
    near, far = forecast(torch.tensor([10, 900]))[0]
    torch.testing.assert_close(near, far)


def test_a_number_that_never_changes_has_a_finite_forecast() -> None:
    forecast = LinearForecast(2)
    state = torch.zeros(1000, 2)
    forecast.fit(state, torch.ones(1000, dtype=torch.int64), state)
    retention, scale = forecast(torch.tensor([1, 1000]))
    assert torch.isfinite(retention).all() and (scale > 0).all()
