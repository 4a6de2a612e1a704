"""The floor under a decision: its matrix products alone, of the same shapes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dvf_ros.learning.agent import DvfAgent

PRODUCTS = {"linear", "addmm", "mm", "bmm", "baddbmm", "matmul"}


class Products(TorchDispatchMode):
    """Notes every matrix product: what was called, and with tensors of which shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Callable[..., Tensor], list[torch.Size | None]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Pass the call on, and keep its shapes if it multiplies matrices."""
        if func.overloadpacket.__name__ in PRODUCTS:
            self.calls.append((func, [item.shape if isinstance(item, Tensor) else None for item in args]))
        return func(*args, **(kwargs or {}))


@torch.inference_mode()
def time_products(agent: DvfAgent, state: np.ndarray, count: int) -> tuple[float, float]:
    """(median ms, millions of multiplications and additions) of one decision's matrix products, one after the other.

    They run on dense tensors of their own: no activation, no norm, no copy, no random number, no step in between.
    """
    products = Products()
    with products:
        agent.decide(state, np.random.default_rng(0))
    ready = [
        (func, [None if shape is None else torch.randn(shape, device=agent.device) for shape in shapes])
        for func, shapes in products.calls
    ]
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        for func, tensors in ready:
            func(*tensors)
        if agent.device.type == "cuda":
            torch.cuda.synchronize(agent.device)
        times.append(time.perf_counter() - begin)
    return float(np.median(times)) * 1e3, sum(_operations(func, tensors) for func, tensors in ready) / 1e6


def _operations(func: Any, tensors: list[Tensor | None]) -> float:
    name = func.overloadpacket.__name__
    left, right = tensors[1:3] if name in ("addmm", "baddbmm") else tensors[:2]
    assert left is not None and right is not None
    return 2.0 * left.numel() * (right.shape[0] if name == "linear" else right.shape[-1])
