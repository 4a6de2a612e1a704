"""Commands go out at one phase of the period, whether the tick went on with a chunk or had to decide anew."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from dvf_ros.control.brain import Command


class SteadyRelease:
    """Hands each command to `send` at `after` s past its tick, on a steady clock; one that is ready later, at once.

    A tick that goes on with a chunk has its command within a millisecond, one that decides much later: sent at once,
    the robot would get them now too close to each other, now too far apart. Stops never wait, nor does what follows
    one: it begins where the robot was measured, and the longer that is ago, the further it may have gone.
    """

    def __init__(self, node: Node, after: float, lock: RLock, send: Callable[[Command], None]) -> None:
        self._node, self._lock, self._send = node, lock, send
        self._held: Command | None = None
        self._open = self._stopped = True
        self._timer = node.create_timer(
            max(after, 1e-6), self._due, clock=Clock(clock_type=ClockType.STEADY_TIME), autostart=False
        )
        self._waits = after > 0

    def ticked(self) -> None:
        """A tick begins; what the last one left goes out now."""
        self._flush()
        if self._waits:
            # Started here, on the executor's thread: it would not see another thread start it.
            self._open = False
            self._timer.reset()

    def offer(self, command: Command) -> None:
        """The command of this tick."""
        at_once = bool(command.stop_reason) or self._open or self._stopped
        self._stopped = bool(command.stop_reason)
        self._held = None if at_once else command
        if at_once:
            self._send(command)

    def drop(self) -> bool:
        """Forget the command that waits, since the robot is to stop; returns whether there was one."""
        dropped, self._held = self._held is not None, None
        return dropped

    def destroy(self) -> None:
        """Take the timer down."""
        self._node.destroy_timer(self._timer)

    def _due(self) -> None:
        with self._lock:
            self._timer.cancel()
            self._open = True
            self._flush()

    def _flush(self) -> None:
        if self._held is not None:
            command, self._held = self._held, None
            self._send(command)
