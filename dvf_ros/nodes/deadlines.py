"""The controller's deadlines, on a steady clock: nobody sets that one."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from dvf_ros.core.spec import RobotSpec


class Deadlines:
    """Calls `late()` when a decision did not come, and `silent()` when no tick did, or a state topic says nothing new.

    A decision has `share` of a period, ticks `gap` s, a topic its max_age. `kept` is false for a simulation that waits.
    """

    def __init__(
        self,
        node: Node,
        spec: RobotSpec,
        share: float,
        gap: float,
        kept: bool,
        late: Callable[[], None],
        silent: Callable[[], None],
    ) -> None:
        self._node = node
        self._kept = kept
        self._gap_ns, self._period_ns = round(gap * 1e9), spec.period_ns
        self._newest: dict[str, int] = {}
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._decision = node.create_timer(share / spec.rate, late, clock=steady, autostart=False)
        self._tick = node.create_timer(gap, silent, clock=steady, autostart=False)
        self._topics = {
            source.topic: node.create_timer(
                source.max_age, self._once(source.topic, silent), clock=steady, autostart=False
            )
            for source in spec.state
        }

    def heard(self, topic: str, stamp: int) -> None:
        """A message under `stamp` (ns) came; a stamp that stands still is no news."""
        if self._kept and stamp != self._newest.get(topic):
            self._topics[topic].reset()
        self._newest[topic] = stamp

    def ticked(self) -> None:
        """A tick came."""
        if self._kept:
            self._tick.timer_period_ns = self._gap_ns
            self._tick.reset()

    def asked(self) -> None:
        """A decision was asked for."""
        if self._kept:
            self._decision.reset()

    def answered(self) -> None:
        """The decision came, or is not waited for any more."""
        self._decision.cancel()

    def stopped(self, at_rest: bool) -> None:
        """The robot was stopped for silence; if it is not `at_rest`, `silent` is called again a period later."""
        if at_rest:
            self._tick.cancel()
        else:
            self._tick.timer_period_ns = self._period_ns
            self._tick.reset()

    def destroy(self) -> None:
        """Take the timers down."""
        for timer in (self._decision, self._tick, *self._topics.values()):
            self._node.destroy_timer(timer)

    def _once(self, topic: str, silent: Callable[[], None]) -> Callable[[], None]:
        def end() -> None:
            self._topics[topic].cancel()
            silent()

        return end
