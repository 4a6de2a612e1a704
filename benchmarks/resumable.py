"""Long work in pieces: a training or a table of cells that was cut goes on where it last saved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from rich.progress import Progress, track

from dvf_ros.core.worker_pool import WorkerPool
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import (
    load_checkpoint,
    load_training,
    read_description,
    save_checkpoint,
    save_training,
)
from dvf_ros.learning.config import LearningConfig, TrainingConfig
from dvf_ros.learning.training import Training

SAVE_EVERY = 250


class Keyed(Protocol):
    """What can be found again."""

    @property
    def key(self) -> str:
        """All that its outcome depends on."""


def trained(dataset: Dataset, config: LearningConfig, path: Path) -> DvfAgent:
    """The agent in `path`, trained first where there is none; nothing is distilled.

    Beside `path` lies what a cut run has reached so far. It ends with the same bits as one that was not cut. Raises
    ValueError where what is there was made otherwise.
    """
    if not path.exists():
        training, reached = Training(dataset, config), path.with_suffix(f".{digest(config, dataset.digest)}.partial")
        if reached.exists():
            load_training(training, reached)
        with Progress(transient=True) as bar:
            task = bar.add_task(f"training {path.stem}", total=config.training.updates)
            while training.updates < config.training.updates:
                training.update()
                bar.update(task, completed=training.updates)
                if training.updates % SAVE_EVERY == 0:
                    save_training(training, reached)
        training.fit_support()
        save_checkpoint(training.agent, path, dataset.digest, commit="")
        reached.unlink(missing_ok=True)
    return stored_agent(path, dataset, config.training)


def stored_agent(path: Path, dataset: Dataset, training: TrainingConfig) -> DvfAgent:
    """The agent in `path`; raises ValueError unless it is what this training makes of this dataset."""
    about = read_description(path)
    for what, expected, found in (
        ("the settings", training, about.training),
        ("the dataset", dataset.digest, about.dataset_digest),
    ):
        if expected != found:
            made_of = f"expected an agent of {what} {expected}, found one of {found}"
            raise ValueError(f"'{path}': {made_of}; remove it, or name another folder")
    return load_checkpoint(path)


def digest(*settings: object) -> str:
    """A few letters that say by what something was made: other settings, other letters."""
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:12]


def run_cells[Cell: Keyed](
    path: Path, cells: Sequence[Cell], run: Callable[[Cell], Any], processes: int, what: str
) -> dict[str, Any]:
    """The outcome `run(cell)` of every cell by key: those that lie in `path`, and the others, added to it one by one.

    An outcome is what JSON can hold; `what` is the word for cells beside the progress bar.
    """
    found = dict(map(json.loads, path.read_text().splitlines())) if path.exists() else {}
    left = [cell for cell in cells if cell.key not in found]
    with WorkerPool(processes) as pool, open(path, "a") as file:
        for cell, outcome in zip(left, track(pool.map(run, left), what, len(left), transient=True), strict=True):
            print(json.dumps([cell.key, outcome]), file=file, flush=True)
            found[cell.key] = outcome
    return found
