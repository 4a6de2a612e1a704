"""The linear forecast that the occupancy starts from: how much of the present lasts, and how far off that is."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dvf_ros.learning.nets import LONGEST_OFFSET

KNOTS = 16
"""Offsets, evenly spaced in their logarithm, between which the forecast is interpolated."""

SMALLEST_SCALE = 1e-3
"""Of a number that hardly changes in the data, in its standard deviations."""


class LinearForecast(nn.Module):
    """s_{t+Δ} = c(Δ) s_t + σ(Δ) x, by number of the state: x is what is left to learn, of unit variance at every Δ.

    A robot moves little in a tick: a net that has to return the whole next state has to copy most of it, and copies
    badly. c is the coefficient of least squares and σ its residual, so that x is not correlated with s_t: for small
    Δ the present with a small change, for large ones the mean of the data (what EDM's skip is for noise, Karras et
    al. 2022, this is for time).
    """

    retention: Tensor
    scale: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("retention", torch.zeros(KNOTS, size))
        self.register_buffer("scale", torch.ones(KNOTS, size))

    def fit(self, state: Tensor, offset: Tensor, future: Tensor) -> None:
        """Least squares over pairs: state (B, E), offset (B,) ticks, future (B, E).

        Offsets that no pair has are forecast as the nearest ones that some have.
        """
        low, share = _knots(offset)
        present = torch.zeros(KNOTS, state.shape[1], device=state.device, dtype=torch.float64)
        product, error, count = present.clone(), present.clone(), present[:, :1].clone()
        weights = ((low, 1.0 - share), (low + 1, share))
        for knot, weight in weights:
            weight = weight.double().unsqueeze(1)
            count.index_add_(0, knot, weight)
            present.index_add_(0, knot, weight * state.double().square())
            product.index_add_(0, knot, weight * state.double() * future.double())
        retention = product / present.clamp(min=SMALLEST_SCALE**2)
        for knot, weight in weights:
            left = future.double() - retention[knot] * state.double()
            error.index_add_(0, knot, weight.double().unsqueeze(1) * left.square())
        scale = (error / count.clamp(min=SMALLEST_SCALE)).sqrt().clamp(min=SMALLEST_SCALE)
        known = (count[:, 0] > 1.0).nonzero()[:, 0]
        nearest = known[(torch.arange(KNOTS, device=state.device)[:, None] - known).abs().argmin(dim=1)]
        self.retention.copy_(retention[nearest])
        self.scale.copy_(scale[nearest])

    def forward(self, offset: Tensor) -> tuple[Tensor, Tensor]:
        """c and σ, both (..., E), at offsets (...) ticks."""
        low, share = _knots(offset)
        share = share.unsqueeze(-1)
        return (
            torch.lerp(self.retention[low], self.retention[low + 1], share),
            torch.lerp(self.scale[low], self.scale[low + 1], share),
        )


def _knots(offset: Tensor) -> tuple[Tensor, Tensor]:
    """The knot below each offset (...), and its share (...) of the way to the next one."""
    place = torch.log(offset.float()) * ((KNOTS - 1) / math.log(LONGEST_OFFSET))
    low = place.long().clamp(max=KNOTS - 2)
    return low, (place - low).clamp(max=1.0)
