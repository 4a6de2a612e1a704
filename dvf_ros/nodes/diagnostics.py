"""Diagnostics at 1 Hz on a steady clock: simulated time may stand still just when there is something to report."""

from __future__ import annotations

from diagnostic_updater import Updater
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.node import Node


def steady_updater(node: Node, hardware: str = "") -> Updater:
    """An updater for `node`, already running; add tasks to it.

    All robots report on one topic: names of tasks begin with the node's full name, and the hardware's id with the
    namespace. A node that does not know its hardware stands for itself.
    """
    text = "Whether names of diagnostics begin with the node's full name, which tells robots apart, or its own"
    node.declare_parameter("diagnostic_updater.use_fqn", True, ParameterDescriptor(description=text, read_only=True))
    updater = Updater(node, period=1.0)
    updater.node_name = updater.node_name.replace("//", "/")  # without a namespace it begins with two
    space = node.get_namespace().rstrip("/")
    named = f"{space}/{hardware}" if space else hardware
    updater.setHardwareID(named if hardware else node.get_fully_qualified_name())
    node.destroy_timer(updater.timer)
    updater.timer = node.create_timer(updater.period, updater.update, clock=Clock(clock_type=ClockType.STEADY_TIME))
    return updater
