"""A reward that somebody wrote, in place of the learned one."""

from __future__ import annotations

import torch
from torch import Tensor

from dvf_ros.core.expression import Expression, ExpressionError
from dvf_ros.learning.encoding import StateEncoder

FARTHEST = 10.0
"""Standard deviations from the recorded mean, unless more were recorded: what is generated beyond is no state, and must
not earn without bound."""

PROBES = 4096


class ExpressionReward:
    """Evaluates an expression on model-space states; `low` and `high` are its range on states like the recorded ones.

    It holds no weights and belongs to no module: whatever is written, the agent's numbers stay what they are. Raises
    ExpressionError where the expression is NaN or Inf on states like the recorded ones.
    """

    def __init__(self, expression: Expression, encoder: StateEncoder) -> None:
        self.expression = expression
        self._encoder = encoder
        rewards = self.predict(_probes(encoder))
        if not bool(torch.isfinite(rewards).all()):
            raise ExpressionError(
                f"'{expression.text}' is NaN or Inf on states like the recorded ones; keep divisors away from 0 and "
                "roots from negative numbers, with max(…)"
            )
        self.low, self.high = float(rewards.min()), float(rewards.max())

    @property
    def summary(self) -> str:
        """For people: from where to where it goes."""
        return f"from {self.low:.3g} to {self.high:.3g} on states like the recorded ones"

    def predict(self, state: Tensor) -> Tensor:
        """Rewards (1, ...) of states (..., E): one member, since nobody disagrees about what was written."""
        encoder = self._encoder
        within = state.clamp(encoder.lowest.clamp(max=-FARTHEST), encoder.highest.clamp(min=FARTHEST))
        states = encoder.decode(within, self.expression.fields)
        return self.expression.evaluate(states, torch).unsqueeze(0)


def _probes(encoder: StateEncoder) -> Tensor:
    """States like the recorded ones (P, E): drawn around their mean, some with one number as low or high as recorded.

    A flag that is up in one frame of a thousand lies thirty standard deviations from its mean.
    """
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(PROBES, encoder.size, generator=generator).to(encoder.mean.device)
    edges = [drawn[: encoder.size].diagonal_scatter(edge) for edge in (encoder.lowest, encoder.highest)]
    return torch.cat([drawn, *edges])
