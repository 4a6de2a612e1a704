"""`dvf evaluate`: how often agents succeed in simulation, beside their own prior, on the same seeds."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dvf_ros.cli.closed_loop import EpisodeOutcome, run_episode
from dvf_ros.core.results import Bar, wilson_interval, write_results
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import load_checkpoint
from dvf_ros.sim.robosuite_sim import RobosuiteSim

RESAMPLES = 10_000


@dataclass(frozen=True)
class Evaluate:
    """Measure success in simulation: every checkpoint, and the first one's behavior prior alone (no score)."""

    checkpoints: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Checkpoints to compare (the .yaml of each)."""
    first_seed: int = 1000
    """Episodes take the seeds from this one on, the same for every controller."""
    episodes: int = 50
    """Episodes per controller."""
    steps: int = 120
    """Control steps per episode."""
    processes: int = 2
    """Episodes that run at the same time."""
    result: Path = Path("results/evaluate.json")
    """Where the figures go."""


@dataclass(frozen=True)
class Controller:
    """One column of the comparison."""

    name: str
    checkpoint: Path
    scored: bool


def main(args: Evaluate) -> int:
    """Run the evaluation; status 1 if the first checkpoint is not clearly better than its prior."""
    controllers = [Controller(str(path.with_suffix("")), path, scored=True) for path in args.checkpoints]
    controllers.append(Controller(f"{controllers[0].name}: prior alone", args.checkpoints[0], scored=False))
    seeds = range(args.first_seed, args.first_seed + args.episodes)
    outcomes = {item.name: list(_run(item, seeds, args)) for item in controllers}
    figures: dict[str, object] = {"episodes": args.episodes, "steps": args.steps}
    for name, episodes in outcomes.items():
        figures[name] = _figures(episodes)
    best, prior = (np.array([item.ever for item in outcomes[c.name]], float) for c in (controllers[0], controllers[-1]))
    low, high = paired_interval(best - prior)
    figures["gain_over_prior"] = {"mean": float(np.mean(best - prior)), "low": low, "high": high}
    bars = [Bar("gain over the prior, lower end of the paired 95 % interval", low, ">", 0.0)]
    Console().print(_table(outcomes))
    Console().print(
        f"gain over the prior: {np.mean(best - prior):+.2f} (paired 95 % interval {low:+.2f} to {high:+.2f})"
    )
    return 0 if write_results(args.result, figures, bars, list(seeds)) else 1


def paired_interval(differences: np.ndarray) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of paired differences (n,)."""
    rng = np.random.default_rng(0)
    means = rng.choice(differences, (RESAMPLES, len(differences))).mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def _run(controller: Controller, seeds: range, args: Evaluate) -> Iterator[EpisodeOutcome]:
    # Spawned, not forked: torch's and MuJoCo's threads do not survive a fork.
    with ProcessPoolExecutor(args.processes, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_episode, controller, seed, args.steps) for seed in seeds]
        for future in track(futures, description=controller.name, transient=True):
            yield future.result()


@cache
def _prepare(controller: Controller) -> tuple[DvfAgent, RobosuiteSim]:
    """What a process of the pool needs, made once."""
    agent = load_checkpoint(controller.checkpoint)
    agent.configure(replace(agent.decision, policy=controller.policy))
    return agent, RobosuiteSim(agent.spec.task, agent.spec.rate)


def _episode(controller: Controller, seed: int, steps: int) -> EpisodeOutcome:
    return run_episode(*_prepare(controller), seed, steps)


def _figures(episodes: list[EpisodeOutcome]) -> dict[str, float]:
    ever, last = (sum(getattr(item, key) for item in episodes) for key in ("ever", "last"))
    low, high = wilson_interval(ever, len(episodes))
    count = len(episodes)
    return {"success_ever": ever / count, "success_low": low, "success_high": high, "success_last": last / count}


def _table(outcomes: dict[str, list[EpisodeOutcome]]) -> Table:
    table = Table("controller", "success ever", "95 % interval", "at the last step")
    for name, episodes in outcomes.items():
        row = _figures(episodes)
        interval = f"{row['success_low']:.2f} to {row['success_high']:.2f}"
        table.add_row(name, f"{row['success_ever']:.2f}", interval, f"{row['success_last']:.2f}")
    return table
