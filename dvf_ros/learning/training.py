"""Training: every model of an agent from one dataset, in one loop, reproducible to the bit on one device."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from dvf_ros.data.dataset import Dataset
from dvf_ros.data.normalization import Normalization
from dvf_ros.data.pairs import PairSampler
from dvf_ros.learning.agent import DvfAgent, choose_device
from dvf_ros.learning.config import LearningConfig
from dvf_ros.learning.value import coverage_horizon

WARM_UP = 200
LOG_EVERY = 100
COVERED = 0.5
Metrics = dict[str, float]
Progress = Callable[[int, Metrics], None]


def train(dataset: Dataset, config: LearningConfig, progress: Progress | None = None) -> tuple[DvfAgent, list[Metrics]]:
    """Train an agent; `progress(updates_done, metrics)` is called every LOG_EVERY updates.

    Returns the agent with averaged weights, and the metrics of every call. Raises ValueError for a dataset without
    labelled actions or rewards.
    """
    training = Training(dataset, config)
    history = []
    while training.updates < config.training.updates:
        metrics = training.update()
        if training.updates % LOG_EVERY == 0 or training.updates == config.training.updates:
            history.append({name: float(value) for name, value in metrics.items()} | {"update": training.updates})
            if progress:
                progress(training.updates, history[-1])
    return training.agent, history


class Training:
    """The state of a training run: weights, their average, the optimiser's moments and the number of updates.

    The randomness of an update is a function of the seed and the update's number, so a run that is resumed by
    `load_state_dict` ends with the same bits as one that was not cut.
    """

    def __init__(self, dataset: Dataset, config: LearningConfig) -> None:
        settings = config.training
        self.config = settings
        self.device = choose_device(config.decision.device)
        self.updates = 0
        torch.manual_seed(settings.seed)
        horizon = coverage_horizon(dataset.episode_length, dataset.terminated, COVERED)
        online = DvfAgent(dataset.spec, dataset.behavior_names, horizon, settings, config.decision)
        windows = _windows(dataset, settings.chunk)
        labelled = np.flatnonzero(dataset.reward_mask) + 1  # reward on arrival: the label belongs to the next state
        if not len(labelled):
            raise ValueError("expected rewards in at least one episode, found none; record them or label some frames")
        self._pairs = PairSampler(dataset, settings.discount)
        self._windows = self._on_device(windows)
        self._labelled = labelled
        online.encoder.cpu().fit(dataset.states)
        actions = torch.from_numpy(np.array(dataset.actions))
        found = Normalization.fit(dataset.actions[np.asarray(dataset.action_mask)])
        with torch.no_grad():
            states = online.encoder.encode(torch.from_numpy(np.array(dataset.states)))
            online.action_mean.copy_(torch.from_numpy(found.mean))
            online.action_scale.copy_(torch.from_numpy(found.scale))
            online.to(self.device)
            self._states = states.to(self.device)
            self._actions = online.normalise_action(actions.to(self.device))
            self._rewards = torch.from_numpy(np.array(dataset.rewards)).to(self.device)
            online.reward.fit_range(self._rewards[torch.from_numpy(labelled - 1).to(self.device)])
            residual = self._states[windows + settings.chunk] - self._states[windows]
            online.dynamics.residual_scale.copy_(residual.square().mean(dim=0).sqrt().clamp(min=1e-3))
        self.agent = copy.deepcopy(online)
        self._online = online.requires_grad_(True)
        parameters = list(online.parameters())
        self._averaged = list(self.agent.parameters())
        self._optimizer = torch.optim.AdamW(parameters, settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
        self._generator = torch.Generator(self.device)

    def update(self) -> dict[str, Tensor]:
        """One step of every model; returns the metrics as tensors on the device."""
        rng = np.random.default_rng([self.config.seed, self.updates])
        self._generator.manual_seed(int(rng.integers(2**62)))
        losses = {
            "occupancy": self._occupancy_loss(rng),
            "dynamics": self._dynamics_loss(rng),
            "prior": self._prior_loss(rng),
            "reward": self._reward_loss(rng),
        }
        for group in self._optimizer.param_groups:
            group["lr"] = self.config.learning_rate * _schedule(self.updates, self.config.updates)
        self._optimizer.zero_grad(set_to_none=True)
        torch.stack([loss for loss, _ in losses.values()]).sum().backward()
        self._optimizer.step()
        self.updates += 1
        decay = min(self.config.ema, self.updates / (self.updates + 10.0))
        with torch.no_grad():
            torch._foreach_lerp_(self._averaged, list(self._online.parameters()), 1.0 - decay)
        return {f"{name}/{key}": value for name, (_, found) in losses.items() for key, value in found.items()}

    def state_dict(self) -> dict[str, Tensor]:
        """All that `load_state_dict` needs to go on, as flat tensors."""
        tensors = {f"online.{name}": value for name, value in self._online.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.agent.state_dict().items()}
        for name, parameter in self._online.named_parameters():
            tensors |= {f"moment.{name}.{key}": value for key, value in self._optimizer.state[parameter].items()}
        return tensors | {"updates": torch.tensor(self.updates)}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Take up a run of the same dataset and configuration where `state_dict` left it."""

        def under(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

        self._online.load_state_dict(under("online."))
        self.agent.load_state_dict(under("average."))
        for name, parameter in self._online.named_parameters():
            moments = under(f"moment.{name}.")
            self._optimizer.state[parameter] = {key: value.clone() for key, value in moments.items()}
        self.updates = int(tensors["updates"])

    def _occupancy_loss(self, rng: np.random.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        pairs = self._pairs.draw(rng, self.config.batch)
        # Arriving at the last state earns its reward; only what comes after is the end.
        ended = pairs.offset > pairs.future - pairs.index
        bit = self._on_device(np.where(ended, np.float32(1.0), np.float32(-1.0)))
        future = torch.cat([self._states[self._on_device(pairs.future)], bit.unsqueeze(1)], dim=1)
        state = self._states[self._on_device(pairs.index)]
        offset, behavior = self._on_device(pairs.offset), self._on_device(pairs.behavior)
        return self._online.occupancy.loss(state, offset, future, behavior, self._generator)

    def _dynamics_loss(self, rng: np.random.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        size = (self.config.members, self.config.batch // 2)
        start = self._windows[self._on_device(rng.integers(len(self._windows), size=size))]
        return self._online.dynamics.loss(self._states[start], self._chunks(start), self._states[start + self.config.chunk])

    def _prior_loss(self, rng: np.random.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        start = self._windows[self._on_device(rng.integers(len(self._windows), size=self.config.batch))]
        return self._online.prior.loss(self._states[start], self._chunks(start), self._generator)

    def _reward_loss(self, rng: np.random.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        size = (self.config.members, self.config.batch // 2)
        frame = self._on_device(self._labelled[rng.integers(len(self._labelled), size=size)])
        return self._online.reward.loss(self._states[frame], self._rewards[frame - 1], self._generator)

    def _chunks(self, start: Tensor) -> Tensor:
        """Normalised chunks (..., h, A) that begin at frames (...)."""
        return self._actions[start.unsqueeze(-1) + torch.arange(self.config.chunk, device=self.device)]

    def _on_device(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)


def _windows(dataset: Dataset, chunk: int) -> np.ndarray:
    """Frames (W,) from which `chunk` actions in a row are known; none crosses an episode, whose last frame has none."""
    known = np.concatenate([[0], np.cumsum(dataset.action_mask)])
    starts = np.flatnonzero(known[chunk:] - known[:-chunk] == chunk)
    if not len(starts):
        raise ValueError(f"expected an episode with {chunk} known actions in a row, found none; record actions or lower 'chunk'")
    return starts


def _schedule(update: int, total: int) -> float:
    """Share of the learning rate: a short linear rise, then half a cosine down to 0."""
    rise = min(1.0, (update + 1) / min(WARM_UP, total))
    return rise * 0.5 * (1.0 + math.cos(math.pi * update / total))
