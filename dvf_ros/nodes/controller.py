"""The controller: a lifecycle node around the brain. It is silent unless active."""

from __future__ import annotations

import threading
import traceback
from contextlib import ExitStack
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_updater import DiagnosticStatusWrapper

from dvf_ros.control.brain import Brain, Command, Request
from dvf_ros.control.open_request import OpenRequest
from dvf_ros.control.pulse import Pulse
from dvf_ros.core.alignment import BACKWARD_JUMP_NS, TickGrid
from dvf_ros.core.decision import Decision
from dvf_ros.core.expression import Expression
from dvf_ros.nodes.bars import Bars
from dvf_ros.nodes.clocks import STEADY, at_most_every, beat_clock, steady_ns
from dvf_ros.nodes.controller_parameters import ControllerParameters
from dvf_ros.nodes.controller_report import ControllerReport
from dvf_ros.nodes.deadlines import Deadlines
from dvf_ros.nodes.deciding import Deciding
from dvf_ros.nodes.diagnostics import steady_updater
from dvf_ros.nodes.inference import InferenceWorker
from dvf_ros.nodes.live_parameters import follow_changes
from dvf_ros.nodes.memory import settled_memory
from dvf_ros.nodes.reward_requests import RewardRequests
from dvf_ros.nodes.robot_spec import load_spec
from dvf_ros.nodes.runtime import run
from dvf_ros.nodes.spec_topics import CommandTopics, StateTopics
from dvf_ros.nodes.steady_release import SteadyRelease
from dvf_ros.nodes.transitions import LoggedLifecycleNode


class Controller(LoggedLifecycleNode):
    """Observes the spec's state topics, ticks, decides on a thread of its own and publishes one command per tick."""

    def __init__(self) -> None:
        super().__init__("controller")
        self.parameters = ControllerParameters.declare(self)
        self._lock = threading.RLock()
        self._active = False
        self._last_command = Command(-1, np.zeros(0))
        self._brain: Brain | None = None
        self._bars = Bars(self, self._lock, self._bar)
        follow_changes(self, self._check_changes, self._take_changes)
        self._updater = steady_updater(self)
        self._updater.add("control loop", self._diagnose)

    def close(self) -> None:
        """Stop the robot if active and release what was configured."""
        if self._active:
            self._deactivate()
        if self._brain is not None:
            self._cleanup()

    def _configure(self) -> None:
        # torch takes seconds to import: a node that is only asked for its parameters should not pay for it.
        from dvf_ros.learning.checkpoint import load_checkpoint, read_description

        wanted = self.parameters
        spec = self._spec = load_spec(wanted.spec)
        wanted.check(spec)
        agent, digest = load_checkpoint(wanted.checkpoint, spec), read_description(wanted.checkpoint).sha256
        self._stored = agent.decision
        agent.configure(wanted.decision(self._stored))
        share, pace = wanted.deadline, wanted.pace
        settings = lambda: self.parameters.decision(self._stored)  # noqa: E731 (as they are at the time)
        self._deciding = Deciding(agent, settings, wanted.seed, share, pace, self.get_logger())
        self._deciding.set_reward(wanted.written_reward(spec))
        self._agent = agent
        gap = max(3 / spec.rate, 0.1)
        self._grid = TickGrid(spec.period_ns, gap=round(gap * 1e9))
        self._pulse = Pulse(gap)
        self._open = OpenRequest(share / spec.rate)
        # What is made is given back: by cleanup, or at once if a later part fails.
        with ExitStack() as made:
            self._commands = CommandTopics(self, spec)
            made.callback(self._commands.destroy)
            self._states = StateTopics(self, spec, self._observe, self._refuse, spec.frame)
            made.callback(self._states.destroy)
            self._report = ControllerReport(self, spec, digest, agent.reward_name, self._states.frames)
            made.callback(self._report.destroy)
            self._rewards = RewardRequests(self, spec, self._states, wanted, self._set_reward)
            made.callback(self._rewards.destroy)
            kept = not wanted.lockstep
            self._deadlines = Deadlines(self, spec, share, gap, pace, kept, self._give_up, self._on_silence)
            made.callback(self._deadlines.destroy)
            after = wanted.release / spec.rate / pace if kept else 0.0
            self._release = SteadyRelease(self, after, self._lock, self._send)
            made.callback(self._release.destroy)
            made.callback(self.destroy_timer, self.create_timer(0.2, self._publish_status, clock=STEADY))
            self._ticker = self.create_timer(1 / spec.rate, self._on_timer, clock=beat_clock(self), autostart=False)
            made.callback(self.destroy_timer, self._ticker)
            # Last, so that its thread ends before the publishers that it uses.
            self._worker = InferenceWorker(self._deciding.warm_up, self._decide, self._deliver, self._undelivered)
            made.callback(self._worker.close)
            made.enter_context(settled_memory())
            self._made = made.pop_all()
        self._brain = Brain(spec, execute=agent.decision.execute, max_reuse=wanted.max_reuse, gap=gap)
        self._brain.barred = self._bars.reason
        self.get_logger().info(f"{spec.robot} {spec.task}, {spec.rate:g} Hz on {wanted.tick_on}, {agent.device}")

    def _activate(self) -> None:
        assert self._brain is not None
        self._grid.restart()
        self._brain.restart()  # what was seen and commanded before says nothing about now
        self._pulse.beat(None)
        self._active = True
        if self.parameters.tick_on == "timer":
            self._ticker.reset()
        self._publish_status()

    def _deactivate(self) -> None:
        with self._lock:
            self._active = False
            self._deadlines.stopped(at_rest=True)
            self._ticker.cancel()
            self._stop("deactivated", at_once=True)
        self._publish_status()

    def _cleanup(self) -> None:
        self._made.close()
        self._brain = None
        del self._agent, self._deciding

    def _observe(self, topic: str, stamp: int, values: np.ndarray) -> None:
        assert self._brain is not None
        with self._lock:
            epoch = self._brain.aligner.epoch
            self._brain.observe(topic, stamp, values, self._now())
            if self._brain.aligner.epoch != epoch:
                self._grid.restart()
            self._deadlines.heard(topic, stamp)
            if not self._active or self.parameters.tick_on != "state":
                return
            last = self._last_command
            if self.parameters.lockstep and topic == self._spec.state[0].key and stamp == last.stamp:
                # A simulation that waits says its state again where it got no command, or half of a stop.
                if not last.stop_reason:
                    self._commands.publish(last.action, stamp)
                elif self._open.request is None:  # else a decision for this very state is on its way
                    self._tick(stamp)
                return
            due = list(self._grid.due(self._brain.aligner.watermark))
            if due:
                # Only the newest tick is answered: a robot needs no commands for moments gone by.
                self._tick(due[-1], None if self.parameters.lockstep else self.get_clock().now().nanoseconds)

    def _refuse(self, topic: str, reason: str) -> None:
        assert self._brain is not None
        with self._lock:
            self._brain.refuse(topic, reason)

    def _now(self) -> int | None:
        """The robot's steady ns, by which inputs have to arrive; None for a simulation that waits."""
        return None if self.parameters.lockstep else round(steady_ns() * self.parameters.pace)

    def _on_timer(self) -> None:
        with self._lock:
            self._tick(self.get_clock().now().nanoseconds)

    def _tick(self, stamp: int, clock: int | None = None) -> None:
        assert self._brain is not None
        self._deadlines.ticked()
        self._wake()
        self._pulse.beat(self._now())
        if self._open.request is not None and self._brain.outdated(self._open.request, stamp):
            self._open.give_up()
        self._give_up()
        self._release.ticked()
        answer = self._brain.tick(stamp, self._now(), clock)
        if isinstance(answer, Command):
            self._release.offer(answer)
            return
        self._open.request = answer
        self._worker.submit(answer)
        self._deadlines.asked()

    def _wake(self) -> None:
        """Begin anew where this process stood still: the gate takes the next target for where the robot is by now."""
        if self._brain is not None and self._pulse.lapsed(self._now()):
            self._release.drop()
            self._brain.lose_track()

    def _decide(self, request: Request) -> Decision:
        return self._deciding.decide(request)

    def _deliver(self, request: Request, outcome: Decision | Exception, seconds: float) -> None:
        with self._lock:
            self._report.decided(seconds)
            if self._brain is None or self._pulse.lapsed(now := self._now()) or not self._open.answered(request, now):
                return  # too late: this tick was, or will be, answered without it
            if isinstance(outcome, Exception):
                self._release.offer(self._brain.stop(request.stamp, f"the model failed: {outcome}"))
                return
            self._release.offer(self._brain.accept(outcome, request))
        self._report.show(request, outcome, self._deciding.explain)

    def _undelivered(self, error: Exception) -> None:
        """A decision was made, and then something failed on the inference thread."""
        self.get_logger().error("".join(traceback.format_exception(error)), **at_most_every(1.0))
        with self._lock:
            try:
                if self._active:
                    self._stop(f"a decision could not be delivered: {error}")
            except Exception as again:  # whoever stops the robot when nothing comes has to
                self.get_logger().error(f"nor could the robot be stopped: {again}", **at_most_every(1.0))

    def _give_up(self) -> None:
        with self._lock:
            request = self._open.give_up()
            self._wake()
            if request is not None and self._brain is not None:
                self._release.offer(self._brain.late(request))

    def _bar(self) -> None:
        """Tell the brain whether it may act at all, and stop at once if not."""
        if self._brain is None:
            return
        self._brain.barred = self._bars.reason
        if self._active and self._bars.reason:
            self._stop(self._bars.reason)
        self._publish_status()

    def _check_changes(self, changes: dict[str, Any]) -> None:
        if self._brain is not None:
            self.parameters.changed(changes).decision(self._stored)

    def _take_changes(self, changes: dict[str, Any]) -> None:
        self.parameters = self.parameters.changed(changes)

    def _set_reward(self, expression: Expression | None) -> str:
        """Decide by this reward from now on; returns what it is like."""
        assert self._brain is not None
        with self._lock:
            if self._deciding.set_reward(expression):
                self._report.reward = self._agent.reward_name
                self._brain.decide_anew()
                if (again := self._open.again()) is not None:
                    self._worker.submit(again)
        self._publish_status()
        return self._agent.reward_summary

    def _on_silence(self) -> None:
        assert self._brain is not None
        with self._lock:
            if not self._active or (now := self._now()) is None:
                return
            self._wake()
            self._pulse.beat(now)
            self._grid.restart()
            self._stop(self._brain.silence(now))
            self._deadlines.stopped(self._brain.at_rest)

    def _stop(self, reason: str, at_once: bool = False) -> None:
        """Stop between two ticks."""
        assert self._brain is not None
        self._open.give_up()
        self._wake()
        if self._release.drop():
            self._brain.withdraw()
        stamp, last = self.get_clock().now().nanoseconds, self._last_command.stamp
        if not self.parameters.lockstep and stamp >= last - BACKWARD_JUMP_NS:
            stamp = max(stamp, last + 1)  # a state may be ahead of the clock, and the gate passes nothing twice
        self._release.offer(self._brain.stop(stamp, reason, at_once))

    def _send(self, command: Command) -> None:
        if not command.stop_reason and self._pulse.lapsed(self._now()):
            return  # it waited while this process stood still
        if command.stop_reason:
            self.get_logger().warning(f"stop: {command.stop_reason}", **at_most_every(1.0))
        self._last_command = command
        self._report.commanded(command)
        self._commands.publish(command.action, command.stamp)
        if self._brain is not None:
            self._brain.unheard(self._commands.unheard_numbers)

    def _diagnose(self, status: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        if self._brain is None:
            status.summary(DiagnosticStatus.OK, "not configured")
            return status
        status.add("refused goal", self._rewards.refused_goal)
        return self._report.diagnose(status, self._brain, self._commands.unheard if self._active else [])

    def _publish_status(self) -> None:
        assert self._brain is not None
        counters, now = self._brain.counters, self.get_clock().now()
        if self._report.publish_status(self._active, self._bars.paused, counters, now):
            self._updater.force_update()  # a stop should not have to wait for the next second


def main() -> int:
    """Run the controller until it is told to end."""
    return run(Controller, shared_memory=False)
