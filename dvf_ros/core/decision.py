"""What an agent decided, and all it looked at: plain numpy, so that control and nodes need no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Decision:
    """One choice among N candidate chunks of h actions, and the M sampled futures of the chosen one.

    Actions and states are in the spec's units; values are discounted returns; offsets are in ticks.
    """

    chunk: np.ndarray  # (h, A) the chosen actions
    chosen: int
    candidates: np.ndarray  # (N, h, A)
    scores: np.ndarray  # (N,) what the choice maximised
    values: np.ndarray  # (N,) the value estimate before any penalty
    disagreement: np.ndarray  # (N,) spread between ensemble members, value units
    standard_error: np.ndarray  # (N,) sampling error of `values`
    futures: np.ndarray  # (M, D) states that may follow the chosen chunk
    offsets: np.ndarray  # (M,) how many ticks ahead of the present each future lies
    rewards: np.ndarray  # (M,) predicted reward of each future
    value: float  # value of the chosen candidate
    value_error: float  # its standard error
    discount: float  # the γ of all values
    ends: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))  # (N, D) predicted states after the chunks
    timings: Mapping[str, float] = field(default_factory=dict)  # stage -> seconds
