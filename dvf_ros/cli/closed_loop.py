"""Close the loop between an agent and the simulation in one process: the brain of the controller, without ROS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dvf_ros.control.brain import Brain, Request
from dvf_ros.core.decision import Decision
from dvf_ros.core.spec import RobotSpec
from dvf_ros.learning.config import DecisionConfig
from dvf_ros.sim.robosuite_sim import RobosuiteSim
from dvf_ros.sim.topics import SpecView


class Driver(Protocol):
    """What can be driven in an episode: an agent, or anything that decides for the robot of a spec."""

    @property
    def spec(self) -> RobotSpec:
        """Of the states it takes and the actions it gives."""

    @property
    def decision(self) -> DecisionConfig:
        """`execute` of it counts: how many actions of a chunk are carried out before it is asked again."""

    def decide(self, state: np.ndarray, rng: np.random.Generator) -> Decision:
        """A chunk for a state (D,)."""


@dataclass(frozen=True)
class EpisodeOutcome:
    """How an episode went: success at any time, at the last step, and the states (n, D) that were decided in.

    successes (T,) says it for every step.
    """

    seed: int
    ever: bool
    last: bool
    states: np.ndarray
    successes: np.ndarray


def run_episode(
    driver: Driver,
    sim: RobosuiteSim,
    seed: int,
    steps: int,
    agent_seed: int | None = None,
    first_stamp: int = 0,
    done: Callable[[np.ndarray], bool] | None = None,
) -> EpisodeOutcome:
    """One episode in lockstep: every state is answered before the simulation goes on.

    `done` says of a state (D,) whether it is a success; without it the simulation's task says so.
    `agent_seed` (by default the simulation's `seed`) and the stamp of the first state (ns) are all that a decision's
    randomness depends on: with those of a run through ROS topics, this gives the same commands.
    """
    spec = driver.spec
    view = SpecView(spec)
    brain = Brain(spec, execute=driver.decision.execute, max_reuse=0, gap=1.0)
    observation = sim.reset(seed)
    successes, states = [], []
    for step in range(steps):
        stamp = first_stamp + step * spec.period_ns
        for topic, values in view.values(observation).items():
            brain.observe(topic, stamp, values)
        answer = brain.tick(stamp)
        if isinstance(answer, Request):
            states.append(answer.state)
            rng = np.random.default_rng([seed if agent_seed is None else agent_seed, stamp])
            answer = brain.accept(driver.decide(answer.state, rng), answer)
        observation = sim.step(view.command(answer.action))
        successes.append(done(view.state(observation)) if done else observation.success)
    return EpisodeOutcome(seed, any(successes), successes[-1], np.stack(states), np.array(successes))
