"""Which numbers of messages are one publisher's, and which are two that speak in turn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvf_ros.control.one_voice import WINDOW_NS, OneVoice

PERIOD = 50_000_000


@given(st.lists(st.integers(1, 5), min_size=1, max_size=50))
def test_one_publisher_is_alone_however_many_of_its_messages_are_lost(steps: list[int]) -> None:
    voice, number = OneVoice(), 0
    for tick, step in enumerate(steps):
        number += step
        assert voice.alone(number, tick * PERIOD)


def test_a_publisher_that_starts_anew_is_alone() -> None:
    voice = OneVoice()
    assert all(voice.alone(number, number * PERIOD) for number in range(1, 100))
    assert all(voice.alone(number, (100 + number) * PERIOD) for number in range(1, 100))


@given(first=st.integers(1, 1000), second=st.integers(1, 1000))
def test_of_two_that_take_turns_neither_is_heard_until_one_has_been_silent_for_a_second(
    first: int, second: int
) -> None:
    voice, heard = OneVoice(), []
    for turn in range(40):
        now = turn * PERIOD
        heard += [voice.alone(first + turn, now), voice.alone(second + turn, now + PERIOD // 2)]
    assert not any(heard[5:]), "known after two turns of each"
    left = [voice.alone(max(first, second) + 40 + turn, now + turn * PERIOD) for turn in range(40)]
    assert left.index(True) in (20, 21) and all(left[21:])


@pytest.mark.parametrize("number", [5, 5000])
@pytest.mark.parametrize("pause", [30, 90])  # periods: 1.5 and 4.5 s
def test_of_one_who_speaks_rarely_beside_another_two_messages_pass_at_most(number: int, pause: int) -> None:
    voice, rare, often = OneVoice(), [], []
    for tick in range(20 * pause):
        often.append(voice.alone(1000 + tick, tick * PERIOD))
        if tick % pause == pause - 1:
            rare.append(voice.alone(number + len(rare), tick * PERIOD + PERIOD // 2))
    assert sum(rare) <= 2 and not any(rare[2:]) and not any(often[3 * pause :])
    begin = 20 * pause
    left = [voice.alone(1000 + begin + turn, (begin + turn) * PERIOD) for turn in range(3 * pause)]
    assert all(left[2 * pause + 1 :]), "the other one ended"


def test_two_who_take_turns_of_a_second_or_more_are_each_alone() -> None:
    voice, now = OneVoice(), 0
    counts = [1000, 5]
    for turn in range(6):
        for _ in range(25):
            assert voice.alone(counts[turn % 2], now)
            counts[turn % 2] += 1
            now += PERIOD


def test_a_publisher_that_starts_anew_after_a_few_messages_is_alone() -> None:
    voice = OneVoice()
    numbers = [1, 2, 3, *range(1, 30)]
    assert all(voice.alone(number, tick * PERIOD) for tick, number in enumerate(numbers))


def test_a_halt_of_the_machine_makes_neither_of_two_heard() -> None:
    voice = OneVoice()
    for turn in range(40):
        voice.alone(1000 + turn, turn * PERIOD)
        voice.alone(turn, turn * PERIOD + PERIOD // 2)
    halted = 40 * PERIOD + 2 * WINDOW_NS
    for turn in range(40, 80):
        assert not voice.alone(1000 + turn, halted + turn * PERIOD)
        assert not voice.alone(turn, halted + turn * PERIOD + PERIOD // 2)


def test_messages_without_a_number_are_believed() -> None:
    voice = OneVoice()
    assert all(voice.alone(None, tick * PERIOD) for tick in range(10))
