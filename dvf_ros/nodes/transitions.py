"""Lifecycle transitions that say why they failed."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node


def logged(node: Node, work: Callable[[], None]) -> TransitionCallbackReturn:
    """Do the work of a transition: FAILURE for what a user can mend (ValueError, OSError), ERROR for anything else."""
    # rclpy swallows what a transition raises; without this nobody would learn why it failed.
    try:
        work()
    except (ValueError, OSError) as error:
        node.get_logger().error(f"{error}")
        return TransitionCallbackReturn.FAILURE
    except Exception:
        node.get_logger().fatal(f"transition failed:\n{traceback.format_exc()}")
        return TransitionCallbackReturn.ERROR
    return TransitionCallbackReturn.SUCCESS
