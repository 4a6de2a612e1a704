"""Six controllers that the training never saw, known by nothing but the states that they brought about.

Run `python -m benchmarks.zero_shot_controllers` in the environment of env.sh; started again it goes on where it was
cut. One agent is trained on many hands of all skills; of six others it sees some episodes, states only, and is asked
what each is worth from states of other episodes. What they earned there is played out. From the start their values are
corrected by what the hands of the training data earned beyond theirs; beside it stands what these returns say alone.
"""

from __future__ import annotations

import os
import sys
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table
from scipy.stats import kendalltau

from benchmarks.continued import TAKEN, Cell, Outcome, outcomes
from benchmarks.parts import write_part
from benchmarks.resumable import trained
from benchmarks.task_data import TASKS, task_dataset
from benchmarks.value_estimators import FUTURES, sampled_values
from dvf_ros.core.results import Bar, commit
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.config import DecisionConfig, LearningConfig, TrainingConfig
from dvf_ros.learning.driver import driver_by_motion
from dvf_ros.learning.report.driver_correction import DriverProcess, driver_records, fit_correction
from dvf_ros.learning.report.returns import recorded_rewards
from dvf_ros.sim.behaviors import BEHAVIORS, Skill

UNSEEN = 6
MOTION_SEED, PLAYED_SEED = 40_000, 50_000
SHARE = 4
"""Of the states that are taken every fourth is valued."""

KNOWN, UNKNOWN = VALUES = "value", "value_unknown"
CORRECTED, RETURNS_ALONE = "corrected", "returns_alone"

TRAINING = TrainingConfig(representation="context", context_depth=2, sampler_distillation=0, distillation=0)
TAIL = 120
"""Ticks that show what becomes of a state."""


@dataclass(frozen=True)
class Controllers:
    """Train on many hands, value others."""

    hands: int = 200
    """Skills that the training data has."""
    episodes: int = 24
    """Episodes of each."""
    updates: int = 12_000
    """Training updates."""
    shown: int = 20
    """Episodes of an unseen controller that it is known by."""
    played: int = 200
    """Other episodes of it, which tell what it is worth."""
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
    shown=4,
    played=4,
    folder=Path("results/controllers_quick"),
    result=Path("results/zero_shot_quick.json"),
    bars=False,
)


def some_skill(level: float, rng: np.random.Generator) -> Skill:
    """A skill at a level from 0 (novice) to 1 (expert), each of its numbers off by up to a quarter.

    Between the four levels that have names every number is interpolated.
    """
    named = np.array([astuple(BEHAVIORS[name]) for name in ("novice", "clumsy", "adept", "expert")])
    places = np.linspace(0.0, 1.0, len(named))
    numbers = np.array([np.interp(level, places, column) for column in named.T]) * rng.uniform(
        0.75, 1.25, named.shape[1]
    )
    skill = dict(zip(Skill.__dataclass_fields__, numbers.tolist(), strict=True))
    return Skill(**skill | {name: min(skill[name], 1.0) for name in ("patience", "shallow")})


def main(args: Controllers) -> int:
    """Run what is missing; status 1 if a bar does not hold."""
    rng = np.random.default_rng(0)
    hands = {f"hand {number:02}": some_skill(rng.random(), rng) for number in range(args.hands)}
    data = task_dataset(args.folder / "dataset", "lift", args.hands * args.episodes, args.processes, skills=hands)
    settings = replace(TRAINING, updates=args.updates)
    agent = trained(data, LearningConfig(settings, DecisionConfig(device="cpu")), args.folder / "panda_lift.yaml")
    agent.configure(replace(agent.decision, futures=FUTURES))
    records = driver_records(agent, data, recorded_rewards(agent, data), np.random.default_rng(0))
    processes = {
        CORRECTED: fit_correction(records),
        RETURNS_ALONE: DriverProcess(records.traits, records.earned, records.luck),
    }
    rng = np.random.default_rng(1)
    levels = np.linspace(0.0, 1.0, UNSEEN)
    unseen = {f"level {level:.1f}": some_skill(level, rng) for level in levels}
    found = {}
    for number, (name, skill) in enumerate(unseen.items()):
        seeds = range(MOTION_SEED + 100 * number, MOTION_SEED + 100 * number + args.shown)
        folder = args.folder / f"motion_{number}"
        motion = task_dataset(folder, "lift", args.shown, args.processes, seeds.start, {name: skill})
        # Multiples of TAKEN: the first state that is taken is the first one.
        first = PLAYED_SEED + 1000 * number
        others = range(first, first + TAKEN * args.played, TAKEN)
        cells = [Cell(skill, seed, TASKS["lift"].steps, TAIL, 0, settings.discount) for seed in others]
        played = outcomes(cells, args.folder / "played", args.processes)
        trajectories = [motion.states[motion.frames_of(episode)] for episode in range(motion.episodes)]
        found[name] = _valued(agent, processes, trajectories, played)
    start = {column: summary(found, "start", column) for column in (*VALUES, *processes)}
    visited = {column: summary(found, "visited", column) for column in VALUES}
    figures = {
        "commit": commit(),
        "training": {"hands": args.hands, "episodes": args.episodes, "updates": args.updates},
        "shown_episodes": args.shown,
        "played_episodes": args.played,
        "by_controller": found,
        "start": start,
        "errors_in_deviations": {name: in_deviations(found, name) for name in processes},
        "visited": visited,
    }
    Console().print(_table(found))
    bars = [
        Bar("Kendall's tau of six unseen controllers, from the start", start[KNOWN]["tau"], ">=", 0.8),
        Bar("error of their values, as a share of their mean", start[KNOWN]["error"], "<=", 0.1),
        Bar("the same in the states where they go", visited[KNOWN]["error"], "<=", 0.1),
    ]
    command = "make bench-zero-shot PART=controllers"
    return (
        0
        if write_part(
            args.result, {"controllers": figures}, bars if args.bars else [], [MOTION_SEED, PLAYED_SEED], command
        )
        else 1
    )


def _valued(
    agent: DvfAgent, processes: dict[str, DriverProcess], trajectories: list[np.ndarray], played: list[Outcome]
) -> dict[str, Any]:
    """Value and return, from the first states and over those where it went; without knowing who drives as well."""
    states = agent.encoder.encode(torch.from_numpy(np.concatenate([one.states[::SHARE] for one in played])).float())
    driver = driver_by_motion(agent, trajectories)
    values = {
        KNOWN: sampled_values(agent, states, driver.expand(len(states), -1)),
        UNKNOWN: sampled_values(agent, states, torch.full((len(states),), agent.occupancy.dropped)),
        "return": np.concatenate([one.logged[::SHARE] for one in played]),
    }
    each = {name: found.reshape(len(played), -1) for name, found in values.items()}
    start = {name: float(found[:, 0].mean()) for name, found in each.items()}
    (more, deviation), (alone, alone_deviation) = (processes[name].of(driver) for name in (CORRECTED, RETURNS_ALONE))
    return {
        "start": start
        | {CORRECTED: start[KNOWN] + more, RETURNS_ALONE: alone}
        | {f"{CORRECTED}_deviation": deviation, f"{RETURNS_ALONE}_deviation": alone_deviation}
        | {"standard_error": float(each["return"][:, 0].std(ddof=1) / np.sqrt(len(played)))},
        "visited": {name: float(found.mean()) for name, found in each.items()}
        | {"standard_error": float(each["return"].mean(axis=1).std(ddof=1) / np.sqrt(len(played)))},
    }


def summary(found: dict[str, Any], of: str, column: str) -> dict[str, float]:
    """Kendall's τ of a column with the returns, and its mean error as a share of the mean return."""
    values, truth = (np.array([one[of][key] for one in found.values()]) for key in (column, "return"))
    return {
        "tau": float(kendalltau(values, truth).statistic),
        "error": float(np.abs(values - truth).mean() / truth.mean()),
    }


def in_deviations(found: dict[str, Any], column: str) -> float:
    """Root mean square of a column's errors from the start, each in its own standard deviation: 1 for true ones."""
    starts = [one["start"] for one in found.values()]
    errors = [(one[column] - one["return"]) / one[f"{column}_deviation"] for one in starts]
    return float(np.sqrt(np.mean(np.square(errors))))


def _table(found: dict[str, Any]) -> Table:
    table = Table("controller", "from the start", "corrected", "return", "where it went", "return")
    for name, one in found.items():
        cells = [one["start"][key] for key in (KNOWN, CORRECTED, "return")]
        cells += [one["visited"][key] for key in (KNOWN, "return")]
        table.add_row(name, *(f"{cell:.2f}" for cell in cells))
    return table


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main(tyro.cli(Controllers, default=QUICK if os.environ.get("QUICK") == "1" else Controllers())))
