"""The device that a model runs on, the time at which it is done, and how exact its smallest numbers are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import torch

from dvf_ros.core.parsing import ConfigError
from dvf_ros.learning.config import Device


def choose_device(name: Device) -> torch.device:
    """The device of that name; `auto` takes CUDA where there is one. Raises ConfigError for cuda where none is."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("'device': expected a CUDA device for cuda, found none; set cpu or auto")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


def clock(device: torch.device) -> float:
    """Steady seconds, as `time.monotonic`, at which all that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return monotonic()


@contextmanager
def subnormals_flushed() -> Iterator[None]:
    """Within it numbers below 1e-38 count as zero on the CPU, afterwards as before.

    The gradients of a reward that is sure of itself are full of them, and a CPU takes long over each. The processor
    keeps the mode for the thread, whoever computes there, so that it must end with what wanted it.
    """
    already = float(torch.tensor(1e-38) * 0.1) == 0.0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(already)
