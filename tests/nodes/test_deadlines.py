"""A decision's time is kept by a timer that only the executor's thread touches."""

from __future__ import annotations

from types import SimpleNamespace

from dvf_ros.core.spec import RobotSpec
from dvf_ros.nodes.deadlines import Deadlines

SPEC = RobotSpec.load("config/base_goto.yaml")


class Timer:
    """One that goes off when the test says so; `running` as rclpy's."""

    def __init__(self, period: float, callback: object, **_: object) -> None:
        self.period, self.go_off, self.running = period, callback, False
        self.starts = 0

    def reset(self) -> None:
        self.running, self.starts = True, self.starts + 1

    def cancel(self) -> None:
        self.running = False


def test_a_decisions_timer_ends_itself_and_measures_anew_from_each_request() -> None:
    late: list[bool] = []
    timers: list[Timer] = []
    node = SimpleNamespace(create_timer=lambda *args, **kwargs: timers.append(Timer(*args, **kwargs)) or timers[-1])
    deadlines = Deadlines(node, SPEC, 0.7, 0.3, 1.0, True, lambda: late.append(timers[0].running), lambda: None)
    decision = timers[0]
    assert decision.period == 0.7 / SPEC.rate and not decision.running
    deadlines.asked()
    deadlines.asked()
    assert decision.running and decision.starts == 2, "started again, it measures from then"
    decision.go_off()
    assert late == [False], "it is at rest before anybody hears of it, whether the decision came or not"
    deadlines.asked()
    assert decision.running
