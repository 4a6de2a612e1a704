"""The controller: a lifecycle node around the brain. It is silent unless active."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_updater import DiagnosticStatusWrapper
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.time import Time
from std_srvs.srv import SetBool

from dvf_ros.control.brain import Brain, Command, Request
from dvf_ros.core.alignment import TickGrid
from dvf_ros.core.decision import Decision
from dvf_ros.core.expression import Expression
from dvf_ros.msg import ControllerStatus
from dvf_ros.nodes.controller_parameters import ControllerParameters
from dvf_ros.nodes.controller_report import ControllerReport
from dvf_ros.nodes.diagnostics import steady_updater
from dvf_ros.nodes.inference import InferenceWorker
from dvf_ros.nodes.live_parameters import follow_changes
from dvf_ros.nodes.reward_requests import RewardRequests
from dvf_ros.nodes.robot_spec import load_spec
from dvf_ros.nodes.runtime import run
from dvf_ros.nodes.spec_topics import CommandTopics, StateTopics
from dvf_ros.nodes.transitions import logged

if TYPE_CHECKING:
    from dvf_ros.learning.agent import DvfAgent

WARM_UP = 3


class Controller(LifecycleNode):
    """Observes the spec's state topics, ticks, decides on a thread of its own and publishes one command per tick."""

    def __init__(self) -> None:
        super().__init__("controller")
        self.parameters = ControllerParameters.declare(self)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._lock = threading.RLock()
        self._active = False
        self._paused = False
        self._pending: Request | None = None
        self._last_command = Command(-1, np.zeros(0))
        self._brain: Brain | None = None
        self.create_service(SetBool, "~/pause", self._on_pause)
        follow_changes(self, self._check_changes, self._take_changes)
        steady_updater(self, "controller").add("control loop", self._diagnose)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm up the model, open the topics."""
        return logged(self, self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start ticking."""
        return logged(self, self._activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Send a stop and fall silent."""
        return logged(self, self._deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give back model, thread and topics."""
        return logged(self, self._cleanup)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop, then give back everything."""
        return logged(self, self.close)

    def close(self) -> None:
        """Stop the robot if active and release what was configured."""
        if self._active:
            self._deactivate()
        if self._brain is not None:
            self._cleanup()

    def _configure(self) -> None:
        # torch takes seconds to import: a node that is only asked for its parameters should not pay for it.
        from dvf_ros.learning.checkpoint import load_checkpoint

        wanted = self.parameters
        spec = load_spec(wanted.spec)
        agent = load_checkpoint(wanted.checkpoint, spec)
        self._stored = agent.decision
        agent.configure(wanted.decision(self._stored))
        self._spec = spec
        self._agent: DvfAgent = agent
        gap = max(3 / spec.rate, 0.1)
        self._brain = Brain(spec, execute=agent.decision.execute, max_reuse=wanted.max_reuse, gap=gap)
        self._brain.paused = self._paused
        self._grid = TickGrid(spec.period_ns, gap=round(gap * 1e9))
        self._commands = CommandTopics(self, spec)
        self._worker = InferenceWorker(self._warm_up, self._decide, self._deliver)
        self._states = StateTopics(self, spec, self._observe)
        self._report = ControllerReport(self, spec, wanted.checkpoint, agent.reward_name, self._states.frames)
        self._rewards = RewardRequests(self, spec, self._states, wanted.goal_object, self._set_reward)
        # Deadlines are kept on a steady clock: nobody sets that one.
        self._deadline = self.create_timer(
            wanted.deadline / spec.rate, self._on_deadline, clock=self._steady, autostart=False
        )
        self._watchdog = self.create_timer(gap, self._on_silence, clock=self._steady, autostart=False)
        self._status = self.create_timer(0.2, self._publish_status, clock=self._steady)
        self._ticker = (
            self.create_timer(1 / spec.rate, self._on_timer, autostart=False) if wanted.tick_on == "timer" else None
        )
        self.get_logger().info(
            f"{spec.robot} {spec.task}: {agent.decision.candidates} candidates x {agent.decision.futures} futures "
            f"on {agent.device}, ticks at {spec.rate:g} Hz on {wanted.tick_on}"
        )

    def _activate(self) -> None:
        self._grid.restart()
        self._active = True
        if self._ticker:
            self._ticker.reset()
        self._publish_status()

    def _deactivate(self) -> None:
        with self._lock:
            self._active = False
            self._drop_pending()
            self._watchdog.cancel()
            if self._ticker:
                self._ticker.cancel()
            assert self._brain is not None
            self._publish(self._brain.stop(self.get_clock().now().nanoseconds, "deactivated"))
        self._publish_status()

    def _cleanup(self) -> None:
        for timer in (self._deadline, self._watchdog, self._status, self._ticker):
            if timer is not None:
                self.destroy_timer(timer)
        self._worker.close()
        self._rewards.destroy()
        self._states.destroy()
        self._commands.destroy()
        self._report.destroy()
        self._brain = None
        del self._agent

    def _observe(self, topic: str, stamp: int, values: np.ndarray) -> None:
        assert self._brain is not None
        with self._lock:
            self._brain.observe(topic, stamp, values)
            if not self._active or self.parameters.tick_on != "state":
                return
            if self.parameters.lockstep and topic == self._spec.state[0].topic and stamp == self._last_command.stamp:
                # A simulation that waits says its state again if the command was lost: so does this node.
                self._commands.publish(self._last_command.action, stamp)
                return
            due = list(self._grid.due(self._brain.aligner.watermark))
            if due:
                # Only the newest tick is answered: a robot needs no commands for moments gone by.
                self._tick(due[-1])

    def _on_timer(self) -> None:
        with self._lock:
            self._tick(self.get_clock().now().nanoseconds)

    def _tick(self, stamp: int) -> None:
        assert self._brain is not None
        if not self.parameters.lockstep:
            self._watchdog.reset()
        if self._pending is not None:
            self._give_up(self._pending)
        answer = self._brain.tick(stamp)
        if isinstance(answer, Command):
            self._publish(answer)
            return
        self._pending = answer
        self._worker.submit(answer)
        if not self.parameters.lockstep:
            self._deadline.reset()

    def _warm_up(self) -> None:
        for _ in range(WARM_UP):
            self._agent.decide(self._spec.neutral_state, np.random.default_rng(0))

    def _decide(self, request: Request) -> Decision:
        # On this thread, so that no decision ever sees half of a change.
        if (wanted := self.parameters.decision(self._stored)) != self._agent.decision:
            self._agent.configure(wanted)
        # Seeded by the tick, not by a running count: the same input gives the same command after any history.
        rng = np.random.default_rng([self.parameters.seed, request.stamp])
        return self._agent.decide(request.state, rng)

    def _deliver(self, request: Request, outcome: Decision | Exception, seconds: float) -> None:
        with self._lock:
            self._report.decided(seconds)
            if request is not self._pending or self._brain is None:
                return  # too late: this tick was answered without it
            self._pending = None
            self._deadline.cancel()
            if isinstance(outcome, Exception):
                self._publish(self._brain.stop(request.stamp, f"the model failed: {outcome}"))
                return
            self._publish(self._brain.accept(outcome, request))
        self._report.publish_decision(request, outcome)

    def _on_deadline(self) -> None:
        with self._lock:
            self._deadline.cancel()
            if self._pending is not None:
                self._give_up(self._pending)

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Pause in whatever state the node is: neither activation nor a new configuration resumes."""
        with self._lock:
            self._paused = request.data
            if self._brain is not None:
                self._brain.paused = request.data
            if self._active and request.data:
                self._drop_pending()
                assert self._brain is not None
                self._publish(self._brain.stop(self.get_clock().now().nanoseconds, "paused"))
        if self._brain is not None:
            self._publish_status()
        response.success = True
        response.message = "paused until resumed by data: false" if request.data else "resumed"
        return response

    def _check_changes(self, changes: dict[str, Any]) -> None:
        if self._brain is not None:
            self.parameters.changed(changes).decision(self._stored)

    def _take_changes(self, changes: dict[str, Any]) -> None:
        self.parameters = self.parameters.changed(changes)

    def _set_reward(self, expression: Expression | None) -> str:
        """Decide by this reward from now on; returns what it is like."""
        assert self._brain is not None
        with self._lock:
            self._agent.set_reward(expression)
            self._report.reward = self._agent.reward_name
            self._brain.decide_anew()
            if self._pending is not None:
                # An equal request, but another: what is being decided by the old reward will not be taken for it.
                self._pending = replace(self._pending)
                self._worker.submit(self._pending)
        self._publish_status()
        return self._agent.reward_summary

    def _drop_pending(self) -> None:
        self._pending = None
        self._deadline.cancel()

    def _give_up(self, request: Request) -> None:
        assert self._brain is not None
        self._pending = None
        self._publish(self._brain.late(request))

    def _on_silence(self) -> None:
        with self._lock:
            self._watchdog.cancel()
            self._grid.restart()
            assert self._brain is not None
            self._publish(self._brain.stop(self.get_clock().now().nanoseconds, "no new state"))

    def _publish(self, command: Command) -> None:
        if command.stop_reason:
            self.get_logger().warning(f"stop: {command.stop_reason}", throttle_duration_sec=1.0)
        self._last_command = command
        self._report.commanded(command)
        self._commands.publish(command.action, command.stamp)

    def _diagnose(self, status: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        if self._brain is None:
            status.summary(DiagnosticStatus.OK, "not configured")
            return status
        status.add("refused goal", self._rewards.refused_goal)
        return self._report.diagnose(status, self._brain)

    def _publish_status(self) -> None:
        assert self._brain is not None
        state = ControllerStatus.INACTIVE
        if self._active:
            state = ControllerStatus.STOPPED if self._report.stop_reason else ControllerStatus.RUNNING
            state = ControllerStatus.PAUSED if self._paused else state
        now: Time = self.get_clock().now()
        self._report.publish_status(state, self._brain.counters, now)


def main() -> int:
    """Run the controller until it is told to end."""
    return run(Controller)
