"""Training in pieces: a run that was cut goes on where it last saved."""

from __future__ import annotations

from pathlib import Path

from rich.progress import Progress

from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import load_checkpoint, load_training, save_checkpoint, save_training
from dvf_ros.learning.config import LearningConfig
from dvf_ros.learning.training import Training

SAVE_EVERY = 250


def trained(dataset: Dataset, config: LearningConfig, path: Path) -> DvfAgent:
    """The agent in `path`, trained first where there is none; nothing is distilled.

    Beside `path` lies what a cut run has reached so far. It ends with the same bits as one that was not cut.
    """
    if not path.exists():
        training, reached = Training(dataset, config), path.with_suffix(".partial")
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
    return load_checkpoint(path)
