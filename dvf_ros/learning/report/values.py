"""Values of many recorded states, whole and cut to a window that a recording can be compared with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dvf_ros.learning.agent import DvfAgent


@dataclass(frozen=True)
class Values:
    """Discounted returns expected from n states; `within` counts only what comes in the next `window` ticks."""

    value: np.ndarray  # (n,)
    error: np.ndarray  # (n,) standard error of sampling
    disagreement: np.ndarray  # (n,) standard deviation over the reward heads
    within: np.ndarray  # (n,)
    within_error: np.ndarray  # (n,) standard error of sampling


@torch.inference_mode()
def value_states(
    agent: DvfAgent, states: np.ndarray, rng: np.random.Generator, window: int, driver: Tensor | None = None
) -> Values:
    """Values of states (n, D) by as many futures as the agent's decisions take, each state by futures of its own.

    Errors of sampling are therefore independent: a mean over states averages them. The same generator gives the same
    noise whoever drives.

    `driver` is who drives on from there (see dvf_ros.learning.driver); None leaves it to the agent's settings.
    """
    parts = [_value_one(agent, state, rng, window, driver) for state in states]
    return Values(*np.stack(parts, axis=1)) if parts else Values(*np.zeros((5, 0)))


def within_window(
    offsets: np.ndarray, rewards: np.ndarray, window: int, discount: float
) -> tuple[np.ndarray, np.ndarray]:
    """What futures (n, M) with rewards at offsets (M,) earn in the next `window` ticks, (n,), and its standard error.

    Offsets are geometric, so the mean of the rewards with the late ones set to 0 is (1 - γ) Σ γ^(k-1) r_k, k <= window:
    the very sum that a recording of so many ticks has. Neighbours are antithetic pairs; their means are independent.
    """
    early = np.where(offsets <= window, rewards, 0.0)
    pairs = early.reshape(len(rewards), -1, 2).mean(axis=-1)
    gain = 1.0 / (1.0 - discount)
    return early.mean(axis=-1) * gain, pairs.std(axis=-1, ddof=1) / math.sqrt(pairs.shape[-1]) * gain


def _value_one(
    agent: DvfAgent, state: np.ndarray, rng: np.random.Generator, window: int, driver: Tensor | None
) -> np.ndarray:
    encoded = agent.encoder.encode(torch.from_numpy(np.array(state, np.float32)).to(agent.device))
    found = agent.evaluate(encoded[None, None], rng, driver)
    arrays = (found.value, found.standard_error, found.disagreement)
    offsets, rewards = found.offsets.cpu().numpy(), found.rewards.cpu().numpy()
    within = within_window(offsets, rewards, window, agent.training_config.discount)
    return np.concatenate([*(array.cpu().numpy() for array in arrays), *within]).astype(np.float64)
