"""What was earned: discounted returns of recorded frames, wherever every reward that they need is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.signal import lfilter

from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent

BATCH = 65536  # states whose rewards are predicted in one go


@dataclass(frozen=True)
class Rewards:
    """Rewards on arrival of a dataset's frames: `reward[k]` belongs to `states[k + 1]`."""

    reward: np.ndarray  # (F,)
    mask: np.ndarray  # (F,) bool: whether it is known

    @property
    def known(self) -> bool:
        """Whether anybody knows any."""
        return bool(self.mask.any())


def recorded_rewards(agent: DvfAgent, dataset: Dataset) -> Rewards:
    """The dataset's rewards; where the agent's reward is written by hand, what that gives on the recorded states.

    On all of them, however far one lies from the others: only what is predicted may be no state. Not known where the
    expression has no value.
    """
    if agent.written is None:
        return Rewards(np.asarray(dataset.rewards, np.float64), np.asarray(dataset.reward_mask))
    return rewards_of_states(agent, dataset)


def rewards_of_states(agent: DvfAgent, dataset: Dataset) -> Rewards:
    """What the agent's reward, learned or written by hand, gives on the recorded states; labels are not looked at."""
    if agent.written is None:
        earned = _predicted(agent, dataset.states)
    else:
        earned = agent.written.expression.evaluate(_canonical(dataset)).astype(np.float64)
    known = np.isfinite(earned)
    mask = np.append(known[1:], False)
    mask[dataset.episode_start + dataset.episode_length - 1] = False  # an episode's last frame arrives nowhere
    return Rewards(np.append(np.where(known, earned, 0.0)[1:], 0.0), mask)


@torch.inference_mode()
def _predicted(agent: DvfAgent, states: np.ndarray) -> np.ndarray:
    """Learned rewards (F,) of states (F, D), the mean of all heads."""
    found = np.empty(len(states))
    for start in range(0, len(states), BATCH):
        batch = slice(start, start + BATCH)
        encoded = agent.encoder.encode(torch.from_numpy(np.array(states[batch], np.float32)).to(agent.device))
        found[batch] = agent.reward.predict(encoded).mean(dim=0).cpu().numpy()
    return found


def _canonical(dataset: Dataset) -> np.ndarray:
    """The recorded states (F, D), their rotations by the quaternions that predictions have: of unit length, w >= 0."""
    states = np.array(dataset.states)
    for piece in dataset.spec.state_layout:
        if piece.kind == "quaternion":
            xyzw = states[:, piece.start : piece.stop]
            xyzw *= np.where(xyzw[:, 3:] < 0.0, -1.0, 1.0) / np.linalg.norm(xyzw, axis=1, keepdims=True)
    return states


def window_returns(reward: np.ndarray, mask: np.ndarray, terminated: bool, discount: float, window: int) -> np.ndarray:
    """(L,) Σ γ^k r_{t+k} over the `window` ticks from each frame t of one episode; NaN where not all are known.

    reward and mask (L,), of which the last frame has none. After a true termination every reward is 0, and known.
    """
    steps = len(reward) - 1
    mask = np.concatenate([mask[:steps], np.full(window, terminated)])
    reward = np.concatenate([np.where(mask[:steps], reward[:steps], 0.0), np.zeros(window + 1)])
    to_the_end = lfilter([1.0], [1.0, -discount], reward[::-1])[::-1]
    unknown = np.concatenate([[0], np.cumsum(~mask)])
    frame = np.arange(steps + 1)
    whole = unknown[frame + window] == unknown[frame]
    return np.where(whole, to_the_end[frame] - discount**window * to_the_end[frame + window], np.nan)


def dataset_returns(dataset: Dataset, rewards: Rewards, discount: float, window: int) -> np.ndarray:
    """(F,) the window's return of every frame of a dataset; NaN where not all of its rewards are known."""
    returns = np.full(dataset.frames, np.nan)
    for index, terminated in enumerate(dataset.terminated):
        frames = dataset.frames_of(index)
        returns[frames] = window_returns(
            rewards.reward[frames], rewards.mask[frames], bool(terminated), discount, window
        )
    return returns


def returns_to_the_end(dataset: Dataset, rewards: Rewards, discount: float) -> np.ndarray:
    """(F,) discounted return of every frame up to the end of its recording; NaN where a reward on the way is not known.

    A recording that was cut off holds less than the value counts.
    """
    returns = np.full(dataset.frames, np.nan)
    for index in range(dataset.episodes):
        frames = dataset.frames_of(index)
        reward, mask = rewards.reward[frames][:-1], rewards.mask[frames][:-1]
        earned = lfilter([1.0], [1.0, -discount], np.where(mask, reward, 0.0)[::-1])[::-1]
        unknown_ahead = np.cumsum(~mask[::-1])[::-1] > 0
        returns[frames] = np.append(np.where(unknown_ahead, np.nan, earned), 0.0)
    return returns
