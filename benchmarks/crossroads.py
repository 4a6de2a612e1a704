"""A world in which nobody was ever seen to arrive: the way to the goal is in pieces, and most pieces lead elsewhere.

From the middle of a plane roads lead off in four directions. A recording of the east road ends at its corner; another
one begins there and goes on to the goal, north of it. Those of the other roads are long: who takes them stands at their
end, of which the western one pays a little. What becomes of going east is never recorded in one piece.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Dataset, Episode
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.config import DecisionConfig, LearningConfig, OccupancyPairs, TrainingConfig
from dvf_ros.learning.training import train

SPEC = RobotSpec.parse(
    """
robot: point
task: crossroads
rate: 10
state:
  - topic: state
    type: std_msgs/msg/Float64MultiArray
    stamp: receive
    fields: [{name: place, path: data, kind: array, size: 2}]
action:
  - topic: action
    type: std_msgs/msg/Float64MultiArray
    stamp: receive
    fields: [{name: velocity, path: data, kind: array, size: 2, lower: [-1.0, -1.0], upper: [1.0, 1.0]}]
"""
)
ROADS = np.array([[4.0, 0.0], [-4.0, 0.0], [0.0, 4.0], [0.0, -4.0]])
"""Ends of the roads; the first is the corner."""

GOAL, CONSOLATION = np.array([4.0, 4.0]), 0.15
"""Where the reward is 1, and what the end of the second road pays."""

NEAR = 0.75
"""Distance at which a place counts as reached."""

SPEED, NOISE, STEP = 0.25, 0.1, 1.0
"""Of a walker per tick, standard deviation of its velocity, and how far a velocity of 1 carries in a tick."""

STANDING = 60
"""Ticks that who took another road stands at its end in a recording."""

LONGEST = 60
"""Ticks that somebody has to arrive in."""

WORLD = (ROADS.tolist(), GOAL.tolist(), CONSOLATION, NEAR, SPEED, NOISE, STEP, STANDING, LONGEST)
"""All that recordings and arrivals depend on but for their seeds."""

TRAINING = TrainingConfig(
    discount=0.95, chunk=4, sampler_distillation=0, distillation=0, batch=256, width=64, student_width=64, members=3
)
DECISION = DecisionConfig(
    candidates=24, futures=32, prior_temperature=1.0, scoring="futures", sampler="exact", execute=2, device="cpu"
)


def moved(place: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """The place (2,) a tick later."""
    return place + STEP * np.clip(velocity, -1.0, 1.0)


def near(place: np.ndarray, end: np.ndarray) -> bool:
    """Whether a place counts as an end."""
    return bool(np.linalg.norm(place - end) < NEAR)


def walk(rng: np.random.Generator, start: np.ndarray, end: np.ndarray, standing: int) -> Episode:
    """From a place to about another, and some ticks there, with the reward on arrival of every state."""
    place = start + 0.2 * rng.standard_normal(2)
    states, actions, stood = [place], [], 0
    while stood <= standing:
        way = end - place
        distance = float(np.linalg.norm(way))
        stood += near(place, end)
        velocity = way * min(1.0, SPEED / max(distance, 1e-9)) / STEP + NOISE * rng.standard_normal(2)
        actions.append(np.clip(velocity, -1.0, 1.0))
        place = moved(place, velocity)
        states.append(place)
    known = np.arange(len(states)) < len(actions)
    rewards = [1.0 * near(place, GOAL) + CONSOLATION * near(place, ROADS[1]) for place in states[1:]]
    return Episode(
        states=np.array(states, np.float32),
        actions=np.array([*actions, np.zeros(2)], np.float32),
        action_mask=known,
        rewards=np.append(rewards, 0.0).astype(np.float32),
        reward_mask=known,
        stamps=np.arange(len(states)) * SPEC.period_ns,
    )


def recordings(seed: int, pieces: int = 100) -> Dataset:
    """So many recordings of each road, and as many from the corner to the goal."""
    rng, middle = np.random.default_rng(seed), np.zeros(2)
    found = []
    for _ in range(pieces):
        found += [walk(rng, middle, end, 0 if road == 0 else STANDING) for road, end in enumerate(ROADS)]
        found.append(walk(rng, ROADS[0], GOAL, STANDING // 4))
    return Dataset.from_episodes(SPEC, found)


def trained(seed: int, pairs: OccupancyPairs, updates: int) -> DvfAgent:
    """An agent that learned from recordings of its own seed."""
    training = replace(TRAINING, seed=seed, occupancy=pairs, updates=updates)
    return train(recordings(seed), LearningConfig(training, DECISION))[0]


def arrives(agent: DvfAgent, seed: int) -> bool:
    """Whether the agent gets from the middle to the goal."""
    rng = np.random.default_rng(seed)
    place = 0.2 * rng.standard_normal(2)
    for _ in range(0, LONGEST, agent.decision.execute):
        for velocity in agent.decide(place.astype(np.float32), rng).chunk[: agent.decision.execute]:
            place = moved(place, velocity)
            if near(place, GOAL):
                return True
    return False
