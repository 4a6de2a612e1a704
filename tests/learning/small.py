"""A small dataset with a quaternion, two behaviors and gaps in its labels, and an agent trained on it for a moment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Dataset, Episode
from dvf_ros.learning.config import DecisionConfig, LearningConfig, TrainingConfig

SPEC = RobotSpec.parse(
    """
robot: toy
task: small
rate: 20
state:
  - topic: pose
    type: geometry_msgs/msg/PoseStamped
    fields:
      - {name: position, kind: vector, path: pose.position}
      - {name: orientation, kind: quaternion, path: pose.orientation}
action:
  - topic: command
    type: geometry_msgs/msg/TwistStamped
    fields:
      - {name: linear, kind: vector, path: twist.linear, lower: [-0.5, -0.5, -0.5], upper: [0.5, 0.5, 0.5]}
"""
)
CONFIG = LearningConfig(
    TrainingConfig(
        updates=30,
        sampler_distillation=5,
        distillation=5,
        batch=32,
        width=16,
        student_width=32,
        depth=2,
        members=3,
        chunk=4,
    ),
    DecisionConfig(candidates=6, futures=8, prior_steps=2, execute=2, device="cpu"),
)


def episode(seed: int, behavior: str, length: int = 20) -> Episode:
    """A point that moves by its command; reward 1 where x > 0."""
    rng = np.random.default_rng(seed)
    actions = rng.uniform(-0.5, 0.5, size=(length, 3))
    position = np.cumsum(np.vstack([rng.normal(size=3), 0.2 * actions[:-1]]), axis=0)
    angle = rng.uniform(-1, 1, size=length)
    turn = np.stack([np.zeros(length), np.zeros(length), np.sin(angle / 2), np.cos(angle / 2)], axis=1)
    known = np.arange(length) < length - 1
    return Episode(
        states=np.hstack([position, turn]).astype(np.float32),
        actions=np.where(known[:, None], actions, 0).astype(np.float32),
        action_mask=known,
        rewards=np.append(position[1:, 0] > 0, 0).astype(np.float32),
        reward_mask=known,
        stamps=np.arange(length) * 50_000_000,
        behavior=behavior,
    )


def driven(seed: int, driver: int, length: int = 20) -> Episode:
    """The same by one of several drivers, who differ by how far a command takes them: from a quarter to four times."""
    made = episode(seed, f"driver {driver:02}", length)
    states = np.array(made.states)
    states[:, :3] = states[0, :3] + 4.0 ** np.sin(driver) * (states[:, :3] - states[0, :3])
    return replace(made, states=states)


def dataset(episodes: int = 8) -> Dataset:
    """Episodes of two behaviors; every other one has no actions in its second half."""
    made = [episode(seed, "ab"[seed % 2]) for seed in range(episodes)]
    for index in range(0, episodes, 2):
        mask = made[index].action_mask & (np.arange(20) < 10)
        made[index] = replace(made[index], action_mask=mask)
    return Dataset.from_episodes(SPEC, made)
