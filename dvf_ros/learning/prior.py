"""The behavior prior: which chunks of actions the recorded behaviors would take in a state."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from dvf_ros.learning.config import TrainingConfig
from dvf_ros.learning.flow import draw_times, flow_matching_loss, linear_velocity, sample_flow
from dvf_ros.learning.nets import TIME_FEATURES, BroadcastMLP, embed_time


class BehaviorPrior(nn.Module):
    """A conditional flow over chunks of h normalised actions; candidates come from it, so that data supports them."""

    def __init__(self, size: int, action_size: int, config: TrainingConfig) -> None:
        super().__init__()
        self.chunk = config.chunk
        self.action_size = action_size
        self.perturbation = config.perturbation
        flat = config.chunk * action_size
        with warnings.catch_warnings():
            # A robot that is only watched has no actions, and torch warns that there is nothing to initialise.
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")
            self.net = BroadcastMLP((flat, TIME_FEATURES), (size,), config.width, config.depth, flat)

    def loss(self, state: Tensor, chunk: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Flow matching on recorded chunks; state (B, E), chunk (B, h, A) normalised."""
        device = state.device
        target = chunk.flatten(1)
        noise = torch.randn(target.shape, generator=generator, device=device)
        time = draw_times(target.shape[:1], generator, device)
        blur = torch.randn(state.shape, generator=generator, device=device) * self.perturbation
        context = self.net.context(state + blur)
        return flow_matching_loss(lambda x, t: self._velocity(x, t, context), target, noise, time)

    def sample(self, state: Tensor, noise: Tensor, steps: int) -> Tensor:
        """N normalised chunks (N, h, A) for one state (1, E) from noise (N, h, A)."""
        context = self.net.context(state)
        flat = sample_flow(lambda x, t: self._velocity(x, t, context), noise.flatten(1), steps)
        return flat.unflatten(1, (self.chunk, self.action_size))

    def _velocity(self, x: Tensor, time: Tensor | float, context: Tensor) -> Tensor:
        return linear_velocity(x, time) + self.net(context, x, embed_time(time, x.device))
