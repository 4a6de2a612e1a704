"""Training: every model of an agent from one dataset, in one loop, reproducible to the bit on one device."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from dvf_ros.core.parsing import ConfigError
from dvf_ros.data.dataset import Dataset
from dvf_ros.data.normalization import Normalization
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.batches import Batches
from dvf_ros.learning.bootstrap import Bootstrap
from dvf_ros.learning.config import LearningConfig, TrainingConfig
from dvf_ros.learning.device import choose_device, subnormals_flushed
from dvf_ros.learning.distillation import Distillation
from dvf_ros.learning.inverse_dynamics import Labelled, label_actions
from dvf_ros.learning.sampler_distillation import SamplerDistillation
from dvf_ros.learning.value import coverage_horizon
from dvf_ros.learning.workers import ALONE, Workers

WARM_UP = 200
LOG_EVERY = 100
COVERED = 0.5
UNREACHED = 1e-3
"""Share of the value's weight that a bootstrapped occupancy is not asked for in one go."""

TRUSTED = 0.1
"""Share of the updates after which an occupancy may learn from itself."""

SMALLEST_RESIDUAL = 1e-3
SUPPORT_BATCH = 4096
FORECAST_PAIRS = 200_000
FORECAST_STREAM = 13  # random numbers apart from the training's
Metrics = dict[str, float]
Progress = Callable[[int, Metrics], None]


@subnormals_flushed()
def train(
    dataset: Dataset, config: LearningConfig, progress: Progress | None = None, workers: Workers = ALONE
) -> tuple[DvfAgent, list[Metrics]]:
    """Train an agent; `progress(updates_done, metrics)` is called every LOG_EVERY updates.

    Returns the agent with averaged weights, and the metrics of every call, to each of the workers that train it
    together. Raises DatasetError for a dataset without known actions, WorkersError for workers that differ in what they
    were given, ConfigError for a decision by an actor that nothing would teach, and DivergenceError for losses that are
    not finite. Without a reward in the dataset there is no reward predictor, and nothing to distil; all else is
    trained.
    """
    _require_taught(dataset, config)
    training = Training(dataset, config, workers)
    settings, history = config.training, []
    if training.inferred is not None:
        history.append({"update": 0.0} | training.inferred.metrics)

    def follow(stage: Training | SamplerDistillation | Distillation, first: int, updates: int) -> None:
        while stage.updates < updates:
            metrics = stage.update()
            if stage.updates % LOG_EVERY == 0 or stage.updates == updates:
                done = first + stage.updates
                history.append(workers.mean(metrics) | {"update": done})
                _require_finite(history[-1], settings)
                if progress:
                    progress(done, history[-1])

    follow(training, 0, settings.updates)
    training.fit_support()
    common = (settings.seed, workers)
    count, first = settings.sampler_distillation, settings.updates
    if count:
        follow(SamplerDistillation(training.agent, training.batches, count, *common), first, count)
    count, first = settings.distillation, first + count
    if count and len(training.batches.labels):
        follow(Distillation(training.agent, training.batches, count, *common), first, count)
    training.agent.configure(config.decision)
    return training.agent, history


def _require_taught(dataset: Dataset, config: LearningConfig) -> None:
    """Raise ConfigError where the agent would end without the actor that it is to decide by."""
    lacking = {
        "training.distillation 0": config.training.distillation == 0,
        "a dataset without a known reward": not dataset.reward_mask.any(),
    }
    found = " and ".join(what for what, lacks in lacking.items() if lacks)
    if config.decision.by_actor and found:
        raise ConfigError(
            f"'{config.decision.by_actor}': expected distillation and rewards, which an actor learns from, found "
            f"{found}; set something else than actor, or train with both"
        )


class DivergenceError(ValueError):
    """A training whose numbers are no numbers any more."""


def _require_finite(metrics: Metrics, settings: TrainingConfig) -> None:
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise DivergenceError(
                f"{name} is {value} at update {metrics['update']:g}: the training has diverged, and nothing was "
                f"written; lower training.learning_rate, which is {settings.learning_rate:g}"
            )


class Training:
    """The state of a training run: weights, their average, the optimiser's moments and the number of updates.

    The randomness of an update is a function of the seed and the update's number, so a run that is resumed by
    `load_state_dict` ends with the same bits as one that was not cut.
    """

    def __init__(self, dataset: Dataset, config: LearningConfig, workers: Workers = ALONE) -> None:
        settings = config.training
        self.config = settings
        self._workers = workers
        workers.agree("dataset", lambda: _digest(dataset))
        workers.agree("configuration", lambda: config)
        self.device = choose_device(config.decision.device)
        self.updates = 0
        self.inferred: Labelled | None = None
        if settings.label_actions:
            self.inferred = label_actions(dataset, settings.seed, self.device)
            dataset = self.inferred.dataset
        torch.manual_seed(settings.seed)
        horizon = coverage_horizon(dataset.episode_length, dataset.terminated, COVERED)
        if settings.occupancy == "bootstrapped":
            horizon = math.ceil(math.log(UNREACHED) / math.log(settings.discount))
        # The actor that the decision may leave things to has not learned anything yet.
        decision = replace(config.decision, policy="best", unsupported="report")
        online = DvfAgent(dataset.spec, dataset.behavior_names, horizon, settings, decision).cpu()
        online.encoder.fit(dataset.states)
        self.batches = batches = Batches(dataset, online.encoder, settings, self.device)
        actions = Normalization.fit(dataset.actions[np.asarray(dataset.action_mask)])
        online.action_mean.copy_(torch.from_numpy(actions.mean))
        online.action_scale.copy_(torch.from_numpy(actions.scale))
        online.to(self.device).reward.fit_range(batches.labels)
        residual = batches.states[batches.windows + settings.chunk] - batches.states[batches.windows]
        online.dynamics.residual_scale.copy_(residual.square().mean(dim=0).sqrt().clamp(min=SMALLEST_RESIDUAL))
        rng = np.random.default_rng([settings.seed, FORECAST_STREAM])
        state, offset, future, _ = batches.pairs(rng, FORECAST_PAIRS)
        online.occupancy.forecast.fit(state, offset, future[:, :-1])
        motion = online.occupancy.motion
        if motion is not None:
            motion.fit(batches.states, dataset)
        workers.start_alike(online)
        if motion is not None:  # by the first worker's traits: their signs, for one, are a matter of the machine
            batches.read_motion(motion, dataset)
        self.agent = copy.deepcopy(online)
        self._bootstrap = Bootstrap(batches, self.agent.occupancy)
        self._online = online.requires_grad_(True)
        self._weights: list[Tensor] = list(online.parameters())
        self._averaged: list[Tensor] = list(self.agent.parameters())
        self._optimizer = torch.optim.AdamW(
            self._weights, settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        self._generator = torch.Generator(self.device)

    def update(self) -> dict[str, Tensor]:
        """One step of every model; returns the metrics as tensors on the device."""
        rng = self._workers.rng(self.config.seed, self.updates)
        self._generator.manual_seed(int(rng.integers(2**62)))
        online, batches = self._online, self.batches
        rows, half = (self._workers.share(size) for size in (self.config.batch, max(1, self.config.batch // 2)))
        state, chunk, after = batches.chunks(rng, self.config.members, half)
        losses = {
            "occupancy": self._occupancy_loss(rng, rows),
            "dynamics": online.dynamics.loss(state, online.normalise_action(chunk), after),
            "prior": self._prior_loss(rng, rows),
        }
        if len(batches.labels):
            rewarded = batches.rewarded(rng, self.config.members, half)
            losses["reward"] = online.reward.loss(*rewarded, self._generator)
        for group in self._optimizer.param_groups:
            group["lr"] = self.config.learning_rate * _schedule(self.updates, self.config.updates)
        self._optimizer.zero_grad(set_to_none=True)
        torch.stack([loss for loss, _ in losses.values()]).sum().backward()
        self._workers.average(self._weights)
        self._optimizer.step()
        self.updates += 1
        decay = min(self.config.ema, self.updates / (self.updates + 10.0))
        with torch.no_grad():
            torch._foreach_lerp_(self._averaged, self._weights, 1.0 - decay)
        return {f"{name}/{key}": value for name, (_, found) in losses.items() for key, value in found.items()}

    def fit_support(self) -> None:
        """Set the agent's limits of what resembles the data, by its spread on the recorded chunks."""
        agent, spreads = self.agent, []
        with torch.no_grad():
            for windows in self.batches.windows.split(SUPPORT_BATCH):
                state, chunk = self.batches.recorded(windows)
                ends = agent.dynamics.predict(state, agent.normalise_action(chunk))
                spreads.append(agent.dynamics.spread(ends))
        agent.support.fit(torch.cat(spreads))

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

    def _occupancy_loss(self, rng: np.random.Generator, rows: int) -> tuple[Tensor, dict[str, Tensor]]:
        model = self._online.occupancy
        if self.config.occupancy == "monte_carlo":
            return model.loss(*self.batches.pairs(rng, rows, model), self._generator)
        trusted = self.updates >= TRUSTED * self.config.updates
        state, offset, future, behavior, hide = self._bootstrap.pairs(rng, rows, model, trusted)
        return model.loss(state, offset, future, behavior, self._generator, hide)

    def _prior_loss(self, rng: np.random.Generator, rows: int) -> tuple[Tensor, dict[str, Tensor]]:
        state, chunk, _ = self.batches.chunks(rng, rows)
        return self._online.prior.loss(state, self._online.normalise_action(chunk), self._generator)


def _digest(dataset: Dataset) -> str:
    """SHA-256 of a dataset and its labels: the same bags may have been converted with other ones."""
    content = hashlib.sha256(dataset.digest.encode())
    content.update("\0".join(dataset.behavior_names).encode())
    for name in ("behavior", "terminated", "success", "rewards", "reward_mask", "action_mask"):
        content.update(np.ascontiguousarray(getattr(dataset, name)).tobytes())
    return content.hexdigest()


def _schedule(update: int, total: int) -> float:
    """Share of the learning rate: a short linear rise, then half a cosine down to 0."""
    rise = min(1.0, (update + 1) / min(WARM_UP, total))
    return rise * 0.5 * (1.0 + math.cos(math.pi * update / total))
