"""The controller without ROS: what was observed, which chunk is being executed, when to decide anew, when to stop.

A tick either answers at once (`Command`) or asks for a decision (`Request`). The caller computes the decision
wherever it likes and hands it to `accept`, or says `late` when its time is up: then the rest of the last chunk serves
for a few ticks, and after that the robot stops. The brain itself never waits and owns no thread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvf_ros.control.safety import SafetyFilter, UnsafeAction
from dvf_ros.core.alignment import Aligner, Sample
from dvf_ros.core.decision import Decision
from dvf_ros.core.spec import RobotSpec


@dataclass(frozen=True)
class Command:
    """What to send at a tick: `action` (A,), NaN where there is nothing to say; a stop carries its reason."""

    stamp: int
    action: np.ndarray
    stop_reason: str = ""


@dataclass(frozen=True)
class Request:
    """A decision is needed for the `state` (D,) of this tick."""

    stamp: int
    state: np.ndarray


@dataclass
class Counters:
    """What happened since the brain was made."""

    ticks: int = 0
    decisions: int = 0
    deadline_misses: int = 0
    reused: int = 0
    clamped: int = 0
    stops: int = 0


class Brain:
    """Turns observed topics and decided chunks into one safe command per tick.

    `execute` actions of a chunk are executed before a new decision is asked for; at most `max_reuse` more are, in a
    row, when decisions come too late. A gap between ticks of more than `gap` seconds drops the chunk. While `paused`
    every tick is a stop; afterwards it goes on with a decision on the state measured then.
    """

    def __init__(self, spec: RobotSpec, execute: int, max_reuse: int, gap: float) -> None:
        if execute < 1 or max_reuse < 0:
            raise ValueError(f"expected execute >= 1 and max_reuse >= 0, found {execute} and {max_reuse}")
        self.counters = Counters()
        self.paused = False
        self.aligner = Aligner(spec.state)
        self._execute = execute
        self._max_reuse = max_reuse
        self._gap_ns = round(gap * 1e9)
        self._safety = SafetyFilter(spec)
        self._chunk: np.ndarray | None = None
        self._position = 0
        self._sample: Sample | None = None
        self._previous: np.ndarray | None = None
        self._last_stamp: int | None = None
        self._epoch = 0

    def observe(self, topic: str, stamp: int, values: np.ndarray) -> None:
        """Take in a message's selected values; `stamp` in ns."""
        self.aligner.push(topic, stamp, values)

    def tick(self, stamp: int) -> Command | Request:
        """The tick at `stamp` (ns): the next action of the chunk, a request for a decision, or a stop."""
        self.counters.ticks += 1
        self._resynchronise(stamp)
        sample = self.aligner.sample(stamp)
        self._sample = sample
        if self.paused:
            return self.stop(stamp, "paused")
        if not sample.valid:
            return self.stop(stamp, sample.problem)
        if not np.isfinite(sample.values).all():
            return self.stop(stamp, "the state holds NaN or Inf")
        if self._chunk is not None and self._position < min(self._execute, len(self._chunk)):
            return self._next_action(stamp, sample)
        return Request(stamp, sample.values)

    def accept(self, decision: Decision, request: Request) -> Command:
        """Start executing a decision that came in time."""
        self.counters.decisions += 1
        if not (np.isfinite(decision.chunk).all() and np.isfinite(decision.scores).all()):
            return self.stop(request.stamp, "the agent's actions or scores hold NaN or Inf")
        assert self._sample is not None
        self._chunk, self._position = decision.chunk, 0
        return self._next_action(request.stamp, self._sample)

    def decide_anew(self) -> None:
        """Drop the chunk, which serves a purpose that is no more: the next tick asks for a decision."""
        self._chunk = None

    def late(self, request: Request) -> Command:
        """No decision came in time: go on with the last chunk if it reaches that far, else stop."""
        self.counters.deadline_misses += 1
        beyond = self._position - self._execute
        if self._chunk is None or self._position >= len(self._chunk) or beyond >= self._max_reuse:
            return self.stop(request.stamp, "no decision in time")
        assert self._sample is not None
        self.counters.reused += 1
        return self._next_action(request.stamp, self._sample)

    def stop(self, stamp: int, reason: str) -> Command:
        """Drop the chunk and command a stop."""
        self.counters.stops += 1
        self._chunk = None
        action = self._safety.stop_action(self._previous)
        self._previous = action
        return Command(stamp, action, reason)

    @property
    def input_age(self) -> float:
        """Age (s) of the oldest input at the last tick; inf before the first."""
        return max(self._sample.ages) if self._sample else float("inf")

    def _resynchronise(self, stamp: int) -> None:
        backward_or_gap = self._last_stamp is not None and not 0 <= stamp - self._last_stamp <= self._gap_ns
        if backward_or_gap or self.aligner.epoch != self._epoch:
            self._chunk = None
            self._previous = None
        self._epoch = self.aligner.epoch
        self._last_stamp = stamp

    def _next_action(self, stamp: int, sample: Sample) -> Command:
        assert self._chunk is not None
        try:
            filtered = self._safety.apply(self._chunk[self._position], sample.values, self._previous)
        except UnsafeAction as error:
            return self.stop(stamp, str(error))
        self._position += 1
        self.counters.clamped += bool(filtered.clamped)
        self._previous = filtered.action
        return Command(stamp, filtered.action)
