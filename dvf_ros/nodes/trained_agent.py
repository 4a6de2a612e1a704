"""The trained agent as a node's parameter."""

from __future__ import annotations

from rclpy.node import Node

from dvf_ros.core.parsing import ConfigError
from dvf_ros.nodes.parameters import declare


def declare_checkpoint(node: Node) -> str:
    """Declare the parameter `checkpoint` and return the file it names."""
    return str(declare(node, "checkpoint", "", "Trained agent (the .yaml beside its .safetensors)"))


def check_checkpoint(path: str) -> None:
    """Raise ConfigError where the parameter names no file at all."""
    if not path:
        raise ConfigError(
            "parameter 'checkpoint': expected a trained agent (YAML file), found none; set -p checkpoint:=FILE"
        )
