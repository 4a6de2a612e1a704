"""The controller's deadlines, on a steady clock: nobody sets that one."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node
from rclpy.timer import Timer

from dvf_ros.core.spec import RobotSpec
from dvf_ros.nodes.clocks import STEADY


class Deadlines:
    """Calls `late()` when a decision's time is up, and `silent()` when no tick came, or a source says nothing new.

    `late()` is also called for a decision that came: a timer that another thread cancels while the executor is about
    to call it ends the process, so all of this is for the executor's thread alone.

    A decision has `share` of a period, ticks `gap` s, a source its max_age, all in the robot's seconds, of which `pace`
    go by in one. `kept` is false for a simulation that waits.
    """

    def __init__(
        self,
        node: Node,
        spec: RobotSpec,
        share: float,
        gap: float,
        pace: float,
        kept: bool,
        late: Callable[[], None],
        silent: Callable[[], None],
    ) -> None:
        self._node = node
        self._kept = kept
        self._gap_ns, self._period_ns = round(gap / pace * 1e9), round(spec.period_ns / pace)
        self._newest: dict[str, int] = {}
        self._decision = self._once(share / spec.rate / pace, late)
        self._tick = node.create_timer(gap / pace, silent, clock=STEADY, autostart=False)
        self._sources = {source.key: self._once(source.max_age / pace, silent) for source in spec.state}

    def heard(self, source: str, stamp: int) -> None:
        """A message of the source with this key came under `stamp` (ns); a stamp that stands still is no news."""
        if self._kept and stamp != self._newest.get(source):
            self._sources[source].reset()
        self._newest[source] = stamp

    def ticked(self) -> None:
        """A tick came."""
        if self._kept:
            self._tick.timer_period_ns = self._gap_ns
            self._tick.reset()

    def asked(self) -> None:
        """A decision was asked for, and has its time from now on."""
        if self._kept:
            self._decision.reset()

    def stopped(self, at_rest: bool) -> None:
        """The robot was stopped for silence; if it is not `at_rest`, `silent` is called again a period later."""
        if at_rest:
            self._tick.cancel()
        else:
            self._tick.timer_period_ns = self._period_ns
            self._tick.reset()

    def destroy(self) -> None:
        """Take the timers down."""
        for timer in (self._decision, self._tick, *self._sources.values()):
            self._node.destroy_timer(timer)

    def _once(self, seconds: float, missed: Callable[[], None]) -> Timer:
        """A timer that goes off once each time it is started."""

        def end() -> None:
            timer.cancel()
            missed()

        timer = self._node.create_timer(seconds, end, clock=STEADY, autostart=False)
        return timer
