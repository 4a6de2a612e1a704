"""What the data covers: its numbers' ranges, the offsets that it reaches, its labels, and where support ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dvf_ros.data.checks import moving
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.report.calibration import draw_frames
from dvf_ros.learning.value import offset_reach

LEVELS = (0.0, 0.05, 0.5, 0.95, 1.0)
CHUNKS = 4000


@dataclass(frozen=True)
class Coverage:
    """The dataset beside what the agent was trained on."""

    frames: int
    episodes: int
    ranges: np.ndarray  # (5, D) quantiles LEVELS of the state's numbers, spec's units
    constant: np.ndarray  # (D,) bool: those that (almost) never move
    reach: np.ndarray  # (H',) share of the frames that have a future 1, 2, … ticks ahead
    horizon: int  # ticks; the agent's longest offset
    within: float  # share of the value's weight, 1 - γ^horizon, that lies within it
    actions: float  # share of the transitions whose action is known
    rewards: float
    succeeded: int
    failed: int
    support_limit: float  # spread of the dynamics models, in units of what a chunk usually changes
    supported: float  # share of the recorded chunks within it; NaN where no chunk of actions is known
    behaviors: dict[str, int]  # episodes of each


def measure_coverage(agent: DvfAgent, dataset: Dataset, rng: np.random.Generator) -> Coverage:
    """Look at every frame, and at up to CHUNKS chunks of actions for the support."""
    states = np.asarray(dataset.states)
    ranges = np.quantile(states, LEVELS, axis=0)
    transitions = max(dataset.frames - dataset.episodes, 1)
    rate = agent.decision.false_alarm
    return Coverage(
        frames=dataset.frames,
        episodes=dataset.episodes,
        ranges=ranges,
        constant=~moving(dataset),
        reach=offset_reach(dataset.episode_length, dataset.terminated) / dataset.frames,
        horizon=agent.horizon,
        within=agent.coverage,
        actions=float(np.sum(dataset.action_mask) / transitions),
        rewards=float(np.sum(dataset.reward_mask) / transitions),
        succeeded=int((dataset.success == 1).sum()),
        failed=int((dataset.success == 0).sum()),
        support_limit=agent.support.limit(rate),
        supported=_supported(agent, dataset, rate, rng),
        behaviors={name: int((dataset.behavior == index).sum()) for index, name in enumerate(dataset.behavior_names)},
    )


@torch.inference_mode()
def _supported(agent: DvfAgent, dataset: Dataset, rate: float, rng: np.random.Generator) -> float:
    chunk = agent.training_config.chunk
    known = np.concatenate([[0], np.cumsum(dataset.action_mask)])
    usable = np.zeros(dataset.frames, bool)
    usable[: max(dataset.frames - chunk + 1, 0)] = known[chunk:] - known[:-chunk] == chunk
    frames = draw_frames(dataset, usable, CHUNKS, rng)
    if not len(frames):
        return float("nan")
    actions = torch.from_numpy(np.asarray(dataset.actions)[frames[:, None] + np.arange(chunk)]).to(agent.device)
    states = agent.encoder.encode(torch.from_numpy(np.asarray(dataset.states)[frames]).to(agent.device))
    ends = agent.dynamics.predict(states, agent.normalise_action(actions))
    return float(agent.support.holds(agent.dynamics.spread(ends), rate).float().mean())
