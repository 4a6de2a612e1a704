"""`dvf play`: reward-free play in simulation, straight into a dataset."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.progress import track

from dvf_ros.cli.console import Console
from dvf_ros.cli.shipped import shipped_file
from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.spec import RobotSpec
from dvf_ros.core.worker_pool import WorkerPool
from dvf_ros.data.dataset import DatasetWriter, Episode
from dvf_ros.data.exchange import new_folder
from dvf_ros.learning.config import require_at_least
from dvf_ros.sim.fit import misfit
from dvf_ros.sim.play import STYLES, PlayBehavior
from dvf_ros.sim.robosuite_sim import TASKS, RobosuiteSim
from dvf_ros.sim.topics import SpecView


@dataclass(frozen=True)
class Play:
    """Let scripted play run in the simulation, without ROS, and write states and actions, no rewards, as a dataset."""

    dataset: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
    """New dataset folder."""
    spec: Path = field(default_factory=lambda: shipped_file("config/panda_play.yaml"))
    """Robot spec (YAML)."""
    calm: int = 560
    """Episodes of the calm style."""
    brisk: int = 440
    """Episodes of the brisk style, which carries more."""
    steps: int = 300
    """Control steps per episode."""
    seed: int = 0
    """Episodes take the seeds from this one on, in both styles."""
    processes: int = 2
    """Episodes that run at the same time."""

    def __post_init__(self) -> None:
        require_at_least(self, 0, "calm", "brisk", "seed")
        require_at_least(self, 1, "steps", "processes")


def main(args: Play) -> int:
    """Play all episodes, with a progress bar; the same seeds give the same bytes on one machine.

    Raises ConfigError for a spec of another robot than the simulated one, or of a task without a cube to play with.
    """
    spec = RobotSpec.load(args.spec)
    playable = [name for name, task in TASKS.items() if "cube" in task.objects]
    if found := misfit(spec, playable, "has no object 'cube'"):
        raise ConfigError(f"'{args.spec}' cannot be played in simulation: {found}")
    styles = ["calm"] * args.calm + ["brisk"] * args.brisk
    seeds = [args.seed + number for number in (*range(args.calm), *range(args.brisk))]
    console = Console()
    start = time.perf_counter()
    with (
        new_folder(args.dataset) as folder,
        WorkerPool(args.processes) as pool,
    ):
        writer = DatasetWriter(folder, spec)
        episodes = pool.map(partial(play_episode, spec.text, args.steps), styles, seeds)
        for episode in track(episodes, "playing", len(seeds), transient=True, console=console):
            writer.append(episode)
        writer.close()
    seconds = time.perf_counter() - start
    steps = len(seeds) * args.steps
    words = f"{steps} steps in {seconds:.0f} s ({steps / seconds:.0f} a second): {args.dataset}"
    console.print(words, markup=False)
    return 0


def play_episode(spec_text: str, steps: int, style: str, seed: int) -> Episode:
    """One episode of `steps` steps as the spec sees it: `steps` + 1 frames, the last without an action."""
    spec, sim = _prepare(spec_text)
    behavior = PlayBehavior(STYLES[style])
    view = SpecView(spec)
    behavior.reset(seed)
    observation = sim.reset(seed)
    states, actions = [view.state(observation)], []
    for _ in range(steps):
        command = behavior.command(observation)
        observation = sim.step(command)
        actions.append(view.action(command))
        states.append(view.state(observation))
    known = np.arange(steps + 1) < steps
    return Episode(
        states=np.stack(states),
        actions=np.stack([*actions, np.zeros(spec.action_size)]),
        action_mask=known,
        rewards=np.zeros(steps + 1),
        reward_mask=np.zeros(steps + 1, bool),
        stamps=np.arange(steps + 1) * spec.period_ns,
        behavior=style,
        source=f"seed {seed}",
    )


@cache
def _prepare(spec_text: str) -> tuple[RobotSpec, RobosuiteSim]:
    """What a process of the pool needs, made once."""
    spec = RobotSpec.parse(spec_text)
    return spec, RobosuiteSim(spec.task, spec.rate)
