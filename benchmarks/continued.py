"""What comes of a state: its episode as it went on, and many times over from the restored simulator."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from rich.progress import track

from benchmarks.task_data import TASKS
from dvf_ros.core.spec import RobotSpec
from dvf_ros.core.worker_pool import WorkerPool
from dvf_ros.sim.behaviors import LiftBehavior, Skill
from dvf_ros.sim.observation import Observation
from dvf_ros.sim.robosuite_sim import RobosuiteSim
from dvf_ros.sim.topics import SpecView

TAKEN = 5
RESTORED = 6


@dataclass(frozen=True)
class Cell:
    """One episode of a skill: `steps` ticks that states are taken from, and `tail` that show what became of them.

    Every TAKEN-th state is taken. From every RESTORED-th of these the episode goes on `runs` times for `tail` ticks,
    from the simulator's state and the behavior's own, each time with other luck. The seed says which come first.
    """

    skill: Skill
    seed: int
    steps: int
    tail: int
    runs: int
    discount: float


@dataclass(frozen=True)
class Outcome:
    """States (T, D) that were taken, the actions (T, A) in them, and what became of them, as discounted returns.

    logged (T,): as the episode went on. continued (C, R): in R runs from the states `restored` (C,), indices into T.
    """

    states: np.ndarray
    actions: np.ndarray
    logged: np.ndarray
    restored: np.ndarray
    continued: np.ndarray


def outcomes(cells: Sequence[Cell], folder: Path, processes: int) -> list[Outcome]:
    """What became of every cell: read where it lies in the folder, played and written there otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{hashlib.sha256(repr(cell).encode()).hexdigest()[:16]}.npz" for cell in cells]
    left = [number for number, path in enumerate(paths) if not path.exists()]
    with WorkerPool(processes) as pool:
        played = pool.map(partial(outcome, TASKS["lift"].spec), [cells[number] for number in left])
        for number, found in zip(left, track(played, "going on", len(left), transient=True), strict=True):
            np.savez(paths[number], **asdict(found))
    return [Outcome(**np.load(path)) for path in paths]


def outcome(spec_path: Path, cell: Cell) -> Outcome:
    """Play one cell; a process keeps its simulation from one to the next."""
    spec, sim = _prepare(spec_path)
    view, behavior = SpecView(spec), LiftBehavior(cell.skill)
    behavior.reset(cell.seed)
    observation = sim.reset(cell.seed)
    ticks = range(cell.seed % TAKEN, cell.steps, TAKEN)
    states, actions, rewards, saved = [], [], [], []
    for tick in range(cell.steps + cell.tail):
        if tick in ticks:
            states.append(view.state(observation))
            saved.append((sim.get_state(), copy.deepcopy(behavior)))
        command = behavior.command(observation)
        if tick in ticks:
            actions.append(view.action(command))
        observation = sim.step(command)
        rewards.append(observation.reward)
    ahead = np.array([rewards[tick : tick + cell.tail] for tick in ticks])
    restored = np.arange(cell.seed % RESTORED, len(ticks), RESTORED)
    continued = []
    for index in restored:
        physics, habits = saved[index]
        for run in range(cell.runs):
            behavior = copy.deepcopy(habits)
            behavior.go_on([cell.seed, index, run])
            continued.append(_rewards(sim, behavior, sim.set_state(physics), cell.tail))
    return Outcome(
        states=np.array(states),
        actions=np.array(actions),
        logged=discounted(ahead, cell.discount),
        restored=restored,
        continued=discounted(np.array(continued).reshape(-1, cell.tail), cell.discount).reshape(
            len(restored), cell.runs
        ),
    )


def discounted(rewards: np.ndarray, discount: float) -> np.ndarray:
    """Returns (...) of rewards on arrival (..., L): their mean, weighted by γ^k, as if it went on like that for ever.

    Of the weight 1 / (1 - γ) the L ticks hold all but γ^L.
    """
    weight = discount ** np.arange(rewards.shape[-1])
    found: np.ndarray = rewards @ weight / (weight.sum() * (1.0 - discount))
    return found


def _rewards(sim: RobosuiteSim, behavior: LiftBehavior, observation: Observation, ticks: int) -> list[float]:
    found = []
    for _ in range(ticks):
        observation = sim.step(behavior.command(observation))
        found.append(observation.reward)
    return found


@cache
def _prepare(path: Path) -> tuple[RobotSpec, RobosuiteSim]:
    """What a process of the pool needs, made once."""
    spec = RobotSpec.load(path)
    return spec, RobosuiteSim(spec.task, spec.rate)
