"""Actions for the frames that have none: what was done is read off what happened, as learned where both are known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from dvf_ros.data.dataset import Dataset, DatasetError
from dvf_ros.data.normalization import CONSTANT, Normalization
from dvf_ros.learning.encoding import StateEncoder
from dvf_ros.learning.nets import EnsembleMLP

WIDTH = 256
BATCH = 512
UPDATES = 2000
LEARNING_RATE = 2e-3
HELD_OUT = 5
"""One labelled episode of so many is kept to judge by."""

BLOCK = 1 << 16
"""Frames that are labelled together."""


@dataclass(frozen=True)
class Labelled:
    """A dataset whose every action but the last of an episode is known, and how far the new ones can be trusted.

    `explained` (A,) is the share of each action's variance that was foretold in episodes held out, at most 1; NaN where
    the action hardly changes there. `share` is that of all of them together, each in its own unit, the standard
    deviation of what was recorded. `frames` got an action.
    """

    dataset: Dataset
    explained: np.ndarray
    share: float
    frames: int

    @property
    def metrics(self) -> dict[str, float]:
        """The same for a training's history."""
        return {"inverse_dynamics/explained": self.share, "inverse_dynamics/frames": self.frames}


def label_actions(dataset: Dataset, seed: int, device: torch.device) -> Labelled:
    """Learn which action leads from a state to the next, and fill in those that were not recorded.

    Recorded actions stay as they are, and files are not touched. Raises DatasetError where episodes held out show that
    actions cannot be told from states, or no action changes there, and where fewer than two episodes have any.
    """
    torch.manual_seed(seed)
    moves = _Moves(dataset, device)
    known = np.asarray(dataset.action_mask) & ~_last(dataset)
    episode = np.repeat(np.arange(dataset.episodes), dataset.episode_length)
    labelled = np.unique(episode[known])
    if len(labelled) < 2:
        raise DatasetError(
            f"label_actions: expected known actions in at least two episodes, found them in {len(labelled)}; "
            "record more with their commands, or train without label_actions"
        )
    judges = np.random.default_rng(seed).permutation(labelled)[: max(1, len(labelled) // HELD_OUT)]
    judging = known & np.isin(episode, judges)
    model = _InverseDynamics(moves.size, Normalization.fit(dataset.actions[known]), dataset.actions[known]).to(device)
    _fit(model, moves, dataset.actions, np.flatnonzero(known & ~judging), seed)
    found = model.label(moves, np.flatnonzero(judging))
    explained, share = _explained(dataset.actions[judging], found, model.scale.cpu().numpy())
    if math.isnan(share):
        raise DatasetError(
            "label_actions: expected actions that change in episodes held out, found none there whose standard "
            f"deviation is {CONSTANT:g} or more; record more with their commands, or train without label_actions"
        )
    if share <= 0.0:
        raise DatasetError(
            f"label_actions: expected states that tell the actions, found {share:.0%} of the variance "
            "explained in episodes held out, no better than the mean action; train without label_actions"
        )
    unknown = np.flatnonzero(~known & ~_last(dataset))
    actions, mask = np.array(dataset.actions), np.array(dataset.action_mask)
    actions[unknown], mask[unknown] = model.label(moves, unknown), True
    return Labelled(replace(dataset, actions=actions, action_mask=mask), explained, share, len(unknown))


class _Moves:
    """What happens around every frame k of a dataset: s_k, and the steps before it, from it, and after that one.

    A step that the episode does not have is zero, and a flag says so.
    """

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        encoder = StateEncoder(dataset.spec.state_layout)
        encoder.fit(dataset.states)
        with torch.no_grad():
            self._states = encoder.encode(torch.from_numpy(np.array(dataset.states)))
        steps = self._states[1:] - self._states[:-1]
        inside = torch.from_numpy(~_last(dataset)[:-1])
        steps[~inside] = 0.0
        scale = steps[inside].square().mean(dim=0).sqrt().clamp(min=1e-6)
        nothing = torch.zeros_like(steps[:1])
        # Row k + 1 is the step from frame k; there is none before the first and after the last one.
        self._steps = torch.cat([nothing, steps / scale, nothing, nothing])
        self._there = torch.cat([torch.zeros(1), inside.float(), torch.zeros(2)])
        self._device = device
        self.size = 4 * encoder.size + 2

    def around(self, frames: np.ndarray) -> Tensor:
        """Inputs (B, size) of the frames (B,)."""
        k = torch.from_numpy(frames)
        flags = torch.stack([self._there[k], self._there[k + 2]], dim=1)
        parts = [self._states[k], self._steps[k], self._steps[k + 1], self._steps[k + 2], flags]
        return torch.cat(parts, dim=1).to(self._device)


class _InverseDynamics(nn.Module):
    """a_k from what happens around frame k, within the range of the actions it was made with."""

    mean: Tensor
    scale: Tensor
    lower: Tensor
    upper: Tensor

    def __init__(self, size: int, normalization: Normalization, actions: np.ndarray) -> None:
        super().__init__()
        self.net = EnsembleMLP(1, (size, WIDTH, WIDTH, actions.shape[1]))
        self.register_buffer("mean", torch.from_numpy(normalization.mean))
        self.register_buffer("scale", torch.from_numpy(normalization.scale))
        self.register_buffer("lower", torch.from_numpy(actions.min(axis=0)))
        self.register_buffer("upper", torch.from_numpy(actions.max(axis=0)))

    def loss(self, around: Tensor, actions: Tensor) -> Tensor:
        """Squared error of normalised actions."""
        wanted = (actions - self.mean) / self.scale
        return (self.net(around.unsqueeze(0))[0] - wanted).square().mean()

    @torch.no_grad()
    def label(self, moves: _Moves, frames: np.ndarray) -> np.ndarray:
        """Actions (B, A) in the spec's units for frames (B,)."""
        found = np.zeros((len(frames), len(self.mean)), np.float32)
        for start in range(0, len(frames), BLOCK):
            output = self.net(moves.around(frames[start : start + BLOCK]).unsqueeze(0))[0]
            actions = (output * self.scale + self.mean).clamp(self.lower, self.upper)
            found[start : start + BLOCK] = actions.cpu().numpy()
        return found


def _fit(model: _InverseDynamics, moves: _Moves, actions: np.ndarray, frames: np.ndarray, seed: int) -> None:
    """Train the model on the known actions of some frames."""
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, fused=True)
    device = model.mean.device
    for update in range(UPDATES):
        rng = np.random.default_rng([seed, update])
        rows = frames[rng.integers(len(frames), size=BATCH)]
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * 0.5 * (1.0 + math.cos(math.pi * update / UPDATES))
        optimizer.zero_grad(set_to_none=True)
        model.loss(moves.around(rows), torch.from_numpy(actions[rows]).to(device)).backward()
        optimizer.step()


def _explained(actions: np.ndarray, found: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, float]:
    """Share (A,) of the variance of actions (B, A) that is explained, and of all of it in units of a scale (A,).

    Each counts by how much it usually moves, so that one which only jitters here cannot outweigh the others. NaN where
    an action does not move, and where none does.
    """
    variance = actions.var(axis=0, dtype=np.float64)
    error = np.square(actions - found, dtype=np.float64).mean(axis=0)
    moves = np.sqrt(variance) >= CONSTANT
    explained = np.where(moves, 1.0 - error / np.where(moves, variance, 1.0), np.nan)
    weight = np.where(moves, 1.0 / np.square(scale, dtype=np.float64), 0.0)
    return explained, float(1.0 - error @ weight / (variance @ weight)) if moves.any() else math.nan


def _last(dataset: Dataset) -> np.ndarray:
    """(F,) bool: whether a frame is its episode's last, after which nothing happened."""
    last = np.zeros(dataset.frames, bool)
    last[dataset.episode_start + dataset.episode_length - 1] = True
    return last
