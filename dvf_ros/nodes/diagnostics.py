"""Diagnostics at 1 Hz on a steady clock: simulated time may stand still just when there is something to report."""

from __future__ import annotations

from diagnostic_updater import Updater
from rclpy.clock import Clock, ClockType
from rclpy.node import Node


def steady_updater(node: Node, hardware_id: str) -> Updater:
    """An updater for `node`, already running; add tasks to it."""
    updater = Updater(node, period=1.0)
    updater.setHardwareID(hardware_id)
    node.destroy_timer(updater.timer)
    updater.timer = node.create_timer(updater.period, updater.update, clock=Clock(clock_type=ClockType.STEADY_TIME))
    return updater
