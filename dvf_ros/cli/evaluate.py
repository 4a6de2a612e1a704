"""`dvf evaluate`: how often agents succeed in simulation, beside their own prior, on the same seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from dvf_ros.cli.closed_loop import EpisodeOutcome, run_episode
from dvf_ros.cli.console import Console
from dvf_ros.core.results import Bar, wilson_interval, write_results
from dvf_ros.core.worker_pool import WorkerPool
from dvf_ros.core.writing import require_writable
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import CheckpointError, common_name, load_checkpoint
from dvf_ros.learning.config import require_at_least
from dvf_ros.sim.fit import misfit
from dvf_ros.sim.robosuite_sim import TASKS, RobosuiteSim

RESAMPLES = 10_000
PRIOR = "prior alone"
ACTOR = "actor"
COMPARED: dict[str, tuple[tuple[str, object], ...]] = {
    ACTOR: (("policy", "actor"),),
    PRIOR: (("policy", "prior"),),
    f"{PRIOR} at temperature 1": (("policy", "prior"), ("prior_temperature", 1.0)),
}


@dataclass(frozen=True)
class Evaluate:
    """Measure success in simulation: every checkpoint, and of the first its actor and its behavior prior alone.

    The prior alone acts on one sample of what the candidates are drawn from, unscored: once at the checkpoint's own
    temperature and once at 1, where it does what the recorded behaviors did, errors included. An agent that learned
    without rewards, or without distillation, has no actor.
    """

    # tyro takes an empty tuple for a default; require_simulated refuses it.
    checkpoints: Annotated[
        tuple[Path, ...],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="CHECKPOINT [CHECKPOINT ...]", help_behavior_hint="(required)"),
    ]
    """Checkpoints to compare (the .yaml of each)."""
    first_seed: int = 100_000
    """Episodes take the seeds from this one on, the same for every controller."""
    episodes: int = 50
    """Episodes per controller."""
    steps: int = 120
    """Control steps per episode."""
    processes: int = 2
    """Episodes that run at the same time."""
    result: Path = Path("results/evaluate.json")
    """Where the figures go."""

    def __post_init__(self) -> None:
        require_at_least(self, 1, "episodes", "steps", "processes")
        require_at_least(self, 0, "first_seed")


@dataclass(frozen=True)
class Controller:
    """One column of the comparison."""

    name: str
    checkpoint: Path
    settings: tuple[tuple[str, object], ...] = ()
    """Run-time settings that differ from the checkpoint's own."""


def main(args: Evaluate) -> int:
    """Run the evaluation; status 1 if the first checkpoint is not clearly better than its prior."""
    require_simulated(args.checkpoints)
    require_writable(args.result)
    controllers = [Controller(str(common_name(path)), path) for path in args.checkpoints]
    best = controllers[0]
    compared = compared_with(load_checkpoint(best.checkpoint))
    controllers += [
        Controller(f"{best.name}: {name}", best.checkpoint, settings) for name, settings in compared.items()
    ]
    seeds = range(args.first_seed, args.first_seed + args.episodes)
    console = Console()
    outcomes = {item.name: list(_run(item, seeds, args, console)) for item in controllers}
    figures: dict[str, object] = {"episodes": args.episodes, "steps": args.steps}
    figures |= {name: _figures(episodes) for name, episodes in outcomes.items()}
    console.print(_table(outcomes))
    successes = {name: np.array([item.ever for item in episodes], float) for name, episodes in outcomes.items()}
    bars = []
    for name in compared:
        difference = successes[best.name] - successes[f"{best.name}: {name}"]
        low, high = paired_interval(difference)
        figures[f"gain over {name}"] = {"mean": float(difference.mean()), "low": low, "high": high}
        console.print(f"gain over {name}: {difference.mean():+.2f} (paired 95 % interval {low:+.2f} to {high:+.2f})")
        if name == PRIOR:
            bars.append(Bar("gain over the prior, lower end of the paired 95 % interval", low, ">", 0.0))
    return 0 if write_results(args.result, figures, bars, list(seeds)) else 1


def compared_with(agent: DvfAgent) -> dict[str, tuple[tuple[str, object], ...]]:
    """Settings of the controllers that the agent stands beside, by name; without the actor if it has learned none."""
    return {name: settings for name, settings in COMPARED.items() if name != ACTOR or agent.distilled}


def require_simulated(checkpoints: Sequence[Path]) -> None:
    """Raise CheckpointError where there is none, or one that is damaged or whose robot or task is not simulated."""
    if not checkpoints:
        raise CheckpointError("expected a checkpoint at least, found none: dvf evaluate CHECKPOINT.yaml")
    goals = [name for name, task in TASKS.items() if task.goal]
    for path in checkpoints:
        if found := misfit(load_checkpoint(path).spec, goals, "knows no success"):
            raise CheckpointError(
                f"'{path}' cannot be judged in simulation: {found}; see it on recorded data instead: "
                f"dvf report {path} DATASET"
            )


def paired_interval(differences: np.ndarray) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of paired differences (n,), each from -1 to 1.

    Where all are the same, resampling finds no doubt. Then as many pairs as Wilson's interval leaves open may differ,
    each as far as can be; of a single pair nothing is known.
    """
    count = len(differences)
    if count == 1:
        return -1.0, 1.0
    if np.ptp(differences) == 0.0:
        same, _ = wilson_interval(count, count)
        mean = same * float(differences[0])
        return max(mean - (1.0 - same), -1.0), min(mean + (1.0 - same), 1.0)
    rng = np.random.default_rng(0)
    means = rng.choice(differences, (RESAMPLES, count)).mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def _run(controller: Controller, seeds: range, args: Evaluate, console: Console) -> Iterator[EpisodeOutcome]:
    with WorkerPool(args.processes) as pool:
        futures = [pool.submit(_episode, controller, seed, args.steps) for seed in seeds]
        for future in track(futures, escape(controller.name), transient=True, console=console):
            yield future.result()


@cache
def _prepare(controller: Controller) -> tuple[DvfAgent, RobosuiteSim]:
    """What a process of the pool needs, made once."""
    agent = load_checkpoint(controller.checkpoint)
    agent.configure(replace(agent.decision, **dict(controller.settings)))  # type: ignore[arg-type]
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
        table.add_row(escape(name), f"{row['success_ever']:.2f}", interval, f"{row['success_last']:.2f}")
    return table
