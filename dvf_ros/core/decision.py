"""What an agent decided, and all it looked at: plain numpy, so that control and nodes need no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Decision:
    """One choice among N candidate chunks of h actions; once explained, also M sampled futures of the chosen one.

    Actions and states are in the spec's units; values are discounted returns; offsets are in ticks.
    """

    chunk: np.ndarray  # (h, A) the chosen actions
    chosen: int
    candidates: np.ndarray  # (N, h, A)
    scores: np.ndarray  # (N,) what the choice maximised
    values: np.ndarray  # (N,) the value estimate before any penalty
    disagreement: np.ndarray  # (N,) spread between ensemble members, value units
    standard_error: np.ndarray  # (N,) sampling error of `values`
    discount: float  # the γ of all values
    supported: np.ndarray  # (N,) bool: which candidates, in this state, resemble the data
    unscored: int = 0  # further candidates, for which time did not suffice
    refusal: str = ""  # why the chunk must not be executed; empty if it may
    timings: Mapping[str, float] = field(default_factory=dict)  # stage -> seconds
    # What follows comes by an explanation, from futures that the choice did not see; M = 0 before.
    ends: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))  # (N, D) predicted states after the chunks
    futures: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))  # (M, D) that may follow the chosen chunk
    offsets: np.ndarray = field(default_factory=lambda: np.zeros(0))  # (M,) how many ticks ahead each future lies
    rewards: np.ndarray = field(default_factory=lambda: np.zeros(0))  # (M,) predicted reward of each future
    value: float = math.nan  # of the chosen candidate
    value_error: float = math.nan  # its standard error

    @property
    def explained(self) -> bool:
        """Whether it holds the futures of its choice."""
        return len(self.offsets) > 0
