"""Five goals that nobody had tried when the agent's data, training and decisions were settled.

The goals of `benchmarks.zero_shot_play` were measured again and again while play and decisions took shape. These are of
the same kinds, but where they are was drawn by chance, and whatever came out the first time stands. The agent is the
shipped one. Run `python -m benchmarks.zero_shot_later` in the environment of env.sh; started again it goes on where it
was cut.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from benchmarks.goals import drawn_goals
from benchmarks.parts import write_part
from benchmarks.zero_shot_episodes import CONTROLLERS, REGRESSED, Plan, success_bars

GOALS = drawn_goals(seed=0)
COMPARED = tuple(name for name in CONTROLLERS if name != REGRESSED)
"""A regressed value needs the recordings of play, which are not shipped."""


@dataclass(frozen=True)
class Later:
    """Let the shipped agent of play do five tasks that it was not made with."""

    checkpoint: Path = Path("resource/panda_play.yaml")
    """The agent."""
    episodes: int = 20
    """Episodes per goal and controller."""
    steps: int = 200
    """Control steps per episode."""
    first_seed: int = 21_000
    """Episodes take the seeds from this one on, the same for every goal and controller."""
    processes: int = 2
    """Episodes that run at the same time."""
    folder: Path = Path("results/zero_shot_later")
    """Where cells go; what is there already is used."""
    result: Path = Path("results/zero_shot.json")
    """Where the figures go; what it says about other parts stays."""
    bars: bool = True
    """Hold the figures to the bars; a short form has too few episodes for that."""


QUICK = Later(
    episodes=1, folder=Path("results/zero_shot_quick"), result=Path("results/zero_shot_quick.json"), bars=False
)


def main(args: Later) -> int:
    """Run what is missing; status 1 if a bar does not hold."""
    seeds = range(args.first_seed, args.first_seed + args.episodes)
    figures = Plan(COMPARED, GOALS, seeds, args.steps, args.checkpoint).measure(args.folder, args.processes)
    bars = success_bars(figures, "five goals that were drawn later") if args.bars else []
    command = shlex.join(["python", "-m", "benchmarks.zero_shot_later", *sys.argv[1:]])
    return 0 if write_part(args.result, "later", figures, bars, seeds, command) else 1


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main(tyro.cli(Later, default=QUICK if os.environ.get("QUICK") == "1" else Later())))
