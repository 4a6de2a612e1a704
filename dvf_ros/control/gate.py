"""The last hand on the wire, as a state machine without ROS, threads or a clock: commands in, commands or stops out.

Every action topic has a lane of its own. A lane is closed until a first command passes, open while they keep coming,
and stopped otherwise; the next fresh command opens it again, unless the e-stop is latched. Times `now` are ns of a
steady clock; stamps are those of the commands and are only ever compared with each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvf_ros.control.pulse import Pulse
from dvf_ros.control.safety import CommandLimits, UnsafeAction
from dvf_ros.core.alignment import BACKWARD_JUMP_NS
from dvf_ros.core.spec import RobotSpec, Source

INPUT_PREFIX = "unsafe/"
STOP_REPEATS = 3
"""How often a stop is said again: a subscriber may have lost the first."""

RESTART_PERIODS = 1.7
"""Periods between the first two commands after a stop, at most: the first goes out at once, the next when its decision
may last come (the controller's `deadline`, a share of a period)."""

UNLIMITED = 1e100
"""Stands for a rate without bound: infinity times no time would be NaN."""


def input_topic(topic: str) -> str:
    """Where the gate takes the commands from that it passes on to `topic`: `unsafe/cmd_vel` for `cmd_vel`."""
    return f"/{INPUT_PREFIX}{topic[1:]}" if topic.startswith("/") else INPUT_PREFIX + topic


def restart_warning(spec: RobotSpec, deadline: float) -> str:
    """What is wrong with a `deadline` (s) that the first two commands after a stop may miss; empty if they do not."""
    least = RESTART_PERIODS / spec.rate
    if deadline >= least:
        return ""
    return (
        f"at {spec.rate:g} Hz the second command after a stop may come {least:g} s after the first, which a deadline "
        f"of {deadline:g} s takes for silence and stops again; set 'deadline' to {least:g}, or the controller's "
        f"'deadline' and 'release' to {max(deadline * spec.rate - 1, 0.0):.2g} at most"
    )


@dataclass(frozen=True)
class Outgoing:
    """`values` (size of the source,) to send on `topic`: a command that passes, or a `stop` of the gate's own."""

    topic: str
    values: np.ndarray
    stop: bool


@dataclass
class GateCounters:
    """What happened since the start. `stale` are repeated and older stamps, and what waited for this process while it
    stood still, which `halts` counts where the robot was to be guarded; `refused`, what no clamping makes safe.
    """

    passed: int = 0
    clamped: int = 0
    stale: int = 0
    halts: int = 0
    refused: int = 0
    blocked_by_estop: int = 0
    stops: int = 0
    estops: int = 0


class _Lane:
    """One action topic: what was last sent, how far the next command may go from there, and why it is not open."""

    def __init__(self, source: Source, period: float) -> None:
        self.limits = CommandLimits((source,))
        self.previous = self.limits.stop_action(None)
        self.stamp: int | None = None
        self.heard: int | None = None
        self.offered: int | None = None
        self.opened = False
        self.repeats = 0
        self.reason = f"no command yet on '{source.topic}'"
        self._period = period
        self._rate = np.minimum(self.limits.max_rate, UNLIMITED)
        self._most = 2 * self._rate * period
        self._allowance = self._most
        self._since = 0

    def move_to(self, wanted: np.ndarray, now: int, anew: bool) -> np.ndarray:
        """Clamp `wanted` (size,), remember it as sent and return it; `anew` if it comes after a silence.

        Commands come unevenly, so the rate is kept as an allowance that grows with time and is used up by change:
        in a time t no number changes by more than max_rate × (t + 2 periods), however many commands come.
        """
        if anew and self.heard is None:
            # Somebody may have moved the robot while it was stopped. Only the controller knows where it is now: its
            # first target is the measured value, and to come there slowly from the old one would be the jump.
            self.lose_track()
        elapsed = (now - self._since) * 1e-9
        self._allowance = np.minimum(self._allowance + self._rate * elapsed, self._most)
        wanted = self.limits.facing(wanted, self.previous)
        safe = self.limits.unit(self.limits.clamp(wanted, self.previous, self._allowance))
        self._allowance = np.maximum(self._allowance - np.nan_to_num(np.abs(safe - self.previous)), 0.0)
        self._since, self.previous = now, safe
        return safe

    def lose_track(self) -> None:
        """Nobody knows any more where the robot is: no target of before is held or gone on from."""
        self.previous = np.where(self.limits.targets, np.nan, self.previous)

    @property
    def guarded(self) -> bool:
        """Whether it is open, or its stop is still to be repeated."""
        return self.heard is not None or self.repeats > 0

    @property
    def slowing(self) -> bool:
        """Whether a stop has begun that is not at its end."""
        return self.heard is None and not self.limits.at_rest(self.previous)

    def stop(self, at_once: bool = False) -> np.ndarray:
        """What a stop, or its next part a period later, sends; remembered as sent."""
        self.previous = self.limits.stop_action(self.previous, np.inf if at_once else self._period)
        return self.previous


class Gate:
    """Decides over each command; `deadline` (s) is how long after its last fresh command a topic is stopped.

    Raises ValueError for a deadline that would stop the robot between two commands that come on time.
    """

    def __init__(self, spec: RobotSpec, deadline: float) -> None:
        if deadline <= 1 / spec.rate:
            raise ValueError(
                f"expected a deadline longer than the {1 / spec.rate:g} s between commands at the spec's {spec.rate:g} "
                f"Hz, found {deadline:g} s; set 'deadline' higher, or run the robot at a higher rate"
            )
        self.counters = GateCounters()
        self.last_stop = ""
        self.last_refusal = ""
        self._deadline = deadline
        self._pulse = Pulse(deadline)
        self._deaf_until: int | None = None
        self._lanes = {source.topic: _Lane(source, 1 / spec.rate) for source in spec.action}
        self._estop = ""
        self._button = False

    @property
    def estopped(self) -> bool:
        """Whether the e-stop is latched."""
        return bool(self._estop)

    @property
    def reason(self) -> str:
        """Why not every topic is open, for people; empty if all are."""
        return self._estop or "; ".join(dict.fromkeys(lane.reason for lane in self._lanes.values() if lane.reason))

    def wake(self, now: int) -> list[Outgoing]:
        """Say this before anything else that happens: whether this process stood still is seen by its first event.

        If it did while a topic was guarded, the robot may have been moved meanwhile: everything stops, and no target of
        before is said again. For a `deadline` nothing passes: commands that waited for this process come all at once
        now, and those after them go on from where the robot was, until the controller has heard that it `bars` them.
        """
        guarded = [topic for topic in self._lanes if self.guarded(topic)]
        halted = bool(guarded) and self._pulse.lapsed(now)
        self._pulse.beat(now)
        if not halted:
            return []
        self.counters.halts += 1
        self._deaf_until = now + round(self._deadline * 1e9)
        for topic in guarded:
            self._lanes[topic].lose_track()
            self._lanes[topic].repeats = STOP_REPEATS  # and `check` sees the end of this
        return self._stop(self._open, "the gate stood still")

    def offer(self, topic: str, stamp: int | None, values: np.ndarray, now: int) -> list[Outgoing]:
        """Judge a command (size of the source,) of `stamp` ns, None where the topic has none; returns what to send."""
        return [*self.wake(now), *self._judge(topic, stamp, values, now)]

    def _judge(self, topic: str, stamp: int | None, values: np.ndarray, now: int) -> list[Outgoing]:
        lane = self._lanes[topic]
        anew = not self._speaks(lane, now)
        lane.offered = now
        if stamp is not None and lane.stamp is not None and stamp <= lane.stamp:
            if stamp >= lane.stamp - BACKWARD_JUMP_NS:
                self.counters.stale += 1
                return []
            lane.stamp = stamp  # a clock was set or a simulation restarted: what comes after this is fresh again
            return self.refuse(f"time jumped back on '{topic}'")
        lane.stamp = stamp
        try:
            lane.limits.check_finite(values)
        except UnsafeAction as error:
            return self.refuse(f"'{topic}': {error}")
        if self._estop:
            self.counters.blocked_by_estop += 1
            return []
        if self._deaf(now):
            self.counters.stale += 1
            return []
        safe = lane.move_to(values, now, anew)
        lane.heard, lane.opened, lane.reason = now, True, ""
        self.counters.passed += 1
        self.counters.clamped += bool(lane.limits.changed(values, safe))
        return [Outgoing(topic, safe, stop=False)]

    def refuse(self, reason: str) -> list[Outgoing]:
        """A command that must not pass: whoever sent it is not to be trusted, so everything that is open stops."""
        self.counters.refused += 1
        self.last_refusal = reason
        return self._stop(self._open, reason)

    def check(self, topic: str, now: int) -> list[Outgoing]:
        """A stop for a topic whose commands have stopped coming, and its repetitions."""
        return self.wake(now) or self._overdue(topic, now)

    def _overdue(self, topic: str, now: int) -> list[Outgoing]:
        lane = self._lanes[topic]
        if lane.heard is not None and now - lane.heard >= self._deadline * 1e9:
            return self._stop([topic], f"no fresh command on '{topic}' for {self._deadline:g} s")
        if lane.slowing:
            return [Outgoing(topic, lane.stop(), stop=True)]
        if lane.heard is None and lane.repeats:
            lane.repeats -= 1
            return [Outgoing(topic, lane.previous, stop=True)]
        return []

    def guarded(self, topic: str) -> bool:
        """Whether the topic still needs `check`: it is open, or its stop is still to be repeated."""
        return self._lanes[topic].guarded

    def slowing(self, topic: str) -> bool:
        """Whether the topic's stop is a slowing down that goes on: then `check` it every period."""
        return self._lanes[topic].slowing

    def stop(self, reason: str, at_once: bool = False) -> list[Outgoing]:
        """Stop every topic on which anything was ever sent; `at_once` where nothing can be sent afterwards."""
        return self._stop([topic for topic, lane in self._lanes.items() if lane.opened], reason, at_once)

    def press(self, reason: str) -> list[Outgoing]:
        """Latch the e-stop."""
        if not self._estop:
            self.counters.estops += 1
            self._estop = f"e-stop: {reason}"
        return self.stop(self._estop)

    def button(self, pressed: bool) -> list[Outgoing]:
        """The state of an e-stop button: pressed latches; let go, it only makes a release possible."""
        self._button = pressed
        return self.press("pressed by topic") if pressed and not self._estop else []

    def release(self, now: int) -> str:
        """Unlatch the e-stop, so that the next fresh commands pass; returns why not, or nothing if it is done.

        Targets that never paused would go on from where the robot was before somebody moved it.
        """
        if self._button:
            return "the e-stop topic still says true; publish false there first"
        for topic, lane in self._lanes.items():
            if lane.limits.targets.any() and self._speaks(lane, now):
                return f"targets still come on '{topic}', from before the stop; pause who sends them, then release"
        self._estop = ""
        for lane in self._lanes.values():
            if lane.reason and lane.opened:
                lane.reason = "no fresh command since the e-stop was released"
        return ""

    def bars(self, now: int) -> bool:
        """Whether nothing passes at `now`, so that who commands has to begin anew afterwards: e-stop, or a halt."""
        return self.estopped or self._deaf(now)

    def _deaf(self, now: int) -> bool:
        return self._deaf_until is not None and now < self._deaf_until

    @property
    def _open(self) -> list[str]:
        return [topic for topic, lane in self._lanes.items() if lane.heard is not None]

    def _speaks(self, lane: _Lane, now: int) -> bool:
        return lane.offered is not None and now - lane.offered < self._deadline * 1e9

    def _stop(self, topics: list[str], reason: str, at_once: bool = False) -> list[Outgoing]:
        outgoing = []
        for topic in topics:
            lane = self._lanes[topic]
            outgoing.append(Outgoing(topic, lane.stop(at_once), stop=True))
            lane.heard, lane.repeats, lane.reason = None, STOP_REPEATS, reason
        if topics:
            self.counters.stops += 1
            self.last_stop = reason
        return outgoing
