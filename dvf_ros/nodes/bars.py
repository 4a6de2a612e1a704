"""What keeps the controller from acting in any state of its lifecycle: a person's pause, and the gate's e-stop."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock

from rclpy.node import Node
from std_msgs.msg import Bool
from std_srvs.srv import SetBool

from dvf_ros.nodes.spec_topics import LATCHED_QOS

ESTOPPED = "command_gate/estopped"
"""Where the gate says whether it lets nothing pass."""

BARRED = "the gate lets nothing pass: e-stop, or it stood still"


class Bars:
    """Hears `~/pause` and the gate; `reason` is why every tick has to be a stop, empty if none has.

    `changed` is called, under `lock`, for every word of either. Neither activation nor a new configuration lifts a bar.
    """

    def __init__(self, node: Node, lock: RLock, changed: Callable[[], None]) -> None:
        self.paused = self._estopped = False
        self._lock, self._changed = lock, changed
        node.create_service(SetBool, "~/pause", self._on_pause)
        # An e-stop that the gate keeps to itself would leave targets that go on, from where the robot no longer is.
        node.create_subscription(Bool, ESTOPPED, self._on_estop, LATCHED_QOS)

    @property
    def reason(self) -> str:
        """For people and for the status."""
        return "; ".join(["paused"] * self.paused + [BARRED] * self._estopped)

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        with self._lock:
            self.paused = request.data
            self._changed()
        response.success, response.message = True, "paused until data: false resumes" if request.data else "resumed"
        return response

    def _on_estop(self, message: Bool) -> None:
        with self._lock:
            self._estopped = message.data
            self._changed()
