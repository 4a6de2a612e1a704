"""What an agent makes of candidate chunks of actions in a state."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dvf_ros.learning.config import DecisionConfig

NO_REWARD = "no reward: none was learned and none is set; call ~/set_reward, send a goal, or set the parameter reward"
ASTRAY = "neither the state nor any candidate resembles the data"


@dataclass(frozen=True)
class Judgement:
    """N candidates, at least one: where each leads to is worth that much, and resembles the data or does not."""

    chunks: Tensor  # (N, h, A) normalised
    value: Tensor  # (N,) discounted return
    disagreement: Tensor  # (N,) spread between ensemble members
    standard_error: Tensor  # (N,) of sampling
    scores: Tensor  # (N,) what the choice maximises
    supported: Tensor  # (N,) bool: whether it resembles the data
    predicted: float  # steady s, when it was known where the candidates lead to

    @property
    def astray(self) -> bool:
        """Whether no candidate resembles the data."""
        return not self.supported.any()

    @property
    def chosen(self) -> int:
        """The candidate of highest score among those that resemble the data; among all where none does."""
        among = self.scores if self.astray else torch.where(self.supported, self.scores, -torch.inf)
        return int(among.argmax())

    def is_for_actor(self, decision: DecisionConfig, written: bool) -> bool:
        """Whether the actor's chunk is to take the candidates' place; it knows no reward that was `written`."""
        return self.astray and decision.unsupported == "actor" and decision.policy != "actor" and not written

    def refusal(self, decision: DecisionConfig, rewarded: bool, written: bool) -> str:
        """Why the robot should rather stop; empty where it need not."""
        if not rewarded and decision.policy != "prior":
            return NO_REWARD
        if not self.astray or decision.unsupported == "report":
            return ""
        if decision.unsupported == "actor":
            return f"{ASTRAY}, and the actor knows no reward but the learned one" if written else ""
        return ASTRAY
