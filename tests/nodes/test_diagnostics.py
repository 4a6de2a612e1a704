"""Diagnostics of several robots: all report on one topic, and a reader has to tell whose a status is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.parameter import Parameter

from dvf_ros.nodes.diagnostics import steady_updater
from tests.nodes.harness import own_domain, ros_domain, wait_for

pytestmark = pytest.mark.ros

SPEC = Path(__file__).parents[2] / "config" / "panda_lift.yaml"


@pytest.fixture
def context() -> Iterator[rclpy.Context]:
    context = rclpy.Context()
    with own_domain() as domain:
        rclpy.init(context=context, args=[], domain_id=domain)
        yield context
        rclpy.shutdown(context=context)


@pytest.mark.parametrize(
    ("namespace", "hardware", "name", "identity"),
    [
        ("", "", "/gate", "/gate"),
        ("", "panda", "/gate", "panda"),
        ("left", "", "/left/gate", "/left/gate"),
        ("left", "panda", "/left/gate", "/left/panda"),
    ],
)
def test_namespaces_tell_robots_apart(
    context: rclpy.Context, namespace: str, hardware: str, name: str, identity: str
) -> None:
    node = Node("gate", namespace=namespace, context=context)
    updater = steady_updater(node, hardware)
    assert (updater.node_name, updater.hwid) == (name, identity)
    node.destroy_node()


def test_whoever_wants_short_names_gets_them(context: rclpy.Context) -> None:
    overrides = [Parameter("diagnostic_updater.use_fqn", value=False)]
    node = Node("gate", namespace="left", context=context, parameter_overrides=overrides)
    assert steady_updater(node).node_name == "gate"
    node.destroy_node()


def test_two_gates_report_under_names_of_their_own(tmp_path: Path) -> None:
    with ros_domain(tmp_path) as (processes, observer):
        arrays = observer.collect(DiagnosticArray, "/diagnostics")
        for robot in ("left", "right"):
            processes.start("command_gate", {"spec": SPEC}, name=robot, namespace=f"/{robot}")

        def found() -> set[tuple[str, str]]:
            # The first status of an updater, that its node starts, has no hardware yet.
            return {(status.name, status.hardware_id) for array in list(arrays) for status in array.status}

        expected = {(f"/{robot}/command_gate: gate", f"/{robot}/panda") for robot in ("left", "right")}
        wait_for(lambda: found() >= expected, "both gates' diagnostics")
        assert {name for name, _ in found()} == {name for name, _ in expected}
