"""The simulation's own thread: publish a state, wait for its command, step; in lockstep or in real time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dvf_ros.nodes.sim_commands import CommandInbox, TimedCommand

if TYPE_CHECKING:
    from dvf_ros.sim.observation import Observation
    from dvf_ros.sim.robosuite_sim import RobosuiteSim

FIRST_STAMP = 1_000_000_000
RESET_JUMP = 1_000_000_000
"""ns. A reset jumps ahead: who listens sees a gap and starts anew; time never goes back."""

REPUBLISH = 0.5
"""s of waiting after which a state is said again: a best-effort subscriber may have lost it."""

LATEST_STEP = 0.8
"""Share of a period after which real time waits no longer for the command, so that the step is done in time."""


@dataclass(frozen=True)
class Pacing:
    """How steps follow each other: `period` in ns of simulated time, `speed` relative to real time, time-outs in s."""

    mode: Literal["lockstep", "realtime"]
    period: int
    speed: float = 1.0
    command_timeout: float = 5.0
    hold_timeout: float = 0.2


@dataclass
class StepCounters:
    """What happened since the start. `missing` counts steps without a command of their own; `overruns`, late steps."""

    steps: int = 0
    resets: int = 0
    missing: int = 0
    overruns: int = 0


class StepLoop:
    """Owns the simulation; everything that touches it runs on this thread, one thing after the other.

    `publish(stamp, observation, arrived)` is called with every state; `arrived` says whether a step led to it.
    `complain` and `inform` take a text for people; `fail` is called once if the simulation raises.
    """

    def __init__(
        self,
        simulation: RobosuiteSim,
        pacing: Pacing,
        seed: int,
        paused: bool,
        publish: Callable[[int, Observation, bool], None],
        complain: Callable[[str], None],
        inform: Callable[[str], None],
        fail: Callable[[Exception], None],
    ) -> None:
        from dvf_ros.sim.observation import Command

        self.counters = StepCounters()
        self.problem = ""
        self._simulation, self._command = simulation, Command
        self._pacing = pacing
        self._wall_period = pacing.period * 1e-9 / pacing.speed
        self._publish, self._complain, self._inform, self._fail = publish, complain, inform, fail
        self._changed = threading.Condition()
        self._inbox = CommandInbox()
        self._jobs: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self.paused = paused
        self._closing = self._arrived = False
        self._last: TimedCommand | None = None
        self._width = 0.0
        self._next_seed = seed
        self._stamp = FIRST_STAMP - RESET_JUMP
        self._due = 0.0
        self._thread = threading.Thread(target=self._run, name="simulation", daemon=True)

    @property
    def stamp(self) -> int:
        """Simulated time in ns: the stamp of the newest state."""
        return self._stamp

    def start(self) -> None:
        """Reset the simulation to the first seed, publish its state and go on from there."""
        self._thread.start()

    def close(self, timeout: float = 5.0) -> None:
        """End the thread after the step it is at."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def offer(self, topic: str, stamp: int, values: np.ndarray) -> None:
        """Hand over one half of a command."""
        with self._changed:
            self._inbox.put(topic, stamp, values)
            if self._inbox.complete(stamp):
                self._changed.notify_all()

    def reset(self, seed: int) -> Future[int]:
        """Start the episode of `seed`, or of the next one where it is -1; the result is the seed taken."""
        return self._submit(lambda: self._reset(seed))

    def pause(self, paused: bool) -> Future[None]:
        """Stop stepping and republishing, or go on."""
        return self._submit(lambda: self._pause(paused))

    def step(self) -> Future[int]:
        """One step with zero velocity while paused; the result is the new stamp. RuntimeError if not paused."""
        return self._submit(self._step_once)

    def _submit(self, work: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        with self._changed:
            self._jobs.append((work, future))
            self._changed.notify_all()
        return future

    def _run(self) -> None:
        turn = self._lockstep_turn if self._pacing.mode == "lockstep" else self._realtime_turn
        try:
            self._reset(-1)
            while not self._closing:
                turn()
        except Exception as error:  # a thread that dies in silence would look like a missing command
            self._fail(error)

    def _lockstep_turn(self) -> None:
        """Wait for the command of this very state, however long it takes, and step."""
        since = time.monotonic()
        said = since
        while not self._interrupted():
            complaint_at = np.inf if self.problem else since + self._pacing.command_timeout
            if self._wait_for_command(min(said + REPUBLISH, complaint_at)):
                self._took_up()
                self._arrive(self._simulate(self._take_command()))
                return
            now = time.monotonic()
            if now >= complaint_at:
                self._hold(now - since)
            if now >= said + REPUBLISH:
                self._say()
                said = now
        self._do_jobs()

    def _realtime_turn(self) -> None:
        """Step with the command that comes within the period, or with what stands in for it, on the clock's beat."""
        self._wait_for_command(self._due + LATEST_STEP * self._wall_period)
        if self._interrupted():
            self._do_jobs()
            self._due = time.monotonic()
            return
        command = self._take_command()
        if command.stamp != self._stamp:
            self.counters.missing += 1
        observation = self._simulate(command)
        self._wait_for_beat()
        late = time.monotonic() - self._due
        if late > self._wall_period:  # catching up would make the arm race
            self.counters.overruns += 1
            self._due += late
        self._arrive(observation)

    def _wait_for_beat(self) -> None:
        self._due += self._wall_period
        with self._changed:
            self._changed.wait_for(lambda: self._closing, max(0.0, self._due - time.monotonic()))

    def _wait_for_command(self, until: float) -> bool:
        """Wait until this state's command is whole, or a job comes, or `until` (monotonic s); True for the command."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._called() or self._inbox.complete(self._stamp), max(0.0, until - time.monotonic())
            )
            return not self._interrupted() and self._inbox.complete(self._stamp)

    def _called(self) -> bool:
        return bool(self._jobs) or self._closing

    def _interrupted(self) -> bool:
        return self.paused or self._called()

    def _do_jobs(self) -> None:
        """Do what was submitted; while paused and nothing is, wait for it."""
        with self._changed:
            self._changed.wait_for(self._called)
            jobs = list(self._jobs)
            self._jobs.clear()
        for work, future in jobs:
            try:
                future.set_result(work())
            except Exception as error:
                future.set_exception(error)

    def _take_command(self) -> TimedCommand:
        """The newest whole command, if it is for this state or may still be held; else zero velocity."""
        with self._changed:
            self._last = self._inbox.take_newest(self._stamp) or self._last
        if self._last is not None:
            self._width = self._last.width
            if self._last.stamp == self._stamp:
                return self._last
            if self._stamp - self._last.stamp <= self._pacing.hold_timeout * 1e9:
                return self._last
        return self._rest()

    def _rest(self) -> TimedCommand:
        """Zero velocity, the gripper as it was last told; of no state."""
        return TimedCommand(-1, np.zeros(6), self._width)

    def _simulate(self, command: TimedCommand) -> Observation:
        return self._simulation.step(self._command(command.twist[:3], command.twist[3:], command.width))

    def _arrive(self, observation: Observation) -> None:
        self._stamp += self._pacing.period
        self.counters.steps += 1
        self._observation, self._arrived = observation, True
        self._say()

    def _say(self) -> None:
        self._publish(self._stamp, self._observation, self._arrived)

    def _reset(self, seed: int) -> int:
        taken = self._next_seed if seed < 0 else seed
        self._next_seed = taken + 1
        self._observation, self._arrived = self._simulation.reset(taken), False
        with self._changed:
            self._inbox.clear()
        self._last, self._width = None, self._observation.gripper_width
        self._stamp += RESET_JUMP
        self.counters.resets += 1
        self._took_up()
        if self._pacing.mode == "realtime":
            self._wait_for_beat()  # who decides on the last state must not be overtaken by this one
        self._due = time.monotonic()
        self._say()
        return taken

    def _pause(self, paused: bool) -> None:
        self.paused = paused
        self._took_up()

    def _step_once(self) -> int:
        if not self.paused:
            raise RuntimeError("expected a paused simulation, this one runs; call ~/pause with data: true first")
        self._arrive(self._simulate(self._rest()))
        return self._stamp

    def _hold(self, waited: float) -> None:
        found = self._inbox.describe(self._stamp)
        self.problem = f"no command for the state of {self._stamp * 1e-9:.3f} s"
        self._complain(
            f"{self.problem} within {waited:.1f} s: {found}. The simulation holds and goes on when the command comes; "
            "commands carry the stamp of the state they answer."
        )

    def _took_up(self) -> None:
        if self.problem:
            self._inform("going on after: " + self.problem)
            self.problem = ""
