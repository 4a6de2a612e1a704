"""The device that a model runs on, and the time at which it is done."""

from __future__ import annotations

from time import monotonic

import torch

from dvf_ros.learning.config import Device


def choose_device(name: Device) -> torch.device:
    """The device of that name; `auto` takes CUDA where there is one. Raises ValueError for cuda where there is none."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("expected a CUDA device (device: cuda), found none; set device: cpu or auto")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


def clock(device: torch.device) -> float:
    """Steady seconds, as `time.monotonic`, at which all that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return monotonic()
