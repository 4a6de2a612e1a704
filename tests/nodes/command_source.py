"""A process that commands at full speed until it is killed: `python -m tests.nodes.command_source SPEC`."""

from __future__ import annotations

import sys

import numpy as np
import rclpy
from rclpy.node import Node

from dvf_ros.control.gate import input_topic
from dvf_ros.core.spec import RobotSpec
from dvf_ros.nodes.spec_topics import CommandTopics


def main(path: str) -> None:
    """Publish the spec's upper limits at its rate, where a gate listens."""
    spec = RobotSpec.load(path)
    remappings = [word for s in spec.action for word in ("-r", f"{s.topic}:={input_topic(s.topic)}")]
    rclpy.init(args=["--ros-args", *remappings])
    node = Node("command_source")
    commands = CommandTopics(node, spec)
    fastest = np.asarray(spec.action_upper)
    node.create_timer(1 / spec.rate, lambda: commands.publish(fastest, node.get_clock().now().nanoseconds))
    rclpy.spin(node)


if __name__ == "__main__":
    main(sys.argv[1])
