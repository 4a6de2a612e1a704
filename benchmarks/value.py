"""V against what became of held-out Lift states: in their episodes, and many times over from the restored simulator.

Run `python -m benchmarks.value` in the environment of env.sh; started again it goes on where it was cut. Beside it,
on the same data: a perceptron regressed on the returns of all labels, and d3rlpy's fitted Q evaluation.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.continued import Cell, Outcome, outcomes
from benchmarks.resumable import trained
from benchmarks.task_data import TASKS, task_dataset
from benchmarks.value_agreement import agreement, interval, squared_error
from benchmarks.value_estimators import DVF, FQE, IN_HOPS, REGRESSED, Held, estimates
from dvf_ros.core.results import Bar, write_results
from dvf_ros.learning.config import DecisionConfig, LearningConfig, TrainingConfig
from dvf_ros.sim.behaviors import BEHAVIORS

HELD_OUT_SEED = 500
TRUTHS = ("logged", "continued")


@dataclass(frozen=True)
class ValueBenchmark:
    """Train, restore and run on, and compare."""

    episodes: int = 400
    """Episodes to train on, of the scripted behaviors."""
    updates: int = 8000
    """Training updates of everything that is trained."""
    held_out: int = 64
    """Episodes that states are taken from."""
    tail: int = 120
    """Ticks that show what becomes of a state."""
    runs: int = 16
    """How many times the simulator goes on from a restored state."""
    processes: int = 2
    """Episodes that are played at the same time."""
    folder: Path = Path("results/value")
    """Where data, checkpoint and values go; what is there already is used."""
    result: Path = Path("results/value.json")
    """Where the figures go."""
    bars: bool = True
    """Hold the figures to the bars; a short form trains too little for that."""


QUICK = ValueBenchmark(
    episodes=40,
    updates=600,
    held_out=8,
    runs=4,
    folder=Path("results/value_quick"),
    result=Path("results/value_quick.json"),
    bars=False,
)


def main(args: ValueBenchmark) -> int:
    """Run what is missing; status 1 if a bar does not hold."""
    data = task_dataset(args.folder / "dataset", "lift", args.episodes, args.processes)
    training = TrainingConfig(updates=args.updates, sampler_distillation=0, distillation=0)
    config = LearningConfig(training, DecisionConfig(device="cpu"))
    agent = trained(data, config, args.folder / "panda_lift.yaml")
    seeds = range(HELD_OUT_SEED, HELD_OUT_SEED + args.held_out)
    names = sorted(BEHAVIORS)
    cells = [
        Cell(BEHAVIORS[names[seed % len(names)]], seed, TASKS["lift"].steps, args.tail, args.runs, training.discount)
        for seed in seeds
    ]
    held = _joined(cells, outcomes(cells, args.folder / "held_out", args.processes), agent.behavior_names)
    values = estimates(agent, data, held, args.updates, args.folder)
    figures: dict[str, Any] = {name: _figures(found, held) for name, found in values.items()}
    best = {kind: _best(figures, kind) for kind in (REGRESSED, FQE)}
    against, hops_against = (
        {name: _against(values, ours, best[kind], held) for kind, name in ((REGRESSED, "regression"), (FQE, "fqe"))}
        for ours in (DVF, IN_HOPS)
    )
    Console().print(_table(figures))
    about = {
        "states": {"logged": len(held.logged), "continued": len(held.restored)},
        "standard_deviation": {truth: float(np.std(held.truth(truth)[1])) for truth in TRUTHS},
        "noise_of_continued": held.noise,
        "ceiling_of_logged": agreement(held.continued, held.logged[held.restored], held.episode[held.restored]),
        "by_behavior": _by_behavior(values[DVF], held, agent.behavior_names),
        "squared_error_as_share_of": against,
        "squared_error_in_hops_as_share_of": hops_against,
    }
    bars = _bars(figures[DVF], against) if args.bars else []
    command = shlex.join(["python", "-m", "benchmarks.value", *sys.argv[1:]])
    return 0 if write_results(args.result, figures | about, bars, seeds, command) else 1


def _joined(cells: list[Cell], outcomes: list[Outcome], behavior_names: tuple[str, ...]) -> Held:
    lengths = [len(found.states) for found in outcomes]
    starts = np.cumsum([0, *lengths[:-1]])
    named = {skill: name for name, skill in BEHAVIORS.items()}
    continued = np.concatenate([found.continued for found in outcomes])
    return Held(
        states=np.concatenate([found.states for found in outcomes]),
        actions=np.concatenate([found.actions for found in outcomes]),
        behavior=np.repeat([behavior_names.index(named[cell.skill]) for cell in cells], lengths),
        episode=np.repeat([cell.seed for cell in cells], lengths),
        logged=np.concatenate([found.logged for found in outcomes]),
        restored=np.concatenate([start + found.restored for start, found in zip(starts, outcomes, strict=True)]),
        continued=continued.mean(axis=1),
        noise=float(continued.var(axis=1, ddof=1).mean() / continued.shape[1]),
    )


def _figures(values: np.ndarray, held: Held) -> dict[str, Any]:
    """Agreement of values (N,) with either truth."""
    found = {}
    for name in TRUTHS:
        rows, truth = held.truth(name)
        found[name] = agreement(values[rows], truth, held.episode[rows], held.noise if name == "continued" else 0.0)
    return found


def _by_behavior(values: np.ndarray, held: Held, names: tuple[str, ...]) -> dict[str, Any]:
    rows, truth = held.truth("continued")
    found = {}
    for index, name in enumerate(names):
        mine = held.behavior[rows] == index
        found[name] = {
            "mean_value": float(values[rows][mine].mean()),
            "mean_return": float(truth[mine].mean()),
            **agreement(values[rows][mine], truth[mine], held.episode[rows][mine], held.noise),
        }
    return found


def _best(figures: dict[str, Any], kind: str) -> str:
    """Of the variants of one method that know the behavior, the one of least error: the method's best case."""
    variants = [name for name in figures if name.startswith(kind) and not name.endswith("unknown")]
    return min(variants, key=lambda name: figures[name]["continued"]["squared_error"])


def _against(values: dict[str, np.ndarray], ours: str, other: str, held: Held) -> dict[str, Any]:
    """The squared error of one over the other's, against either truth, with its 95 % interval by paired resampling."""
    found: dict[str, Any] = {"variant": other}
    for name in TRUTHS:
        rows, truth = held.truth(name)
        noise = held.noise if name == "continued" else 0.0
        ratio = _error_ratio(values[ours][rows], values[other][rows], truth, noise)
        found[name] = ratio(np.arange(len(rows)))
        found[f"{name}_interval"] = interval(ratio, held.episode[rows])
    return found


def _error_ratio(
    ours: np.ndarray, theirs: np.ndarray, truth: np.ndarray, noise: float
) -> Callable[[np.ndarray], float]:
    def ratio(rows: np.ndarray) -> float:
        own = squared_error(ours[rows], truth[rows]) - noise
        return own / (squared_error(theirs[rows], truth[rows]) - noise)

    return ratio


def _bars(own: dict[str, Any], against: dict[str, Any]) -> list[Bar]:
    bars = []
    for truth in TRUTHS:
        bars += [
            Bar(f"Spearman with {truth} returns", own[truth]["spearman"], ">=", 0.9),
            Bar(f"slope of {truth} returns, not too small", own[truth]["slope"], ">=", 0.9),
            Bar(f"slope of {truth} returns, not too large", own[truth]["slope"], "<=", 1.1),
            Bar(f"squared error over regression's, {truth}", against["regression"][truth], "<=", 1.0),
            Bar(f"squared error over FQE's, {truth}", against["fqe"][truth], "<=", 0.5),
        ]
    return bars


def _table(figures: dict[str, Any]) -> Table:
    heads = [f"{figure}, {truth}" for truth in TRUTHS for figure in ("Spearman", "slope", "squared error")]
    table = Table("estimated by", *heads)
    for name, found in figures.items():
        cells = [found[truth][key] for truth in TRUTHS for key in ("spearman", "slope", "squared_error")]
        table.add_row(name, *(f"{cell:.3f}" for cell in cells))
    return table


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main(tyro.cli(ValueBenchmark, default=QUICK if os.environ.get("QUICK") == "1" else ValueBenchmark())))
