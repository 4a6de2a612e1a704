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
    left: np.ndarray  # (B,) ticks from s_t to the episode's last state
    terminated: np.ndarray  # (B,) bool: whether that one is absorbing, so that the log shows everything


@dataclass(frozen=True)
class Hops:
    """B offsets of any length, and how far the log shows them."""

    index: np.ndarray  # (B,) frame of s_t
    offset: np.ndarray  # (B,) Δ >= 1, in ticks
    landed: np.ndarray  # (B,) frame of s_{t+Δ}; where the log ends before, its last one
    remaining: np.ndarray  # (B,) ticks from there to t + Δ; 0 where the log shows it
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


class Ranks:
    """How many of ascending `edges` (n,) a number is not below, in a time that hardly grows with n.

    What numpy.searchsorted(edges, x, "right") gives for x >= 0: a guide table (Chen and Asau 1974) of more buckets than
    there are edges leads to the place or just before it. Buckets are a power of two wide, so that no rounding can lead
    behind it.
    """

    def __init__(self, edges: np.ndarray) -> None:
        self._edges = np.append(edges, np.inf)
        self._scale = 2.0 ** np.ceil(np.log2(4.0 * len(edges) / edges[-1])) if edges[-1] > 0 else 1.0
        starts = np.arange(int(edges[-1] * self._scale) + 1) / self._scale
        # Half as wide as an index: of many edges, the more of it stays in the processor's cache.
        self._guide = np.searchsorted(edges, starts, side="right").astype(np.uint32)

    def of(self, values: np.ndarray) -> np.ndarray:
        """(B,) int64 for values (B,)."""
        buckets = (values * self._scale).astype(np.int64)
        place = self._guide[np.minimum(buckets, len(self._guide) - 1)].astype(np.int64)
        behind = np.flatnonzero(self._edges[place] <= values)
        while len(behind):
            place[behind] += 1
            behind = behind[self._edges[place[behind]] <= values[behind]]
        return place


class CutOffLengths:
    """How long episodes would last before they are cut off, had none of them terminated.

    An episode that terminated hides when it would have been cut off; one that was cut off hides when it would have
    terminated. The product-limit estimate (Kaplan and Meier 1958) uses both; what it leaves open is no limit at all.
    """

    def __init__(self, length: np.ndarray, terminated: np.ndarray) -> None:
        """Estimate from the lengths in frames (E,) and whether each episode terminated (E,)."""
        self.lengths, cuts = np.unique(length[~terminated], return_counts=True)
        # One that terminated with as many frames ended before it could be cut off: it is no longer at risk.
        longer_or_cut = len(length) - np.searchsorted(np.sort(length), self.lengths, side="left")
        ended = np.sort(length[terminated])
        ended_here = np.searchsorted(ended, self.lengths, "right") - np.searchsorted(ended, self.lengths, "left")
        share = cuts / (longer_or_cut - ended_here)
        staying = np.concatenate([[1.0], np.cumprod(1.0 - share)])
        self._cumulative = np.concatenate([[0.0], np.cumsum(share * staying[:-1])])
        self._place = Ranks(self._cumulative)
        self._drawn = np.concatenate([[np.nan], self.lengths, [np.inf]])

    def below(self, length: np.ndarray) -> np.ndarray:
        """(B,) probabilities of being cut off with fewer frames than `length` (B,)."""
        return np.asarray(self._cumulative[np.searchsorted(self.lengths, length, side="left")])

    def draw(self, rng: np.random.Generator, below: np.ndarray) -> np.ndarray:
        """(B,) lengths drawn given that they are at least those of which `below` (B,) tells; inf for never cut off."""
        level = below + rng.random(len(below)) * (1.0 - below)
        return self._drawn[self._place.of(level)]


class PairSampler:
    """Draws pairs uniformly over the frames that have a future.

    In an episode that was cut off (time-out), Δ can only be drawn up to the frames left. After true termination the
    last state is absorbing; there Δ is drawn up to where the episode would have been cut off, had it gone on. Without
    that, long Δ would be learned from terminated episodes more than from others: given Δ the futures would be biased.
    """

    def __init__(self, dataset: Dataset, discount: float) -> None:
        if not 0 < discount < 1:
            raise ValueError(f"expected a discount in (0, 1), found {discount}")
        self._discount = discount
        self._terminated = dataset.terminated
        self._length = dataset.episode_length
        self._cut_off = CutOffLengths(dataset.episode_length, dataset.terminated)
        self._below = self._cut_off.below(dataset.episode_length)
        self._behavior = dataset.behavior
        self._last = dataset.episode_start + dataset.episode_length - 1
        # The last frame of a cut-off episode has no future; of a terminated one it has: itself, for ever.
        usable = dataset.episode_length - np.where(dataset.terminated, 0, 1)
        first_draw = np.concatenate([[0], np.cumsum(usable)])
        self._draws = int(first_draw[-1])
        self._shift = dataset.episode_start - first_draw[:-1]  # from the number of a draw to its frame
        if not self._draws:
            raise DatasetError("no episode has two frames: there is no pair (s_t, s_{t+Δ}) to draw")
        self._episode = Ranks(first_draw)

    def draw(self, rng: np.random.Generator, n: int) -> Pairs:
        """Draw `n` pairs."""
        draw = rng.integers(self._draws, size=n)
        episode = self._episode.of(draw) - 1
        index = draw + self._shift[episode]
        left = self._last[episode] - index
        allowed = left.astype(np.float64)
        terminated = self._terminated[episode]
        ended = np.flatnonzero(terminated)
        over = episode[ended]
        length = self._length[over]
        # At least 1: the last state of a terminated episode is followed by itself.
        allowed[ended] = np.maximum(left[ended] + self._cut_off.draw(rng, self._below[over]) - length, 1)
        offset = draw_offsets(rng, allowed, self._discount)
        absorbed = terminated & (offset >= left)
        behavior = self._behavior[episode]
        return Pairs(index, offset, index + np.minimum(offset, left), absorbed, behavior, left, terminated)

    def draw_hops(self, rng: np.random.Generator, n: int) -> Hops:
        """Draw `n` offsets from the whole geometric distribution, whatever the log shows.

        What it does not show goes on from the episode's last state: the longest hop there is, so that few are needed.
        """
        pairs = self.draw(rng, n)
        offset = draw_offsets(rng, np.full(n, np.inf), self._discount)
        shown = np.minimum(offset, pairs.left)
        return Hops(
            pairs.index, offset, pairs.index + shown, np.where(pairs.terminated, 0, offset - shown), pairs.behavior
        )
