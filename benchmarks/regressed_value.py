"""The honest alternative to one occupancy for all rewards: relabel the data and regress a value, anew for each."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.nets import EnsembleMLP

WIDTH = 256
BATCH = 512
LEARNING_RATE = 1e-3


class RegressedValue(nn.Module):
    """V(s) as a perceptron on model-space states: the mean discounted reward of what follows, (1 - γ) times the return.

    `mean` and `scale` are those of the returns that it was fitted to.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.net = EnsembleMLP(1, (size, WIDTH, WIDTH, 1))
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, states: Tensor) -> Tensor:
        """Values (...) of states (..., E)."""
        found = self.net(states.reshape(1, -1, states.shape[-1])).reshape(states.shape[:-1])
        return self.mean + self.scale * found


def returns(rewards: np.ndarray, discount: float) -> tuple[np.ndarray, np.ndarray]:
    """(L - 1,) mean discounted reward on arrival from each frame but the last, and its weight within the log.

    rewards (L,) of an episode's states. With n frames left the weights (1 - γ) γ^k sum to 1 - γ^n: the mean is over
    what the log shows, and that sum says how much of the whole return this is.
    """
    total = 0.0
    found = np.zeros(len(rewards) - 1)
    for frame in range(len(found) - 1, -1, -1):
        total = (1.0 - discount) * rewards[frame + 1] + discount * total
        found[frame] = total
    weight = 1.0 - discount ** np.arange(len(found), 0, -1)
    return found / weight, weight


def regress(
    dataset: Dataset,
    states: Tensor,
    labels: np.ndarray,
    discount: float,
    perturbation: float,
    updates: int,
    seed: int = 0,
) -> RegressedValue:
    """Fit V to the returns of every episode, on states perturbed as the occupancy's are.

    states (F, E) as V will see them, in the dataset's order; labels (F,) are their rewards.
    """
    torch.manual_seed(seed)
    pieces = [dataset.frames_of(episode) for episode in range(dataset.episodes)]
    found = [returns(labels[piece], discount) for piece in pieces]
    index = torch.from_numpy(np.concatenate([np.arange(piece.start, piece.stop - 1) for piece in pieces]))
    target = torch.from_numpy(np.concatenate([mean for mean, _ in found])).float()
    weight = torch.from_numpy(np.concatenate([share for _, share in found])).float()
    model = RegressedValue(states.shape[1])
    model.mean.copy_(target.mean())
    model.scale.copy_(target.std().clamp(min=1e-6))
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE)
    for update in range(updates):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * 0.5 * (1.0 + math.cos(math.pi * update / updates))
        row = torch.randint(len(index), (BATCH,))
        state = states[index[row]]
        predicted = model(state + torch.randn_like(state) * perturbation)
        loss = (weight[row] * ((predicted - target[row]) / model.scale).square()).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return model.requires_grad_(False)
