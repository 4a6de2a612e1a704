"""A process that stood still notices it."""

from __future__ import annotations

from dvf_ros.control.pulse import Pulse


def test_only_a_beat_too_late_is_a_lapse() -> None:
    pulse = Pulse(most=300)
    assert not pulse.lapsed(10**9), "nothing has begun"
    assert [pulse.beat(now) for now in (0, 300, 700, 900)] == [False, False, True, False]
    assert pulse.lapsed(1201) and not pulse.lapsed(1200)


def test_without_time_there_is_none() -> None:
    pulse = Pulse(most=300)
    pulse.beat(0)
    assert not pulse.lapsed(None)
    pulse.beat(None)
    assert not pulse.lapsed(10**9)
