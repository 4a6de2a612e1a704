"""A process that stood still notices it."""

from __future__ import annotations

from dvf_ros.control.pulse import Pulse

MS = 1_000_000


def test_only_after_two_gaps_without_a_beat_it_lapses() -> None:
    pulse = Pulse(gap=0.15)
    assert not pulse.lapsed(10**9), "nothing has begun"
    for now in (0, 300 * MS, 900 * MS):
        pulse.beat(now)
        assert not pulse.lapsed(now + 300 * MS) and pulse.lapsed(now + 301 * MS)


def test_without_time_there_is_none() -> None:
    pulse = Pulse(gap=0.15)
    pulse.beat(0)
    assert not pulse.lapsed(None)
    pulse.beat(None)
    assert not pulse.lapsed(10**9)
