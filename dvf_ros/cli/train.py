"""`dvf train`: a dataset becomes a checkpoint."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import Progress

from dvf_ros.core.results import commit, write_results
from dvf_ros.data.checks import remarks, require_usable
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.checkpoint import save_checkpoint
from dvf_ros.learning.config import DecisionConfig, LearningConfig, TrainingConfig
from dvf_ros.learning.training import train


@dataclass(frozen=True)
class Train:
    """Train occupancy, reward, dynamics and behavior prior on a dataset, and write them as one checkpoint."""

    dataset: Annotated[Path, tyro.conf.Positional]
    """Dataset folder, as `dvf convert` makes it."""
    checkpoint: Annotated[Path, tyro.conf.Positional]
    """Where to write: NAME.yaml, with NAME.safetensors beside it."""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    """What shapes the weights."""
    decision: DecisionConfig = field(default_factory=DecisionConfig)
    """How the agent will decide, unless the controller is told otherwise."""
    result: Path = Path("results/train.json")
    """Where losses and times go."""


def main(args: Train) -> int:
    """Train, with a progress bar."""
    console = Console()
    dataset = Dataset.open(args.dataset)
    require_usable(dataset)
    config = LearningConfig(args.training, args.decision)
    console.print(
        f"{dataset.episodes} episodes, {dataset.frames} frames, behaviors: {', '.join(dataset.behavior_names)}"
    )
    for remark in remarks(dataset):
        console.print(f"note: {remark}", markup=False, highlight=False)
    start = time.perf_counter()
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("training", total=config.training.updates + config.training.distillation)
        agent, history = train(dataset, config, lambda update, metrics: bar.update(task, completed=update))
    seconds = time.perf_counter() - start
    save_checkpoint(agent, args.checkpoint, dataset.digest, commit())
    samples = config.training.updates * config.training.batch
    figures = {
        "seconds": seconds,
        "samples_per_second": samples / seconds,
        "episodes": dataset.episodes,
        "history": history,
    }
    write_results(args.result, figures, [], [config.training.seed])
    console.print(f"trained in {seconds:.0f} s; checkpoint: {args.checkpoint}")
    return 0
