"""Episodes of the scripted behaviors without ROS: what benchmarks train on where no bag has to be involved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import batched
from pathlib import Path

import numpy as np
from rich.progress import Progress, track

from dvf_ros.core.spec import RobotSpec
from dvf_ros.core.worker_pool import WorkerPool
from dvf_ros.data.dataset import Dataset, DatasetWriter, Episode
from dvf_ros.sim.behaviors import BEHAVIORS, Skill
from dvf_ros.sim.placing import HANDS
from dvf_ros.sim.robosuite_sim import RobosuiteSim
from dvf_ros.sim.topics import SpecView


@dataclass(frozen=True)
class TaskData:
    """How a task is played: by which robot spec, and for how many steps per episode."""

    spec: Path
    steps: int


TASKS = {
    "lift": TaskData(Path("config/panda_lift.yaml"), 120),
    "stack": TaskData(Path("config/panda_stack.yaml"), 200),
    "can": TaskData(Path("config/panda_can.yaml"), 200),
}

AHEAD = 16
"""Episodes per process that are begun before the first of them is asked for."""

LONGEST = 20
"""How many times as many episodes as are kept may be played for a balance of success and failure."""


def task_dataset(
    folder: Path,
    task: str,
    episodes: int,
    processes: int,
    first_seed: int = 0,
    skills: Mapping[str, Skill] = BEHAVIORS,
) -> Dataset:
    """The dataset in `folder`, played first where there is none: behaviors in turn, seeds counting up.

    Raises ValueError where another number of episodes, or other skills, are there.
    """
    if not (folder / "episodes.parquet").exists():
        writer = DatasetWriter(folder, RobotSpec.load(TASKS[task].spec))
        seeds = range(first_seed, first_seed + episodes)
        for episode in track(played(task, seeds, processes, skills), f"playing {task}", episodes, transient=True):
            writer.append(episode)
        writer.close()
    found = require_episodes(Dataset.open(folder), episodes, folder)
    if others := sorted(set(found.behavior_names) - set(skills)):
        raise ValueError(
            f"'{folder}': expected episodes of {', '.join(sorted(skills))}, found some of {', '.join(others)}; "
            "remove it, or name another folder"
        )
    return found


def mixed_dataset(folder: Path, task: str, episodes: int, processes: int) -> Dataset:
    """As many episodes that succeed as that fail, in `folder`, played first where there are none: see `balanced`.

    Raises ValueError where another number of episodes is there.
    """
    if not (folder / "episodes.parquet").exists():
        writer = DatasetWriter(folder, RobotSpec.load(TASKS[task].spec))
        with Progress(transient=True) as bar:
            progress = bar.add_task(f"playing {task}, as much success as failure", total=episodes)
            for episode in balanced(played(task, range(LONGEST * episodes), processes), episodes):
                writer.append(episode)
                bar.advance(progress)
        writer.close()
    return require_episodes(Dataset.open(folder), episodes, folder)


def require_episodes(dataset: Dataset, expected: int, folder: Path) -> Dataset:
    """The dataset, if it has so many episodes; raises ValueError otherwise."""
    if dataset.episodes != expected:
        raise ValueError(
            f"'{folder}': expected {expected} episodes, found {dataset.episodes}; remove it, or name another folder"
        )
    return dataset


def balanced(episodes: Iterable[Episode], count: int) -> Iterator[Episode]:
    """The first count / 2 episodes that succeed at their last step and the first that do not, in the order they come.

    The behaviors are mixed as that leaves them: of the skilled more among the successes. Raises ValueError where the
    episodes end before.
    """
    left = {True: count // 2, False: count - count // 2}
    for episode in episodes:
        succeeds = bool(episode.rewards[-2] > 0.0)
        if left[succeeds]:
            left[succeeds] -= 1
            yield episode
        if not any(left.values()):
            return
    raise ValueError(
        f"expected {count} episodes, half of them successes; {left[True]} successes, {left[False]} others missing"
    )


def played(task: str, seeds: range, processes: int, skills: Mapping[str, Skill] = BEHAVIORS) -> Iterator[Episode]:
    """Episodes of the seeds, one skill after the other, as they are asked for."""
    text = RobotSpec.load(TASKS[task].spec).text
    names = sorted(skills)
    with WorkerPool(processes) as pool:
        for some in batched(enumerate(seeds), AHEAD * processes):
            named = [names[number % len(names)] for number, _ in some]
            play = partial(play_episode, text)
            yield from pool.map(play, [skills[name] for name in named], named, [seed for _, seed in some])


def play_episode(spec_text: str, skill: Skill, name: str, seed: int) -> Episode:
    """One episode of a skill; the reward is 1 in every state in which the task is done."""
    spec, sim = _prepare(spec_text)
    task = TASKS[spec.task]
    behavior, view = HANDS[spec.task](skill), SpecView(spec)
    behavior.reset(seed)
    observation = sim.reset(seed)
    states, actions, successes = [view.state(observation)], [], []
    for _ in range(task.steps):
        command = behavior.command(observation)
        observation = sim.step(command)
        actions.append(view.action(command))
        states.append(view.state(observation))
        successes.append(observation.success)
    known = np.arange(task.steps + 1) < task.steps
    return Episode(
        states=np.stack(states),
        actions=np.stack([*actions, np.zeros(spec.action_size)]),
        action_mask=known,
        rewards=np.append(successes, False).astype(np.float32),
        reward_mask=known,
        stamps=np.arange(task.steps + 1) * spec.period_ns,
        behavior=name,
        success=any(successes),
        source=f"seed {seed}",
    )


@cache
def _prepare(spec_text: str) -> tuple[RobotSpec, RobosuiteSim]:
    """What a process of the pool needs, made once."""
    spec = RobotSpec.parse(spec_text)
    return spec, RobosuiteSim(spec.task, spec.rate)
