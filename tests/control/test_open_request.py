"""Which answer counts: the one to the newest request, in time."""

from __future__ import annotations

import numpy as np

from dvf_ros.control.brain import Request
from dvf_ros.control.open_request import OpenRequest

MS = 1_000_000


def opened(asked: int | None = 0) -> tuple[OpenRequest, Request]:
    request = Request(1, np.zeros(1), asked)
    waiting = OpenRequest(0.07)
    waiting.request = request
    return waiting, request


def test_an_answer_in_time_counts_once() -> None:
    waiting, request = opened()
    assert waiting.answered(request, 69 * MS)
    assert not waiting.answered(request, 69 * MS) and waiting.give_up() is None


def test_one_that_is_late_is_left_to_be_given_up_even_if_nobody_has_done_so_yet() -> None:
    waiting, request = opened()
    assert not waiting.answered(request, 70 * MS)
    assert waiting.give_up() is request and waiting.give_up() is None


def test_without_time_none_is_late() -> None:
    waiting, request = opened(asked=None)
    assert waiting.answered(request, None)


def test_what_is_asked_again_does_not_take_the_first_answer() -> None:
    waiting, request = opened()
    again = waiting.again()
    assert again is not None and not waiting.answered(request, 0) and waiting.answered(again, 0)
    assert waiting.again() is None
