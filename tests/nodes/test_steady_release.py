"""Commands of ticks that go on with a chunk and of ticks that decide go out at the same phase; stops never wait."""

from __future__ import annotations

from threading import RLock
from types import SimpleNamespace

import numpy as np

from dvf_ros.control.brain import Command
from dvf_ros.nodes.steady_release import SteadyRelease


def command(stamp: int, reason: str = "") -> Command:
    return Command(stamp, np.zeros(1), reason)


class Rig:
    """A release whose timer goes off when the test says so; `sent` are the stamps that went out after the first."""

    def __init__(self, after: float) -> None:
        self.sent: list[int] = []
        self.running = False
        node = SimpleNamespace(create_timer=self._create_timer)
        self.release = SteadyRelease(node, after, RLock(), lambda item: self.sent.append(item.stamp))
        self.release.ticked()
        self.release.offer(command(0))
        assert self.sent == [0], "the first one of all goes out at once"
        self.go_off()
        self.sent.clear()

    def _create_timer(self, period: float, callback: object, **_: object) -> SimpleNamespace:
        self.go_off = callback
        return SimpleNamespace(
            reset=lambda: setattr(self, "running", True), cancel=lambda: setattr(self, "running", False)
        )


def test_a_command_waits_for_its_phase_and_one_that_is_late_does_not() -> None:
    rig = Rig(0.02)
    rig.release.ticked()
    rig.release.offer(command(1))
    assert rig.sent == [] and rig.running
    rig.go_off()
    assert rig.sent == [1] and not rig.running
    rig.release.ticked()
    rig.go_off()
    rig.release.offer(command(2))
    assert rig.sent == [1, 2]


def test_what_waits_goes_out_before_the_next_tick_and_is_never_sent_twice() -> None:
    rig = Rig(0.02)
    rig.release.ticked()
    rig.release.offer(command(1))
    rig.release.ticked()
    assert rig.sent == [1]
    rig.go_off()
    assert rig.sent == [1]


def test_a_stop_goes_out_at_once_in_place_of_what_waits() -> None:
    rig = Rig(0.02)
    rig.release.ticked()
    rig.release.offer(command(1))
    assert rig.release.drop() and not rig.release.drop()
    rig.release.offer(command(2, "paused"))
    rig.go_off()
    assert rig.sent == [2]


def test_the_first_command_after_a_stop_goes_out_at_once() -> None:
    rig = Rig(0.02)
    rig.release.offer(command(1, "a state is missing"))
    rig.release.ticked()
    rig.release.offer(command(2))
    assert rig.sent == [1, 2]
    rig.release.ticked()
    rig.release.offer(command(3))
    assert rig.sent == [1, 2]
    rig.go_off()
    assert rig.sent == [1, 2, 3]


def test_without_a_phase_nothing_waits() -> None:
    rig = Rig(0.0)
    rig.release.ticked()
    rig.release.offer(command(1))
    assert rig.sent == [1] and not rig.running
