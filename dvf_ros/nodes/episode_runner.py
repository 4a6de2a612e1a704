"""Run episodes on the simulation while the controller drives, judge them, sum them up, end."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.task import Future

from dvf_ros.msg import ControllerStatus
from dvf_ros.nodes.controller_watch import ControllerWatch
from dvf_ros.nodes.episodes import EpisodeResult, EpisodeServices, OutcomeCounter, Script
from dvf_ros.nodes.parameters import declare, told_together
from dvf_ros.nodes.robot_spec import declare_spec, load_spec
from dvf_ros.nodes.runtime import run
from dvf_ros.nodes.summary import sum_up


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
        self._recording = False
        self.done = Future()
        self._script = Script(self, self.done, self._run)
        self._episodes = EpisodeServices(self, self._script, recording=self._record)
        self._counter = OutcomeCounter(self, self._spec.period_ns)
        self._controller = ControllerWatch(self)
        self._script.start()

    def close(self) -> None:
        """End the script; the recorder closes the bag when it is told to end itself."""
        self._script.close()

    def _run(self) -> int:
        self._episodes.wait(self._start_timeout)
        self._controller.wait_until_active(self._script, self._start_timeout)
        path = self._episodes.start_recording(self._behavior, "") if self._record else ""
        self._episodes.pause(False)  # whoever used the simulation before may have left it paused
        results = [self._run_episode(number) for number in range(1, self._count + 1)]
        status = self._controller.newest()
        successes = sum(result.succeeded for result in results)
        if path:
            messages = self._episodes.end_recording(f"{successes} of {self._count} succeeded")
            self.get_logger().info(f"recorded {messages} messages in '{path}'")
        return self._sum_up(successes, status)

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

    def _sum_up(self, successes: int, status: ControllerStatus) -> int:
        return sum_up(
            self,
            self._spec,
            successes,
            self._count,
            status,
            {"episodes": self._count},
            noun="episodes succeeded",
            bar=self._bar,
            result=self._result,
            seeds=range(self._seed, self._seed + self._count),
            record=self._record,
        )


def main() -> int:
    """Run the episodes, or until told to end."""
    return run(EpisodeRunner)
