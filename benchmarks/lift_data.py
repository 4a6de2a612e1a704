"""Lift episodes of the scripted behaviors without ROS: what benchmarks train on where no bag has to be involved."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich.progress import track

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Dataset, DatasetWriter, Episode
from dvf_ros.sim.behaviors import BEHAVIORS, LiftBehavior, Skill
from dvf_ros.sim.robosuite_sim import RobosuiteSim
from dvf_ros.sim.topics import SpecView

SPEC = Path("config/panda_lift.yaml")
STEPS = 120


def lift_dataset(
    folder: Path, episodes: int, processes: int, first_seed: int = 0, skills: Mapping[str, Skill] = BEHAVIORS
) -> Dataset:
    """The dataset in `folder`, played first where there is none: behaviors in turn, seeds counting up."""
    if not (folder / "episodes.parquet").exists():
        spec = RobotSpec.load(SPEC)
        writer = DatasetWriter(folder, spec)
        names = [sorted(skills)[number % len(skills)] for number in range(episodes)]
        seeds = range(first_seed, first_seed + episodes)
        # Spawned, not forked: MuJoCo's threads do not survive a fork.
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            played = pool.map(partial(play_lift, spec.text), [skills[name] for name in names], names, seeds)
            for episode in track(played, "lifting", episodes, transient=True):
                writer.append(episode)
        writer.close()
    return Dataset.open(folder)


def play_lift(spec_text: str, skill: Skill, name: str, seed: int) -> Episode:
    """One episode of a skill, STEPS steps; the reward is 1 in every state with the cube lifted."""
    spec, sim = _prepare(spec_text)
    behavior, view = LiftBehavior(skill), SpecView(spec)
    behavior.reset(seed)
    observation = sim.reset(seed)
    states, actions, successes = [view.state(observation)], [], []
    for _ in range(STEPS):
        command = behavior.command(observation)
        observation = sim.step(command)
        actions.append(view.action(command))
        states.append(view.state(observation))
        successes.append(observation.success)
    known = np.arange(STEPS + 1) < STEPS
    return Episode(
        states=np.stack(states),
        actions=np.stack([*actions, np.zeros(spec.action_size)]),
        action_mask=known,
        rewards=np.append(successes, False).astype(np.float32),
        reward_mask=known,
        stamps=np.arange(STEPS + 1) * spec.period_ns,
        behavior=name,
        success=any(successes),
        source=f"seed {seed}",
    )


@cache
def _prepare(spec_text: str) -> tuple[RobotSpec, RobosuiteSim]:
    """What a process of the pool needs, made once."""
    spec = RobotSpec.parse(spec_text)
    return spec, RobosuiteSim(spec.task, spec.rate)
