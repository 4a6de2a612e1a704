"""Decisions against the clock: as a robot asks for them, and of growing size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from dvf_ros.core.spec import RobotSpec
from dvf_ros.learning.agent import DvfAgent
from dvf_ros.learning.config import DecisionConfig, TrainingConfig

WARM_UP = 5
HORIZON = 61
"""Ticks; of agents without data, as Lift's."""


def time_ticks(agent: DvfAgent, states: np.ndarray, count: int, period: float) -> dict[str, np.ndarray]:
    """Stage -> ms (count,) of decisions on the states (n, D) in turn, one each `period` s; `total` is all of it.

    Between ticks the process sleeps, as a robot's controller does, and its caches cool.
    """
    for number in range(WARM_UP):
        agent.decide(states[0], np.random.default_rng(number))
    found: dict[str, list[float]] = {}
    due = time.perf_counter()
    for number in range(count):
        due = max(due + period, time.perf_counter())
        time.sleep(max(0.0, due - time.perf_counter()))
        begin = time.perf_counter()
        decision = agent.decide(states[number % len(states)], np.random.default_rng([1, number]))
        total = time.perf_counter() - begin
        for stage, seconds in {**decision.timings, "total": total}.items():
            found.setdefault(stage, []).append(seconds * 1e3)
    return {stage: np.array(times) for stage, times in found.items()}


def percentiles(times: np.ndarray) -> dict[str, float]:
    """Of ms (n,): median, 95th and 99th percentile, maximum."""
    p50, p95, p99, worst = np.percentile(times, (50, 95, 99, 100))
    return {"p50_ms": float(p50), "p95_ms": float(p95), "p99_ms": float(p99), "max_ms": float(worst)}


def time_growth(agent: DvfAgent, states: np.ndarray, count: int) -> dict[str, dict[str, float]]:
    """Median ms of a decision by the number of candidates, of futures, and of numbers in the state."""
    usual = agent.decision

    def by(name: str, numbers: tuple[int, ...]) -> Iterator[tuple[str, float]]:
        for number in numbers:
            agent.configure(replace(usual, **{name: number}))  # type: ignore[arg-type]
            yield str(number), _median(agent, states, count)
        agent.configure(usual)

    sizes = {}
    for size in (10, 30, 100, 300):
        other = agent_of_size(size, usual)
        sizes[str(size)] = _median(other, other.spec.neutral_state[None], count)
    return {
        "candidates": dict(by("candidates", (8, 16, 32, 64, 128))),
        "futures": dict(by("futures", (4, 8, 16, 32, 64))),
        "state_size": sizes,
    }


def agent_of_size(size: int, decision: DecisionConfig) -> DvfAgent:
    """An agent of Lift's settings that decides as one that learned, for a robot whose state has `size` numbers."""
    joints = ", ".join(f"joint{number}" for number in range(size))
    spec = RobotSpec.parse(
        f"""
robot: arm
task: of {size} numbers
rate: 20
state:
  - topic: joint_states
    type: sensor_msgs/msg/JointState
    fields:
      - {{name: joint_position, kind: joints, path: position, joints: [{joints}]}}
action:
  - topic: cmd_twist
    type: geometry_msgs/msg/TwistStamped
    fields:
      - {{name: linear, kind: vector, path: twist.linear, lower: [-1, -1, -1], upper: [1, 1, 1]}}
"""
    )
    agent = DvfAgent(spec, ("a",), HORIZON, TrainingConfig(), decision)
    for learned in (agent.distilled, agent.samplers_distilled):
        learned.fill_(True)
    return agent


def _median(agent: DvfAgent, states: np.ndarray, count: int) -> float:
    return float(np.median(time_ticks(agent, states, count, period=0.0)["total"]))
