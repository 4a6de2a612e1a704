"""The fan of predicted futures, against what then happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dvf_ros.data.checks import moving
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.report.calibration import draw_frames

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Fan:
    """What was predicted at one frame, and the episode around it, of C state numbers in the spec's units."""

    tick: int  # of the episode, where the prediction was made
    offsets: np.ndarray  # (K,) ticks
    bands: np.ndarray  # (5, K, C) quantiles LEVELS of the predicted futures
    happened: np.ndarray  # (L, C) the whole episode


@dataclass(frozen=True)
class FanCoverage:
    """Shares of the recorded futures that lay within the predicted central half and central 90 %, by offset."""

    offsets: np.ndarray  # (K,) ticks
    half: np.ndarray  # (K,)
    most: np.ndarray  # (K,)
    moments: int  # compared at every offset, or at least so many


def draw_fans(
    agent: DvfAgent, dataset: Dataset, episode: int, moments: int, columns: list[int], rng: np.random.Generator
) -> list[Fan]:
    """Fans at `moments` frames spread over an episode, as far ahead as the data's horizon; none for a single frame."""
    states = np.asarray(dataset.states[dataset.frames_of(episode)])
    if len(states) < 2:
        return []
    fans = []
    for tick in np.unique(np.linspace(0, len(states) - 1, moments + 1).astype(int)[:-1]):
        offsets = np.unique(np.geomspace(1, agent.horizon, 16).astype(np.int64))
        futures = sample_states(agent, states[tick : tick + 1], offsets, 128, rng)[0]  # (K, S, D)
        bands = _quantiles(futures)[..., columns]
        fans.append(Fan(int(tick), offsets, bands, _canonical(agent, states)[:, columns]))
    return fans


def measure_fan_coverage(
    agent: DvfAgent, dataset: Dataset, count: int, samples: int, rng: np.random.Generator
) -> FanCoverage | None:
    """How often the recorded future lies within the fan, over `count` frames; None where no frame has a future."""
    left = np.repeat(dataset.episode_start + dataset.episode_length - 1, dataset.episode_length)
    left = left - np.arange(dataset.frames)
    states = np.asarray(dataset.states)
    moves = moving(dataset)
    offsets = np.unique(np.geomspace(1, agent.horizon, 7).astype(np.int64))
    offsets = offsets[offsets <= left.max()]
    if not len(offsets) or not moves.any():
        return None
    inside, moments = np.empty((2, len(offsets))), count
    for place, offset in enumerate(offsets):
        frames = draw_frames(dataset, left >= offset, count, rng)
        moments = min(moments, len(frames))
        futures = sample_states(agent, states[frames], np.array([offset]), samples, rng)[:, 0]  # (n, S, D)
        truth = _canonical(agent, states[frames + offset])
        bands = _quantiles(futures)
        inside[:, place] = shares_inside(bands[..., moves], truth[..., moves])
    return FanCoverage(offsets, inside[0], inside[1], moments)


@torch.inference_mode()
def sample_states(
    agent: DvfAgent, states: np.ndarray, offsets: np.ndarray, samples: int, rng: np.random.Generator
) -> np.ndarray:
    """States (n, K, S, D) that may follow states (n, D) after offsets (K,) within the horizon, in the spec's units."""
    encoded = agent.encoder.encode(torch.from_numpy(np.array(states, np.float32)).to(agent.device))
    shape = (len(states), len(offsets), samples)
    left = torch.from_numpy(np.asarray(offsets, np.int64)).to(agent.device)[:, None].expand(shape)
    occupancy, steps = agent.occupancy_in_use
    driver = torch.tensor([occupancy.dropped], device=agent.device)
    found = encoded[:, None, None].expand(*shape, -1)
    while int(left.max()) > 0:  # in hops, as decisions go
        noise = torch.from_numpy(rng.standard_normal((*shape, agent.encoder.size + 1), dtype=np.float32))
        ahead = occupancy.sample(found, left.clamp(1, agent.hop), driver, noise.to(agent.device), steps)
        found = torch.where((left > 0).unsqueeze(-1), ahead[..., :-1], found)
        left = left - agent.hop
    return agent.encoder.decode(found).cpu().numpy()


def shares_inside(bands: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Shares of numbers (n, D) within the central half and the central 90 % of bands (5, n, D)."""
    half = (bands[1] <= truth) & (truth <= bands[3])
    most = (bands[0] <= truth) & (truth <= bands[4])
    return float(half.mean()), float(most.mean())


def _quantiles(futures: np.ndarray) -> np.ndarray:
    """Quantiles LEVELS (5, ..., D) over the samples of futures (..., S, D).

    By Weibull's plotting positions: one more draw of the same distribution lies below each as often as its level says,
    however few the samples are.
    """
    return np.quantile(futures, LEVELS, axis=-2, method="weibull")


def _canonical(agent: DvfAgent, states: np.ndarray) -> np.ndarray:
    """States (n, D) as the model gives them back: a rotation has two quaternions, and it always names the same one."""
    with torch.inference_mode():
        encoded = agent.encoder.encode(torch.from_numpy(np.array(states, np.float32)).to(agent.device))
        return agent.encoder.decode(encoded).cpu().numpy()
