"""The other core of the robot's computer: it runs the simulation, as fast as it can."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event

import numpy as np

from dvf_ros.sim.observation import Command
from dvf_ros.sim.robosuite_sim import RobosuiteSim

STEPS = 120


@contextmanager
def busy_neighbour(task: str, rate: float) -> Iterator[None]:
    """This process keeps to the first core, while another runs the simulation on the last one."""
    cores = sorted(os.sched_getaffinity(0))
    context = multiprocessing.get_context("spawn")
    ready, stop = context.Event(), context.Event()
    process = context.Process(target=_simulate, args=(task, rate, cores[-1], ready, stop), daemon=True)
    process.start()
    try:
        if not ready.wait(120):
            raise RuntimeError(f"the simulation of '{task}' did not start within 120 s")
        os.sched_setaffinity(0, cores[:1])
        yield
        if not process.is_alive():
            raise RuntimeError("the simulation ended while it should have kept a core busy")
    finally:
        os.sched_setaffinity(0, cores)
        stop.set()
        process.join(10)


def _simulate(task: str, rate: float, core: int, ready: Event, stop: Event) -> None:
    os.sched_setaffinity(0, [core])
    sim, rng, episode = RobosuiteSim(task, rate), np.random.default_rng(0), 0
    while not stop.is_set():
        sim.reset(episode)
        for _ in range(STEPS):
            sim.step(Command(linear=rng.uniform(-0.1, 0.1, 3)))
            ready.set()
            if stop.is_set():
                break
        episode += 1
