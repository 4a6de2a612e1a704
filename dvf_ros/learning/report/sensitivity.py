"""Action sensitivity: how much a score moves with the action, and how much with the noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.report.calibration import draw_frames
from dvf_ros.learning.value import blend

FEWEST_CANDIDATES = 8


@dataclass(frozen=True)
class Sensitivity:
    """Standard deviations of the score, in n states: over the candidates, and over the noise of the futures.

    `action` is what the candidates differ by once the noise is taken off; `scramble` the noise that moves candidates
    against each other, and so the choice; `shared` the noise that lifts or lowers all of them alike, which harms none.
    """

    action: np.ndarray  # (n,)
    scramble: np.ndarray  # (n,)
    shared: np.ndarray  # (n,)
    example: np.ndarray  # (R, N) scores of the N candidates of one state by R draws of noise
    futures: int

    @property
    def ratio(self) -> float:
        """The median over the states of action over scramble."""
        return float(np.median(self.action / np.maximum(self.scramble, 1e-9)))

    @property
    def blind(self) -> float:
        """The share of states in which the noise that scrambles is larger than what the action does."""
        return float((self.action < self.scramble).mean())


def measure_sensitivity(
    agent: DvfAgent, dataset: Dataset, states: int, repeats: int, rng: np.random.Generator
) -> Sensitivity | None:
    """Score the candidates of `states` recorded states `repeats` times each, with other futures every time.

    With the settings of a decision, but for what leaves a single candidate: then as if it chose the best of some. None
    where the value heads alone score: nothing is sampled.
    """
    decision = agent.decision
    if agent.uses_heads and decision.scoring == "heads":
        return None
    count = max(decision.candidates, FEWEST_CANDIDATES)
    agent.configure(replace(decision, policy="best", unsupported="report", candidates=count))
    try:
        frames = draw_frames(dataset, np.ones(dataset.frames, bool), states, rng)
        scores = [_scores(agent, dataset.states[frame], repeats, rng) for frame in frames]
    finally:
        agent.configure(decision)
    spreads = np.array([decompose(item) for item in scores])
    typical = int(np.argsort(spreads[:, 0])[len(spreads) // 2])
    return Sensitivity(spreads[:, 0], spreads[:, 1], spreads[:, 2], scores[typical], decision.futures)


def decompose(scores: np.ndarray) -> tuple[float, float, float]:
    """Standard deviations (action, scramble, shared) of scores (R, N), R, N >= 2: a two-way analysis of variance.

    score = mean + candidate + draw + what is left; the variances of the two effects are cleared of what is left.
    """
    repeats, candidates = scores.shape
    action = scores.mean(axis=0) - scores.mean()
    shared = scores.mean(axis=1) - scores.mean()
    left = scores - scores.mean() - action - shared[:, None]
    scramble = np.square(left).sum() / ((repeats - 1) * (candidates - 1))
    of_action = max(action.var(ddof=1) - scramble / repeats, 0.0)
    of_shared = max(shared.var(ddof=1) - scramble / candidates, 0.0)
    return float(np.sqrt(of_action)), float(np.sqrt(scramble)), float(np.sqrt(of_shared))


@torch.inference_mode()
def _scores(agent: DvfAgent, state: np.ndarray, repeats: int, rng: np.random.Generator) -> np.ndarray:
    state = np.array(state, np.float32)
    candidates = torch.from_numpy(agent.decide(state, rng).candidates).to(agent.device)
    start = agent.encoder.encode(torch.from_numpy(state).to(agent.device).unsqueeze(0))
    ends = agent.dynamics.predict(start.expand(len(candidates), -1), agent.normalise_action(candidates))
    known = agent.value_heads.predict(ends).mean(dim=1) if agent.uses_heads else None  # (K, N)
    scores = []
    for _ in range(repeats):
        values = agent.evaluate(ends, rng, share=agent.decision.best_share).heads  # (K, N)
        values = values if known is None else blend(known, values)
        scores.append(values.mean(dim=0) - agent.decision.pessimism * values.std(dim=0, correction=0))
    return torch.stack(scores).cpu().numpy().astype(np.float64)
