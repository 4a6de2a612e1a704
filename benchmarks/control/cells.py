"""The cells of the comparison in its result file: what is there is not measured again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from benchmarks.control.learning import Cell, Job

# task -> controller -> training seed -> cell
Cells = dict[str, dict[str, dict[int, Cell]]]


def read_cells(path: Path, setting: str) -> Cells:
    """The cells of a result file; none where there is no file.

    Raises ValueError for a file whose cells were measured under another `setting`: nothing is to be lost or mixed.
    """
    if not path.exists():
        return {}
    figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
    if figures["setting"] != setting:
        raise ValueError(
            f"'{path}': expected cells of the setting {setting}, found those of {figures['setting']}; "
            "move the file away, or name another one by --result"
        )
    return {
        task: {name: {int(seed): Cell(**cell) for seed, cell in runs.items()} for name, runs in controllers.items()}
        for task, controllers in figures["cells"].items()
    }


def add_cell(cells: Cells, task: str, controller: str, seed: int, cell: Cell) -> None:
    """Put one cell into its place."""
    cells.setdefault(task, {}).setdefault(controller, {})[seed] = cell


def missing(job: Job, cells: Cells) -> tuple[str, ...]:
    """The job's controllers whose cells are not there."""
    there = cells.get(job.task, {})
    return tuple(name for name in job.controllers if job.seed not in there.get(name, {}))


def plain(cells: Cells) -> dict[str, object]:
    """As JSON takes it, sorted so that two files can be compared."""
    return {
        task: {
            name: {str(seed): asdict(runs[seed]) for seed in sorted(runs)} for name, runs in sorted(controllers.items())
        }
        for task, controllers in sorted(cells.items())
    }
