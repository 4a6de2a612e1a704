"""The clock of what is done at a rate."""

from __future__ import annotations

import pytest
import rclpy
from rclpy.clock import ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter

from dvf_ros.nodes.clocks import beat_clock
from tests.nodes.harness import own_domain

pytestmark = pytest.mark.ros


@pytest.mark.parametrize(("simulated", "kind"), [(False, ClockType.STEADY_TIME), (True, ClockType.ROS_TIME)])
def test_nobody_sets_back_a_robots_beat_and_a_simulation_gives_its_own(simulated: bool, kind: ClockType) -> None:
    context = rclpy.Context()
    with own_domain() as domain:
        rclpy.init(context=context, domain_id=domain)
        try:
            settings = [Parameter("use_sim_time", value=simulated)]
            node = Node("beating", context=context, parameter_overrides=settings)
            assert beat_clock(node).clock_type == kind
            node.destroy_node()
        finally:
            rclpy.shutdown(context=context)
