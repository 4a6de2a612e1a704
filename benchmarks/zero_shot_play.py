"""Five rewards written by hand on one occupancy that was learned from play, against what else could score the same.

Run `python -m benchmarks.zero_shot_play` in the environment of env.sh; started again it goes on where it was cut.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.progress import track
from safetensors.torch import save_file

from benchmarks.goals import GOALS
from benchmarks.parts import write_part
from benchmarks.regressed_value import regress
from benchmarks.resumable import stored_agent
from benchmarks.task_data import require_episodes
from benchmarks.zero_shot_episodes import CONTROLLERS, DECISION, REGRESSED, Plan, regressed_path, success_bars
from dvf_ros.cli.play import Play
from dvf_ros.cli.play import main as play
from dvf_ros.cli.train import Train
from dvf_ros.cli.train import main as train
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.config import TrainingConfig

TRAINING = TrainingConfig(discount=0.985, chunk=10, behavior_drop=1.0, perturbation=0.05)


@dataclass(frozen=True)
class ZeroShot:
    """Play, train once without a reward, then do five tasks whose rewards are written by hand."""

    calm: int = 560
    """Episodes of calm play, 300 steps each."""
    brisk: int = 440
    """Episodes of brisk play."""
    updates: int = TRAINING.updates
    """Training updates, once for all goals."""
    regression_updates: int = 4000
    """Training updates of the regressed value, for each goal."""
    episodes: int = 20
    """Episodes per goal and controller."""
    steps: int = 200
    """Control steps per episode."""
    first_seed: int = 20_000
    """Episodes take the seeds from this one on, the same for every goal and controller."""
    processes: int = 2
    """Episodes that run at the same time."""
    controllers: tuple[str, ...] = CONTROLLERS
    """Who is compared."""
    folder: Path = Path("results/zero_shot")
    """Where data, checkpoint and cells go; what is there already is used."""
    result: Path = Path("results/zero_shot.json")
    """Where the figures go."""
    bars: bool = True
    """Hold the figures to the bars; a short form has too few episodes for that."""


QUICK = ZeroShot(
    calm=20,
    brisk=20,
    updates=1000,
    regression_updates=500,
    episodes=2,
    folder=Path("results/zero_shot_quick"),
    result=Path("results/zero_shot_quick.json"),
    bars=False,
)


def main(args: ZeroShot) -> int:
    """Run what is missing; status 1 if a bar does not hold."""
    folder, checkpoint = args.folder / "dataset", args.folder / "panda_play.yaml"
    if not (folder / "episodes.parquet").exists():
        play(Play(folder, calm=args.calm, brisk=args.brisk, processes=args.processes))
    dataset = require_episodes(Dataset.open(folder), args.calm + args.brisk, folder)
    training = replace(TRAINING, updates=args.updates)
    if not checkpoint.exists():
        train(Train(folder, checkpoint, training, DECISION, result=args.folder / "train.json"))
    agent = stored_agent(checkpoint, dataset, training)
    if REGRESSED in args.controllers:
        _regress(dataset, agent, checkpoint, args.regression_updates)
    seeds = range(args.first_seed, args.first_seed + args.episodes)
    plan = Plan(args.controllers, GOALS, seeds, args.steps, checkpoint, args.regression_updates)
    figures = plan.measure(args.folder, args.processes) | {"frames_of_play": dataset.frames}
    bars = success_bars(figures, "the five goals") if args.bars else []
    command = shlex.join(["python", "-m", "benchmarks.zero_shot_play", *sys.argv[1:]])
    return 0 if write_part(args.result, "play", figures, bars, seeds, command) else 1


def _regress(dataset: Dataset, agent: DvfAgent, checkpoint: Path, updates: int) -> None:
    states = agent.encoder.encode(torch.from_numpy(np.array(dataset.states)))
    for goal in track(GOALS, "regressing a value for each goal", transient=True):
        path = regressed_path(checkpoint, goal, updates)
        if not path.exists():
            reward, _ = goal.expressions(agent.spec)
            config = agent.training_config
            labels = reward.evaluate(np.array(dataset.states))
            model = regress(dataset, states, labels, config.discount, config.perturbation, updates)
            save_file(model.state_dict(), path)


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main(tyro.cli(ZeroShot, default=QUICK if os.environ.get("QUICK") == "1" else ZeroShot())))
