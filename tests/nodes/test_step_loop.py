"""The simulation's beat in real time."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")

from dvf_ros.nodes.step_loop import RESET_JUMP, Pacing, StepLoop

PERIOD = 50_000_000


class Simulation:
    """Nothing moves in it."""

    def reset(self, seed: int) -> Any:
        return SimpleNamespace(gripper_width=0.0)

    def step(self, command: Any) -> Any:
        return SimpleNamespace(gripper_width=0.0)


def test_the_state_after_a_reset_keeps_the_beat() -> None:
    """A reset that comes right after a state: whoever decides on that has as long as for any other."""
    said: list[tuple[int, float]] = []

    def publish(stamp: int, observation: Any, arrived: bool) -> None:
        said.append((stamp, time.monotonic()))
        if len(said) == 3:
            loop.reset(7)

    loop = StepLoop(
        Simulation(), Pacing("realtime", PERIOD), 0, False, publish, complain=print, inform=print, fail=print
    )
    loop.start()
    time.sleep(0.4)
    loop.close()
    (last, before), (first, after) = said[2:4]
    assert first == last + RESET_JUMP
    assert after - before > 0.5 * PERIOD * 1e-9
