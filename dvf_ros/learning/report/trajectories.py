"""The value along recorded trajectories, of those that went well and of those that did not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.report.intervals import half_interval
from dvf_ros.learning.report.returns import Rewards, returns_to_the_end
from dvf_ros.learning.report.values import value_states


@dataclass(frozen=True)
class Trajectory:
    """Values at n frames of one episode, and what it earned from there to the end of the recording."""

    episode: int
    tick: np.ndarray  # (n,)
    value: np.ndarray  # (n,)
    error: np.ndarray  # (n,) standard error of sampling
    disagreement: np.ndarray  # (n,) standard deviation over the reward heads
    earned: np.ndarray  # (n,) NaN where a reward is not known

    @property
    def uncertainty(self) -> np.ndarray:
        """(n,) sampling error and disagreement together, one standard deviation."""
        return np.hypot(self.error, self.disagreement)


@dataclass(frozen=True)
class Group:
    """Some trajectories of one kind, the longest first."""

    name: str
    trajectories: tuple[Trajectory, ...]

    def mean(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tick (n,), the mean value there (n,), and half of its 95 % interval, of the ticks that all have.

        The spread of the values holds their sampling errors. The disagreement does not average out: the same reward
        heads value all of them. Of a single trajectory its own uncertainty is all that is known.
        """
        if len(self.trajectories) == 1:
            (alone,) = self.trajectories
            return alone.tick, alone.value, 1.96 * alone.uncertainty
        ticks = min((item.tick for item in self.trajectories), key=lambda tick: tick[-1])
        values = np.stack([np.interp(ticks, item.tick, item.value) for item in self.trajectories])
        disagreement = np.mean([np.interp(ticks, item.tick, item.disagreement) for item in self.trajectories], axis=0)
        return ticks, values.mean(axis=0), np.hypot(half_interval(values), 1.96 * disagreement)


@dataclass(frozen=True)
class Trajectories:
    """Two groups, the better one first; `reason` says by what they were told apart."""

    groups: tuple[Group, ...]
    reason: str

    @property
    def gap(self) -> float:
        """By how much the first group's mean value lies above the second's; NaN where there is one only."""
        if len(self.groups) < 2:
            return float("nan")
        means = [np.mean([item.value.mean() for item in group.trajectories]) for group in self.groups]
        return float(means[0] - means[1])


def measure_trajectories(
    agent: DvfAgent, dataset: Dataset, rewards: Rewards, each: int, points: int, rng: np.random.Generator
) -> Trajectories:
    """Value `points` frames of each of `each` episodes a group."""
    earned = returns_to_the_end(dataset, rewards, agent.training_config.discount)
    split, reason = split_episodes(dataset, earned[dataset.episode_start])
    groups = []
    for name, episodes in split.items():
        drawn = rng.choice(episodes, min(each, len(episodes)), replace=False)
        drawn = drawn[np.argsort(-dataset.episode_length[drawn], kind="stable")]
        groups.append(Group(name, tuple(_follow(agent, dataset, earned, int(i), points, rng) for i in drawn)))
    return Trajectories(tuple(groups), reason)


def split_episodes(dataset: Dataset, merit: np.ndarray) -> tuple[dict[str, np.ndarray], str]:
    """The episodes (n,) of a good and of a bad kind, by name, and by what they were told apart.

    merit (E,) is the return of each episode, NaN where nobody knows. The best and the worst behavior by mean return
    where it tells them apart; else success against failure; else the better and the worse half; else one group only.
    """
    known = np.isfinite(merit)
    scored = {}
    for index, name in enumerate(dataset.behavior_names):
        own = np.flatnonzero((dataset.behavior == index) & known)
        if len(own):
            scored[name] = own
    means = {name: float(merit[own].mean()) for name, own in scored.items()}
    if len(means) > 1 and max(means.values()) > min(means.values()):
        best, worst = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
        return {best: scored[best], worst: scored[worst]}, "the behaviors of the highest and the lowest mean return"
    won, lost = np.flatnonzero(dataset.success == 1), np.flatnonzero(dataset.success == 0)
    if len(won) and len(lost):
        return {"succeeded": won, "failed": lost}, "success as it was recorded"
    if known.sum() > 1 and np.nanmax(merit) > np.nanmin(merit):
        order = np.flatnonzero(known)[np.argsort(-merit[known], kind="stable")]
        half = len(order) // 2
        return {"better half": order[:half], "worse half": order[half:]}, "the return of each episode"
    return {"all episodes": np.arange(dataset.episodes)}, "nothing: neither returns nor successes differ"


def _follow(
    agent: DvfAgent, dataset: Dataset, earned: np.ndarray, episode: int, points: int, rng: np.random.Generator
) -> Trajectory:
    frames = dataset.frames_of(episode)
    length = frames.stop - frames.start
    tick = np.unique(np.linspace(0, length - 1, min(points, length)).astype(np.int64))
    found = value_states(agent, dataset.states[frames.start + tick], rng, agent.horizon)
    return Trajectory(episode, tick, found.value, found.error, found.disagreement, earned[frames.start + tick])
