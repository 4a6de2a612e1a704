"""Lift, Stack and PickPlaceCan from mixed scripted data, beside d3rlpy's algorithms and without parts of the agent.

Run `python -m benchmarks.control` in the environment of env.sh; started again it goes on with the cells that are
missing in its result file. `--labels scarce` hides most actions and rewards.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.console import Console
from rich.progress import Progress

from benchmarks.control.cells import Cells, add_cell, current, left, plain, read_cells
from benchmarks.control.controllers import DVF, LIBRARIES, OWN, PRIOR, REGRESSED
from benchmarks.control.figures import bars_of_control, bars_of_scarcity, complete, success, summary, table
from benchmarks.control.learning import Cell, Job, done
from benchmarks.scarcity import scarce_dataset
from benchmarks.task_data import TASKS, mixed_dataset
from dvf_ros.core.results import Bar, write_results
from dvf_ros.core.worker_pool import WorkerPool
from dvf_ros.learning.config import DecisionConfig, LearningConfig, TrainingConfig

Labels = Literal["full", "scarce"]
TRAINING = TrainingConfig(
    discount=0.985,
    chunk=12,
    perturbation=0.02,
    relative_positions=True,
    updates=4600,
    sampler_distillation=1300,
    distillation=380,
)
"""One for all tasks: as many updates as take no more than 5 minutes of one core on the largest of them."""

DECISION = DecisionConfig(
    candidates=16, prior_temperature=0.4, pessimism=3.0, scoring="futures", actor_proposes=False, device="cpu"
)
"""One for all tasks, chosen on the seeds from 30000 on."""

LEARNERS = (DVF, *LIBRARIES)

ACTION_SHARE, REWARD_FRAMES = 0.1, 200
"""Of the episodes, whose actions are known, and how many frames, whose reward is, where labels are scarce."""

COMMITTED = Path(__file__).parents[1] / "results" / "control.json"

SCARCE = (DVF, PRIOR, REGRESSED)
"""The agent's controllers where labels are scarce."""


@dataclass(frozen=True)
class Control:
    """Train on equal data for equal time, and let everybody act in the same episodes."""

    labels: Labels = "full"
    """All actions and rewards, or actions in a tenth of the episodes and rewards of 200 single frames."""
    tasks: tuple[str, ...] = tuple(TASKS)
    """Which tasks."""
    learners: tuple[str, ...] = LEARNERS
    """Whose missing cells are run: the agent's, the libraries'."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Training seeds."""
    demonstrations: int = 400
    """Episodes to train on; half of them succeed."""
    seconds: float = 300.0
    """Time of one core to train a library's algorithm."""
    training: TrainingConfig = TRAINING
    """The agent's training; the seed is set by `seeds`."""
    decision: DecisionConfig = DECISION
    """How the agent decides."""
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
    results: Path = Path("results")
    """Folder of control.json and scarce.json: where the figures go, and where cells are looked for."""
    bars: bool = True
    """Hold the figures to the bars; a short form trains too little for that."""

    @property
    def path(self) -> Path:
        """The result file."""
        return self.full if self.labels == "full" else self.results / "scarce.json"

    @property
    def full(self) -> Path:
        """The result with all labels, which scarce ones are held against."""
        return self.results / "control.json"


QUICK = Control(
    tasks=("lift",),
    seeds=(0,),
    demonstrations=40,
    seconds=20.0,
    training=replace(TRAINING, updates=400, sampler_distillation=150, distillation=100),
    regression_updates=400,
    episodes=4,
    folder=Path("results/control_quick"),
    results=Path("results/control_quick"),
    bars=False,
)


def main(args: Control) -> int:
    """Run the cells that are missing; status 1 if a bar does not hold, or cannot be held yet."""
    jobs = jobs_of(args)
    for job, found in _run(args, jobs):
        _write(args, jobs, [(job, *named) for named in found])
    holds = _write(args, jobs, [])
    names = list(dict.fromkeys(name for job in jobs for name in job.controllers))
    figures = summary(_cells(args, jobs), args.tasks, args.seeds, names)
    Console().print(table(figures, args.tasks))
    if args.bars and (wanting := _wanting(args, figures)):
        Console(stderr=True).print(f"no bar is held before these are measured: {wanting}", markup=False)
        return 1
    return 0 if holds else 1


def jobs_of(args: Control) -> list[Job]:
    """All there is to do, for every training seed, learner and task."""
    return [_job(args, learner, task, seed) for seed in args.seeds for learner in LEARNERS for task in args.tasks]


def _run(args: Control, jobs: Sequence[Job]) -> Iterator[tuple[Job, list[tuple[str, Cell]]]]:
    """What is missing, job by job as they are done: its controllers and their cells.

    Where labels are scarce, libraries learn from the agent of their task and seed, and wait for it.
    """
    todo = left(jobs, args.learners, _cells(args, jobs))
    for job in todo:
        _play(args, job)
    with WorkerPool(args.processes) as pool, Progress(transient=True) as bar:
        progress = bar.add_task("learners", total=len(todo))
        for waiting in (False, True):
            running = {pool.submit(done, job): job for job in todo if job.learns_from_agent == waiting}
            for future in as_completed(running):
                yield running[future], future.result()
                bar.advance(progress)


def _play(args: Control, job: Job) -> None:
    """The data that a job learns from, where it is not there yet."""
    data = mixed_dataset(args.folder / job.task / "dataset", job.task, args.demonstrations, args.processes)
    if args.labels == "scarce":
        scarce_dataset(job.dataset, data, ACTION_SHARE, REWARD_FRAMES, job.seed)


def _job(args: Control, learner: str, task: str, seed: int) -> Job:
    folder, scarce = args.folder / task, args.labels == "scarce"
    own = SCARCE if scarce else OWN
    return Job(
        learner=learner,
        data=f"{args.demonstrations} episodes, labels {args.labels}",
        task=task,
        seed=seed,
        config=LearningConfig(replace(args.training, seed=seed, label_actions=scarce), args.decision),
        seconds=args.seconds,
        regression_updates=args.regression_updates,
        dataset=folder / (f"scarce_{seed}" if scarce else "dataset"),
        folder=folder / args.labels,
        first_episode=args.first_episode,
        episodes=args.episodes,
        steps=TASKS[task].steps,
        controllers=own if learner == DVF else (learner,),
        learns_from_agent=scarce and learner != DVF,
    )


def _cells(args: Control, jobs: Sequence[Job]) -> Cells:
    """What the result file holds of the jobs."""
    return current(read_cells(args.path), jobs)


def _bars(args: Control, figures: dict[str, Any]) -> list[Bar]:
    if not args.bars or _wanting(args, figures):
        return []
    return bars_of_control(figures) if args.labels == "full" else bars_of_scarcity(figures, _with_all_labels(args))


def _wanting(args: Control, figures: dict[str, Any]) -> str:
    """Whose cells are missing, so that nothing can be held to the bars; empty if none are."""
    wanting = list(figures["missing"])
    if args.labels == "scarce" and not _with_all_labels(args):
        wanting.append(f"{DVF} with all labels")
    return ", ".join(wanting)


def _with_all_labels(args: Control) -> dict[str, float]:
    """Final success of the agent by task, of the same settings: as measured here, or else as committed; or nothing."""
    jobs = [job for job in jobs_of(replace(args, labels="full")) if job.learner == DVF]
    cells = current(read_cells(args.full if args.full.exists() else COMMITTED), jobs)
    return success(cells, "last")[DVF] if complete(cells, args.tasks, args.seeds, [DVF]) else {}


def _write(args: Control, jobs: Sequence[Job], found: Sequence[tuple[Job, str, Cell]]) -> bool:
    """Add cells to the result file, which another process may have added to as well; returns whether the bars hold.

    The figures are those of the jobs; cells of other tasks, seeds and settings stay where they are.
    """
    cells = read_cells(args.path)
    for job, name, cell in found:
        add_cell(cells, job.task, name, job.seed, cell)
    names = list(dict.fromkeys(name for job in jobs for name in job.controllers))
    figures = summary(current(cells, jobs), args.tasks, args.seeds, names)
    about = {"episodes_per_training": args.episodes, "cells": plain(cells)}
    command = shlex.join(["python", "-m", "benchmarks.control", *sys.argv[1:]])
    seeds = range(args.first_episode, args.first_episode + args.episodes)
    return write_results(args.path, figures | about, _bars(args, figures), list(seeds), command)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Control, default=QUICK if os.environ.get("QUICK") == "1" else Control())))
