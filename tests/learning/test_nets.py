"""Networks: broadcasting and batching change the speed, never the numbers."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from dvf_ros.learning.nets import (
    OFFSET_FEATURES,
    TIME_FEATURES,
    BroadcastMLP,
    EnsembleMLP,
    deviation,
    embed_offset,
    embed_time,
)


@pytest.mark.parametrize("context_depth", [0, 2])
def test_shared_inputs_give_what_repeated_ones_give(context_depth: int) -> None:
    torch.manual_seed(0)
    net = BroadcastMLP(moving=(4, 2), fixed=(3, 5), width=16, depth=3, out=4, context_depth=context_depth)
    x, time = torch.randn(6, 7, 4), torch.randn(1, 2)
    state, offset = torch.randn(6, 1, 3), torch.randn(7, 5)
    shared = net(net.context(state, offset), x, time)
    context = net.context(state.expand(6, 7, 3), offset.expand(6, 7, 5))
    torch.testing.assert_close(shared, net(context, x, time.expand(6, 7, 2)))
    assert shared.shape == (6, 7, 4)


def test_a_context_of_its_own_layers_is_no_sum_of_its_inputs() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(2, 5, 3)
    none = torch.zeros(5, 3)
    for depth in (0, 1):
        net = BroadcastMLP(moving=(4,), fixed=(3, 3), width=16, depth=2, out=4, context_depth=depth)
        apart = net.context(first, none) + net.context(none, second) - net.context(none, none)
        assert torch.allclose(net.context(first, second), apart, atol=1e-5) == (depth == 0)


def test_members_of_an_ensemble_are_separate_perceptrons() -> None:
    torch.manual_seed(1)
    net = EnsembleMLP(3, (4, 8, 2))
    x = torch.randn(3, 5, 4)
    out = net(x)
    for k in range(3):
        hidden = functional.silu(x[k] @ net.weights[0][k] + net.biases[0][k])
        torch.testing.assert_close(out[k], hidden @ net.weights[1][k] + net.biases[1][k])
    assert not torch.allclose(net(x[:1].expand(3, -1, -1))[0], net(x[:1].expand(3, -1, -1))[1])


def test_offsets_that_differ_by_a_tick_are_told_apart() -> None:
    features = embed_offset(torch.arange(1, 200).unsqueeze(-1))
    assert features.shape == (199, OFFSET_FEATURES)
    assert float((features[1:] - features[:-1]).norm(dim=-1).min()) > 0.05


@pytest.mark.parametrize("time", [0.0, 0.25, 1.0])
def test_a_time_that_all_share_has_the_features_of_one_per_row(time: float) -> None:
    device = torch.device("cpu")
    each = embed_time(torch.full((3, 1), time), device)
    assert each.shape == (3, TIME_FEATURES)
    with torch.inference_mode():
        shared = embed_time(time, device)
    torch.testing.assert_close(shared.expand(3, -1), each)
    assert not shared.is_inference()  # kept for training, too, whoever asked first


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_the_deviation_is_the_standard_one(dim: int) -> None:
    values = torch.randn(5, 7, 3, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(deviation(values, dim), values.std(dim, correction=0))
