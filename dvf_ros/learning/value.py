"""The value of states from sampled futures: V(s) = E[r(s_{t+Δ})] / (1 - γ), Δ ~ Geom(1 - γ), Δ >= 1."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dvf_ros.learning.device import clock
from dvf_ros.learning.nets import deviation

SAMPLED = 0.5
"""Weight of sampled differences between candidates beside those of the value heads."""

BLOCK = 32
"""Candidates that are valued together on a CPU: their numbers stay in its cache."""

SMALL_BLOCK = 8
"""The same where time is short: it is looked at after each block."""

# (state (..., E), offset (...) ticks, noise (..., E+1)) -> future (..., E+1), the last a terminal bit in -1 .. 1
SampleFuture = Callable[[Tensor, Tensor, Tensor], Tensor]
# state (..., E) -> reward (K, ...), one per ensemble member
PredictReward = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Draws:
    """The randomness of a value estimate, shared by all states that are compared."""

    offsets: Tensor  # (M,) int64 ticks >= 1, rising
    noise: Tensor  # (hops, M, E+1)

    def to(self, device: torch.device) -> Draws:
        """The same draws on another device."""
        return Draws(self.offsets.to(device), self.noise.to(device))


@dataclass(frozen=True)
class ValueEstimate:
    """Discounted returns of N states, and the futures behind them."""

    offsets: Tensor  # (M,) ticks
    heads: Tensor  # (K, N) value by reward head
    value: Tensor  # (N,) their mean
    standard_error: Tensor  # (N,) of sampling; somewhat too large, since it ignores the stratification of offsets
    disagreement: Tensor  # (N,) standard deviation over the reward heads
    rewards: Tensor  # (N, M) mean over the heads
    futures: Tensor  # (N, M, E+1)


def stratified_offsets(rng: np.random.Generator, count: int, discount: float) -> np.ndarray:
    """Offsets (count,) int64, rising: one geometric draw from each of `count` quantile strata."""
    uniform = (np.arange(count) + rng.random(count)) / count
    return 1 + np.floor(np.log1p(-uniform) / math.log(discount)).astype(np.int64)


def draw_randomness(rng: np.random.Generator, count: int, size: int, discount: float, horizon: int) -> Draws:
    """Offsets and noise for `count` (even, at least 4) futures of states of E = `size`.

    Neighbouring offsets get opposite noise (antithetic). There is noise for every hop that the longest offset needs.
    """
    offsets = stratified_offsets(rng, count, discount)
    hops = -(-int(offsets[-1]) // horizon)
    half = rng.standard_normal((hops, count // 2, 1, size + 1), dtype=np.float32)
    noise = np.concatenate([half, -half], axis=2).reshape(hops, count, size + 1)
    return Draws(torch.from_numpy(offsets), torch.from_numpy(noise))


def sample_futures(sample: SampleFuture, states: Tensor, draws: Draws, horizon: int) -> Tensor:
    """Futures (N, M, E+1) of states (N, M, E) or (N, 1, E); no query asks for more than `horizon` ticks.

    An offset beyond the horizon is reached in hops: the state there, and onward from it. Since the geometric
    distribution has no memory this is the tail V = (1 - γ^H) mean(r | Δ <= H) / (1 - γ) + γ^H V(s_H) in one draw.
    """
    left = draws.offsets
    futures = sample(states, left.clamp(max=horizon), draws.noise[0])
    left = left - horizon
    for noise in draws.noise[1:]:
        first = int(torch.searchsorted(left, 1))  # offsets rise: those still on the way are the last ones
        start = futures[:, first:]
        ahead = sample(start[..., :-1], left[first:].clamp(max=horizon), noise[first:])
        ended = torch.maximum(start[..., -1:], ahead[..., -1:])  # what has terminated stays so
        futures = torch.cat([futures[:, :first], torch.cat([ahead[..., :-1], ended], dim=-1)], dim=1)
        left = left - horizon
    return futures


def estimate_value(
    sample: SampleFuture,
    reward: PredictReward,
    states: Tensor,
    draws: Draws,
    discount: float,
    horizon: int,
    share: float = 1.0,
) -> ValueEstimate:
    """Values of states (N, M, E) or (N, 1, E); with (N, M, E) each future starts from a state of its own.

    After a true termination the reward is 0, by definition; a bit between -1 and 1 counts as its probability. Below 1
    only a `share` of each state's futures counts, its best ones, two at least (one alone would say nothing about its
    error): what somebody who chooses among them can have.
    """
    futures = sample_futures(sample, states, draws, horizon)
    alive = ((1.0 - futures[..., -1]) / 2.0).clamp(0.0, 1.0)
    rewards = reward(futures[..., :-1]) * alive  # (K, N, M)
    gain = 1.0 / (1.0 - discount)
    mean = rewards.mean(dim=0)  # (N, M)
    if share < 1.0:
        drawn = mean.shape[-1]
        kept = max(2, round(share * drawn))
        best = mean.topk(kept, dim=-1)  # (N, B)
        heads = rewards.gather(-1, best.indices.expand(len(rewards), -1, -1)).mean(dim=-1) * gain
        error = _error_of_best(best.values, kept / drawn)
    else:
        heads = rewards.mean(dim=-1) * gain  # (K, N)
        # (N, M / 2): antithetic pairs are not independent, their means are
        pairs = mean.unflatten(-1, (-1, 2)).mean(dim=-1)
        error = deviation(pairs, dim=-1) / math.sqrt(pairs.shape[-1] - 1)
    disagreement = deviation(heads)
    return ValueEstimate(draws.offsets, heads, heads.mean(dim=0), error * gain, disagreement, mean, futures)


def _error_of_best(best: Tensor, share: float) -> Tensor:
    """Standard error (N,) of the mean of the best rewards (N, B), largest first: a `share` of all that were drawn.

    Which ones count is itself drawn (Manistre and Hancock 2005, Variance of the CTE estimator).
    """
    mean = best.mean(dim=-1)
    variance = deviation(best, dim=-1).square() + (1.0 - share) * (mean - best[..., -1]).square()
    return (variance / best.shape[-1]).sqrt()


def block_size(spent: float, left: float) -> int:
    """Candidates to value together on a CPU, when a decision has taken `spent` s so far and has `left` s to go.

    Valuing takes about twice as long as all that comes before it.
    """
    return BLOCK if left >= 4.0 * spent else SMALL_BLOCK


def estimate_in_blocks(
    estimate: Callable[[Tensor], ValueEstimate], ends: Tensor, begin: float, deadline: float
) -> list[ValueEstimate]:
    """Estimates of the first block of ends (K, N, E), and of the next while each is likely to be done by `deadline`.

    A block is taken to last as long as the slowest one before it. `begin` is when the decision began; both are in
    steady s, as `time.monotonic`. A CUDA device values all at once.
    """
    done: list[ValueEstimate] = []
    now, slowest = clock(ends.device), 0.0
    for block in ends.split(ends.shape[1] if ends.is_cuda else block_size(now - begin, deadline - now), dim=1):
        if done and now + slowest > deadline:
            break
        done.append(estimate(block))
        before, now = now, clock(ends.device)
        slowest = max(slowest, now - before)
    return done


def blend(known: Tensor, sampled: Tensor) -> Tensor:
    """Values (K, N) of N candidates from both: `known` (K, N) by the value heads, `sampled` (K, N) from few futures.

    Candidates share their futures' randomness, so that a state's sampled values are all too high or all too low
    together: their level is left to the heads, which have averaged over it. How candidates differ both say, each with
    errors of its own, and SAMPLED is the weight of the samples. What is systematically wrong in the heads remains with
    the other part of the weight: this is a shrunken estimate, not an unbiased one.
    """
    surplus = sampled - known
    return known + SAMPLED * (surplus - surplus.mean(dim=-1, keepdim=True))


def best_estimate(estimates: Sequence[ValueEstimate], pessimism: float) -> ValueEstimate:
    """For each of N states the estimate of highest lower bound, of several behaviors.

    Who follows the best one from there on does as well at least (generalized policy improvement, Barreto et al. 2017,
    arXiv 1606.05312).
    """
    if len(estimates) == 1:
        return estimates[0]
    bounds = torch.stack([item.value - pessimism * item.disagreement for item in estimates])  # (P, N)
    best = bounds.argmax(dim=0)
    states = torch.arange(len(best), device=best.device)

    def pick(name: str) -> Tensor:
        return torch.stack([getattr(item, name) for item in estimates])[best, states]

    heads = torch.stack([item.heads for item in estimates])[best, :, states].T
    names = ("value", "standard_error", "disagreement", "rewards", "futures")
    return ValueEstimate(estimates[0].offsets, heads, *(pick(name) for name in names))


def coverage_horizon(length: np.ndarray, terminated: np.ndarray, share: float) -> int:
    """H: the longest offset that at least `share` of the frames with any future have; >= 1.

    length (E,) frames and terminated (E,) of the episodes. A frame of a terminated episode has every offset.
    """
    reach = offset_reach(length, terminated)
    return int(np.flatnonzero(reach >= share * reach[0])[-1]) + 1


def offset_reach(length: np.ndarray, terminated: np.ndarray) -> np.ndarray:
    """How many frames have a future Δ ticks ahead, (longest,) for Δ = 1 … the longest episode's length.

    length (E,) frames and terminated (E,) of the episodes. A frame of a terminated episode has every offset.
    """
    episodes = np.bincount(length[~terminated], minlength=int(length.max()) + 2)  # cut off, by their length
    as_long = np.cumsum(episodes[::-1])[::-1]  # of at least so many frames: one frame of each has exactly so many left
    return np.cumsum(as_long[::-1])[::-1][2:] + length[terminated].sum()
