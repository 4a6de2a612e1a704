"""Losses on the way, from the numbers that publishers give their messages: no ROS, no clock."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from dvf_ros.nodes.losses import Publishers, TransportLoss

ONE, OTHER = (1, 2), (3, 4)
NUMBERS = st.lists(st.integers(1, 100), max_size=30)


def listening(*publishers: tuple[int, ...]) -> TransportLoss:
    """From time 0 on, to these publishers."""
    loss = TransportLoss()
    loss.follow(publishers, 0)
    return loss


def take(loss: TransportLoss, numbers: Iterable[int], at: int, publishers: Publishers) -> None:
    """Messages received at a time, taken while these publish."""
    for number in numbers:
        loss.take(number, at, lambda: loss.follow(publishers, at))


def test_gaps_of_one_publisher_are_counted_and_events_tell_of_the_same() -> None:
    loss = listening(ONE)
    take(loss, (7, 8, 11, 12, 20), 1, [ONE])
    assert loss.count == 9
    loss.event(9)
    assert loss.count == 9
    loss.event(3)  # the last ones: no later message tells of them
    assert loss.count == 12


def test_a_new_publisher_is_no_gap() -> None:
    loss = listening(ONE)
    take(loss, (5,), 1, [ONE])
    take(loss, (900, 6, 901), 2, [ONE, OTHER])  # heard before anybody looked who publishes
    assert loss.count == 0
    loss.event(2)
    loss.follow([OTHER], 3)
    take(loss, (902, 904), 4, [OTHER])
    assert loss.count == 3


def test_without_numbers_the_events_count() -> None:
    loss = TransportLoss()
    loss.take(None, 1, lambda: None)
    loss.event(4)
    assert loss.count == 4


def test_a_number_that_goes_back_makes_no_gap_of_what_follows() -> None:
    loss = listening(ONE)
    take(loss, (1, 2, 4, 3, 5), 1, [ONE])
    assert loss.count == 1, "3, which was not there when 4 came; 4, which was, is no loss"


def test_what_is_left_of_a_publisher_that_ended_is_no_number_of_the_one_that_remains() -> None:
    loss = listening(ONE)
    take(loss, (100, 101), 1, [ONE])
    loss.follow([ONE, OTHER], 2)
    take(loss, (5000,), 3, [ONE, OTHER])
    loss.follow([OTHER], 5)
    take(loss, (102, 103), 4, [OTHER])  # they waited to be taken
    take(loss, (5001,), 6, [OTHER])
    assert loss.count == 0
    take(loss, (5003,), 7, [OTHER])
    assert loss.count == 1, "and then it is counted again"


def test_a_publisher_that_starts_again_counts_from_one() -> None:
    loss = listening(ONE)
    take(loss, (100, 101), 1, [ONE])
    take(loss, (1, 2), 3, [OTHER])
    loss.follow([OTHER], 4)
    take(loss, (3, 4, 7), 5, [OTHER])
    assert loss.count == 2


@given(NUMBERS.filter(bool))
def test_never_more_is_lost_than_numbers_are_missing(numbers: list[int]) -> None:
    loss = listening(ONE)
    take(loss, numbers, 1, [ONE])
    came = {number for k, number in enumerate(numbers) if number > max(numbers[:k], default=0)}
    missing = set(range(numbers[0], max(numbers) + 1)) - came  # when a later one came
    assert loss.count <= len(missing)


@given(st.sets(st.integers(1, 100)), NUMBERS)
def test_what_is_left_of_others_changes_nothing(came: set[int], left: list[int]) -> None:
    loss = listening(ONE, OTHER)
    loss.follow([OTHER], 2)
    take(loss, left, 1, [OTHER])
    take(loss, sorted(came), 3, [OTHER])
    assert loss.count == (max(came) - min(came) + 1 - len(came) if came else 0)
