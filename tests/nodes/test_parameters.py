"""Parameters of every node: a name that nobody declared is refused, with what may have been meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter

from dvf_ros.nodes.controller_parameters import ControllerParameters
from dvf_ros.nodes.parameters import declare, told_together
from tests.nodes.harness import ros_domain

pytestmark = pytest.mark.ros

NODES = (
    "controller",
    "command_gate",
    "recorder",
    "sim_bridge",
    "collector",
    "episode_runner",
    "goal_sequence",
    "value_monitor",
)


@pytest.fixture
def context() -> Iterator[rclpy.Context]:
    context = rclpy.Context()
    rclpy.init(context=context, args=[])
    yield context
    rclpy.shutdown(context=context)


def node_with(context: rclpy.Context, **given: object) -> Node:
    overrides = [Parameter(name.replace("__", "."), value=value) for name, value in given.items()]
    return Node("some_node", context=context, parameter_overrides=overrides)


def test_a_misspelt_parameter_is_told_with_everything_else_that_is_wrong(context: rclpy.Context) -> None:
    node = node_with(context, candidats=8, deadline=-1.0, checkpoint="x.yaml")
    with pytest.raises(ValueError) as raised:
        ControllerParameters.declare(node)
    text = str(raised.value)
    assert "parameter 'candidats': unknown to /some_node; did you mean 'candidates'?" in text
    assert "deadline" in text and "checkpoint" not in text
    node.destroy_node()


def test_what_ros_and_its_libraries_take_is_known(context: rclpy.Context) -> None:
    node = node_with(context, use_sim_time=False, diagnostic_updater__period=2.0, rate=4.0)
    with told_together(node):
        assert declare(node, "rate", 5.0, "Hz", low=0.1, high=100.0) == 4.0
    node.destroy_node()


@pytest.mark.slow
@pytest.mark.parametrize("name", NODES)
def test_every_node_refuses_a_parameter_file_with_a_misspelt_name(name: str, tmp_path: Path) -> None:
    file = tmp_path / "parameters.yaml"
    file.write_text(f"/**/{name}:\n  ros__parameters:\n    spek: config/panda_lift.yaml\n")
    with ros_domain(tmp_path) as (processes, _):
        process = processes.start(name, {}, params_file=file)
        assert process.wait(60) == 1
        assert f"parameter 'spek': unknown to /{name}; did you mean 'spec'?" in processes.log(name)
