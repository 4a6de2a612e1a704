"""What the benchmark of training says of steps whose cost is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmarks.training import WAYS, bars, summarise
from benchmarks.training_steps import WARM_UP, lift_sized, time_steps


class Product:
    """A step that multiplies (8, 4) by (4, 16), and differentiates by both."""

    def __init__(self) -> None:
        self.updates = 0
        self._left, self._right = torch.randn(8, 4, requires_grad=True), torch.randn(4, 16, requires_grad=True)

    def update(self) -> dict[str, Tensor]:
        (self._left @ self._right).sum().backward()
        self.updates += 1
        return {}


def test_products_are_counted_forwards_and_backwards() -> None:
    stage = Product()
    found = time_steps(stage, updates=7)
    assert found["flop"] == 3 * 2 * 8 * 4 * 16
    assert 0 < found["seconds"] < 1
    assert stage.updates == WARM_UP + 1 + 7


def test_a_share_is_of_the_best_speed_and_minutes_are_of_all_steps() -> None:
    rounds = [
        {"training": {"rows": 500, "updates": 6000, "machine_flops": speed, "seconds": seconds, "flop": 2e9}}
        for speed, seconds in ((8e10, 0.04), (1e11, 0.05), (9e10, 0.09))
    ]
    figures = summarise(rounds)
    assert figures["training"]["samples_per_second"] == pytest.approx(10_000)
    assert figures["training"]["share_of_machine"] == pytest.approx(0.4)
    assert figures["minutes"] == pytest.approx(5.0)
    slow = {way: {"minutes": 11.0} for way in WAYS}
    assert not bars(slow)[0].holds
    assert bars(slow | {"two_processes": figures})[0].holds


def test_data_is_of_the_size_of_lift() -> None:
    data = lift_sized(episodes=2)
    assert (data.spec.task, data.frames) == ("lift", 242)
    assert 0 < data.rewards.mean() < 1
