"""`dvf reproduce`: all that led to the shipped checkpoint, from an empty folder to its evaluation."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import Progress

from dvf_ros.cli.console import Console
from dvf_ros.cli.convert import Convert
from dvf_ros.cli.convert import main as convert
from dvf_ros.cli.evaluate import Evaluate, require_simulated
from dvf_ros.cli.evaluate import main as evaluate
from dvf_ros.cli.shipped import shipped_file
from dvf_ros.cli.train import Train
from dvf_ros.cli.train import main as train
from dvf_ros.learning.checkpoint import CheckpointError
from dvf_ros.learning.config import require_at_least

PATIENCE = 30.0
"""s for the nodes of a collection to end when it is left early."""


@dataclass(frozen=True)
class Reproduce:
    """Collect through the topics, convert, train, and evaluate beside the shipped checkpoint; needs `. ./env.sh`."""

    episodes: int = 400
    """Episodes to collect, round robin over the scripted behaviors."""
    shipped: Path | None = field(default_factory=lambda: shipped_file("resource/panda_lift.yaml"))
    """The checkpoint to compare with; None: the new one is evaluated alone."""
    evaluation_episodes: int = 50
    """Episodes per controller in the evaluation."""
    folder: Path = Path("results/reproduce")
    """Where everything goes; bags and a dataset that are there already are used, the checkpoint is trained anew."""

    def __post_init__(self) -> None:
        require_at_least(self, 1, "episodes", "evaluation_episodes")


def main(args: Reproduce) -> int:
    """Run the four steps; the first that fails ends it with its status.

    Raises CheckpointError, before the first one, where there is nothing to compare with.
    """
    console = Console()
    if shutil.which("ros2") is None:
        console.print("ros2 is not on the PATH: source the environment first (. ./env.sh)")
        return 1
    bags, dataset, checkpoint = args.folder / "bags", args.folder / "dataset", args.folder / "panda_lift.yaml"
    checkpoints: tuple[Path, ...] = (checkpoint,)
    if args.shipped:
        _require_comparable(args.shipped)
        checkpoints = (checkpoint, args.shipped)
    steps: list[tuple[str, Callable[[], int]]] = [
        ("collect", lambda: _collect(bags, args)),
        ("convert", lambda: convert(Convert((bags, dataset)))),
        ("train", lambda: train(Train(dataset, checkpoint, result=args.folder / "train.json"))),
        (
            "evaluate",
            lambda: evaluate(
                Evaluate(checkpoints, episodes=args.evaluation_episodes, result=args.folder / "evaluate.json")
            ),
        ),
    ]
    begin = time.perf_counter()
    for number, (name, step) in enumerate(steps, 1):
        console.rule(f"{number}/{len(steps)} {name}")
        start = time.perf_counter()
        status = step()
        console.print(f"{name}: {time.perf_counter() - start:.0f} s")
        if status:
            return status
    minutes = (time.perf_counter() - begin) / 60
    console.print(f"all of it: {minutes:.1f} minutes; figures in {args.folder}", markup=False)
    return 0


def _require_comparable(path: Path) -> None:
    """Raise CheckpointError where a checkpoint cannot be evaluated: long before its turn."""
    try:
        require_simulated((path,))
    except CheckpointError as error:
        raise CheckpointError(
            f"--shipped: {error}; or name another checkpoint, or compare with none: --shipped None"
        ) from error


def _collect(bags: Path, args: Reproduce) -> int:
    log = args.folder / "collect.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [f"episodes:={args.episodes}", f"output:={bags}", f"result:={args.folder / 'collect.json'}"]
    with open(log, "wb") as output, Progress(console=Console(), transient=True) as bar:
        task = bar.add_task("collecting", total=args.episodes)
        launch = subprocess.Popen(
            ["ros2", "launch", "dvf_ros", "collect.launch.py", *words], stdout=output, stderr=subprocess.STDOUT
        )
        try:
            # A bag has its metadata once it is closed.
            while launch.poll() is None:
                bar.update(task, completed=len(list(bags.glob("*/metadata.yaml"))))
                time.sleep(0.5)
        finally:
            _end(launch)
    if launch.returncode:
        print(f"the collection ended with status {launch.returncode}; what it said is in {log}", file=sys.stderr)
        return 1
    return 0


def _end(launch: subprocess.Popen[bytes]) -> None:
    """Wait for the nodes of a launch that is left early, but not for ever."""
    if launch.poll() is None:
        launch.send_signal(signal.SIGINT)
        try:
            launch.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            launch.kill()
