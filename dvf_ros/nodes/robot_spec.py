"""The robot spec as a node's parameter."""

from __future__ import annotations

from rclpy.node import Node

from dvf_ros.core.parsing import ConfigError
from dvf_ros.core.path_check import check_paths
from dvf_ros.core.spec import RobotSpec
from dvf_ros.nodes.message_types import fields_of
from dvf_ros.nodes.parameters import declare


def declare_spec(node: Node) -> str:
    """Declare the parameter `spec` and return the file it names."""
    return str(declare(node, "spec", "", "Robot spec (YAML file): topics and fields of state and action"))


def load_spec(path: str) -> RobotSpec:
    """Read a spec and check its paths against the installed message types; raises ConfigError."""
    if not path:
        raise ConfigError("parameter 'spec': expected a robot spec (YAML file), found none; set -p spec:=FILE")
    spec = RobotSpec.load(path)
    check_paths(spec, fields_of)
    return spec
