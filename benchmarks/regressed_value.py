"""The honest alternative to one occupancy for all rewards: relabel the data and regress a value, anew for each."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from dvf_ros.core.expression import Expression
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.encoding import StateEncoder
from dvf_ros.learning.nets import EnsembleMLP

WIDTH = 256
BATCH = 512
LEARNING_RATE = 1e-3


class RegressedValue(nn.Module):
    """V(s) as a perceptron on model-space states, the mean discounted reward of what follows."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.net = EnsembleMLP(1, (size, WIDTH, WIDTH, 1))

    def forward(self, states: Tensor) -> Tensor:
        """Values (K, N) of states (K, N, E)."""
        return self.net(states.reshape(1, -1, states.shape[-1])).reshape(states.shape[:-1])


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
    encoder: StateEncoder,
    reward: Expression,
    discount: float,
    perturbation: float,
    updates: int,
    seed: int = 0,
) -> RegressedValue:
    """Fit V to the returns of every episode under `reward`, on states perturbed as the occupancy's are."""
    torch.manual_seed(seed)
    labels = reward.evaluate(np.array(dataset.states))
    pieces = [dataset.frames_of(episode) for episode in range(dataset.episodes)]
    found = [returns(labels[piece], discount) for piece in pieces]
    index = torch.from_numpy(np.concatenate([np.arange(piece.start, piece.stop - 1) for piece in pieces]))
    target = torch.from_numpy(np.concatenate([mean for mean, _ in found])).float()
    weight = torch.from_numpy(np.concatenate([share for _, share in found])).float()
    with torch.no_grad():
        states = encoder.encode(torch.from_numpy(np.array(dataset.states)))
    target = (target - target.mean()) / target.std().clamp(min=1e-6)
    model = RegressedValue(encoder.size)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE)
    for update in range(updates):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * 0.5 * (1.0 + math.cos(math.pi * update / updates))
        row = torch.randint(len(index), (BATCH,))
        state = states[index[row]]
        predicted = model((state + torch.randn_like(state) * perturbation).unsqueeze(0))[0]
        loss = (weight[row] * (predicted - target[row]).square()).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return model.requires_grad_(False)
