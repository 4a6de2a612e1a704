"""Five rewards written by hand on one occupancy that was learned from play, against what else could score the same.

Run `python -m benchmarks.zero_shot_play` in the environment of env.sh; started again it goes on where it was cut.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table
from safetensors.torch import load_file, save_file

from benchmarks.goals import GOALS, Goal, kept
from benchmarks.parts import write_part
from benchmarks.regressed_value import RegressedValue, regress
from benchmarks.rescored import RescoredAgent
from benchmarks.resumable import run_cells
from dvf_ros.cli.closed_loop import run_episode
from dvf_ros.cli.play import Play
from dvf_ros.cli.play import main as play
from dvf_ros.cli.train import Train
from dvf_ros.cli.train import main as train
from dvf_ros.core.results import Bar, wilson_interval
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.checkpoint import load_checkpoint
from dvf_ros.learning.config import DecisionConfig, TrainingConfig
from dvf_ros.sim.robosuite_sim import RobosuiteSim

TRAINING = TrainingConfig(discount=0.985, chunk=10, behavior_drop=1.0, perturbation=0.05)
DECISION = DecisionConfig(candidates=32, futures=32, best_share=0.125, execute=5, prior_temperature=0.7)

DVF, MEAN, PRIOR, GREEDY, REGRESSED = "dvf", "dvf, all futures", "prior alone", "greedy", "regressed"
CONTROLLERS = (DVF, MEAN, PRIOR, GREEDY, REGRESSED)


@dataclass(frozen=True)
class ZeroShot:
    """Play, train once without a reward, then do five tasks that nobody had thought of."""

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


@dataclass(frozen=True)
class Cell:
    """One episode: which controller, towards which goal, from which seed; `checkpoint` as all other files."""

    controller: str
    goal: Goal
    seed: int
    steps: int
    checkpoint: Path

    @property
    def key(self) -> str:
        """What a finished cell is found by."""
        return json.dumps([self.controller, self.goal.name, self.goal.reward, self.goal.done, self.seed, self.steps])


def main(args: ZeroShot) -> int:
    """Run what is missing; status 1 if a bar does not hold."""
    dataset, checkpoint = args.folder / "dataset", args.folder / "panda_play.yaml"
    if not (dataset / "episodes.parquet").exists():
        play(Play(dataset, calm=args.calm, brisk=args.brisk, processes=args.processes))
    if not checkpoint.exists():
        training = replace(TRAINING, updates=args.updates)
        train(Train(dataset, checkpoint, training, DECISION, result=args.folder / "train.json"))
    if REGRESSED in args.controllers:
        _regress(dataset, checkpoint, args.regression_updates)
    seeds = range(args.first_seed, args.first_seed + args.episodes)
    cells = [
        Cell(controller, goal, seed, args.steps, checkpoint)
        for controller in args.controllers
        for goal in GOALS
        for seed in seeds
    ]
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()[:16]
    done = run_cells(args.folder / f"cells_{digest}.jsonl", cells, _episode, args.processes, "episodes")
    success = _figures([(cell, done[cell.key]) for cell in cells])
    Console().print(_table(success, args.controllers))
    about = {
        "episodes_per_goal": args.episodes,
        "steps": args.steps,
        "frames_of_play": Dataset.open(dataset).frames,
        "goals": {goal.name: {"reward": goal.reward, "done": goal.done} for goal in GOALS},
    }
    bars = _bars(success) if args.bars else []
    command = shlex.join(["python", "-m", "benchmarks.zero_shot_play", *sys.argv[1:]])
    return 0 if write_part(args.result, success | about, bars, list(seeds), command) else 1


def _regress(folder: Path, checkpoint: Path, updates: int) -> None:
    agent = load_checkpoint(checkpoint)
    dataset = Dataset.open(folder)
    states = agent.encoder.encode(torch.from_numpy(np.array(dataset.states)))
    for goal in track(GOALS, "regressing a value for each goal", transient=True):
        path = _regressed_path(checkpoint, goal)
        if not path.exists():
            reward, _ = goal.expressions(agent.spec)
            config = agent.training_config
            labels = reward.evaluate(np.array(dataset.states))
            model = regress(dataset, states, labels, config.discount, config.perturbation, updates)
            save_file(model.state_dict(), path)


def _regressed_path(checkpoint: Path, goal: Goal) -> Path:
    """Where a goal's value lies; another reward or another agent has another one."""
    name = hashlib.sha256((goal.reward + checkpoint.read_text(encoding="utf-8")).encode()).hexdigest()[:16]
    return checkpoint.with_name(f"regressed_{name}.safetensors")


def _episode(cell: Cell) -> dict[str, bool]:
    agent = _agent(cell.controller, cell.goal, cell.checkpoint)
    _, done = cell.goal.expressions(agent.spec)
    sim = _sim(agent.spec.task, agent.spec.rate)
    outcome = run_episode(agent, sim, cell.seed, cell.steps, done=lambda state: bool(done.evaluate(state)))
    return {"kept": kept(outcome.successes), "ever": outcome.ever, "last": outcome.last}


@cache
def _sim(task: str, rate: float) -> RobosuiteSim:
    return RobosuiteSim(task, rate)


@cache
def _agent(controller: str, goal: Goal, checkpoint: Path) -> DvfAgent:
    agent = load_checkpoint(checkpoint, decision=DECISION)
    reward, _ = goal.expressions(agent.spec)
    agent.set_reward(reward)
    if controller == MEAN:
        agent.configure(replace(agent.decision, best_share=1.0))
    if controller == PRIOR:
        agent.configure(replace(agent.decision, policy="prior"))
    if controller == GREEDY:
        written = agent.written
        assert written is not None
        return RescoredAgent.of(agent, lambda states: written.predict(states)[0])
    if controller == REGRESSED:
        model = RegressedValue(agent.encoder.size)
        model.load_state_dict(load_file(_regressed_path(checkpoint, goal)))
        return RescoredAgent.of(agent, model)
    return agent


def _figures(outcomes: list[tuple[Cell, dict[str, bool]]]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for controller in dict.fromkeys(cell.controller for cell, _ in outcomes):
        mine = [(cell.goal.name, outcome) for cell, outcome in outcomes if cell.controller == controller]
        successes = sum(outcome["kept"] for _, outcome in mine)
        low, high = wilson_interval(successes, len(mine))
        figures[controller] = {
            "success": successes / len(mine),
            "success_low": low,
            "success_high": high,
            "ever": float(np.mean([outcome["ever"] for _, outcome in mine])),
            "last": float(np.mean([outcome["last"] for _, outcome in mine])),
            "by_goal": {
                goal.name: float(np.mean([outcome["kept"] for name, outcome in mine if name == goal.name]))
                for goal in GOALS
            },
        }
    return figures


def _bars(figures: dict[str, Any]) -> list[Bar]:
    """The bars whose controllers were run; without the agent itself there are none."""
    success = {name: figures[name]["success"] for name in CONTROLLERS if name in figures}
    if DVF not in success:
        return []
    own = success[DVF]
    bars = [
        Bar("success over the five goals", own, ">=", 0.9),
        Bar("success on the worst goal", min(figures[DVF]["by_goal"].values()), ">=", 0.8),
    ]
    if PRIOR in success:
        bars.append(Bar("success less twice that of the prior alone", own - 2 * success[PRIOR], ">=", 0.0))
    if GREEDY in success:
        bars.append(Bar("success less that of the greedy reward", own - success[GREEDY], ">", 0.0))
    if REGRESSED in success:
        bars.append(Bar("success less 95 % of the regressed value's", own - 0.95 * success[REGRESSED], ">=", 0.0))
    return bars


def _table(figures: dict[str, Any], controllers: tuple[str, ...]) -> Table:
    table = Table("goal", *controllers)
    for goal in GOALS:
        table.add_row(goal.name, *(f"{figures[name]['by_goal'][goal.name]:.2f}" for name in controllers))
    for key in ("success", "ever", "last"):
        table.add_row(key, *(f"{figures[name][key]:.2f}" for name in controllers))
    return table


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main(tyro.cli(ZeroShot, default=QUICK if os.environ.get("QUICK") == "1" else ZeroShot())))
