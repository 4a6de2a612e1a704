"""Which clock is read, and which a timer or a log follows."""

from __future__ import annotations

import time
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

STEADY = Clock(clock_type=ClockType.STEADY_TIME)
"""For timers and logs; it stands still while the machine sleeps."""


def steady_ns() -> int:
    """ns of a steady clock that goes on while the machine sleeps, unlike Python's and ROS's: a robot may be moved then.

    Timers stand still with the machine; what they missed is seen by this clock.
    """
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def at_most_every(seconds: float) -> dict[str, Any]:
    """Words for a logger that say a message at most once in so many seconds, by a clock that nobody sets.

    rclpy's own takes the machine's time: set back by an hour, it would be silent for an hour.
    """
    return {"throttle_duration_sec": seconds, "throttle_time_source_type": STEADY}


def beat_clock(node: Node) -> Clock:
    """The clock for what is done at a rate: the simulation's where the node takes its time from one, else a steady one.

    A timer on the machine's own time waits, after somebody set that back, until it has caught up.
    """
    simulated = node.get_parameter("use_sim_time").value
    return node.get_clock() if simulated else STEADY
