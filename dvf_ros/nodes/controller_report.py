"""What the controller says about itself, computed for subscribers only."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_updater import DiagnosticStatusWrapper
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from dvf_ros.control.brain import Brain, Command, Counters, Request
from dvf_ros.core.decision import Decision
from dvf_ros.core.spec import RobotSpec
from dvf_ros.msg import ActionScores, ControllerStatus, FutureStates, ValueEstimate
from dvf_ros.nodes.clocks import at_most_every
from dvf_ros.nodes.latencies import Latencies
from dvf_ros.nodes.markers import DecisionMarkers
from dvf_ros.nodes.spec_topics import LATCHED_QOS, state_frame
from dvf_ros.nodes.stop_log import StopLog


class ControllerReport:
    """Publishers of the controller's `~/` topics and the figures they show."""

    def __init__(self, node: Node, spec: RobotSpec, checkpoint: str, reward: str, frames: Mapping[str, str]) -> None:
        self.stop_reason = "no tick yet"
        self.reward = reward
        self._told_stopped = False
        self._stops = StopLog()
        self._node = node
        self._spec = spec
        self._checkpoint = checkpoint
        self._latencies = Latencies()
        self._status = node.create_publisher(ControllerStatus, "~/status", LATCHED_QOS)
        self._scores = node.create_publisher(ActionScores, "~/scores", 1)
        self._futures = node.create_publisher(FutureStates, "~/futures", 1)
        self._value = node.create_publisher(ValueEstimate, "~/value", 1)
        self._markers = node.create_publisher(MarkerArray, "~/markers", 1)
        self._frames = frames
        self._pictures = DecisionMarkers(spec, frames)

    def destroy(self) -> None:
        """Take the publishers down."""
        for publisher in (self._status, self._scores, self._futures, self._value, self._markers):
            self._node.destroy_publisher(publisher)

    def decided(self, seconds: float) -> None:
        """Note how long a decision took from its tick on, whether it came in time or not."""
        self._latencies.note(seconds)

    def commanded(self, command: Command) -> None:
        """Note why the last command stopped the robot, if it did."""
        self._stops.note(command.stop_reason, time.monotonic())
        self.stop_reason = command.stop_reason

    def publish_status(self, active: bool, paused: bool, counters: Counters, now: Time) -> bool:
        """Publish `~/status` (latched); returns whether the robot has stopped or gone on since the last one."""
        state = ControllerStatus.STOPPED if self.stop_reason else ControllerStatus.RUNNING
        state = ControllerStatus.PAUSED if paused else state
        state = state if active else ControllerStatus.INACTIVE
        p50, _, p99, worst = self._latencies.percentiles_ms()
        self._status.publish(
            ControllerStatus(
                header=Header(stamp=now.to_msg()),
                state=state,
                reason=self.stop_reason,
                ticks=counters.ticks,
                decisions=counters.decisions,
                deadline_misses=counters.deadline_misses,
                clamped=counters.clamped,
                reused=counters.reused,
                latency_p50_ms=p50,
                latency_p99_ms=p99,
                latency_max_ms=worst,
                checkpoint=self._checkpoint,
                reward=self.reward,
            )
        )
        told, self._told_stopped = self._told_stopped, bool(self.stop_reason)
        return told != self._told_stopped

    @property
    def wanted(self) -> bool:
        """Whether somebody listens to what explains a decision."""
        return any(topic.get_subscription_count() for topic in (self._futures, self._value, self._markers))

    def show(self, request: Request, decision: Decision, explain: Callable[[Request, Decision], Decision]) -> None:
        """Publish a decision, explained if somebody wants to see it; a failure is logged and costs only the picture."""
        try:
            self.publish_decision(request, explain(request, decision) if self.wanted else decision)
        except Exception as error:  # the command is out already, and the next decision is not to be lost for this
            self._node.get_logger().error(f"the decision cannot be shown: {error}", **at_most_every(1.0))

    def publish_decision(self, request: Request, decision: Decision) -> None:
        """Publish scores, futures, value and markers of a decision to whoever listens."""
        stamp = Time(nanoseconds=request.stamp).to_msg()
        header = Header(stamp=stamp, frame_id=state_frame(self._spec, self._frames))
        if decision.explained and self._markers.get_subscription_count():
            self._markers.publish(self._pictures.draw(header, request.state, decision))
        if self._scores.get_subscription_count():
            _, horizon, action_size = decision.candidates.shape
            self._scores.publish(
                ActionScores(
                    header=Header(stamp=stamp, frame_id=self._spec.frame),  # candidates are commands
                    chosen=decision.chosen,
                    horizon=horizon,
                    action_size=action_size,
                    candidates=_floats(decision.candidates),
                    scores=_floats(decision.scores),
                    values=_floats(decision.values),
                    disagreement=_floats(decision.disagreement),
                    standard_error=_floats(decision.standard_error),
                    supported=decision.supported.tolist(),
                )
            )
        if decision.explained and self._futures.get_subscription_count():
            self._futures.publish(
                FutureStates(
                    header=header,
                    names=list(self._spec.state_names),
                    state_size=self._spec.state_size,
                    offsets_s=_floats(decision.offsets / self._spec.rate),
                    states=_floats(decision.futures),
                    rewards=_floats(decision.rewards),
                )
            )
        if decision.explained and self._value.get_subscription_count():
            self._value.publish(
                ValueEstimate(
                    header=header,
                    value=decision.value,
                    standard_error=decision.value_error,
                    disagreement=float(decision.disagreement[decision.chosen]),
                    discount=decision.discount,
                    samples=len(decision.offsets),
                )
            )

    def diagnose(self, status: DiagnosticStatusWrapper, brain: Brain, unheard: list[str]) -> DiagnosticStatusWrapper:
        """Fill in the 1 Hz diagnostics of the control loop; nobody listens on the action topics `unheard`."""
        if self.stop_reason:
            status.summary(DiagnosticStatus.WARN, f"stopped: {self.stop_reason}")
        else:
            status.summary(DiagnosticStatus.OK, "running")
        if unheard:
            status.mergeSummary(DiagnosticStatus.WARN, f"nobody listens on {', '.join(unheard)}")
        for name, value in zip(("p50", "p95", "p99", "max"), self._latencies.percentiles_ms(), strict=True):
            status.add(f"decision latency {name} (ms)", f"{value:.2f}")
        status.add("reward", self.reward)
        status.add("input age (s)", f"{brain.input_age:.3f}")
        status.add("last stops", self._stops.text(time.monotonic()))
        status.add("last clamped", brain.last_clamped)
        for name, count in vars(brain.counters).items():
            status.add(name.replace("_", " "), str(count))
        return status


def _floats(values: np.ndarray) -> list[float]:
    return np.asarray(values, np.float32).reshape(-1).tolist()
