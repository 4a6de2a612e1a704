"""A robot that prints the speed of every command it takes: `python -m tests.nodes.command_listener`."""

from __future__ import annotations

import rclpy
from geometry_msgs.msg import TwistStamped
from rclpy.node import Node


def main() -> None:
    """Listen on `cmd_twist` until killed."""
    rclpy.init()
    node = Node("command_listener")
    node.create_subscription(
        TwistStamped, "cmd_twist", lambda message: print(f"speed {message.twist.linear.x:g}", flush=True), 1
    )
    rclpy.spin(node)


if __name__ == "__main__":
    main()
