"""How far the occupancy's futures are from those that happened, on Lift episodes that no training saw.

Run `python -m benchmarks.occupancy` in the environment of env.sh. The yardstick is the energy distance (Székely and
Rizzo 2013) between pairs (s_t, s_{t+Δ}) in model space: it sees what a future has to do with its present, not only
whether futures look right as a crowd. Two halves of the true data are that far apart by chance.

Presents differ more than futures of one present do, so that such distances hardly tell two models apart. The energy
score (Gneiting and Raftery 2007) does: forecasts are held against what came of the very same present. Of two models the
scores differ by half of what their energy distances to the truth, given the present, do.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.resumable import trained
from benchmarks.task_data import task_dataset
from benchmarks.value_agreement import interval
from dvf_ros.core.results import Bar, write_results
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.config import DecisionConfig, LearningConfig, TrainingConfig

OFFSETS = (1, 5, 10, 20, 50)
COMPOUNDING = 10
"""Ticks from which on rolling out has to be worse."""

STATES = 2000
SPLITS = 20
SAMPLING_STEPS = 8
HOP = 10
"""Ticks that the occupancy is asked for in one go, where it is asked in hops."""

FORECASTS = 16
"""Futures of one present, for scores."""

ASKED = ("occupancy", "in_hops", "rolled_out")
TRUTH = "two_halves"
HELD_OUT_SEED = 500
HELD_OUT_EPISODES = 200


@dataclass(frozen=True)
class OccupancyBenchmark:
    """Train the occupancy and a one-step model on the same episodes, and compare both with held-out ones."""

    episodes: int = 400
    """Episodes to train on, of the scripted behaviors."""
    updates: int = 8000
    """Training updates of both."""
    processes: int = 2
    """Episodes that are played at the same time."""
    folder: Path = Path("results/occupancy")
    """Where data and checkpoints go; what is there already is used."""
    result: Path = Path("results/occupancy.json")
    """Where the figures go."""
    bars: bool = True
    """Hold the figures to the bars; a short form trains too little for that."""


QUICK = OccupancyBenchmark(
    episodes=40,
    updates=600,
    folder=Path("results/occupancy_quick"),
    result=Path("results/occupancy_quick.json"),
    bars=False,
)


def main(args: OccupancyBenchmark) -> int:
    """Train what is missing and measure; status 1 if a bar does not hold."""
    data = task_dataset(args.folder / "dataset", "lift", args.episodes, args.processes)
    unseen = task_dataset(args.folder / "held_out", "lift", HELD_OUT_EPISODES, args.processes, HELD_OUT_SEED)
    settings = TrainingConfig(updates=args.updates, sampler_distillation=0, distillation=0)
    agent = _trained(data, settings, args.folder / "panda_lift.yaml")
    one_step = _trained(data, replace(settings, chunk=1), args.folder / "one_step.yaml")
    figures: dict[str, Any] = {"states": STATES, "held_out_episodes": HELD_OUT_EPISODES}
    bars = []
    for offset in OFFSETS:
        presents = _presents(agent, unseen, offset)
        forecasts = _forecasts(agent, one_step, presents, offset)
        found = distances(presents, forecasts)
        ratio = found["occupancy"] / found[TRUTH]
        figures[str(offset)] = found | {"ratio": ratio, "scores": scores(presents, forecasts)}
        bars.append(Bar(f"occupancy at {offset} ticks, in distances of two halves", ratio, "<=", 1.5))
        if offset >= COMPOUNDING:
            left = found["rolled_out"] - found["occupancy"]
            bars.append(Bar(f"rolled out at {offset} ticks, less the occupancy's distance", left, ">", 0.0))
            gain = figures[str(offset)]["scores"]["in_hops_gain"]
            bars.append(Bar(f"score of rolling out at {offset} ticks, less the occupancy's in hops", gain, ">", 0.0))
    Console().print(*_tables(figures))
    seeds = range(HELD_OUT_SEED, HELD_OUT_SEED + HELD_OUT_EPISODES)
    command = shlex.join(["python", "-m", "benchmarks.occupancy", *sys.argv[1:]])
    return 0 if write_results(args.result, figures, bars if args.bars else [], seeds, command) else 1


@dataclass(frozen=True)
class Presents:
    """n states and what came of them, in model space."""

    state: Tensor  # (n, E)
    after: Tensor  # (n, E)
    episode: np.ndarray  # (n,)


def distances(presents: Presents, forecasts: dict[str, Tensor]) -> dict[str, float]:
    """Energy distances of predicted to true pairs of other episodes, and of true ones to those: means over splits."""
    pairs = {name: torch.cat([presents.state, futures[0]], dim=1) for name, futures in forecasts.items()}
    truth = pairs[TRUTH] = torch.cat([presents.state, presents.after], dim=1)
    found = dict.fromkeys(pairs, 0.0)
    rng, episodes = np.random.default_rng(1), np.unique(presents.episode)
    for _ in range(SPLITS):
        half = torch.from_numpy(np.isin(presents.episode, rng.permutation(episodes)[: len(episodes) // 2]))
        for name, candidate in pairs.items():
            found[name] += energy_distance(candidate[half], truth[~half]) / SPLITS
    return found


def scores(presents: Presents, forecasts: dict[str, Tensor]) -> dict[str, Any]:
    """Mean energy scores, and how far the occupancy's lie below the rolled-out model's, with 95 % intervals."""
    each = {name: energy_score(futures, presents.after) for name, futures in forecasts.items()}
    found: dict[str, Any] = {name: float(score.mean()) for name, score in each.items()}
    for name in ("occupancy", "in_hops"):
        found |= _gain(name, each["rolled_out"] - each[name], presents.episode)
    return found


def _gain(name: str, gain: np.ndarray, episode: np.ndarray) -> dict[str, Any]:
    between = interval(lambda rows: float(gain[rows].mean()), episode)
    return {f"{name}_gain": float(gain.mean()), f"{name}_gain_interval": between}


def energy_score(forecasts: Tensor, found: Tensor) -> np.ndarray:
    """E|X - y| - E|X - X'| / 2 (n,) of forecasts (K, n, D) of what was found (n, D): the lower the better."""
    spread = torch.stack([(forecasts - forecasts.roll(k, 0)).norm(dim=-1) for k in range(1, len(forecasts))])
    score: np.ndarray = ((forecasts - found).norm(dim=-1).mean(dim=0) - 0.5 * spread.mean(dim=(0, 1))).numpy()
    return score


def energy_distance(first: Tensor, second: Tensor) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| of samples (n, D) and (m, D), without the pairs of a sample with itself."""
    count, other = len(first), len(second)
    within = torch.cdist(first, first).sum() / (count * (count - 1))
    within_other = torch.cdist(second, second).sum() / (other * (other - 1))
    return float(2.0 * torch.cdist(first, second).mean() - within - within_other)


@torch.inference_mode()
def rolled_out(agent: DvfAgent, states: Tensor, ticks: int, rng: np.random.Generator) -> Tensor:
    """States (B, E) after `ticks` actions of the prior, each carried out by one of the dynamics models at random."""
    for _ in range(ticks):
        noise = torch.from_numpy(rng.standard_normal((len(states), 1, agent.spec.action_size), dtype=np.float32))
        chunk = agent.bounded(agent.prior.sample(states, noise, agent.decision.prior_steps))
        member = torch.from_numpy(rng.integers(agent.dynamics.members, size=len(states)))
        states = agent.dynamics.predict(states, chunk)[member, torch.arange(len(states))]
    return states


def _tables(figures: dict[str, Any]) -> tuple[Table, Table]:
    distances_found = Table("ticks ahead", *ASKED, TRUTH, title="energy distance of pairs")
    scores_found = Table("ticks ahead", *ASKED, title="energy score")
    for offset in map(str, OFFSETS):
        distances_found.add_row(offset, *(f"{figures[offset][name]:.4f}" for name in (*ASKED, TRUTH)))
        scores_found.add_row(offset, *(f"{figures[offset]['scores'][name]:.4f}" for name in ASKED))
    return distances_found, scores_found


def _presents(agent: DvfAgent, data: Dataset, offset: int) -> Presents:
    frame, episode = _frames_with_future(data, offset)
    drawn = np.random.default_rng([1, offset]).choice(len(frame), min(len(frame), STATES), replace=False)
    states = agent.encoder.encode(torch.from_numpy(np.array(data.states)))
    return Presents(states[frame[drawn]], states[frame[drawn] + offset], episode[drawn])


def _forecasts(agent: DvfAgent, one_step: DvfAgent, presents: Presents, offset: int) -> dict[str, Tensor]:
    """Futures (K, n, E) by every way to ask for them."""
    rng, state = np.random.default_rng([2, offset]), presents.state
    # The other encoder was fitted to the same dataset: both models speak of the same numbers.
    asked: dict[str, Callable[[], Tensor]] = {
        "occupancy": lambda: in_hops(agent, state, offset, offset, rng),
        "in_hops": lambda: in_hops(agent, state, offset, HOP, rng),
        "rolled_out": lambda: rolled_out(one_step, state, offset, rng),
    }
    return {name: torch.stack([ask() for _ in range(FORECASTS)]) for name, ask in asked.items()}


@torch.inference_mode()
def in_hops(agent: DvfAgent, states: Tensor, offset: int, hop: int, rng: np.random.Generator) -> Tensor:
    """States (B, E) `offset` ticks after states (B, E), by queries of at most `hop` ticks."""
    behavior = torch.tensor(agent.occupancy.dropped)
    for done in range(0, offset, hop):
        noise = torch.from_numpy(rng.standard_normal((len(states), states.shape[1] + 1), dtype=np.float32))
        ticks = torch.tensor(min(hop, offset - done))
        states = agent.occupancy.sample(states, ticks, behavior, noise, SAMPLING_STEPS)[:, :-1]
    return states


def _frames_with_future(data: Dataset, offset: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames (n,) that have one `offset` ticks later in their episode, and which episode that is."""
    pieces = [data.frames_of(index) for index in range(data.episodes)]
    frames = [np.arange(piece.start, piece.stop - offset) for piece in pieces]
    return np.concatenate(frames), np.repeat(np.arange(data.episodes), [len(piece) for piece in frames])


def _trained(data: Dataset, settings: TrainingConfig, path: Path) -> DvfAgent:
    return trained(data, LearningConfig(settings, DecisionConfig(execute=1, device="cpu")), path)


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(
        main(tyro.cli(OccupancyBenchmark, default=QUICK if os.environ.get("QUICK") == "1" else OccupancyBenchmark()))
    )
