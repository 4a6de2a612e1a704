"""Run episodes on the simulation while the controller drives, judge them, sum them up, end."""

from __future__ import annotations

import threading
import time

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.task import Future

from dvf_ros.core.results import Bar, wilson_interval, write_results
from dvf_ros.msg import ControllerStatus
from dvf_ros.nodes.episodes import EpisodeError, EpisodeResult, EpisodeServices, OutcomeCounter, Script
from dvf_ros.nodes.parameters import declare, told_together
from dvf_ros.nodes.robot_spec import declare_spec, load_spec
from dvf_ros.nodes.runtime import run

STATUS_TIMEOUT = 2.0
"""s to wait for the status that counts the last tick; the controller reports five times a second."""

ACTIVE = (ControllerStatus.RUNNING, ControllerStatus.STOPPED)
STATES = {
    ControllerStatus.INACTIVE: "inactive",
    ControllerStatus.RUNNING: "running",
    ControllerStatus.STOPPED: "stopped",
    ControllerStatus.PAUSED: "paused",
}


class EpisodeRunner(Node):
    """Resets, counts and reports; commands nothing. Ends with status 1 if the share of successes is below the bar."""

    def __init__(self) -> None:
        super().__init__("episode_runner")
        with told_together(self):
            spec = declare_spec(self)
            self._count = declare(self, "episodes", 10, "Episodes to run", low=1, high=100_000)
            self._steps = declare(self, "steps", 120, "Steps of an episode", low=1, high=100_000)
            self._seed = declare(
                self, "seed", 0, "Seed of the first episode; the next ones count up", low=0, high=2**31 - 1
            )
            self._record = declare(self, "record", False, "Have the recorder write one bag of the whole run")
            self._behavior = declare(self, "behavior", "controller", "Label of who acts, for the bag")
            self._stall = declare(
                self, "stall_timeout", 20.0, "s without a step after which to give up", low=1.0, high=600.0
            )
            self._start_timeout = declare(
                self,
                "start_timeout",
                60.0,
                "s for simulation, recorder and an active controller to be there",
                low=1.0,
                high=600.0,
            )
            self._bar = declare(
                self, "success_bar", 0.9, "Share of successes below which the run fails", low=0.0, high=1.0
            )
            self._result = declare(self, "result", "results/demo.json", "File for the figures; empty: none")
        self._spec = load_spec(spec)
        self._status: ControllerStatus | None = None
        self._reported = threading.Condition()
        self._recording = False
        self.done = Future()
        self._script = Script(self, self.done, self._run)
        self._episodes = EpisodeServices(self, self._script, recording=self._record)
        self._counter = OutcomeCounter(self, self._spec.period_ns)
        self.create_subscription(ControllerStatus, "controller/status", self._on_status, QoSProfile(depth=1))
        self._script.start()

    def close(self) -> None:
        """End the script; the recorder closes the bag when it is told to end itself."""
        self._script.close()

    def _on_status(self, status: ControllerStatus) -> None:
        with self._reported:
            self._status = status
            self._reported.notify_all()

    def _run(self) -> int:
        self._episodes.wait(self._start_timeout)
        self._wait_for_controller()
        path = self._episodes.start_recording(self._behavior, "") if self._record else ""
        self._episodes.pause(False)  # whoever used the simulation before may have left it paused
        results = [self._run_episode(number) for number in range(1, self._count + 1)]
        self._wait_for_last_status()
        successes = sum(result.succeeded for result in results)
        if path:
            messages = self._episodes.end_recording(f"{successes} of {self._count} succeeded")
            self.get_logger().info(f"recorded {messages} messages in '{path}'")
        return self._sum_up(successes)

    def _run_episode(self, number: int) -> EpisodeResult:
        seed = self._seed + number - 1
        self._counter.begin(self._steps)
        self._episodes.reset(seed)
        result = self._counter.wait(self._script, self._stall)
        verdict = f"success at step {result.first_success}" if result.succeeded else "no success"
        self.get_logger().info(
            f"episode {number}/{self._count} seed {seed}: {verdict}, "
            f"final success {'yes' if result.success_at_end else 'no'}, {result.duration:.1f} s"
        )
        return result

    def _sum_up(self, successes: int) -> int:
        rate = successes / self._count
        low, high = wilson_interval(successes, self._count)
        status = self._status
        assert status is not None
        self.get_logger().info(
            f"{successes} of {self._count} episodes succeeded: {rate:.0%} (95 % interval {low:.0%} to {high:.0%}); "
            f"tick latency p50 {status.latency_p50_ms:.1f} ms, p99 {status.latency_p99_ms:.1f} ms; "
            f"{status.deadline_misses} deadline misses in {status.decisions} decisions"
        )
        bars = [Bar("success_rate", rate, ">=", self._bar)]
        figures = {
            "episodes": self._count,
            "success_rate": rate,
            "success_low": low,
            "success_high": high,
            "tick_p50_ms": status.latency_p50_ms,
            "tick_p99_ms": status.latency_p99_ms,
            "deadline_misses": status.deadline_misses,
            "decisions": status.decisions,
        }
        if self._result:
            command = (
                f"ros2 launch dvf_ros controller.launch.py sim:=true robot:={self._spec.robot} task:={self._spec.task} "
                f"episodes:={self._count} seed:={self._seed} record:={str(self._record).lower()}"
            )
            write_results(self._result, figures, bars, range(self._seed, self._seed + self._count), command)
        for bar in bars:
            if not bar.holds:
                self.get_logger().error(
                    f"the bar does not hold: {bar.name} {bar.value:.3g}, wanted {bar.op} {bar.bar:g}"
                )
        return 0 if all(bar.holds for bar in bars) else 1

    def _wait_for_controller(self) -> None:
        """Wait until the controller is active; raises EpisodeError saying what it does instead."""
        until = time.monotonic() + self._start_timeout
        while self._status is None or self._status.state not in ACTIVE:
            if time.monotonic() >= until:
                found = "no message on it"
                if self._status is not None:
                    state = STATES.get(self._status.state, "unknown")
                    found = f"state '{state}' ({self._status.reason or 'no reason given'})"
                raise EpisodeError(
                    f"expected an active controller on 'controller/status' within {self._start_timeout:g} s, "
                    f"found {found}; its log says why it was not configured or activated"
                )
            self._script.wait(threading.Event(), 0.05)

    def _wait_for_last_status(self) -> None:
        """Wait for a status younger than the last step; an old one would leave ticks out of the figures."""
        with self._reported:
            self._reported.wait(STATUS_TIMEOUT)


def main() -> int:
    """Run the episodes, or until told to end."""
    return run(EpisodeRunner)
