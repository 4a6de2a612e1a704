"""The value monitor: values of what it sees on the topics, whoever drives; no value of what it does not see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.time import Time

from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.learning.checkpoint import load_checkpoint
from dvf_ros.msg import ValueEstimate
from tests.nodes.harness import Observer, Processes, ros_domain, wait_for
from tests.nodes.test_controller import CONFIG, Base, checkpoint

__all__ = ["checkpoint"]  # the fixture

pytestmark = pytest.mark.ros

FUTURES = 64


@pytest.fixture
def ros(tmp_path: Path) -> Iterator[tuple[Processes, Observer]]:
    with ros_domain(tmp_path) as pair:
        yield pair


def test_values_of_what_is_seen(ros: tuple[Processes, Observer], checkpoint: Path) -> None:
    processes, observer = ros
    base = Base(observer, frame="odom")
    base.x = 0.25
    reports = observer.collect(DiagnosticArray, "/diagnostics")
    parameters = {"spec": CONFIG / "base_goto.yaml", "checkpoint": checkpoint, "futures": FUTURES, "rate": 20.0}
    process = processes.start("value_monitor", parameters)

    def report(word: str) -> DiagnosticStatus | None:
        latest = next((array.status[0] for array in reversed(list(reports))), None)
        return latest if latest and word in latest.message else None

    wait_for(lambda: report("nobody subscribes"), "a report that nothing is computed")
    values = observer.collect(ValueEstimate, "value_monitor/value")
    wait_for(lambda: len(values) > 2, "values")
    agent = load_checkpoint(checkpoint)
    state = agent.spec.neutral_state
    state[0] = 0.25

    def agrees(message: ValueEstimate) -> bool:
        stamp = Time.from_msg(message.header.stamp).nanoseconds
        value, error = agent.value(state, np.random.default_rng([0, stamp]))
        return np.allclose([message.value, message.standard_error], [value, error], rtol=1e-4)

    agent.configure(agent.decision.__class__(futures=FUTURES))
    assert agrees(values[-1]) and values[-1].standard_error > 0
    assert values[-1].header.frame_id == "odom", "the state's frame, not the commands'"
    assert values[-1].samples == FUTURES and values[-1].discount == pytest.approx(0.97)
    running = wait_for(lambda: report("running"), "a report of the values")
    assert {"value", "standard error", "disagreement", "reward", "input age (s)"} <= {
        pair.key for pair in running.values
    }

    def set_reward(text: str) -> tuple[bool, str]:
        request = SetParameters.Request(parameters=[Parameter("reward", value=text).to_parameter_msg()])
        result = observer.call(SetParameters, "value_monitor/set_parameters", request).results[0]
        return result.successful, result.reason

    assert set_reward("position.x + 3") == (True, "")
    agent.set_reward(parse_expression("position.x + 3", agent.spec))
    wait_for(lambda: agrees(values[-1]), "values by the other reward")
    accepted, reason = set_reward("positon.x")
    assert not accepted and "did you mean 'position'?" in reason
    accepted, reason = set_reward("sqrt(-1 - abs(position.x))")
    assert not accepted and "NaN or Inf" in reason

    base.imu_runs = False
    wait_for(lambda: report("too old: imu"), "the reason why there is no value")
    seen = len(values)
    reports.clear()
    wait_for(lambda: len(reports) > 1, "more reports")
    assert len(values) == seen
    base.imu_runs, base.x = True, float("nan")
    wait_for(lambda: report("NaN or Inf in position.x"), "the reason why there is no value")
    base.x = 0.25
    wait_for(lambda: len(values) > seen and agrees(values[-1]), "values again")
    assert processes.end(process) == 0


def test_all_that_is_wrong_with_the_parameters_is_told_at_once(ros: tuple[Processes, Observer]) -> None:
    processes, _ = ros
    process = processes.start("value_monitor", {"device": "abacus", "rate": 0.0, "futures": 3})
    assert process.wait(30) == 1
    log = processes.log("value_monitor")
    assert all(name in log for name in ("'device': expected one of", "rate", "futures")), log


def test_a_clock_that_stands_still_is_told(ros: tuple[Processes, Observer], checkpoint: Path) -> None:
    processes, observer = ros
    reports = observer.collect(DiagnosticArray, "/diagnostics")
    spec = CONFIG / "base_goto.yaml"
    processes.start("value_monitor", {"spec": spec, "checkpoint": checkpoint, "use_sim_time": True})
    told = "no value: the clock has stood still for"
    wait_for(lambda: any(told in array.status[0].message for array in list(reports)), "the reason")
