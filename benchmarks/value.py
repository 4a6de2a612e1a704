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
from benchmarks.value_estimators import (
    DVF,
    FQE,
    FQE_OF,
    IN_HOPS,
    REGRESSED,
    UNKNOWN,
    Held,
    Sampled,
    estimates,
    shipped_values,
)
from dvf_ros.core.results import Bar, write_results
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.config import DecisionConfig, LearningConfig, TrainingConfig
from dvf_ros.sim.behaviors import BEHAVIORS

HELD_OUT_SEED = 500
TRUTHS = ("logged", "continued")
MEAN = "mean of all trainings"
SHIPPED_NAME = f"shipped checkpoint, {UNKNOWN}"


@dataclass(frozen=True)
class ValueBenchmark:
    """Train, restore and run on, and compare."""

    episodes: int = 400
    """Episodes to train on, of the scripted behaviors."""
    updates: int = 8000
    """Training updates of all that is trained but FQE."""
    fqe_updates: tuple[int, ...] = (8000, 40_000)
    """FQE's updates, ascending; it is valued after each. It takes over its target every hundred."""
    trainings: int = 3
    """How many times everything is trained, with the seeds from 0 on."""
    held_out: int = 64
    """Episodes that states are taken from."""
    tail: int = 200
    """Ticks that show what becomes of a state; what comes later has 0.2 % of the weight."""
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
    fqe_updates=(600, 1200),
    trainings=2,
    held_out=8,
    runs=4,
    folder=Path("results/value_quick"),
    result=Path("results/value_quick.json"),
    bars=False,
)


def main(args: ValueBenchmark) -> int:
    """Run what is missing; status 1 if a bar does not hold."""
    data = task_dataset(args.folder / "dataset", "lift", args.episodes, args.processes)
    agents = [_trained(data, args, seed) for seed in range(args.trainings)]
    discount, names = agents[0].training_config.discount, sorted(BEHAVIORS)
    seeds = range(HELD_OUT_SEED, HELD_OUT_SEED + args.held_out)
    cells = [
        Cell(BEHAVIORS[names[seed % len(names)]], seed, TASKS["lift"].steps, args.tail, args.runs, discount)
        for seed in seeds
    ]
    held = _joined(cells, outcomes(cells, args.folder / "held_out", args.processes), agents[0].behavior_names)
    by_training = [estimates(agent, data, held, args.updates, args.fqe_updates, args.folder) for agent in agents]
    found = {name: [one[name] for one in by_training] for name in by_training[0]}
    values = {name: np.stack([one.value for one in trainings]) for name, trainings in found.items()}
    figures: dict[str, Any] = {name: _figures(trainings, held) for name, trainings in values.items()}
    kinds = {"regression": REGRESSED, "fqe": FQE, "fqe as it comes": FQE_OF["cloned"]}
    others = {name: _best(figures, kind) for name, kind in kinds.items()}
    means = {name: values[name].mean(axis=0) for name in (DVF, IN_HOPS, *dict.fromkeys(others.values()))}
    figures |= {f"{name}, {MEAN}": _figures(mean, held) for name, mean in means.items()}
    figures[SHIPPED_NAME] = _figures(shipped_values(held), held)
    against, hops_against, mean_against, mean_hops_against = (
        {name: _against(of, ours, other, held) for name, other in others.items()}
        for of in (values, means)
        for ours in (DVF, IN_HOPS)
    )
    Console().print(_table(figures))
    about = {
        "states": {"logged": len(held.logged), "continued": len(held.restored)},
        "standard_deviation": {truth: float(np.std(held.truth(truth)[1])) for truth in TRUTHS},
        "noise_of_continued": held.noise,
        "ceiling_of_logged": agreement(held.continued, held.logged[held.restored], held.episode[held.restored]),
        "by_behavior": _by_behavior(values[DVF], held, agents[0].behavior_names),
        "squared_error_as_share_of": against,
        "squared_error_in_hops_as_share_of": hops_against,
        "squared_error_of_means_as_share_of": mean_against,
        "squared_error_of_means_in_hops_as_share_of": mean_hops_against,
        "error_in_deviations": {name: in_deviations(found[name], held) for name in (DVF, IN_HOPS)},
    }
    bars = _bars(figures[DVF], against) if args.bars else []
    command = shlex.join(["python", "-m", "benchmarks.value", *sys.argv[1:]])
    return 0 if write_results(args.result, figures | about, bars, seeds, command) else 1


def _trained(data: Dataset, args: ValueBenchmark, seed: int) -> DvfAgent:
    training = TrainingConfig(seed=seed, updates=args.updates, sampler_distillation=0, distillation=0)
    return trained(
        data, LearningConfig(training, DecisionConfig(device="cpu")), args.folder / f"panda_lift_{seed}.yaml"
    )


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
    """Agreement of values (N,) or, of several trainings, (S, N) with either truth."""
    found = {}
    for name in TRUTHS:
        rows, truth = held.truth(name)
        found[name] = agreement(
            values[..., rows], truth, held.episode[rows], held.noise if name == "continued" else 0.0
        )
    return found


def _by_behavior(values: np.ndarray, held: Held, names: tuple[str, ...]) -> dict[str, Any]:
    rows, truth = held.truth("continued")
    found = {}
    for index, name in enumerate(names):
        mine = held.behavior[rows] == index
        found[name] = {
            "mean_value": float(values[:, rows[mine]].mean()),
            "mean_return": float(truth[mine].mean()),
            **agreement(values[:, rows[mine]], truth[mine], held.episode[rows][mine], held.noise),
        }
    return found


def _best(figures: dict[str, Any], kind: str) -> str:
    """Of the variants of one method that know the behavior, the one of least error: the method's best case."""
    variants = [name for name in figures if name.startswith(kind) and not name.endswith("unknown")]
    return min(variants, key=lambda name: figures[name]["continued"]["squared_error"])


def _against(values: dict[str, np.ndarray], ours: str, other: str, held: Held) -> dict[str, Any]:
    """The squared error of one over the other's, against either truth, with its 95 % interval by paired resampling.

    Of values (S, N) of several trainings both errors are means over trainings.
    """
    found: dict[str, Any] = {"variant": other}
    for name in TRUTHS:
        rows, truth = held.truth(name)
        noise = held.noise if name == "continued" else 0.0
        ratio = _error_ratio(values[ours][..., rows], values[other][..., rows], truth, noise)
        found[name] = ratio(np.arange(len(rows)))
        found[f"{name}_interval"] = interval(ratio, held.episode[rows])
    return found


def _error_ratio(
    ours: np.ndarray, theirs: np.ndarray, truth: np.ndarray, noise: float
) -> Callable[[np.ndarray], float]:
    def ratio(rows: np.ndarray) -> float:
        own, other = (squared_error(values[..., rows], truth[rows]) - noise for values in (ours, theirs))
        return own / other

    return ratio


def in_deviations(trainings: list[Sampled], held: Held) -> dict[str, float]:
    """Root mean square of the errors against the simulator's runs in their error bars: 1 for true ones, more for small.

    Of one training by what it says itself; of the mean of all with how these differ added; and by that alone.
    """
    rows, truth = held.truth("continued")
    values = np.stack([one.value[rows] for one in trainings])
    said = np.square([one.deviation[rows] for one in trainings])
    differ = values.var(axis=0, ddof=1)

    def size(errors: np.ndarray, variance: np.ndarray) -> float:
        return float(np.sqrt(np.mean(np.square(errors) / (variance + held.noise))))

    return {
        "of one training": size(values - truth, said),
        "of their mean": size(values.mean(axis=0) - truth, said.mean(axis=0) + differ),
        "of their mean, by how they differ": size(values.mean(axis=0) - truth, differ),
    }


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
