"""The simulation that a process keeps from one episode to the next."""

from __future__ import annotations

from functools import cache

from dvf_ros.sim.robosuite_sim import RobosuiteSim


@cache
def simulation(task: str, rate: float) -> RobosuiteSim:
    """The simulation of a task at a rate (Hz): building one takes seconds."""
    return RobosuiteSim(task, rate)
