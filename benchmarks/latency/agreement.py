"""Whether the fast path ranks candidates as the exact sampler does, and succeeds as often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from scipy.stats import spearmanr

from benchmarks.simulation import simulation
from dvf_ros.cli.closed_loop import EpisodeOutcome, run_episode
from dvf_ros.core.worker_pool import WorkerPool
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import load_checkpoint
from dvf_ros.learning.config import DecisionConfig

EXACT_FUTURES = 256
EXACT_STEPS = 100
EPISODES = 4


def exact(decision: DecisionConfig, futures: int, steps: int) -> DecisionConfig:
    """The settings of the sampler that integrates the flow in `steps` steps, with `futures` futures."""
    return replace(
        decision, sampler="exact", scoring="futures", futures=futures, occupancy_steps=steps, prior_steps=steps
    )


def visited_states(agent: DvfAgent, first_seed: int, steps: int) -> np.ndarray:
    """States (n, D) in which the agent, as it is configured, decides in the first EPISODES episodes."""
    sim = simulation(agent.spec.task, agent.spec.rate)
    return np.concatenate([run_episode(agent, sim, first_seed + number, steps).states for number in range(EPISODES)])


def rank_agreement(agent: DvfAgent, states: np.ndarray) -> dict[str, float]:
    """Spearman of the fast path's scores with those of the exact sampler, on the same candidates in states (n, D).

    `pooled` over the candidates of all states, `per_state` the mean of what it is within each. `ceiling`: the same
    of the exact sampler with itself, other randomness; no estimate can agree with it much better. `gain`: how much
    better than the mean candidate the chosen ones are by the second exact run, as a share of what its best ones gain.
    """
    usual = agent.decision
    fast, first, second = [], [], []
    for number, state in enumerate(track(states, "exact scores", transient=True)):
        decision = agent.decide(state, np.random.default_rng([2, number]))
        fast.append(decision.scores)
        agent.configure(replace(exact(usual, EXACT_FUTURES, EXACT_STEPS), threads=torch.get_num_threads()))
        first.append(_scores(agent, state, decision.candidates, np.random.default_rng([3, number])))
        second.append(_scores(agent, state, decision.candidates, np.random.default_rng([4, number])))
        agent.configure(usual)
    return {
        "gain": _gain(fast, second),
        "gain_of_exact": _gain(first, second),
        "pooled": _pooled(fast, first),
        "per_state": _per_state(fast, first),
        "ceiling_pooled": _pooled(first, second),
        "ceiling_per_state": _per_state(first, second),
    }


def paired_episodes(
    checkpoint: Path, decisions: dict[str, DecisionConfig], seeds: range, steps: int, processes: int
) -> Iterator[tuple[str, list[EpisodeOutcome]]]:
    """Episodes of the same seeds under each of the settings, by their names."""
    with WorkerPool(processes) as pool:
        for name, decision in decisions.items():
            waiting = [pool.submit(_episode, checkpoint, decision, seed, steps) for seed in seeds]
            yield name, [item.result() for item in track(waiting, f"episodes, {name}", transient=True)]


@torch.inference_mode()
def _scores(agent: DvfAgent, state: np.ndarray, candidates: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    chunks = agent.normalise_action(torch.from_numpy(candidates).to(agent.device))
    start = agent.encoder.encode(torch.from_numpy(state).to(agent.device)).expand(len(chunks), -1)
    estimate = agent.evaluate(agent.dynamics.predict(start, chunks), rng)
    return (estimate.value - agent.decision.pessimism * estimate.disagreement).cpu().numpy()


def _pooled(first: list[np.ndarray], second: list[np.ndarray]) -> float:
    return float(spearmanr(np.concatenate(first), np.concatenate(second))[0])


def _per_state(first: list[np.ndarray], second: list[np.ndarray]) -> float:
    return float(np.mean([spearmanr(one, other)[0] for one, other in zip(first, second, strict=True)]))


def _gain(scores: list[np.ndarray], truth: list[np.ndarray]) -> float:
    gained = sum(true[score.argmax()] - true.mean() for score, true in zip(scores, truth, strict=True))
    return float(gained / sum(true.max() - true.mean() for true in truth))


@cache
def _agent(checkpoint: Path, decision: DecisionConfig) -> DvfAgent:
    return load_checkpoint(checkpoint, decision=decision)


def _episode(checkpoint: Path, decision: DecisionConfig, seed: int, steps: int) -> EpisodeOutcome:
    agent = _agent(checkpoint, decision)
    return run_episode(agent, simulation(agent.spec.task, agent.spec.rate), seed, steps)
