"""How a run of episodes or goals ends: figures and bar in a file, what failed in the log, a status to end with."""

from __future__ import annotations

from collections.abc import Mapping

from rclpy.node import Node

from dvf_ros.core.results import Bar, wilson_interval, write_results
from dvf_ros.core.spec import RobotSpec
from dvf_ros.msg import ControllerStatus


def sum_up(
    node: Node,
    spec: RobotSpec,
    successes: int,
    trials: int,
    status: ControllerStatus,
    about: Mapping[str, object],
    *,
    noun: str,
    bar: float,
    result: str,
    seeds: range,
    record: bool,
) -> int:
    """Say and write (unless `result` is empty) how many of the trials succeeded; 1 if their share is below `bar`.

    `about` are further figures; `noun` says for the log what was tried and what became of it ("goals reached").
    """
    rate = successes / trials
    low, high = wilson_interval(successes, trials)
    node.get_logger().info(
        f"{successes} of {trials} {noun}: {rate:.0%} (95 % interval {low:.0%} to {high:.0%}); "
        f"decision latency p50 {status.latency_p50_ms:.1f} ms, p99 {status.latency_p99_ms:.1f} ms; "
        f"{status.deadline_misses} deadline misses in {status.decisions} decisions"
    )
    wanted = Bar("success_rate", rate, ">=", bar)
    figures = {
        **about,
        "success_rate": rate,
        "success_low": low,
        "success_high": high,
        "tick_p50_ms": status.latency_p50_ms,
        "tick_p99_ms": status.latency_p99_ms,
        "deadline_misses": status.deadline_misses,
        "decisions": status.decisions,
    }
    if result:
        command = (
            f"ros2 launch dvf_ros controller.launch.py sim:=true task:={spec.task} "
            f"episodes:={len(seeds)} seed:={seeds.start} record:={str(record).lower()}"
        )
        write_results(result, figures, [wanted], seeds, command)
    if not wanted.holds:
        node.get_logger().error(f"the bar does not hold: {wanted.name} {rate:.3g}, wanted {wanted.op} {bar:g}")
    return 0 if wanted.holds else 1
