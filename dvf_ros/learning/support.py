"""Whether a state and a chunk of actions resemble the data: by how far the dynamics models disagree about them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

RATES = 10.0 ** -np.linspace(0.0, 4.0, 41)
"""False-alarm rates, falling, for which a limit is kept."""


class Support(nn.Module):
    """Limits on the ensemble's spread, each exceeded by a stated share of the training data.

    Members that were trained alike agree where there was data and part where there was none (Lakshminarayanan et al.
    2017), whichever of state and action is unusual.
    """

    limits: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("limits", torch.full((len(RATES),), torch.inf))

    def fit(self, spread: Tensor) -> None:
        """Take the limits from the spreads (F,) of the training data."""
        # numpy's, because torch's quantile refuses more than 16 million numbers.
        self.limits.copy_(torch.from_numpy(np.quantile(spread.cpu().numpy(), 1.0 - RATES)))

    def limit(self, rate: float) -> float:
        """The spread that a share `rate` (1e-4 … 1) of the training data exceeds."""
        limits = self.limits.cpu().numpy()
        return float(np.interp(-np.log10(rate), -np.log10(RATES), limits))

    def holds(self, spread: Tensor, rate: float) -> Tensor:
        """Which of the spreads (...) lie within the limit of the rate."""
        return spread <= self.limit(rate)
