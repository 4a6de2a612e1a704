"""Judges a goal from the state topics: whether a condition holds for long enough, soon enough."""

from __future__ import annotations

import threading

import numpy as np

from dvf_ros.core.alignment import Aligner, TickGrid
from dvf_ros.core.expression import Expression
from dvf_ros.core.expression_parsing import parse_expression
from dvf_ros.core.spec import RobotSpec
from dvf_ros.nodes.episodes import GAP


def goal_condition(text: str, spec: RobotSpec) -> Expression:
    """The condition that says when a goal is reached; raises ValueError for one that is a number and no condition."""
    expression = parse_expression(text, spec)
    if not expression.is_condition:
        raise ValueError(
            f"conditions: expected a condition such as 'distance(a, b) < 0.05', found the number '{text}'; compare it, "
            "and join conditions by 'and' or 'or', for a number would count as reached wherever it is not 0"
        )
    return expression


class GoalWatch:
    """Sets `finished` when the condition has held for `hold` ticks in a row (`reached`), or after `limit` ticks.

    `steps` counts the ticks that it took. A sample with an input that is missing, old or not finite counts as one where
    it does not hold.
    """

    def __init__(self, spec: RobotSpec) -> None:
        self.finished = threading.Event()
        self.reached = False
        self.steps = 0
        self._lock = threading.Lock()
        self._aligner = Aligner(spec.state)
        self._grid = TickGrid(spec.period_ns, spec.period_ns + round(GAP * 1e9))
        self._condition: Expression | None = None
        self._hold = self._limit = self._held = 0

    def begin(self, condition: Expression, hold: int, limit: int) -> None:
        """Judge this condition from the next tick on."""
        with self._lock:
            self.finished.clear()
            self.reached, self.steps, self._held = False, 0, 0
            self._condition, self._hold, self._limit = condition, hold, limit

    def observe(self, topic: str, stamp: int, values: np.ndarray) -> None:
        """Take in one message's selected values; `stamp` in ns."""
        with self._lock:
            self._aligner.push(topic, stamp, values)
            for tick in self._grid.due(self._aligner.watermark):
                self._judge(tick)

    def _judge(self, tick: int) -> None:
        if self._condition is None or self.finished.is_set():
            return
        sample = self._aligner.sample(tick)
        self.steps += 1
        usable = sample.valid and np.isfinite(sample.values).all()
        self._held = self._held + 1 if usable and self._condition.evaluate(sample.values) else 0
        self.reached = self._held >= self._hold
        if self.reached or self.steps >= self._limit:
            self.finished.set()
