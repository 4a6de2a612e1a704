"""Distillation of the samplers: one evaluation of a student lands where many steps of its teacher do."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.batches import Batches
from dvf_ros.learning.nets import mean_square
from dvf_ros.learning.workers import ALONE, Workers

STEPS = 6
"""Of the teachers."""

STATES = 128
"""Per update, for which the prior's student learns; the occupancy's takes the batch of the training."""

OCCUPANCY_RATE, PRIOR_RATE = 6e-3, 1e-3
"""Learning rates of the students: what learns from nothing takes larger steps."""

STREAM = 11  # random numbers apart from the training's


class SamplerDistillation:
    """Fits an agent's one-step samplers in place; its other weights stay as they are.

    A flow carries every noise to one sample, so the map of many steps is a regression target (Luhman and Luhman 2021,
    arXiv 2101.02388). The prior's student begins as its teacher, whose single step finds the mean. The occupancy's is
    narrower, since most of a decision's time is spent in it, and shares with its teacher what has no width.
    """

    def __init__(self, agent: DvfAgent, batches: Batches, updates: int, seed: int, workers: Workers = ALONE) -> None:
        self.updates = 0
        self._agent, self._batches, self._total, self._seed = agent, batches, updates, seed
        self._workers = workers
        student, teacher = agent.one_step_occupancy, agent.occupancy.state_dict()
        student.load_state_dict(
            {name: value for name, value in teacher.items() if not name.startswith("net.")}, strict=False
        )
        agent.one_step_prior.load_state_dict(agent.prior.state_dict())
        rates = {student: OCCUPANCY_RATE, agent.one_step_prior: PRIOR_RATE}
        self._weights = [weight for model in rates for weight in model.parameters()]
        groups = [{"params": [*model.parameters()], "initial_lr": rate} for model, rate in rates.items()]
        self._optimizer = torch.optim.AdamW(groups, fused=True)

    def update(self) -> dict[str, Tensor]:
        """One step of both students; returns the metrics as tensors on the device."""
        rng = self._workers.rng(self._seed, STREAM, self.updates)
        agent = self._agent
        with torch.no_grad():
            future = self._future(rng)
            wanted_future = agent.occupancy.sample(*future, STEPS)
            chunk = self._chunk(rng)
            wanted_chunk = agent.prior.sample(*chunk, STEPS)
        for group in self._optimizer.param_groups:
            group["lr"] = group["initial_lr"] * 0.5 * (1.0 + math.cos(math.pi * self.updates / self._total))
        self._optimizer.zero_grad(set_to_none=True)
        for weight in self._weights:
            weight.requires_grad_(True)
        occupancy_loss = (agent.one_step_occupancy.sample(*future, 1) - wanted_future).square().mean()
        prior_loss = mean_square(agent.one_step_prior.sample(*chunk, 1) - wanted_chunk)
        (occupancy_loss + prior_loss).backward()
        self._workers.average(self._weights)
        self._optimizer.step()
        for weight in self._weights:
            weight.requires_grad_(False)
        self.updates += 1
        agent.samplers_distilled.fill_(True)
        return {"one_step_occupancy/loss": occupancy_loss.detach(), "one_step_prior/loss": prior_loss.detach()}

    def _future(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """State (B, E), offset (B,), behavior (B,) and noise (B, E+1), as the teacher was trained on them."""
        occupancy = self._agent.occupancy
        rows = self._workers.share(self._agent.training_config.batch)
        bootstrapped = self._agent.training_config.occupancy == "bootstrapped"
        draw = self._batches.hops if bootstrapped else self._batches.pairs
        state, offset, future, behavior = draw(rng, rows, occupancy)[:4]
        hide = torch.from_numpy(rng.random(len(behavior)) < occupancy.drop).to(behavior.device)
        behavior = occupancy.hidden(behavior, hide)
        return state + self._blur(rng, state), offset, behavior, self._noise(rng, future.shape)

    def _chunk(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """State (B, E) and noise (B, h, A) of any temperature up to 1."""
        rows = self._workers.share(STATES)
        state, _, _ = self._batches.chunks(rng, rows)
        temperature = torch.from_numpy(rng.random((rows, 1, 1), dtype=np.float32)).to(state.device)
        noise = self._noise(rng, (rows, *self._agent.actor.shape))
        return state + self._blur(rng, state), noise * temperature

    def _blur(self, rng: np.random.Generator, state: Tensor) -> Tensor:
        return self._noise(rng, state.shape) * self._agent.training_config.perturbation

    def _noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
        return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)).to(self._agent.device)
