"""Pairs (s_t, s_{t+Δ}) with Δ geometric: what the occupancy model learns from (DVF, arXiv 2306.07290)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvf_ros.data.dataset import Dataset, DatasetError


@dataclass(frozen=True)
class Pairs:
    """B pairs of frames of one episode each."""

    index: np.ndarray  # (B,) frame of s_t
    offset: np.ndarray  # (B,) Δ >= 1, in ticks
    future: np.ndarray  # (B,) frame of s_{t+Δ}
    absorbed: np.ndarray  # (B,) bool: the episode had terminated by then, s_{t+Δ} is its last state
    behavior: np.ndarray  # (B,) index of the episode's behavior


def draw_offsets(rng: np.random.Generator, longest: np.ndarray, discount: float) -> np.ndarray:
    """(B,) int64: Δ ~ Geom(1 − γ), Δ >= 1, given Δ <= `longest` (B,), which may be +inf.

    By inversion: u ~ U[0, 1), Δ = 1 + floor(log(1 − u (1 − γ^L)) / log γ).
    """
    uniform = rng.random(len(longest))
    mass = -np.expm1(longest * np.log(discount))
    offsets = 1 + np.floor(np.log1p(-uniform * mass) / np.log(discount))
    # Rounding may put u close to 1 one step past L.
    return np.minimum(offsets, longest).astype(np.int64)


class PairSampler:
    """Draws pairs uniformly over the frames that have a future.

    In an episode that was cut off (time-out), Δ can only be drawn up to the frames left; since the model is told Δ
    this stays unbiased given Δ. After true termination the last state is absorbing and Δ is unbounded.
    """

    def __init__(self, dataset: Dataset, discount: float) -> None:
        if not 0 < discount < 1:
            raise ValueError(f"expected a discount in (0, 1), found {discount}")
        self._discount = discount
        self._terminated = dataset.terminated
        self._behavior = dataset.behavior
        self._last = dataset.episode_start + dataset.episode_length - 1
        # The last frame of a cut-off episode has no future; of a terminated one it has: itself, for ever.
        usable = dataset.episode_length - np.where(dataset.terminated, 0, 1)
        self._first_draw = np.concatenate([[0], np.cumsum(usable)])
        self._start = dataset.episode_start
        if self._first_draw[-1] == 0:
            raise DatasetError("no episode has two frames: there is no pair (s_t, s_{t+Δ}) to draw")

    def draw(self, rng: np.random.Generator, n: int) -> Pairs:
        """Draw `n` pairs."""
        draw = rng.integers(self._first_draw[-1], size=n)
        episode = np.searchsorted(self._first_draw, draw, side="right") - 1
        index = self._start[episode] + draw - self._first_draw[episode]
        left = self._last[episode] - index
        offset = draw_offsets(rng, np.where(self._terminated[episode], np.inf, left), self._discount)
        absorbed = self._terminated[episode] & (offset >= left)
        return Pairs(index, offset, index + np.minimum(offset, left), absorbed, self._behavior[episode])
