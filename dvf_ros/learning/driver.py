"""Who drives: a controller as the occupancy knows it, by its name in the data or by nothing but its motion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.context import TRAITS, MotionEncoder, transitions


@torch.inference_mode()
def driver_by_motion(agent: DvfAgent, trajectories: Sequence[np.ndarray]) -> Tensor:
    """φ (1, P) of whoever brought about the trajectories, each (L, D) states in a row at the spec's rate.

    It may have been in no training data. Raises ValueError for an agent that knows behaviors by index, and where no two
    states follow each other.
    """
    encoder, signs, count = _shown(agent, trajectories)
    return encoder(signs, count).unsqueeze(0)


@torch.inference_mode()
def likely_drivers(
    agent: DvfAgent,
    trajectories: Sequence[np.ndarray],
    drivers: int,
    rng: np.random.Generator,
    transitions: float | None = None,
) -> Tensor:
    """φ (n, P) of n drivers who may have brought about the trajectories, each (L, D): the fewer, the more they differ.

    As if the same had been seen in so many `transitions`, where a number is given. Raises what `driver_by_motion` does.
    """
    encoder, signs, count = _shown(agent, trajectories)
    noise = torch.from_numpy(rng.standard_normal((drivers, TRAITS))).to(signs)
    return encoder.draw(signs, count if transitions is None else torch.full_like(count, transitions), noise)


def _shown(agent: DvfAgent, trajectories: Sequence[np.ndarray]) -> tuple[MotionEncoder, Tensor, Tensor]:
    """What reads drivers off motion, the mean signs (TRAITS,) of trajectories, and how many transitions they hold."""
    if agent.occupancy.motion is None:
        raise ValueError(
            "expected an agent with training.representation context, found index: it reads nobody off motion; "
            "train with --training.representation context"
        )
    paths = [np.array(path, np.float32) for path in trajectories]
    if any(path.ndim != 2 or path.shape[1] != agent.spec.state_size for path in paths):
        raise ValueError(f"expected trajectories (L, {agent.spec.state_size}), found {[path.shape for path in paths]}")
    if not any(len(path) > 1 for path in paths):
        raise ValueError("expected a trajectory of at least 2 states, found none: a motion takes two")
    encoded = [agent.encoder.encode(torch.from_numpy(path).to(agent.device)) for path in paths]
    signs = agent.occupancy.motion.signs(*transitions(encoded))
    return agent.occupancy.motion, signs.mean(dim=0), torch.tensor(float(len(signs)), device=agent.device)


def recorded_driver(agent: DvfAgent, dataset: Dataset, behavior: int) -> Tensor | None:
    """A behavior of a dataset, by its index there: read off its motion or, by an agent that cannot, known by name.

    None where it is not known either way.
    """
    name = dataset.behavior_names[behavior]
    if agent.occupancy.motion is None:
        return driver_by_name(agent, name)
    trajectories = recorded_motion(dataset, behavior)
    return driver_by_motion(agent, trajectories) if trajectories else None


def recorded_motion(dataset: Dataset, behavior: int) -> list[np.ndarray]:
    """Trajectories (L, D) of at least two states of a behavior of a dataset, by its index there."""
    episodes = np.flatnonzero((dataset.behavior == behavior) & (dataset.episode_length > 1))
    return [dataset.states[dataset.frames_of(int(index))] for index in episodes]


def driver_by_name(agent: DvfAgent, name: str) -> Tensor | None:
    """The index (1,) of a behavior of the training data; None where the agent does not know it by name.

    An agent that was trained with its behaviors always hidden has their names, but knows none of them.
    """
    if not agent.training_config.learns_names or name not in agent.behavior_names:
        return None
    return torch.tensor([agent.behavior_names.index(name)], device=agent.device)
