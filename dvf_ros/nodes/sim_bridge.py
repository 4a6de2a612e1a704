"""The simulation bridge: robosuite behind the topics of an ordinary robot, in lockstep or in real time."""

from __future__ import annotations

import time
from concurrent.futures import Future as ThreadFuture
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_updater import DiagnosticStatusWrapper
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.task import Future
from std_srvs.srv import SetBool, Trigger

from dvf_ros.core.selection import SelectionError
from dvf_ros.core.spec import RobotSpec
from dvf_ros.nodes.clocks import at_most_every
from dvf_ros.nodes.diagnostics import steady_updater
from dvf_ros.nodes.message_types import message_class
from dvf_ros.nodes.parameters import declare, told_together
from dvf_ros.nodes.robot_spec import declare_spec, load_spec
from dvf_ros.nodes.runtime import run
from dvf_ros.nodes.sim_commands import COMMANDS, CommandReader
from dvf_ros.nodes.sim_topics import SimTopics
from dvf_ros.nodes.step_loop import Pacing, StepLoop
from dvf_ros.srv import Reset

JOB_TIMEOUT = 10.0
"""s that a service call waits for the simulation's thread, which may be in the middle of a slow real-time period."""


class SimBridge(Node):
    """Publishes states, takes commands; the simulation itself runs on the step loop's thread."""

    def __init__(self) -> None:
        # robosuite takes seconds to import: only a process that simulates should pay for it.
        from dvf_ros.sim.robosuite_sim import RobosuiteSim

        super().__init__("sim_bridge")
        with told_together(self):
            path = declare_spec(self)
            clock = declare(
                self, "publish_clock", True, "Publish simulated time on /clock; false for all but one robot"
            )
            seed = declare(self, "seed", 0, "Seed of the first episode; the next ones count up", low=0, high=2**31 - 1)
            paused = declare(self, "paused", False, "Start paused; ~/pause with data: false sets it going")
            timing = self._declare_timing()
        spec = load_spec(path)
        pacing = Pacing(period=spec.period_ns, **timing)
        simulation = RobosuiteSim(spec.task, spec.rate)
        self._topics = SimTopics(self, spec, tuple(simulation.task.objects), clock)
        self._topics.check_fields(simulation.reset(seed))
        self._reader = CommandReader(spec.frame)
        self._refused = 0
        self.done = Future()
        logger = self.get_logger()
        self._loop = StepLoop(
            simulation,
            pacing,
            seed,
            paused,
            self._topics.publish,
            complain=logger.error,
            inform=logger.info,
            fail=self._fail,
        )
        for topic, source in COMMANDS.items():
            self.create_subscription(message_class(source.type), topic, self._receiver(topic), QoSProfile(depth=10))
        self.create_service(Reset, "~/reset", self._on_reset)
        self.create_service(SetBool, "~/pause", self._on_pause)
        self.create_service(Trigger, "~/step", self._on_step)
        self._start_diagnostics(spec)
        logger.info(f"{spec.robot} {spec.task} at {spec.rate:g} Hz, {pacing.mode}, seed {seed}")
        self._loop.start()

    def close(self) -> None:
        """End the simulation's thread while its publishers still work."""
        self._loop.close()

    def _declare_timing(self) -> dict[str, Any]:
        """All of Pacing but the period, which is the spec's."""
        mode = declare(
            self,
            "mode",
            "lockstep",
            "lockstep: one command, one step, however long it takes. realtime: steps on the clock's beat",
            options=("lockstep", "realtime"),
        )
        speed = declare(self, "speed", 1.0, "Real time only: seconds simulated in one second", low=0.05, high=20.0)
        command_timeout = declare(
            self,
            "command_timeout",
            5.0,
            "Lockstep only: s after which a missing command is an error",
            low=0.1,
            high=600.0,
        )
        hold_timeout = declare(
            self,
            "hold_timeout",
            0.2,
            "Real time only: simulated s for which the last command stands in for a missing one; then zero velocity",
            low=0.0,
            high=10.0,
        )
        return {
            "mode": mode,
            "speed": speed,
            "command_timeout": command_timeout,
            "hold_timeout": hold_timeout,
        }

    def _receiver(self, topic: str) -> Any:
        def receive(message: Any) -> None:
            try:
                self._loop.offer(topic, *self._reader.read(topic, message))
            except SelectionError as error:
                self._refused += 1
                self.get_logger().error(f"command refused: {error}", **at_most_every(1.0))

        return receive

    def _on_reset(self, request: Reset.Request, response: Reset.Response) -> Reset.Response:
        if request.seed < -1:
            response.message = f"expected a seed of at least 0, or -1 for the next one, found {request.seed}"
            return response
        response.success, response.message, seed = self._outcome(self._loop.reset(request.seed))
        response.seed = seed if response.success else request.seed
        return response

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success, response.message, _ = self._outcome(self._loop.pause(request.data))
        return response

    def _on_step(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message, stamp = self._outcome(self._loop.step())
        if response.success:
            response.message = f"at {stamp * 1e-9:.3f} s"
        return response

    def _outcome(self, job: ThreadFuture[Any]) -> tuple[bool, str, Any]:
        """Whether the job was done, why not, and its result; waits for at most one step of the simulation."""
        try:
            return True, "", job.result(JOB_TIMEOUT)
        except TimeoutError:
            return False, f"the simulation did not answer within {JOB_TIMEOUT:g} s", None
        except Exception as error:  # whatever the simulation raises belongs to who asked
            return False, f"{error}", None

    def _fail(self, error: Exception) -> None:
        self.get_logger().fatal(f"the simulation failed: {type(error).__name__}: {error}")
        self.done.set_result(1)

    def _start_diagnostics(self, spec: RobotSpec) -> None:
        self._measured = (time.monotonic(), self._loop.counters.steps)
        self._period = spec.period_ns * 1e-9
        steady_updater(self, f"{spec.robot} in robosuite").add("simulation", self._diagnose)

    def _diagnose(self, status: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        counters = self._loop.counters
        before, steps = self._measured
        self._measured = (time.monotonic(), counters.steps)
        speed = (counters.steps - steps) * self._period / (self._measured[0] - before)
        if self._loop.problem:
            status.summary(DiagnosticStatus.ERROR, f"holding: {self._loop.problem}")
        else:
            status.summary(DiagnosticStatus.OK, "paused" if self._loop.paused else "running")
        status.add("speed (relative to real time)", f"{speed:.2f}")
        status.add("simulated time (s)", f"{self._loop.stamp * 1e-9:.3f}")
        for name, count in vars(counters).items():
            status.add(name, str(count))
        status.add("refused commands", str(self._refused))
        return status


def main() -> int:
    """Run the simulation bridge until it is told to end."""
    return run(SimBridge)
