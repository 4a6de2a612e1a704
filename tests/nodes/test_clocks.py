"""The clocks of what is done at a rate, of deadlines, and of what is said in the log."""

from __future__ import annotations

import time

import pytest
import rclpy
from rclpy.clock import ClockType
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.parameter import Parameter

from dvf_ros.nodes.clocks import at_most_every, beat_clock, steady_ns
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


def test_the_steady_time_counts_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        time, "clock_gettime_ns", lambda clock: {time.CLOCK_BOOTTIME: 5, time.CLOCK_MONOTONIC: 3}[clock]
    )
    assert steady_ns() == 5


def test_a_clock_that_is_set_back_silences_no_log() -> None:
    logger = get_logger("throttled")
    told = []
    for wait in (0.0, 0.0, 0.15):
        time.sleep(wait)
        told.append(logger.error("said on purpose", **at_most_every(0.1)))
    assert told == [True, False, True]
    assert at_most_every(1.0)["throttle_time_source_type"].clock_type == ClockType.STEADY_TIME
