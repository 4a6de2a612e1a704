"""Six controllers that the training never saw, known by nothing but the states that they brought about.

Run `python -m benchmarks.zero_shot_controllers` in the environment of env.sh; started again it goes on where it was
cut. Agents are trained on many hands of all skills; of six others they see some episodes, states only, and are asked
what each is worth from states of other episodes: their mean counts. What the six earned there is played out. From the
start their values are corrected by what the hands of the training data earned beyond theirs; beside it stands what
these returns say alone.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.continued import TAKEN, Cell, Outcome, outcomes
from benchmarks.controller_figures import (
    BEYOND,
    COMBINED,
    CORRECTED,
    KNOWN,
    RETURNS_ALONE,
    SCATTER,
    SHOWN,
    UNKNOWN,
    VALUES,
    Figures,
    combined,
    deviation_of,
    summaries,
    summary,
    together,
)
from benchmarks.parts import write_part
from benchmarks.random_skill import some_skill
from benchmarks.resumable import trained
from benchmarks.task_data import TASKS, task_dataset
from benchmarks.value_estimators import FUTURES, sampled
from dvf_ros.core.results import Bar
from dvf_ros.data.dataset import Dataset
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.config import DecisionConfig, LearningConfig, TrainingConfig
from dvf_ros.learning.driver import driver_by_motion
from dvf_ros.learning.report.composite import shown_by
from dvf_ros.learning.report.driver_correction import DriverProcess, driver_records, fit_correction, fit_returns
from dvf_ros.learning.report.motion_doubt import corrected_deviation, likely_values
from dvf_ros.learning.report.returns import recorded_rewards
from dvf_ros.learning.report.worth import Earned
from dvf_ros.sim.behaviors import Skill

UNSEEN = 6
MOTION_SEED, PLAYED_SEED, BEGUN_SEED = 40_000, 50_000, 60_000
SHARE = 4
"""Of the states that are taken every fourth is valued."""

TRAINING = TrainingConfig(representation="context", context_depth=2, sampler_distillation=0, distillation=0)
TAIL = 200
"""Ticks that show what becomes of a state; what comes later has 0.2 % of the weight."""


@dataclass(frozen=True)
class Controllers:
    """Train on many hands, value others."""

    hands: int = 200
    """Skills that the training data has."""
    episodes: int = 24
    """Episodes of each."""
    updates: int = 24_000
    """Training updates."""
    trainings: int = 3
    """Agents, trained with the seeds from 0 on."""
    shown: tuple[int, ...] = (5, 20, 50, 100)
    """Episodes of an unseen controller that it is known by; bars are held by the last of these."""
    played: int = 200
    """Other episodes of it, which tell what it is worth where it goes, and from the start."""
    begun: int = 400
    """Further episodes, played for as long as tells what it is worth from the start."""
    processes: int = 2
    """Episodes that are played at the same time."""
    folder: Path = Path("results/controllers")
    """Where data and checkpoint go; what is there already is used."""
    result: Path = Path("results/zero_shot.json")
    """Where the figures go; what it says about other parts stays."""
    bars: bool = True
    """Hold the figures to the bars; a short form trains too little for that."""


QUICK = Controllers(
    hands=20,
    episodes=4,
    updates=600,
    trainings=2,
    shown=(4,),
    played=4,
    begun=2,
    folder=Path("results/controllers_quick"),
    result=Path("results/zero_shot_quick.json"),
    bars=False,
)


def main(args: Controllers) -> int:
    """Run what is missing; status 1 if a bar does not hold."""
    rng = np.random.default_rng(0)
    hands = {f"hand {number:02}": some_skill(rng.random(), rng) for number in range(args.hands)}
    data = task_dataset(args.folder / "dataset", "lift", args.hands * args.episodes, args.processes, skills=hands)
    asked = [_asked(data, args, seed) for seed in range(args.trainings)]
    unseen = _unseen(args)
    by_shown = {
        count: {one.name: [_from_start(agent, one, count) for agent in asked] for one in unseen} for count in args.shown
    }
    visited_by_agent = {one.name: [_where_it_goes(agent.agent, one) for agent in asked] for one in unseen}
    means = {count: _together(found, count) for count, found in by_shown.items()}
    start, visited = means[args.shown[-1]], together(visited_by_agent)
    by_count = {count: summaries(found) for count, found in means.items()}
    figures = {
        "training": {"hands": args.hands, "episodes": args.episodes, "updates": args.updates, "seeds": args.trainings},
        "played_episodes": args.played,
        "begun_episodes": args.begun,
        "by_shown_episodes": by_count,
        "by_controller": {name: {"start": start[name], "visited": visited[name]} for name in start},
        "start": by_count[args.shown[-1]],
        "visited": {column: summary(visited, column) for column in VALUES},
        "by_training": [summaries(_of_one(by_shown, args.shown[-1], number)) for number in range(args.trainings)],
    }
    Console().print(_table(start, visited))
    bars = _bars(figures) if args.bars else []
    seeds = [MOTION_SEED, PLAYED_SEED, BEGUN_SEED]
    command = shlex.join(["python", "-m", "benchmarks.zero_shot_controllers", *sys.argv[1:]])
    return 0 if write_part(args.result, "controllers", figures, bars, seeds, command) else 1


@dataclass(frozen=True)
class Asked:
    """An agent, and what the returns of its training's hands teach it: see CORRECTED and RETURNS_ALONE."""

    agent: DvfAgent
    processes: dict[str, DriverProcess]


def _asked(data: Dataset, args: Controllers, seed: int) -> Asked:
    settings = replace(TRAINING, updates=args.updates, seed=seed)
    config = LearningConfig(settings, DecisionConfig(device="cpu"))
    agent = trained(data, config, args.folder / f"panda_lift_{seed}.yaml")
    agent.configure(replace(agent.decision, futures=FUTURES))
    records = driver_records(agent, data, recorded_rewards(agent, data), np.random.default_rng(0))
    return Asked(agent, {CORRECTED: fit_correction(records), RETURNS_ALONE: fit_returns(records)})


def _together(found: dict[str, list[dict[str, float]]], episodes: int) -> Figures:
    """What the agents say of each controller together, and with what its episodes earned."""
    return combined(together(found), episodes, 1.0 - TRAINING.discount ** TASKS["lift"].steps)


def _of_one(found: dict[int, dict[str, list[dict[str, float]]]], episodes: int, number: int) -> Figures:
    """The same by one of the agents."""
    return _together({name: by_agent[number : number + 1] for name, by_agent in found[episodes].items()}, episodes)


@dataclass(frozen=True)
class Unseen:
    """A controller that no training saw: state sequences that show it, and what it earned in other episodes."""

    name: str
    motion: Dataset
    played: list[Outcome]
    begun: list[Outcome]

    def shown(self, episodes: int) -> list[np.ndarray]:
        """Trajectories (L, D) of its first so many episodes."""
        return [self.motion.states[self.motion.frames_of(episode)] for episode in range(episodes)]


def _unseen(args: Controllers) -> list[Unseen]:
    rng = np.random.default_rng(1)
    found = []
    for number, level in enumerate(np.linspace(0.0, 1.0, UNSEEN)):
        name, skill = f"level {level:.1f}", some_skill(level, rng)
        folder, first = args.folder / f"motion_{number}", MOTION_SEED + 100 * number
        motion = task_dataset(folder, "lift", args.shown[-1], args.processes, first, {name: skill})
        whole = _cells(skill, PLAYED_SEED + 1000 * number, args.played, TASKS["lift"].steps)
        begun = _cells(skill, BEGUN_SEED + 2000 * number, args.begun, TAKEN)
        episodes = outcomes([*whole, *begun], args.folder / "played", args.processes)
        found.append(Unseen(name, motion, episodes[: args.played], episodes[args.played :]))
    return found


def _cells(skill: Skill, first_seed: int, episodes: int, steps: int) -> list[Cell]:
    # Multiples of TAKEN: the first state that is taken is the first one.
    seeds = range(first_seed, first_seed + TAKEN * episodes, TAKEN)
    return [Cell(skill, seed, steps, TAIL, 0, TRAINING.discount) for seed in seeds]


def _from_start(asked: Asked, one: Unseen, shown: int) -> dict[str, float]:
    """Mean value and return from the first states, the controller known by so many episodes."""
    agent, processes = asked.agent, asked.processes
    motion = one.shown(shown)
    driver = driver_by_motion(agent, motion)
    episodes = [*one.played, *one.begun]
    starts = np.stack([episode.states[0] for episode in episodes])
    found = _values(agent, starts, driver)
    value = float(found[KNOWN].mean())
    (more, _), (alone, alone_deviation) = (processes[kind].of(driver, value) for kind in (CORRECTED, RETURNS_ALONE))
    likely, as_recorded = (
        likely_values(agent, motion, starts, 0, known) for known in (None, processes[CORRECTED].shown)
    )
    own = Earned.by(agent, one.motion)
    shown_from = one.motion.states[one.motion.episode_start[:shown]]
    rng = np.random.default_rng(0)
    earned = shown_by(agent, np.asarray(shown_from), own.returns[:shown], own.window, driver, rng)
    return {
        KNOWN: value,
        deviation_of(KNOWN): likely.deviation(),
        UNKNOWN: float(found[UNKNOWN].mean()),
        CORRECTED: value + more,
        deviation_of(CORRECTED): corrected_deviation(processes[CORRECTED], driver, value, likely, as_recorded),
        RETURNS_ALONE: alone,
        deviation_of(RETURNS_ALONE): alone_deviation,
        SHOWN: earned.earned,
        BEYOND: earned.beyond,
        SCATTER: earned.scatter,
        **_earned(np.array([episode.logged[0] for episode in episodes])),
    }


def _where_it_goes(agent: DvfAgent, one: Unseen) -> dict[str, float]:
    """Mean value and return over the states of its episodes."""
    states = np.concatenate([played.states[::SHARE] for played in one.played])
    found = _values(agent, states, driver_by_motion(agent, one.shown(one.motion.episodes)))
    earned = _earned(np.array([played.logged[::SHARE].mean() for played in one.played]))
    return {name: float(values.mean()) for name, values in found.items()} | earned


def _values(agent: DvfAgent, states: np.ndarray, driver: Tensor) -> dict[str, np.ndarray]:
    """Values (N,) of states (N, D), with and without knowing who drives."""
    encoded = agent.encoder.encode(torch.from_numpy(states).float())
    dropped = torch.full((len(encoded),), agent.occupancy.dropped)
    return {
        KNOWN: sampled(agent, encoded, driver.expand(len(encoded), -1)).value,
        UNKNOWN: sampled(agent, encoded, dropped).value,
    }


def _earned(returns: np.ndarray) -> dict[str, float]:
    """Mean of the returns (P,) of episodes, and its standard error."""
    return {"return": float(returns.mean()), "standard_error": float(returns.std(ddof=1) / np.sqrt(len(returns)))}


def _bars(figures: dict[str, Any]) -> list[Bar]:
    start, visited = figures["start"], figures["visited"]
    return [
        Bar("Kendall's tau of six unseen controllers, from the start", start[KNOWN]["tau"], ">=", 0.8),
        Bar("error of their values, as a share of their mean", start[KNOWN]["error"], "<=", 0.1),
        Bar("the same, with what their episodes earned by the reward on states", start[COMBINED]["error"], "<=", 0.1),
        Bar("the same, corrected by what recorded ones earned", start[CORRECTED]["error"], "<=", 0.1),
        Bar("the same in the states where they go", visited[KNOWN]["error"], "<=", 0.1),
    ]


def _table(start: dict[str, dict[str, float]], visited: dict[str, dict[str, float]]) -> Table:
    table = Table("controller", "from the start", "shown", "combined", "corrected", "return", "where it goes", "return")
    for name, one in start.items():
        cells = [one[key] for key in (KNOWN, SHOWN, COMBINED, CORRECTED, "return")]
        cells += [visited[name][key] for key in (KNOWN, "return")]
        table.add_row(name, *(f"{cell:.2f}" for cell in cells))
    return table


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main(tyro.cli(Controllers, default=QUICK if os.environ.get("QUICK") == "1" else Controllers())))
