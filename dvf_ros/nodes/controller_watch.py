"""What a node that runs episodes has to know of the controller: whether it is active, and its newest status."""

from __future__ import annotations

import threading
import time

from rclpy.node import Node
from rclpy.qos import QoSProfile

from dvf_ros.msg import ControllerStatus
from dvf_ros.nodes.episodes import EpisodeError, Script

STATUS_TIMEOUT = 2.0
"""s to wait for the status that counts the last tick; the controller reports five times a second."""

ACTIVE = (ControllerStatus.RUNNING, ControllerStatus.STOPPED)
STATES = {
    ControllerStatus.INACTIVE: "inactive",
    ControllerStatus.RUNNING: "running",
    ControllerStatus.STOPPED: "stopped",
    ControllerStatus.PAUSED: "paused",
}


class ControllerWatch:
    """Listens to `controller/status`; the waits are for a script's thread."""

    def __init__(self, node: Node) -> None:
        self.status: ControllerStatus | None = None
        self._reported = threading.Condition()
        node.create_subscription(ControllerStatus, "controller/status", self._on_status, QoSProfile(depth=1))

    def wait_until_active(self, script: Script, timeout: float) -> None:
        """Wait until the controller is active; raises EpisodeError saying what it does instead."""
        until = time.monotonic() + timeout
        while self.status is None or self.status.state not in ACTIVE:
            if time.monotonic() >= until:
                found = "no message on it"
                if self.status is not None:
                    state = STATES.get(self.status.state, "unknown")
                    found = f"state '{state}' ({self.status.reason or 'no reason given'})"
                raise EpisodeError(
                    f"expected an active controller on 'controller/status' within {timeout:g} s, "
                    f"found {found}; its log says why it was not configured or activated"
                )
            script.wait(threading.Event(), 0.05)

    def newest(self) -> ControllerStatus:
        """A status younger than this call, if one comes in time; an old one would leave ticks out of the figures."""
        with self._reported:
            self._reported.wait(STATUS_TIMEOUT)
        assert self.status is not None
        return self.status

    def _on_status(self, status: ControllerStatus) -> None:
        with self._reported:
            self.status = status
            self._reported.notify_all()
