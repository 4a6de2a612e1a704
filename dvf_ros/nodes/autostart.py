"""Start a lifecycle node from a launch file: once, and never again afterwards."""

from __future__ import annotations

import threading
from typing import Any

import launch.logging
from launch import Action, LaunchContext
from launch_ros.actions import LifecycleNode
from launch_ros.ros_adapters import get_ros_node
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.client import Client

POLL = 1.0
"""s after which what is waited for is given up if the launch, or the node's process, has ended meanwhile."""

TRANSITIONS = (("configured", Transition.TRANSITION_CONFIGURE), ("activated", Transition.TRANSITION_ACTIVATE))


class Autostart(Action):
    """Configures `node`, and activates it if that succeeded.

    launch_ros' own autostart leaves a handler behind where configuring fails: whoever mends the cause and configures
    by hand later would get a robot that moves. Here nothing waits for a later transition.
    """

    def __init__(self, node: LifecycleNode, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._node = node

    def execute(self, context: LaunchContext) -> None:
        """Ask for both transitions on a thread of launch's own; what fails is logged."""
        client = get_ros_node(context).create_client(ChangeState, f"{self._node.node_name}/change_state")
        assert context.asyncio_loop is not None
        context.add_completion_future(context.asyncio_loop.run_in_executor(None, self._start, client, context))

    def _start(self, client: Client, context: LaunchContext) -> None:
        for done, transition in TRANSITIONS:
            response = self._ask(client, transition, context)
            if response is None:
                return
            if not response.success:
                launch.logging.get_logger(self._node.node_name).error(
                    f"not {done}, and left as it is; its own log says why. Mend that, then configure and activate it "
                    "by hand, or launch it again"
                )
                return

    def _ask(self, client: Client, transition: int, context: LaunchContext) -> ChangeState.Response | None:
        """The answer to one request; None where the launch or the process ended before it came."""
        while not client.wait_for_service(POLL):
            if self._ended(context):
                return None
        answered = threading.Event()
        future = client.call_async(ChangeState.Request(transition=Transition(id=transition)))
        future.add_done_callback(lambda _: answered.set())
        while not answered.wait(POLL):
            if self._ended(context):
                return None
        return future.result()

    def _ended(self, context: LaunchContext) -> bool:
        # Another process of this name, started by hand later, is not for this launch to activate.
        return context.is_shutdown or self._node.return_code is not None
