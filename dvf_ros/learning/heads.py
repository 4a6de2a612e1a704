"""Distilled heads: the diffused value and the best of many candidates, each in one evaluation of a small net."""

from __future__ import annotations

from torch import Tensor, nn

from dvf_ros.learning.config import TrainingConfig
from dvf_ros.learning.nets import EnsembleMLP, mean_square

HEAD_WIDTH = 128


class ValueHeads(nn.Module):
    """V_k(s), one per reward head k: the value that the occupancy's futures have on average under that head.

    Their mean is the diffused value without its sampling noise, their spread the disagreement of the reward heads.
    """

    def __init__(self, size: int, config: TrainingConfig) -> None:
        super().__init__()
        self.members = config.members
        self.gain = 1.0 / (1.0 - config.discount)
        self.net = EnsembleMLP(config.members, (size, HEAD_WIDTH, HEAD_WIDTH, 1))

    def predict(self, state: Tensor) -> Tensor:
        """Discounted returns (K, ...) of states (..., E)."""
        flat = state.reshape(1, -1, state.shape[-1]).expand(self.members, -1, -1)
        return self.gain * self.net(flat).squeeze(-1).unflatten(1, state.shape[:-1])

    def loss(self, state: Tensor, value: Tensor) -> Tensor:
        """Squared error, in mean rewards, of states (B, E) against sampled values (K, B): noise averages out."""
        return ((self.predict(state) - value) / self.gain).square().mean()


class Actor(nn.Module):
    """One chunk for a state: the distilled choice, where sampling takes too long or has nothing to go by."""

    def __init__(self, size: int, action_size: int, config: TrainingConfig) -> None:
        super().__init__()
        self.shape = (config.chunk, action_size)
        inner = (size, *(config.width,) * (config.depth - 1), config.chunk * action_size)
        self.net = EnsembleMLP(1, inner)

    def act(self, state: Tensor) -> Tensor:
        """Normalised chunks (B, h, A) for states (B, E)."""
        flat: Tensor = self.net(state.unsqueeze(0))[0]
        return flat.unflatten(-1, self.shape)

    def loss(self, state: Tensor, chunk: Tensor) -> Tensor:
        """Squared error of states (B, E) against the chunks (B, h, A) that were chosen there."""
        return mean_square(self.act(state) - chunk)
