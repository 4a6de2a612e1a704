"""φ from motion: which controller drives, read off the states that it brought about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.traits import find_traits

TRAITS = 8
PROJECTIONS = 128
PIECES = 0.25
"""Share of the draws that show a piece of one episode only."""

WHOLE = 0.5
"""Share of the draws that show all there is of a behavior, which is what it is asked for by later."""

ENOUGH = 8
"""Episodes of which one may be the row's own: among fewer it would give its future away."""

SMALLEST_CHANGE = 1e-3
"""Of a number that hardly changes within a tick, in its standard deviations."""

SMALLEST_DIFFERENCE = 1e-3
"""Of behaviors, in variances within one: a smaller one is none."""

FARTHEST = 5.0
"""Standard deviations: one wild transition must not outweigh all others."""


class MotionEncoder(nn.Module):
    """φ (..., P) from transitions in any order: what they have in common, and how many they are.

    A transition is turned into moments: itself, and squares and cosines of random projections of it (Rahimi and Recht
    2007). Their mean tells distributions apart (kernel mean embedding, Muandet et al. 2017). Of its directions the
    TRAITS are kept in which behaviors differ most, measured by how much episodes of one behavior do (find_traits). What
    some transitions say of a trait is then drawn towards the average behavior by how few they are (the posterior mean
    of a normal trait). All that has a closed form, and a net learns φ from there: traits are small beside the moments
    themselves, and noisy, and one that had to find them through the occupancy's loss did so too slowly.
    """

    projection: Tensor
    phase: Tensor
    change_scale: Tensor
    mean: Tensor
    traits: Tensor
    difference: Tensor
    span: Tensor

    def __init__(self, size: int, features: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        projection = torch.randn(2 * size, PROJECTIONS, generator=generator) / math.sqrt(2 * size)
        self.register_buffer("projection", projection)
        self.register_buffer("phase", 2.0 * math.pi * torch.rand(PROJECTIONS, generator=generator))
        self.register_buffer("change_scale", torch.ones(size))
        moments = 2 * (size + PROJECTIONS)
        self.register_buffer("mean", torch.zeros(moments))
        self.register_buffer("traits", torch.zeros(moments, TRAITS))
        self.register_buffer("difference", torch.zeros(TRAITS))  # variance between behaviors over that within them
        self.register_buffer("span", torch.ones(()))  # transitions of an episode, on average
        self.known = nn.Sequential(nn.Linear(2 * TRAITS, 64), nn.SiLU(), nn.Linear(64, features - TRAITS))

    def fit(self, states: Tensor, dataset: Dataset) -> None:
        """Find the traits: states (F, E) in model space, frame by frame as in the dataset.

        Where behaviors do not differ by more than chance, or have too few episodes to tell, all drivers are alike.
        """
        frames = [dataset.frames_of(episode) for episode in np.flatnonzero(dataset.episode_length > 1)]
        behavior = dataset.behavior[dataset.episode_length > 1]
        changes = torch.cat([states[piece][1:] - states[piece][:-1] for piece in frames])
        self.change_scale.copy_(changes.square().mean(dim=0).sqrt().clamp(min=SMALLEST_CHANGE))
        means = torch.stack([self._moments(states[p][:-1], states[p][1:]).mean(dim=0) for p in frames]).double()
        self.mean.copy_(means.mean(dim=0))
        found = find_traits((means - self.mean).cpu().numpy(), behavior, TRAITS)
        self.difference.copy_(torch.from_numpy(found.difference))
        self.traits.copy_(torch.from_numpy(found.directions))
        self.span.copy_(torch.tensor(len(changes) / len(frames)))

    def signs(self, state: Tensor, after: Tensor) -> Tensor:
        """What transitions (..., E) -> (..., E) say about the traits (..., TRAITS): to be averaged over many."""
        return (self._moments(state, after) - self.mean) @ self.traits

    def forward(self, traits: Tensor, count: Tensor) -> Tensor:
        """φ (..., P) of the mean signs (..., TRAITS) of so many transitions (...)."""
        return self._features(*self._guess(traits, count))

    def draw(self, traits: Tensor, count: Tensor, noise: Tensor) -> Tensor:
        """φ (n, P) of n drivers who may have shown the mean signs (TRAITS,) in so many transitions.

        They differ from the best guess as the traits' posterior does, by noise (n, TRAITS) of the standard normal.
        """
        guess, certainty = self._guess(traits, count)
        spread = (self.difference / self.difference.clamp(min=SMALLEST_DIFFERENCE) * (1.0 - certainty)).sqrt()
        return self._features(guess + spread * noise, certainty.expand_as(noise))

    def _guess(self, traits: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean of the traits (..., TRAITS), in deviations among drivers, and how certain it is, 0 to 1."""
        evidence = self.difference * (count / self.span).unsqueeze(-1)
        certainty = evidence / (1.0 + evidence)
        return traits * certainty * self.difference.clamp(min=SMALLEST_DIFFERENCE).rsqrt(), certainty

    def _features(self, guess: Tensor, certainty: Tensor) -> Tensor:
        return torch.cat([guess, self.known(torch.cat([guess, certainty], dim=-1))], dim=-1)

    def _moments(self, state: Tensor, after: Tensor) -> Tensor:
        transition = torch.cat([state, (after - state) / self.change_scale], dim=-1).clamp(-FARTHEST, FARTHEST)
        along = transition @ self.projection
        return torch.cat([transition, along.square(), torch.cos(along + self.phase)], dim=-1)


@dataclass(frozen=True)
class Motions:
    """What the behaviors of B rows are known by."""

    traits: np.ndarray  # (B, TRAITS)
    count: np.ndarray  # (B,) transitions; 0 where nothing is known


class MotionSampler:
    """Draws what behaviors are known by: all of their episodes, some of them, or a piece of one.

    A row's own episode, whose future it would give away, is left out of what is shown of few. A behavior of a single
    episode is never known.
    """

    def __init__(self, dataset: Dataset, states: Tensor, encoder: MotionEncoder) -> None:
        self._start, self._length, self._behavior = dataset.episode_start, dataset.episode_length, dataset.behavior
        self._episodes = [np.flatnonzero(self._behavior == index) for index in range(len(dataset.behavior_names))]
        with torch.no_grad():
            signs = encoder.signs(states[:-1], states[1:]).double().cpu().numpy()
        self._sum = np.concatenate([np.zeros((1, TRAITS)), np.cumsum(signs, axis=0)])  # (F, TRAITS), up to a frame

    def draw(self, rng: np.random.Generator, frame: np.ndarray) -> Motions:
        """Draw for frames (B,): all rows of a behavior know it by the same, but for their own episodes."""
        episode = np.searchsorted(self._start, frame, side="right") - 1
        traits, count = np.zeros((len(frame), TRAITS), np.float32), np.zeros(len(frame), np.int64)
        behavior = self._behavior[episode]
        for index in np.unique(behavior):
            rows, shown = np.flatnonzero(behavior == index), self._episodes[index]
            whole = len(shown) >= ENOUGH and rng.random() < WHOLE
            if not whole:
                shown = rng.choice(shown, 1 + rng.integers(len(shown)), replace=False)
            first, last = self._start[shown], self._start[shown] + self._length[shown] - 1
            if not whole and rng.random() < PIECES:
                shown, (first, last) = shown[:1], _piece(rng, int(first[0]), int(last[0]))
            counted = whole | (episode[rows, None] != shown)  # (rows, shown)
            count[rows] = counted @ (last - first)
            traits[rows] = counted @ (self._sum[last] - self._sum[first]) / np.maximum(count[rows, None], 1)
        return Motions(traits, count)


def _piece(rng: np.random.Generator, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """The ends (1,) of a piece of the frames first .. last, its length log-uniform."""
    length = int((last - first + 1) ** rng.random())
    begin = first + int(rng.integers(last - first - length + 1)) if last > first else first
    return np.array([begin]), np.array([min(begin + length, last)])


def transitions(trajectories: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """States (n, E) and those a tick later (n, E) of trajectories (L, E)."""
    return torch.cat([path[:-1] for path in trajectories]), torch.cat([path[1:] for path in trajectories])
