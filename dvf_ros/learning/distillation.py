"""Distillation: the value heads and the actor learn from a trained agent what it would have sampled and chosen."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.batches import Batches
from dvf_ros.learning.workers import ALONE, Workers

STATES = 192
"""States per update that are valued, half recorded, half imagined."""

ACTED = 32
"""States per update that the actor learns to act in."""

FUTURES = 8
"""Sampled futures behind one target."""

STEPS = 4
"""Sampling steps of a future."""

CANDIDATES = 16
"""Chunks that the actor's target is the best of."""

TEMPERATURE = 1.0
"""Of the prior in imagination: the heads have to know what is bad as well."""

LEARNING_RATE = 6e-3
STREAM = 7  # random numbers apart from the training's


class Distillation:
    """Fits an agent's heads in place; its other weights stay as they are.

    Values are learned where they will be asked for: in recorded states, perturbed, and in states that the dynamics
    imagine after chunks of the prior. The targets are single sampled values, whose mean a squared error finds.
    """

    def __init__(self, agent: DvfAgent, batches: Batches, updates: int, seed: int, workers: Workers = ALONE) -> None:
        self.updates = 0
        self._agent, self._batches, self._total, self._seed = agent, batches, updates, seed
        self._workers = workers
        self._weights = [*agent.value_heads.parameters(), *agent.actor.parameters()]
        self._optimizer = torch.optim.AdamW(self._weights, LEARNING_RATE, fused=True)

    def update(self) -> dict[str, Tensor]:
        """One step of both heads; returns the metrics as tensors on the device."""
        rng = self._workers.rng(self._seed, STREAM, self.updates)
        agent, config = self._agent, self._agent.training_config
        half = self._workers.share(STATES // 2)
        with torch.no_grad():
            recorded, _, _ = self._batches.chunks(rng, half)
            blur = self._noise(rng, recorded.shape) * config.perturbation
            states = torch.cat([recorded + blur, self._imagine(rng, half)])
            values = agent.sample_values(states, rng, FUTURES, STEPS)
            start, _, _ = self._batches.chunks(rng, self._workers.share(ACTED))
            chosen = self._choose(rng, start)
        for group in self._optimizer.param_groups:
            group["lr"] = LEARNING_RATE * 0.5 * (1.0 + math.cos(math.pi * self.updates / self._total))
        self._optimizer.zero_grad(set_to_none=True)
        for weight in self._weights:
            weight.requires_grad_(True)
        value_loss = agent.value_heads.loss(states, values)
        actor_loss = agent.actor.loss(start, chosen)
        (value_loss + actor_loss).backward()
        self._workers.average(self._weights)
        self._optimizer.step()
        for weight in self._weights:
            weight.requires_grad_(False)
        self.updates += 1
        agent.distilled.fill_(True)
        return {"value_heads/loss": value_loss.detach(), "actor/loss": actor_loss.detach()}

    def _imagine(self, rng: np.random.Generator, count: int) -> Tensor:
        """States (count, E) where a chunk of the prior leads from recorded ones, as one of the models sees it."""
        start, _, _ = self._batches.chunks(rng, count)
        ends = self._agent.dynamics.predict(start, self._propose(rng, start))
        member = torch.from_numpy(rng.integers(len(ends), size=count)).to(start.device)
        return ends[member, torch.arange(count, device=start.device)]

    def _choose(self, rng: np.random.Generator, start: Tensor) -> Tensor:
        """The chunks (B, h, A) of highest lower bound among CANDIDATES, as the value heads see them, for (B, E)."""
        spread = start.repeat_interleave(CANDIDATES, dim=0)
        chunks = self._propose(rng, spread)
        heads = self._agent.value_heads.predict(self._agent.dynamics.predict(spread, chunks)).mean(dim=1)  # (K, B * C)
        bound = heads.mean(dim=0) - self._agent.decision.pessimism * heads.std(dim=0, correction=0)
        best = bound.unflatten(0, (-1, CANDIDATES)).argmax(dim=1)
        return chunks.unflatten(0, (-1, CANDIDATES))[torch.arange(len(start), device=start.device), best]

    def _propose(self, rng: np.random.Generator, start: Tensor) -> Tensor:
        agent, decision = self._agent, self._agent.decision
        noise = self._noise(rng, (len(start), *agent.actor.shape)) * TEMPERATURE
        return agent.bounded(agent.prior.sample(start, noise, decision.prior_steps))

    def _noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
        return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)).to(self._agent.device)
