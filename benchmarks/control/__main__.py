"""Lift, Stack and PickPlaceCan from mixed scripted data, beside d3rlpy's algorithms and without parts of the agent.

Run `python -m benchmarks.control` in the environment of env.sh; started again it goes on with the cells that are
missing in its result file. `--labels scarce` hides most actions and rewards.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.console import Console
from rich.progress import Progress

from benchmarks.control.cells import Cells, add_cell, missing, plain, read_cells
from benchmarks.control.controllers import DVF, LIBRARIES, OWN, PRIOR, REGRESSED
from benchmarks.control.figures import bars_of_control, bars_of_scarcity, summary, table
from benchmarks.control.learning import Cell, Job, done
from benchmarks.scarcity import scarce_dataset
from benchmarks.task_data import TASKS, mixed_dataset
from dvf_ros.core.results import Bar, write_results
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.config import DecisionConfig, LearningConfig, TrainingConfig

Labels = Literal["full", "scarce"]
TRAINING = TrainingConfig(updates=6000, sampler_distillation=1800, distillation=1100)
"""One for all tasks: as many updates as take 5 minutes of one core."""

ACTION_SHARE, REWARD_FRAMES = 0.1, 200
"""Of the episodes, whose actions are known, and how many frames, whose reward is, where labels are scarce."""

SCARCE = (DVF, PRIOR, REGRESSED)
"""The agent's controllers where labels are scarce."""


@dataclass(frozen=True)
class Control:
    """Train on equal data for equal time, and let everybody act in the same episodes."""

    labels: Labels = "full"
    """All actions and rewards, or actions in a tenth of the episodes and rewards of 200 single frames."""
    tasks: tuple[str, ...] = tuple(TASKS)
    """Which tasks."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Training seeds."""
    demonstrations: int = 400
    """Episodes to train on; half of them succeed."""
    seconds: float = 300.0
    """Time of one core to train a library's algorithm; the agent's own, where that was more."""
    training: TrainingConfig = TRAINING
    """The agent's training; the seed is set by `seeds`."""
    regression_updates: int = 4000
    """Training updates of the regressed value."""
    first_episode: int = 200_000
    """Episodes take the seeds from this one on, the same for everybody."""
    episodes: int = 50
    """Episodes per training."""
    processes: int = 2
    """Learners that train or act at the same time, each on one core."""
    folder: Path = Path("results/control")
    """Where data and checkpoints go; what is there already is used."""
    result: Path | None = None
    """Where the figures go, and where cells are looked for; by default results/control.json or results/scarce.json."""
    full: Path = Path("results/control.json")
    """The result with all labels, which scarce ones are held against."""
    bars: bool = True
    """Hold the figures to the bars; a short form trains too little for that."""

    @property
    def path(self) -> Path:
        """The result file."""
        return self.result or Path("results") / ("control.json" if self.labels == "full" else "scarce.json")

    @property
    def setting(self) -> str:
        """All that a cell depends on, in a few letters; which tasks and seeds are run is not of it."""
        varied = replace(self, tasks=(), seeds=(), processes=0, folder=Path(), result=None, full=Path(), bars=True)
        return hashlib.sha256(repr((varied, DecisionConfig())).encode()).hexdigest()[:16]


QUICK = Control(
    tasks=("lift",),
    seeds=(0,),
    demonstrations=40,
    seconds=20.0,
    training=replace(TRAINING, updates=400, sampler_distillation=150, distillation=100),
    regression_updates=400,
    episodes=4,
    folder=Path("results/control_quick"),
    bars=False,
)


def main(args: Control) -> int:
    """Run the cells that are missing; status 1 if a bar does not hold."""
    controllers = OWN if args.labels == "full" else SCARCE
    names = (*controllers, *LIBRARIES)
    cells = read_cells(args.path, args.setting)
    for job, found in _run(args, controllers, cells):
        for name, cell in found:
            add_cell(cells, job.task, name, job.seed, cell)
        _write(args, cells, names)
    Console().print(table(summary(cells, args.tasks, args.seeds, names), args.tasks))
    return 0 if _write(args, cells, names) else 1


def _run(args: Control, controllers: tuple[str, ...], cells: Cells) -> Iterator[tuple[Job, list[tuple[str, Cell]]]]:
    """What is missing, job by job as they are done, seed by seed: its controllers and their cells.

    A library follows the agent of its task: it gets as much time as that took, and, where labels are scarce, the
    rewards that the agent's predictor says.
    """
    # Spawned, not forked: torch's and MuJoCo's threads do not survive a fork.
    with ProcessPoolExecutor(args.processes, mp_context=get_context("spawn")) as pool, Progress(transient=True) as bar:
        total = len(args.tasks) * len(args.seeds) * (len(controllers) + len(LIBRARIES))
        progress = bar.add_task("controllers", total=total)
        for seed in args.seeds:
            leading = [_job(args, DVF, task, seed, controllers) for task in args.tasks]
            running = {pool.submit(done, replace(job, controllers=missing(job, cells))): job for job in leading}
            while running:
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    job = running.pop(future)
                    yield job, future.result()
                    bar.advance(progress, len(job.controllers))
                    if job.learner != DVF:
                        continue
                    for library in LIBRARIES:
                        job = _job(args, library, job.task, seed, (library,))
                        running[pool.submit(done, replace(job, controllers=missing(job, cells)))] = job


def _job(args: Control, learner: str, task: str, seed: int, controllers: tuple[str, ...]) -> Job:
    folder = args.folder / task
    mixed_dataset(folder / "dataset", task, args.demonstrations, args.processes)
    where = folder / "dataset"
    if args.labels == "scarce":
        where = folder / f"scarce_{seed}"
        scarce_dataset(where, Dataset.open(folder / "dataset"), ACTION_SHARE, REWARD_FRAMES, seed)
    training = replace(args.training, seed=seed, label_actions=args.labels == "scarce")
    return Job(
        learner=learner,
        task=task,
        seed=seed,
        config=LearningConfig(training, DecisionConfig(device="cpu")),
        seconds=args.seconds,
        regression_updates=args.regression_updates,
        dataset=where,
        folder=folder / args.labels,
        first_episode=args.first_episode,
        episodes=args.episodes,
        steps=TASKS[task].steps,
        controllers=controllers,
    )


def _bars(args: Control, figures: dict[str, Any]) -> list[Bar]:
    if not args.bars:
        return []
    if args.labels == "full":
        return bars_of_control(figures)
    if not args.full.exists():
        return []
    return bars_of_scarcity(figures, json.loads(args.full.read_text(encoding="utf-8"))["figures"])


def _write(args: Control, cells: Cells, names: tuple[str, ...]) -> bool:
    """Write what there is so far; returns whether the bars hold."""
    figures = summary(cells, args.tasks, args.seeds, names)
    about = {"setting": args.setting, "episodes_per_training": args.episodes, "cells": plain(cells)}
    command = shlex.join(["python", "-m", "benchmarks.control", *sys.argv[1:]])
    seeds = range(args.first_episode, args.first_episode + args.episodes)
    return write_results(args.path, figures | about, _bars(args, figures), list(seeds), command)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Control, default=QUICK if os.environ.get("QUICK") == "1" else Control())))
