"""Bootstrapped pairs: where the log ends, the model's own futures go on.

A target made of what the log shows up to some state and of what the model says from there joins pieces of different
trajectories, which Monte-Carlo pairs cannot (γ-models, Janner et al. 2020, arXiv 2010.14496; TD-flow, Farebrother et
al. 2025, arXiv 2503.09817). Only offsets past the end of the log are bootstrapped, from its last state, so that errors
add up over few hops; all others are the recorded futures, which keep the model from drifting.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dvf_ros.learning.batches import Batches
from dvf_ros.learning.occupancy import Occupancy

STEPS = 4
"""Of the sampler that makes targets."""


class Bootstrap:
    """Makes targets with a slowly averaged copy of the occupancy that learns from them."""

    def __init__(self, batches: Batches, target: Occupancy) -> None:
        self._batches, self._target = batches, target
        # A model that is fed its own samples must not leave the data: what it generates is kept within their range.
        self._lower, self._upper = batches.states.amin(dim=0), batches.states.amax(dim=0)

    def pairs(
        self, rng: np.random.Generator, count: int, reader: Occupancy, trusted: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """State (B, E), offset (B,), future (B, E+1), behavior of B rows, and whose behavior is hidden (B,).

        Who drives is hidden from the target where it is hidden from the model: a known behavior goes on as itself, the
        mixture as anybody who was ever seen there. Until the target can be `trusted` the recorded pairs stand in.
        """
        if not trusted:
            state, offset, future, behavior = self._batches.pairs(rng, count, reader)
            remaining = torch.zeros_like(offset)
        else:
            state, offset, future, behavior, remaining = self._batches.hops(rng, count, reader)
        hide = torch.from_numpy(rng.random(count) < reader.drop).to(state.device)
        rows = remaining.nonzero()[:, 0]
        if len(rows):
            noise = rng.standard_normal((len(rows), future.shape[1]), dtype=np.float32)
            with torch.no_grad():
                driver = self._target.hidden(behavior[rows], hide[rows])
                start = future[rows, :-1]
                ahead = self._target.sample(
                    start, remaining[rows], driver, torch.from_numpy(noise).to(state.device), STEPS
                )
                ended = torch.where(ahead[:, -1:] > 0.0, 1.0, -1.0)
                future[rows] = torch.cat([ahead[:, :-1].clamp(self._lower, self._upper), ended], dim=1)
        return state, offset, future, behavior, hide
