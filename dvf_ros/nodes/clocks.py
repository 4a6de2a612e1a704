"""Which clock a timer follows."""

from __future__ import annotations

from rclpy.clock import Clock, ClockType
from rclpy.node import Node


def beat_clock(node: Node) -> Clock:
    """The clock for what is done at a rate: the simulation's where the node takes its time from one, else a steady one.

    A timer on the machine's own time waits, after somebody set that back, until it has caught up.
    """
    simulated = node.get_parameter("use_sim_time").value
    return node.get_clock() if simulated else Clock(clock_type=ClockType.STEADY_TIME)
