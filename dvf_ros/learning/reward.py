"""The reward predictor: an ensemble of heads r(s), learned from the labelled states alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from dvf_ros.learning.config import TrainingConfig
from dvf_ros.learning.nets import EnsembleMLP

HEAD_WIDTH = 128


class RewardEnsemble(nn.Module):
    """K heads r(s). Labels of two values (success flags) are learned by logistic regression, others by least squares.

    Predictions are clipped to the seen range, because generated states lie beside the recorded ones and a regression
    head extrapolates there.
    """

    lower: Tensor
    upper: Tensor
    binary: Tensor

    def __init__(self, size: int, config: TrainingConfig) -> None:
        super().__init__()
        self.members = config.members
        self.perturbation = config.perturbation
        self.net = EnsembleMLP(config.members, (size, HEAD_WIDTH, HEAD_WIDTH, 1))
        self.register_buffer("lower", torch.zeros(()))
        self.register_buffer("upper", torch.ones(()))
        self.register_buffer("binary", torch.tensor(True))

    def fit_range(self, labels: Tensor) -> None:
        """Take the range of the labels (F,), and whether they are of two values only; without any it is 0 to 0."""
        if not len(labels):
            self.upper.zero_()
            return
        self.lower.copy_(labels.min())
        self.upper.copy_(labels.max())
        self.binary.copy_(((labels == self.lower) | (labels == self.upper)).all())

    @property
    def learned(self) -> bool:
        """Whether any state earns or costs something. The same for all may, since an end saves it: a cost of time."""
        return bool((self.lower != 0.0) | (self.upper != 0.0))

    @property
    def summary(self) -> str:
        """For people: from where to where it goes."""
        if not self.learned:
            return "the agent has learned no reward: every state counts 0"
        if self.lower == self.upper:
            return f"the learned reward, everywhere {float(self.lower):.3g} until the end"
        return f"the learned reward, from {float(self.lower):.3g} to {float(self.upper):.3g}"

    def predict(self, state: Tensor) -> Tensor:
        """Rewards (K, ...) of states (..., E), reward units, within the seen range."""
        flat = state.reshape(1, -1, state.shape[-1]).expand(self.members, -1, -1)
        output = self.net(flat).squeeze(-1)
        share = torch.sigmoid(output) if self.binary else output.clamp(0.0, 1.0)
        return (self.lower + share * (self.upper - self.lower)).unflatten(1, state.shape[:-1])

    def loss(self, state: Tensor, label: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Error on perturbed labelled states: state (K, B, E), label (K, B), a batch per head."""
        blur = torch.randn(state.shape, generator=generator, device=state.device) * self.perturbation
        output = self.net(state + blur).squeeze(-1)
        share = (label - self.lower) / (self.upper - self.lower).clamp(min=1e-12)
        if self.binary:
            loss = functional.binary_cross_entropy_with_logits(output, share)
        else:
            loss = (output - share).square().mean()
        return loss, {"loss": loss.detach()}
