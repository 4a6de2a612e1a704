"""Rates by closed form: no ROS, no clock."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from dvf_ros.nodes.rates import RateWatch

SECOND = 10**9


def arrivals(rate: float, start_ns: int, seconds: float, jitter: float = 0.0) -> Iterator[int]:
    """Times of a `rate` Hz topic, each off by at most `jitter` s."""
    rng = random.Random(0)
    for k in range(int(rate * seconds)):
        yield start_ns + int((k / rate + rng.uniform(-jitter, jitter)) * SECOND)


def held_up(rate: float, seconds: float, longest: float, seed: int) -> list[int]:
    """Times at which the messages of a regular topic arrive, held up about once a second for up to `longest` s."""
    rng = random.Random(seed)
    times = [k / rate for k in range(int(rate * seconds))]
    begin = rng.uniform(0.0, 1.0)
    while begin < seconds:
        end = begin + rng.uniform(0.0, longest)
        times = [max(time, end) if begin <= time else time for time in times]
        begin = end + rng.uniform(0.5, 1.5)
    return [SECOND + int(time * SECOND) for time in times]


def learned(rate: float, jitter: float = 0.0) -> RateWatch:
    watch = RateWatch()
    for stamp in arrivals(rate, SECOND, 4.0, jitter):
        watch.take(stamp)
        assert not watch.low(stamp)
    return watch


@pytest.mark.parametrize("rate", [10.0, 30.0, 100.0, 500.0])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.88])
def test_below_90_percent_is_seen_within_a_second_less_a_tenth(rate: float, share: float) -> None:
    watch = learned(rate)
    assert watch.expected == pytest.approx(rate, rel=0.01)
    slow_from = SECOND + 4 * SECOND
    slow = list(arrivals(rate * share, slow_from, 2.0)) if share else []
    warned = False
    for now in range(slow_from, slow_from + 9 * SECOND // 10, SECOND // 20):
        while slow and slow[0] <= now:
            watch.take(slow.pop(0))
        warned = watch.low(now)
    assert warned


@pytest.mark.parametrize("rate", [10.0, 30.0, 100.0, 500.0])
@pytest.mark.parametrize("seed", range(5))
def test_messages_that_a_busy_machine_holds_up_are_no_low_rate(rate: float, seed: int) -> None:
    watch = RateWatch()
    watch.restart(SECOND)
    waiting = held_up(rate, 20.0, 0.2, seed)
    for now in range(SECOND, 20 * SECOND, SECOND // 20):
        while waiting and waiting[0] <= now:
            watch.take(waiting.pop(0))
        assert not watch.low(now)
    assert watch.expected == pytest.approx(rate, rel=0.06)


@pytest.mark.parametrize("rate", [10.0, 30.0, 500.0])
def test_jitter_and_91_percent_are_no_alarm(rate: float) -> None:
    watch = learned(rate, jitter=0.1 / rate)
    for stamp in arrivals(0.92 * rate, 5 * SECOND, 4.0):
        watch.take(stamp)
        assert not watch.low(stamp)


def test_nothing_at_all_is_low_where_the_spec_expects_something() -> None:
    watch, other = RateWatch(least=5.0), RateWatch()
    for one in (watch, other):
        one.restart(SECOND)
        assert not one.low(SECOND + SECOND // 2)
    lows = [(watch.low(now), other.low(now)) for now in range(SECOND, 2 * SECOND, SECOND // 20)]
    assert lows[-1] == (True, False)


def test_an_irregular_topic_makes_no_expectation() -> None:
    watch = RateWatch()
    for k in range(100):
        watch.take(k * SECOND // 10 + (k // 5) * SECOND)
    assert watch.expected == 0.0 and not watch.low(10**12)


def test_a_fast_topic_that_is_held_up_now_and_then_is_learned_all_the_same() -> None:
    watch = RateWatch()
    for k in range(1500):
        watch.take(k * SECOND // 500 + 60 * SECOND // 1000 * (k // 400))
    assert watch.expected == pytest.approx(500, rel=0.1)


def test_a_clock_that_jumps_back_begins_anew() -> None:
    watch = learned(100.0)
    watch.take(SECOND)
    assert not watch.low(SECOND + 1) and watch.expected == pytest.approx(100.0, rel=0.01)


@pytest.mark.parametrize("rate", [10.0, 20.0, 100.0])
def test_simulated_time_that_jumps_ahead_between_two_episodes_is_no_low_rate(rate: float) -> None:
    watch = RateWatch(least=5.0)
    watch.restart(SECOND)
    for episode in range(4):
        for stamp in arrivals(rate, SECOND + episode * 6 * SECOND, 5.0):
            watch.take(stamp)
            assert not watch.low(stamp)
    # A real silence is told all the same.
    assert [watch.low(stamp + k * SECOND // 20) for k in range(20)][-1]
