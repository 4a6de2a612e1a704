"""A goal counts when its condition holds for long enough, by the ticks of the state topics and nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest

from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.nodes.episodes import EpisodeError
from dvf_ros.nodes.goal_sequence import GoalSequence
from dvf_ros.nodes.goal_watch import GoalWatch, goal_condition
from tests.learning.small import SPEC

IN = parse_expression("position.x > 0", SPEC)
PERIOD = SPEC.period_ns


def feed(watch: GoalWatch, places: list[float], first: int) -> None:
    for number, x in enumerate(places):
        watch.observe("pose", (first + number) * PERIOD, np.array([x, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]))


def test_a_goal_is_reached_after_so_many_ticks_in_a_row_and_no_sooner() -> None:
    watch = GoalWatch(SPEC)
    watch.begin(IN, hold=3, limit=100)
    feed(watch, [-1.0, 1.0, 1.0, -1.0, 1.0, 1.0], 1)
    assert not watch.finished.is_set() and watch.steps == 6
    feed(watch, [1.0, -1.0], 7)
    assert watch.finished.is_set() and watch.reached and watch.steps == 7


def test_a_goal_is_given_up_and_the_next_one_starts_from_nothing() -> None:
    watch = GoalWatch(SPEC)
    watch.begin(IN, hold=3, limit=5)
    feed(watch, [-1.0, -1.0, -1.0, 1.0, 1.0, 1.0], 1)
    assert watch.finished.is_set() and not watch.reached and watch.steps == 5
    watch.begin(IN, hold=3, limit=5)
    assert not watch.finished.is_set()
    feed(watch, [1.0, 1.0, 1.0], 7)
    assert watch.reached and watch.steps == 3


def test_nothing_is_judged_before_a_goal_is_set() -> None:
    watch = GoalWatch(SPEC)
    feed(watch, [1.0] * 20, 1)
    assert watch.steps == 0 and not watch.finished.is_set()


def test_a_forgotten_comparison_is_refused() -> None:
    assert goal_condition("norm(position) < 0.05", SPEC).is_condition
    with pytest.raises(ValueError, match=r"expected a condition such as .*, found the number 'norm\(position\)'"):
        goal_condition("norm(position)", SPEC)


def test_a_sample_that_is_not_finite_is_no_goal_reached() -> None:
    watch = GoalWatch(SPEC)
    watch.begin(parse_expression("not position.x > 0", SPEC), hold=1, limit=4)
    feed(watch, [np.nan, np.nan, np.inf], 1)
    assert watch.steps == 3 and not watch.reached
    feed(watch, [-1.0], 4)
    assert watch.reached


@pytest.mark.parametrize("stalls", [False, True])
def test_a_goal_may_take_long_as_long_as_ticks_come(stalls: bool) -> None:
    ticks = iter([100, 200, 200] if stalls else [100, 200, 300])
    watch = SimpleNamespace(begin=lambda *_: None, finished=None, steps=0, reached=True)

    def wait(event: object, timeout: float) -> bool:
        watch.steps = next(ticks)
        return watch.steps == 300

    sequence = MagicMock(_watch=watch, _stall=60.0, _steps=300, _rewards=["x"], _conditions=[IN], _rounds=1)
    sequence._script.wait = wait
    if stalls:
        with pytest.raises(EpisodeError, match="expected 300 ticks, found 200 and no more for 60 s"):
            GoalSequence._pursue(sequence, 0, 0)
    else:
        assert GoalSequence._pursue(sequence, 0, 0)
