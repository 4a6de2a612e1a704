"""The cells of the comparison in its result file: what is there is not measured again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.control.controllers import DVF
from benchmarks.control.learning import Cell, Job

# task -> controller -> training seed -> cell
Cells = dict[str, dict[str, dict[int, Cell]]]


def read_cells(path: Path) -> Cells:
    """The cells of a result file; none where there is no file."""
    if not path.exists():
        return {}
    figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
    return {
        task: {name: {int(seed): Cell(**cell) for seed, cell in runs.items()} for name, runs in controllers.items()}
        for task, controllers in figures["cells"].items()
    }


def add_cell(cells: Cells, task: str, controller: str, seed: int, cell: Cell) -> None:
    """Put one cell into its place."""
    cells.setdefault(task, {}).setdefault(controller, {})[seed] = cell


def missing(job: Job, cells: Cells) -> tuple[str, ...]:
    """The job's controllers whose cells are not there, or were measured under other settings."""
    runs = (cells.get(job.task, {}).get(name, {}).get(job.seed) for name in job.controllers)
    return tuple(
        name for name, cell in zip(job.controllers, runs, strict=True) if cell is None or cell.setting != job.setting
    )


def left(jobs: Iterable[Job], learners: Iterable[str], cells: Cells) -> list[Job]:
    """What is to be done: the learners' jobs, each with the controllers whose cells are missing.

    An agent whose cells are all there is among them, with no controller to judge, where a library still learns from it.
    """
    jobs, learners = list(jobs), set(learners)
    absent = [replace(job, controllers=missing(job, cells) if job.learner in learners else ()) for job in jobs]
    taught = {(job.task, job.seed) for job in absent if job.controllers and job.learns_from_agent}
    return [job for job in absent if job.controllers or (job.learner == DVF and (job.task, job.seed) in taught)]


def current(cells: Cells, jobs: Iterable[Job]) -> Cells:
    """The cells of the jobs, without those that were measured under other settings."""
    found: Cells = {}
    for job in jobs:
        absent = missing(job, cells)
        for name in (name for name in job.controllers if name not in absent):
            add_cell(found, job.task, name, job.seed, cells[job.task][name][job.seed])
    return found


def plain(cells: Cells) -> dict[str, object]:
    """As JSON takes it, sorted so that two files can be compared."""
    return {
        task: {
            name: {str(seed): asdict(runs[seed]) for seed in sorted(runs)} for name, runs in sorted(controllers.items())
        }
        for task, controllers in sorted(cells.items())
    }
