"""The controller without ROS: what was observed, which chunk is being executed, when to decide anew, when to stop.

A tick either answers at once (`Command`) or asks for a decision (`Request`). The caller computes the decision
wherever it likes and hands it to `accept`, or says `late` when its time is up: then the rest of the last chunk serves
for a few ticks, and after that the robot stops. The brain itself never waits and owns no thread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvf_ros.control.safety import UnsafeAction
from dvf_ros.control.safety_filter import SafetyFilter
from dvf_ros.control.watch import InputWatch
from dvf_ros.core.alignment import Aligner, Sample
from dvf_ros.core.decision import Decision
from dvf_ros.core.spec import RobotSpec

FORWARD_JUMP_NS = 5_000_000_000
"""Time that jumps so far ahead was set by somebody; less, or a mere gap, is a pause, which other checks answer."""


@dataclass(frozen=True)
class Command:
    """What to send at a tick: `action` (A,), NaN where there is nothing to say; a stop carries its reason."""

    stamp: int
    action: np.ndarray
    stop_reason: str = ""


@dataclass(frozen=True)
class Request:
    """A decision is needed for the `state` (D,) of this tick; `asked`: when, the robot's steady ns, if time counts."""

    stamp: int
    state: np.ndarray
    asked: int | None = None


@dataclass
class Counters:
    """What happened since the brain was made; `misses_in_a_row` is the most there ever were.

    `cut_short` are decisions among fewer candidates than there were, since time did not suffice for all.
    `unsupported` counts decisions for which neither the state nor any candidate resembled the data.
    """

    ticks: int = 0
    decisions: int = 0
    unsupported: int = 0
    deadline_misses: int = 0
    misses_in_a_row: int = 0
    cut_short: int = 0
    reused: int = 0
    clamped: int = 0
    stops: int = 0
    refused_messages: int = 0
    time_jumps: int = 0


class Brain:
    """Turns observed topics and decided chunks into one safe command per tick.

    `execute` actions of a chunk are executed before a new decision is asked for; at most `max_reuse` more are, in a
    row, when decisions come too late. A gap between ticks of more than `gap` seconds drops the chunk; time that jumps
    back, or far ahead, is a stop. While it is `barred` (the reason) every tick is a stop; afterwards it goes on with a
    decision on the state measured then. `now`, where given, is ns of a steady clock: inputs that stop arriving then
    stop the robot whatever their stamps say.
    """

    def __init__(self, spec: RobotSpec, execute: int, max_reuse: int, gap: float) -> None:
        if execute < 1 or max_reuse < 0:
            raise ValueError(f"expected execute >= 1 and max_reuse >= 0, found {execute} and {max_reuse}")
        self.counters = Counters()
        self.barred = ""
        self.aligner = Aligner(spec.state)
        self.last_clamped = ""
        self._chunk_shape = (spec.action_size,)
        self._execute = execute
        self._max_reuse = max_reuse
        self._gap_ns = round(gap * 1e9)
        self._jump_ns = max(FORWARD_JUMP_NS, self._gap_ns)
        self._safety = SafetyFilter(spec)
        self._watch = InputWatch(spec.state)
        self._chunk: np.ndarray | None = None
        self._position = 0
        self._sample: Sample | None = None
        self._last_stamp: int | None = None
        self._moving_since: int | None = None
        self._misses = 0
        self._epoch = 0

    def restart(self) -> None:
        """Forget all that was observed and commanded; counters stay."""
        self.aligner.clear()
        self._watch.clear()
        self._forget()
        self._epoch, self._last_stamp, self._sample = self.aligner.epoch, None, None

    def observe(self, topic: str, stamp: int, values: np.ndarray, now: int | None = None) -> None:
        """Take in a message's selected values; `stamp` in ns."""
        self.aligner.push(topic, stamp, values)
        self._watch.note(topic, stamp, values, now)

    def refuse(self, topic: str, reason: str) -> None:
        """A message came that does not hold what the spec says."""
        self.counters.refused_messages += 1
        self._watch.refuse(topic, reason)

    def tick(self, stamp: int, now: int | None = None, clock: int | None = None) -> Command | Request:
        """The tick at `stamp` (ns): the next action of the chunk, a request for a decision, or a stop.

        `clock`, where given, is the time (ns) by which stamps are judged, where these themselves make the ticks.
        """
        self.counters.ticks += 1
        jump = self._resynchronise(stamp)
        sample = self.aligner.sample(stamp)
        self._sample = sample
        if jump:
            return self.stop(stamp, jump)
        if self.barred:
            return self.stop(stamp, self.barred)
        wrong = self._watch.problem(stamp, now, self._moving_since, clock)
        if not sample.valid or wrong:
            refused = "" if sample.valid else self._watch.refusals
            return self.stop(stamp, "; ".join(filter(None, (sample.problem, wrong))) + refused)
        if not np.isfinite(sample.values).all():
            return self.stop(stamp, "the state holds NaN or Inf")
        if self._chunk is not None and self._position < min(self._execute, len(self._chunk)):
            return self._next_action(stamp, sample)
        return Request(stamp, sample.values, now)

    def accept(self, decision: Decision, request: Request) -> Command:
        """Start executing a decision that came in time."""
        self.counters.decisions += 1
        self.counters.cut_short += decision.unscored > 0
        self.counters.unsupported += not np.any(decision.supported)
        self._misses = 0
        if np.shape(decision.chunk)[1:] != self._chunk_shape or not len(decision.chunk):
            expected = f"(actions, {self._chunk_shape[0]})"
            return self.stop(request.stamp, f"the agent's actions: expected {expected}, found {decision.chunk.shape}")
        if not (np.isfinite(decision.chunk).all() and np.isfinite(decision.scores).all()):
            return self.stop(request.stamp, "the agent's actions or scores hold NaN or Inf")
        if decision.refusal:
            return self.stop(request.stamp, decision.refusal)
        assert self._sample is not None
        self._chunk, self._position = decision.chunk, 0
        return self._next_action(request.stamp, self._sample)

    def decide_anew(self) -> None:
        """Drop the chunk, which serves a purpose that is no more: the next tick asks for a decision."""
        self._chunk = None

    def outdated(self, request: Request, stamp: int) -> bool:
        """Whether the tick at `stamp` is of another episode, so that the request's decision is not late, but moot."""
        return not 0 <= stamp - request.stamp <= self._gap_ns

    def late(self, request: Request) -> Command:
        """No decision came in time: go on with the last chunk if it reaches that far, else stop."""
        self.counters.deadline_misses += 1
        self._misses += 1
        self.counters.misses_in_a_row = max(self.counters.misses_in_a_row, self._misses)
        beyond = self._position - self._execute
        if self._chunk is None or self._position >= len(self._chunk) or beyond >= self._max_reuse:
            return self.stop(request.stamp, "no decision in time")
        assert self._sample is not None
        self.counters.reused += 1
        return self._next_action(request.stamp, self._sample)

    def stop(self, stamp: int, reason: str, at_once: bool = False) -> Command:
        """Drop the chunk and command a stop: as the spec says, or `at_once`, where no command will follow."""
        self.counters.stops += 1
        self._chunk = None
        self._moving_since = None
        return Command(stamp, self._safety.stop(at_once), reason)

    def withdraw(self) -> None:
        """The last command was not sent."""
        self._safety.withdraw()

    def unheard(self, numbers: np.ndarray) -> None:
        """Nobody listened to these `numbers` (A,) bool of the last command."""
        self._safety.unheard(numbers)

    def lose_track(self) -> None:
        """Nobody knows any more where the robot is, nor whether what was decided still suits."""
        self._chunk = None
        self._moving_since = None
        self._safety.lose_track()

    def silence(self, now: int) -> str:
        """Why no tick comes, at `now` (steady ns): the input that is missing, or time itself."""
        missing = self._watch.silence(now)
        return f"no new state: {missing}" if missing else "no tick, though the state is new: the clock stands still"

    @property
    def at_rest(self) -> bool:
        """Whether the robot was stopped and has nothing left to slow down."""
        return self._safety.at_rest

    @property
    def input_age(self) -> float:
        """Age (s) of the oldest input at the last tick; inf before the first."""
        return max(self._sample.ages) if self._sample else float("inf")

    def _resynchronise(self, stamp: int) -> str:
        """Begin anew where time did; returns the reason of a stop, if it is one."""
        step = stamp - (stamp if self._last_stamp is None else self._last_stamp)
        new_epoch = self.aligner.epoch != self._epoch
        self._epoch, self._last_stamp = self.aligner.epoch, stamp
        if new_epoch:  # the state's stamps may jump before the clock does
            step = min(step, self.aligner.jump)
        if step < 0 and not new_epoch:  # the clock was set back by so little that no stamp tells: old values look new
            self.aligner.clear()
            self._epoch = self.aligner.epoch
        if step < 0 or step > self._jump_ns:
            self.counters.time_jumps += 1
            self._safety.lose_track()  # a simulation began anew, or this machine slept
            return f"time jumped by {step * 1e-9:+.2f} s"
        if step > self._gap_ns:
            self._forget()
        return ""

    def _forget(self) -> None:
        self._chunk = None
        self._moving_since = None
        self._safety.forget()

    def _next_action(self, stamp: int, sample: Sample) -> Command:
        assert self._chunk is not None
        try:
            filtered = self._safety.apply(self._chunk[self._position], sample.values)
        except UnsafeAction as error:
            return self.stop(stamp, str(error))
        self._position += 1
        self.counters.clamped += bool(filtered.clamped)
        self.last_clamped = ", ".join(filtered.clamped) or self.last_clamped
        if not filtered.moves:
            self._moving_since = None
        elif self._moving_since is None:
            self._moving_since = stamp
        return Command(stamp, filtered.action)
