"""`dvf train`: a dataset becomes a checkpoint."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.progress import Progress

from dvf_ros.cli.console import Console
from dvf_ros.core.results import commit, write_results
from dvf_ros.core.writing import require_writable
from dvf_ros.data.checks import remarks, require_usable
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.checkpoint import require_place, save_checkpoint
from dvf_ros.learning.config import DecisionConfig, LearningConfig, TrainingConfig
from dvf_ros.learning.device import choose_device
from dvf_ros.learning.training import train
from dvf_ros.learning.workers import Workers, joined


@dataclass(frozen=True)
class Train:
    """Train occupancy, reward, dynamics and behavior prior on a dataset, and write them as one checkpoint.

    On several cores, GPUs or machines: `torchrun --nproc-per-node 2 -m dvf_ros.cli train ...`. Each process draws its
    share of every batch, all take the mean of their gradients, and the first one writes.
    """

    dataset: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
    """Dataset folder, as `dvf convert` makes it."""
    checkpoint: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CHECKPOINT")]
    """Where to write: NAME.yaml, with NAME.safetensors beside it."""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    """What shapes the weights."""
    decision: DecisionConfig = field(default_factory=DecisionConfig)
    """How the agent will decide, unless the controller is told otherwise."""
    result: Path = Path("results/train.json")
    """Where losses and times go."""


def main(args: Train) -> int:
    """Train, with a progress bar."""
    config = LearningConfig(args.training, args.decision)
    with joined(choose_device(config.decision.device)) as workers:
        _train(args, config, workers)
    return 0


def _train(args: Train, config: LearningConfig, workers: Workers) -> None:
    console = Console(quiet=not workers.leads)
    dataset = Dataset.open(args.dataset)
    require_usable(dataset)
    if workers.leads:
        require_place(args.checkpoint)
        require_writable(args.result)
    console.print(
        f"{dataset.episodes} episodes, {dataset.frames} frames, behaviors: {', '.join(dataset.behavior_names)}",
        markup=False,
    )
    for remark in remarks(dataset):
        console.print(f"note: {remark}", markup=False, highlight=False)
    start = time.perf_counter()
    settings = config.training
    with Progress(console=console, transient=True) as bar:
        total = settings.updates + settings.sampler_distillation + settings.distillation
        task = bar.add_task("training", total=total)
        agent, history = train(
            dataset, config, lambda update, metrics: bar.update(task, completed=update), workers=workers
        )
    if not workers.leads:
        return
    seconds = time.perf_counter() - start
    if settings.label_actions:
        console.print(
            f"inverse dynamics: labelled {history[0]['inverse_dynamics/frames']:.0f} frames; in episodes held out it "
            f"explains {history[0]['inverse_dynamics/explained']:.0%} of the actions' variance"
        )
    written = save_checkpoint(agent, args.checkpoint, dataset.digest, commit())
    figures = {
        "seconds": seconds,
        "samples_per_second": settings.updates * settings.batch / seconds,
        "workers": workers.count,
        "episodes": dataset.episodes,
        "history": history,
    }
    write_results(args.result, figures, [], [settings.seed])
    console.print(f"trained in {seconds:.0f} s; checkpoint: {written}", markup=False, soft_wrap=True)
