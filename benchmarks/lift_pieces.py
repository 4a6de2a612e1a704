"""Lift in pieces: some recordings reach for the cube and end, others begin about it and lift; most go somewhere else.

Reaching hands and lifting hands never share an episode of the simulation, but their recordings overlap: the first end
while the fingers close, the second begin on the last of the way down. Who does neither stands aside in the end, and of
that recordings are long: some go there at once, some set out for the cube and turn away. Whatever was recorded for
longer from a hand on its way to the cube leads aside. Nothing tells in the data which of these a recording is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from rich.progress import track

from benchmarks.task_data import require_episodes
from dvf_ros.core.spec import RobotSpec
from dvf_ros.core.worker_pool import WorkerPool
from dvf_ros.data.dataset import Dataset, DatasetWriter, Episode
from dvf_ros.sim.behaviors import LiftBehavior, Skill
from dvf_ros.sim.observation import MAX_GRIPPER_WIDTH, Command, Observation
from dvf_ros.sim.robosuite_sim import RobosuiteSim
from dvf_ros.sim.topics import SpecView

SPEC = Path("config/panda_lift.yaml")
SKILL = Skill(speed=0.15, noise=0.03, yaw_noise=0.1, offset=0.004, yaw_offset=0.05)
"""Of reaching and lifting hands: nearly all of them would succeed, were they to do all of it."""

ASIDE = np.array([-0.15, 0.2, 1.0])
"""m, world: where who does not reach goes."""

PIECES = ("reach", "lift", "visit", "visit", "aside")
"""What is recorded, in turn."""

LONGEST_REACH, LIFTING, STAYING = 100, 120, 160
"""Ticks that a hand may take to get about the cube, and of the recording of one that lifts or goes aside."""

TURNING, BEFORE, AFTER = (10, 26), (0, 21), (1, 11)
"""Ticks, first and past the last: when a visiting hand turns away; from how many before it closes a lifting one is
recorded; for how many after that a reaching one is."""


@dataclass
class _Aside:
    """Goes to the side and stays there, open, with the noise of a hand."""

    seed: int

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng([self.seed, 2])
        self._place = ASIDE + 0.03 * self._rng.standard_normal(3)

    def command(self, observation: Observation) -> Command:
        """Towards the place, at a hand's speed."""
        way = self._place - observation.eef_position
        velocity = way * min(4.0, SKILL.speed / max(float(np.linalg.norm(way)), 1e-9))
        return Command(velocity + SKILL.noise * self._rng.standard_normal(3), np.zeros(3), MAX_GRIPPER_WIDTH)


def pieces_dataset(folder: Path, episodes: int, processes: int) -> Dataset:
    """The dataset in `folder`, played first where there is none."""
    if not (folder / "episodes.parquet").exists():
        writer = DatasetWriter(folder, RobotSpec.load(SPEC))
        with WorkerPool(processes) as pool:
            for episode in track(pool.map(play_piece, range(episodes)), "playing pieces", episodes, transient=True):
                writer.append(episode)
        writer.close()
    return require_episodes(Dataset.open(folder), episodes, folder)


def play_piece(seed: int) -> Episode:
    """The piece that the seed's turn is."""
    kind = PIECES[seed % len(PIECES)]
    spec, sim = _prepare()
    view, hand, aside = SpecView(spec), LiftBehavior(SKILL), _Aside(seed)
    rng = np.random.default_rng([seed, 3])
    turning, before, after = (int(rng.integers(*span)) for span in (TURNING, BEFORE, AFTER))
    turn = {"aside": 0, "visit": turning}.get(kind)  # tick from which it goes aside; None: never
    begin, end = 0, LONGEST_REACH if turn is None else STAYING
    hand.reset(seed)
    observation = sim.reset(seed)
    states = [view.state(observation)]
    actions: list[np.ndarray] = []
    closed = False
    while len(actions) < end:
        tick = len(actions)
        command = (hand if turn is None or tick < turn else aside).command(observation)
        if turn is None and hand.grasping and not closed:
            closed = True
            begin, end = (0, tick + after) if kind == "reach" else (max(0, tick - before), tick + LIFTING)
        observation = sim.step(command)
        actions.append(view.action(command))
        states.append(view.state(observation))
    states, actions = states[begin:], actions[begin:]
    known = np.arange(len(states)) < len(actions)
    return Episode(
        states=np.stack(states),
        actions=np.stack([*actions, np.zeros(spec.action_size)]),
        action_mask=known,
        rewards=np.zeros(len(states), np.float32),
        reward_mask=np.zeros(len(states), bool),
        stamps=np.arange(len(states)) * spec.period_ns,
        source=f"seed {seed}, {kind}",
    )


@cache
def _prepare() -> tuple[RobotSpec, RobosuiteSim]:
    """What a process of the pool needs, made once."""
    spec = RobotSpec.load(SPEC)
    return spec, RobosuiteSim(spec.task, spec.rate)
