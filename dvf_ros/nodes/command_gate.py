"""The command gate: a process of its own between the controller and the robot. No torch, no model, no thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_updater import DiagnosticStatusWrapper
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from dvf_ros.control.gate import Gate, Outgoing, input_topic, restart_warning
from dvf_ros.control.one_voice import OneVoice
from dvf_ros.core.selection import FieldSelector, SelectionError
from dvf_ros.core.spec import Source
from dvf_ros.nodes.clocks import at_most_every, steady_ns
from dvf_ros.nodes.diagnostics import steady_updater
from dvf_ros.nodes.message_types import message_class
from dvf_ros.nodes.parameters import declare, told_together
from dvf_ros.nodes.robot_spec import declare_spec, load_spec
from dvf_ros.nodes.runtime import run
from dvf_ros.nodes.spec_topics import COMMAND_QOS, LATCHED_QOS, CommandTopic

# A button that was pressed before the gate came up must count, and so must one whose publisher promises nothing:
# no single QoS takes both.
BUTTON_QOS = (
    QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL),
    QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT),
)


class CommandGate(Node):
    """Subscribes to `unsafe/<topic>` and publishes `<topic>` for every action topic of the spec.

    One may take over from another there, but of several that command at once none is passed on.
    """

    def __init__(self) -> None:
        super().__init__("command_gate")
        with told_together(self):
            path = declare_spec(self)
            deadline = declare(
                self,
                "deadline",
                0.15,
                "s without a fresh command after which a topic is stopped; above 0.18 that is later than in 0.2 s",
                low=0.02,
                high=10.0,
            )
            self._speed = declare(
                self,
                "speed",
                1.0,
                "Simulation only: its seconds in one second; a robot's is 1. Slower ones get a longer deadline",
                low=0.05,
                high=20.0,
            )
        spec = load_spec(path)
        self._frame = spec.frame
        # The gate counts in the robot's seconds; a fast simulation does not make this machine faster.
        robot_deadline = deadline * max(1.0, self._speed)
        self._gate = Gate(spec, robot_deadline)
        if warning := restart_warning(spec, robot_deadline):
            self.get_logger().warning(warning)
        self._topics = {source.topic: CommandTopic(self, source, spec.frame) for source in spec.action}
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._deadlines = {
            topic: self.create_timer(robot_deadline / self._speed, self._guard(topic), clock=steady, autostart=False)
            for topic in self._topics
        }
        self._deadline_ns = round(robot_deadline / self._speed * 1e9)
        self._period_ns = round(spec.period_ns / self._speed)
        for source in spec.action:
            self.create_subscription(
                message_class(source.type), input_topic(source.topic), self._receiver(source), COMMAND_QOS
            )
        for qos in BUTTON_QOS:
            self.create_subscription(Bool, "~/estop", self._on_button, qos)
        self._estopped = self.create_publisher(Bool, "~/estopped", LATCHED_QOS)
        self._told: bool | None = None
        self._tell_bar()
        self.create_service(Trigger, "~/estop", self._on_estop)
        self.create_service(Trigger, "~/release", self._on_release)
        steady_updater(self, spec.robot).add("gate", self._diagnose)
        inputs = ", ".join(input_topic(topic) for topic in self._topics)
        self.get_logger().info(f"closed until a command comes on {inputs}; deadline {deadline:g} s")

    def close(self) -> None:
        """Stop the robot, and stay until it has heard it."""
        self._wake()
        self._send(self._gate.stop("the gate ends", at_once=True))
        for topic in self._topics.values():
            topic.destroy()

    def _receiver(self, source: Source) -> Callable[[Any, dict[str, Any]], None]:
        selector, voice = FieldSelector(source), OneVoice()

        def receive(message: Any, info: dict[str, Any]) -> None:
            now, refused = self._wake(), self._gate.counters.refused
            header = getattr(message, "header", None)
            # rclpy's Time raises for a time before 1970, and no message may end this process.
            stamp = None if header is None else header.stamp.sec * 1_000_000_000 + header.stamp.nanosec
            try:
                if not voice.alone(info["publication_sequence_number"], steady_ns()):
                    raise SelectionError("several publishers command at once; stop all but one")
                if stamp is not None and stamp < 0:
                    raise SelectionError(f"expected a stamp since 1970, found {stamp} ns")
                if header is not None and header.frame_id not in ("", self._frame):
                    raise SelectionError(f"expected a command in frame '{self._frame}', found '{header.frame_id}'")
                values = selector.select(message)
            except SelectionError as error:
                self._send(self._gate.refuse(f"'{source.topic}': {error}"))
            else:
                judged = stamp if source.stamp == "header" else None
                self._send(self._gate.offer(source.topic, judged, values, now), stamp)
            if self._gate.counters.refused > refused:
                self.get_logger().error(f"command refused: {self._gate.last_refusal}", **at_most_every(1.0))

        return receive

    def _guard(self, topic: str) -> Callable[[], None]:
        def check() -> None:
            self._send(self._gate.check(topic, self._wake()))
            if not self._gate.guarded(topic):
                self._deadlines[topic].cancel()

        return check

    def _send(self, outgoing: list[Outgoing], stamp: int | None = None) -> None:
        """Publish: a command that passes under its own stamp, a stop under the present time."""
        for item in outgoing:
            own = None if item.stop else stamp
            self._topics[item.topic].publish(item.values, self.get_clock().now().nanoseconds if own is None else own)
            slowing = self._gate.slowing(item.topic)
            self._deadlines[item.topic].timer_period_ns = self._period_ns if slowing else self._deadline_ns
            self._deadlines[item.topic].reset()
        if any(item.stop for item in outgoing):
            self.get_logger().warning(f"stop: {self._gate.last_stop}", **at_most_every(1.0))

    def _on_button(self, message: Bool) -> None:
        self._wake()
        self._send(self._gate.button(message.data))
        self._tell_bar()

    def _on_estop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._wake()
        self._send(self._gate.press("pressed by service"))
        self._tell_bar()
        response.success, response.message = True, "e-stop latched; ~/release lets commands pass again"
        return response

    def _on_release(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        refusal = self._contested_button or self._gate.release(self._wake())
        self._tell_bar()
        response.success = not refusal
        response.message = refusal or "released; the next fresh command passes"
        self.get_logger().info(f"release asked for: {response.message}")
        return response

    @property
    def _contested_button(self) -> str:
        count = self._publishers_of("~/estop")
        return f"~/estop has {count} publishers, and whose last word it was is not told: leave one" if count > 1 else ""

    def _publishers_of(self, topic: str) -> int:
        return int(self.count_publishers(self.resolve_topic_name(topic)))

    def _tell_bar(self) -> None:
        bars = self._gate.bars(self._now())
        if bars != self._told:
            self._estopped.publish(Bool(data=bars))
        self._told = bars

    def _now(self) -> int:
        """The robot's ns on a steady clock."""
        return round(steady_ns() * self._speed)

    def _wake(self) -> int:
        """The present time, once the robot was stopped where this process stood still before it."""
        now = self._now()
        self._send(self._gate.wake(now))
        self._tell_bar()
        return now

    def _diagnose(self, status: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        others = [topic for topic in self._topics if self.count_publishers(topic) > 1]
        inputs = [name for name in map(input_topic, self._topics) if self._publishers_of(name) > 1]
        if self._gate.estopped:
            status.summary(DiagnosticStatus.ERROR, self._gate.reason)
        elif self._gate.reason:
            status.summary(DiagnosticStatus.WARN, f"stopped: {self._gate.reason}")
        else:
            status.summary(DiagnosticStatus.OK, "passing commands")
        if self._contested_button:
            status.mergeSummary(DiagnosticStatus.ERROR, self._contested_button)
        if others:
            status.mergeSummary(DiagnosticStatus.ERROR, f"somebody else commands the robot on {', '.join(others)}")
        if inputs:
            status.mergeSummary(DiagnosticStatus.WARN, f"several publishers on {', '.join(inputs)}: only one may speak")
        status.add("last stop", self._gate.last_stop)
        status.add("last refusal", self._gate.last_refusal)
        for name, count in vars(self._gate.counters).items():
            status.add(name.replace("_", " "), str(count))
        return status


def main() -> int:
    """Run the gate until it is told to end."""
    return run(CommandGate, shared_memory=False)
