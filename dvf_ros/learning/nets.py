"""Small networks: a perceptron whose inputs broadcast, an ensemble as one batched product, Fourier features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

TIME_FEATURES = 9
OFFSET_FEATURES = 13
LONGEST_OFFSET = 1000.0


class BroadcastMLP(nn.Module):
    """A perceptron over several inputs whose leading shapes need only broadcast.

    The first layer is a sum of one linear map per input, so an input shared by many rows (one state for M futures)
    is multiplied once. `fixed` inputs are folded into a context once, in `context_depth` hidden layers of its own, then
    `forward` runs per sampling step. Hidden layers are residual with the norm inside: they train at three times the
    learning rate of plain ones.
    """

    def __init__(
        self, moving: Sequence[int], fixed: Sequence[int], width: int, depth: int, out: int, context_depth: int = 0
    ) -> None:
        super().__init__()
        self.moving = nn.ModuleList(nn.Linear(size, width, bias=index == 0) for index, size in enumerate(moving))
        self.fixed = nn.ModuleList(nn.Linear(size, width, bias=False) for size in fixed)
        self.trunk = nn.ModuleList(_hidden_layer(width) for _ in range(context_depth))
        self.hidden = nn.ModuleList(_hidden_layer(width) for _ in range(depth - 1))
        self.out = nn.Linear(width, out)

    def context(self, *inputs: Tensor) -> Tensor:
        """Fold the fixed inputs (..., size_i) into one context (..., W)."""
        parts = [layer(value) for layer, value in zip(self.fixed, inputs, strict=True)]
        context = sum(parts[1:], parts[0])
        for layer in self.trunk:
            context = context + layer(context)
        return context

    def forward(self, context: Tensor, *inputs: Tensor) -> Tensor:
        """Map moving inputs (..., size_i) and a context (..., W) to (..., out)."""
        hidden = context
        for layer, value in zip(self.moving, inputs, strict=True):
            hidden = hidden + layer(value)
        hidden = functional.silu(hidden)
        for layer in self.hidden:
            hidden = hidden + layer(hidden)
        return self.out(hidden)


def _hidden_layer(width: int) -> nn.Module:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU())


class EnsembleMLP(nn.Module):
    """K perceptrons of one shape, run as batched matrix products: (K, B, in) -> (K, B, out)."""

    def __init__(self, members: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for inner, outer in pairwise(sizes):
            bound = 1.0 / math.sqrt(inner)  # what nn.Linear draws its weights from
            self.weights.append(nn.Parameter(torch.empty(members, inner, outer).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(members, 1, outer).uniform_(-bound, bound)))

    def forward(self, value: Tensor) -> Tensor:
        """Map (K, B, in) to (K, B, out), member by member."""
        last = len(self.weights) - 1
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            value = torch.baddbmm(bias, value, weight)
            if index < last:
                value = functional.silu(value)
        return value


def mean_square(error: Tensor, dim: int | None = None) -> Tensor:
    """The mean of the squares along `dim`, or of all; 0 of nothing: a robot that is only watched has no actions."""
    square = error.square()
    return square.mean(dim) if error.numel() else square.sum(dim)


def deviation(values: Tensor, dim: int = 0) -> Tensor:
    """Standard deviation of a few values along `dim`, four times as fast as `std(dim, correction=0)`."""
    return (values - values.mean(dim, keepdim=True)).square().mean(dim).sqrt()


def embed_time(time: Tensor | float, device: torch.device) -> Tensor:
    """Fourier features (..., TIME_FEATURES) of a flow time (..., 1) in [0, 1]; those of a number are made only once."""
    return _features_of_time(time, device) if isinstance(time, float) else _fourier(time, (TIME_FEATURES - 1) // 2)


@cache
def _features_of_time(time: float, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return embed_time(torch.tensor([time], device=device), device)


def embed_offset(offset: Tensor) -> Tensor:
    """Fourier features (..., OFFSET_FEATURES) of the logarithm of an offset (..., 1) >= 1 tick."""
    return _fourier(torch.log(offset.float()) / math.log(LONGEST_OFFSET), (OFFSET_FEATURES - 1) // 2)


def _fourier(value: Tensor, count: int) -> Tensor:
    angles = value * _frequencies(count, value.device)
    return torch.cat([2.0 * value - 1.0, torch.sin(angles), torch.cos(angles)], dim=-1)


@cache
def _frequencies(count: int, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return math.pi * 2.0 ** torch.arange(count, device=device)
