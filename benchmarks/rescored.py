"""The agent's own candidates and dynamics under another score: what the occupancy is compared with."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.value import Draws, ValueEstimate

# states (K, N, E), one per model of the dynamics -> scores (K, N)
Score = Callable[[Tensor], Tensor]


class RescoredAgent(DvfAgent):
    """A copy of an agent that scores the states after the chunks by themselves: no futures are sampled."""

    score: Score
    rewarded = True  # the score tells it what to do

    @classmethod
    def of(cls, agent: DvfAgent, score: Score) -> RescoredAgent:
        """The agent with the score in place of the value."""
        other = cls(agent.spec, agent.behavior_names, agent.horizon, agent.training_config, agent.decision)
        other.load_state_dict(agent.state_dict())
        other.score = score
        return other

    def evaluate_with(
        self, states: Tensor, draws: Draws, share: float = 1.0, driver: Tensor | None = None
    ) -> ValueEstimate:
        """The mean score over the models of the dynamics; what is reported as futures are the states themselves."""
        scores = self.score(states)
        alive = -torch.ones_like(states[..., :1])
        mean = scores.mean(dim=0)
        return ValueEstimate(
            offsets=torch.zeros(len(states), dtype=torch.int64),
            heads=mean.unsqueeze(0),
            value=mean,
            standard_error=scores.std(dim=0),
            disagreement=torch.zeros_like(mean),
            rewards=scores.transpose(0, 1),
            futures=torch.cat([states, alive], dim=-1).transpose(0, 1),
        )
