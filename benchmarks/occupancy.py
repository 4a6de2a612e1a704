"""How far the occupancy's futures are from those that happened, on Lift episodes that no training saw.

Run `python -m benchmarks.occupancy` in the environment of env.sh. The yardstick is the energy distance (Székely and
Rizzo 2013) between pairs (s_t, s_{t+Δ}) in model space: it sees what a future has to do with its present, not only
whether futures look right as a crowd. Two halves of the true data are that far apart by chance.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import Tensor

from benchmarks.task_data import task_dataset
from dvf_ros.core.results import Bar, write_results
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import load_checkpoint, save_checkpoint
from dvf_ros.learning.config import DecisionConfig, LearningConfig, TrainingConfig
from dvf_ros.learning.training import train

OFFSETS = (1, 5, 10, 20, 50)
COMPOUNDING = 10
"""Ticks from which on rolling out has to be worse."""

STATES = 2000
SPLITS = 20
SAMPLING_STEPS = 8
HELD_OUT_SEED = 500
HELD_OUT_EPISODES = 40


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
    figures: dict[str, object] = {"states": STATES, "held_out_episodes": HELD_OUT_EPISODES}
    bars, table = [], Table("ticks ahead", "occupancy", "one step at a time", "two halves of the truth", "ratio")
    for offset in OFFSETS:
        found = distances(agent, one_step, unseen, offset)
        ratio = found["occupancy"] / found["two_halves"]
        figures[str(offset)] = found | {"ratio": ratio}
        bars.append(Bar(f"occupancy at {offset} ticks, in distances of two halves", ratio, "<=", 1.5))
        if offset >= COMPOUNDING:
            left = found["rolled_out"] - found["occupancy"]
            bars.append(Bar(f"rolled out at {offset} ticks, less the occupancy's distance", left, ">", 0.0))
        names = ("occupancy", "rolled_out", "two_halves")
        table.add_row(str(offset), *(f"{found[name]:.4f}" for name in names), f"{ratio:.2f}")
    Console().print(table)
    seeds = range(HELD_OUT_SEED, HELD_OUT_SEED + HELD_OUT_EPISODES)
    return 0 if write_results(args.result, figures, bars if args.bars else [], seeds) else 1


def distances(agent: DvfAgent, one_step: DvfAgent, data: Dataset, offset: int) -> dict[str, float]:
    """Energy distances of predicted to true pairs of other episodes, and of true ones to those: means over splits."""
    rng = np.random.default_rng([1, offset])
    frame, episode = _frames_with_future(data, offset)
    drawn = rng.choice(len(frame), min(len(frame), STATES), replace=False)
    frame, episode = frame[drawn], episode[drawn]
    states = agent.encoder.encode(torch.from_numpy(np.array(data.states)))
    present, after = states[frame], states[frame + offset]
    # The other encoder was fitted to the same dataset: both models speak of the same numbers.
    pairs = {
        "occupancy": torch.cat([present, _sampled(agent, present, offset, rng)], dim=1),
        "rolled_out": torch.cat([present, rolled_out(one_step, present, offset, rng)], dim=1),
        "two_halves": torch.cat([present, after], dim=1),
    }
    truth = pairs["two_halves"]
    found = dict.fromkeys(pairs, 0.0)
    episodes = np.unique(episode)
    for _ in range(SPLITS):
        half = torch.from_numpy(np.isin(episode, rng.permutation(episodes)[: len(episodes) // 2]))
        for name, candidate in pairs.items():
            found[name] += energy_distance(candidate[half], truth[~half]) / SPLITS
    return found


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


@torch.inference_mode()
def _sampled(agent: DvfAgent, states: Tensor, offset: int, rng: np.random.Generator) -> Tensor:
    noise = torch.from_numpy(rng.standard_normal((len(states), states.shape[1] + 1), dtype=np.float32))
    behavior = torch.tensor(agent.occupancy.dropped)
    return agent.occupancy.sample(states, torch.tensor(offset), behavior, noise, SAMPLING_STEPS)[:, :-1]


def _frames_with_future(data: Dataset, offset: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames (n,) that have one `offset` ticks later in their episode, and which episode that is."""
    pieces = [data.frames_of(index) for index in range(data.episodes)]
    frames = [np.arange(piece.start, piece.stop - offset) for piece in pieces]
    return np.concatenate(frames), np.repeat(np.arange(data.episodes), [len(piece) for piece in frames])


def _trained(data: Dataset, settings: TrainingConfig, path: Path) -> DvfAgent:
    if not path.exists():
        config = LearningConfig(settings, DecisionConfig(execute=1, device="cpu"))
        with Progress(transient=True) as bar:
            task = bar.add_task(f"training {path.stem}", total=settings.updates)
            agent, _ = train(data, config, lambda update, _: bar.update(task, completed=update))
        save_checkpoint(agent, path, data.digest, commit="")
    return load_checkpoint(path)


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(
        main(tyro.cli(OccupancyBenchmark, default=QUICK if os.environ.get("QUICK") == "1" else OccupancyBenchmark()))
    )
