"""Parameters of every node: a name that nobody declared is refused, with what may have been meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
import yaml
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.node import Node
from rclpy.parameter import Parameter

from dvf_ros.nodes.controller_parameters import ControllerParameters
from dvf_ros.nodes.parameters import declare, told_together
from tests.nodes.harness import ros_domain, wait_for

pytestmark = pytest.mark.ros

CONFIG = Path(__file__).parents[2] / "config"

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


@pytest.mark.parametrize("value", [0.01, 1])
def test_a_known_parameter_with_a_bad_value_is_not_told_to_be_unknown(context: rclpy.Context, value: object) -> None:
    node = node_with(context, deadline=value, deadlin=0.15)
    with pytest.raises(ValueError) as raised, told_together(node):
        declare(node, "deadline", 0.15, "s", low=0.02, high=10.0)
    text = str(raised.value)
    assert "Reason: Parameter deadline out of range" in text or "expecting type 'DOUBLE': deadline" in text
    assert "parameter 'deadline': unknown" not in text
    assert "parameter 'deadlin': unknown to /some_node; did you mean 'deadline'?" in text
    node.destroy_node()


def test_a_list_without_elements_is_one(context: rclpy.Context) -> None:
    node = Node("some_node", context=context, cli_args=["--ros-args", "-p", "extra_topics:=[]"])
    assert declare(node, "extra_topics", [""], "Topics") == []
    node.destroy_node()


@pytest.mark.parametrize("name", ["collect", "controller", "recorder", "sim", "value_monitor"])
def test_a_parameter_file_names_the_nodes_that_it_is_for(name: str) -> None:
    """One for all nodes would be refused by those of a launch file that do not know its parameters."""
    file = CONFIG / f"{name}.yaml"
    assert set(yaml.safe_load(file.read_text())) <= {f"/**/{node}" for node in NODES}


@pytest.mark.slow
def test_a_node_without_its_trained_agent_says_which_parameter_is_empty(tmp_path: Path) -> None:
    spec = CONFIG / "base_goto.yaml"
    told = "parameter 'checkpoint': expected a trained agent (YAML file), found none"
    with ros_domain(tmp_path) as (processes, observer):
        assert processes.start("value_monitor", {"spec": spec}).wait(60) == 1
        assert told in processes.log("value_monitor") and "Traceback" not in processes.log("value_monitor")
        processes.start("controller", {"spec": spec})
        request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
        assert not observer.call(ChangeState, "controller/change_state", request).success
        wait_for(lambda: told in processes.log("controller"), "the reason")


@pytest.mark.slow
@pytest.mark.parametrize("name", NODES)
def test_every_node_refuses_a_parameter_file_with_a_misspelt_name(name: str, tmp_path: Path) -> None:
    file = tmp_path / "parameters.yaml"
    file.write_text(f"/**/{name}:\n  ros__parameters:\n    spek: config/panda_lift.yaml\n")
    with ros_domain(tmp_path) as (processes, _):
        process = processes.start(name, {}, params_file=file)
        assert process.wait(60) == 1
        assert f"parameter 'spek': unknown to /{name}; did you mean 'spec'?" in processes.log(name)
