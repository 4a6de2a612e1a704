"""The dynamics ensemble: where a chunk of actions leads, in one step from its start to its end."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dvf_ros.learning.config import TrainingConfig
from dvf_ros.learning.nets import EnsembleMLP, deviation


class Dynamics(nn.Module):
    """K models of (state, chunk of h actions) -> state after the chunk, as a residual in model space.

    One step for the whole chunk: no error compounds over its ticks. Members see different batches, so that their
    spread is large where data is thin.
    """

    residual_scale: Tensor

    def __init__(self, size: int, action_size: int, config: TrainingConfig) -> None:
        super().__init__()
        self.members = config.members
        inputs = size + config.chunk * action_size
        self.net = EnsembleMLP(config.members, (inputs, *(config.width,) * (config.depth - 1), size))
        self.register_buffer("residual_scale", torch.ones(size))

    def predict(self, state: Tensor, chunk: Tensor) -> Tensor:
        """States after the chunk (K, B, E) from states (B, E) and normalised chunks (B, h, A), one per member."""
        inputs = torch.cat([state, chunk.flatten(1)], dim=-1).expand(self.members, -1, -1)
        return state + self.net(inputs) * self.residual_scale

    def spread(self, ends: Tensor) -> Tensor:
        """How far the members' ends (K, B, E) are apart, (B,), in units of what a chunk usually changes."""
        return (deviation(ends) / self.residual_scale).square().mean(dim=-1).sqrt()

    def loss(self, state: Tensor, chunk: Tensor, after: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Squared error of the scaled residual; state, after (K, B, E), chunk (K, B, h, A): a batch per member."""
        predicted = self.net(torch.cat([state, chunk.flatten(2)], dim=-1))
        loss = (predicted - (after - state) / self.residual_scale).square().mean()
        return loss, {"loss": loss.detach()}
