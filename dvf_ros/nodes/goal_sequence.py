"""Give the controller one goal after the other while it drives, judge each from the state, sum up, end."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.task import Future

from dvf_ros.msg import ControllerStatus
from dvf_ros.nodes.controller_watch import ControllerWatch
from dvf_ros.nodes.episodes import EpisodeError, EpisodeServices, Script
from dvf_ros.nodes.goal_watch import GoalWatch, goal_condition
from dvf_ros.nodes.parameters import declare, told_together
from dvf_ros.nodes.robot_spec import declare_spec, load_spec
from dvf_ros.nodes.runtime import run
from dvf_ros.nodes.spec_topics import StateTopics
from dvf_ros.nodes.summary import sum_up
from dvf_ros.srv import SetReward


class GoalSequence(Node):
    """Sets rewards through the controller's service and looks at the state topics; commands nothing itself.

    Goal k is the expression `rewards[k]`; it is reached once `conditions[k]` holds for `hold` ticks in a row. The
    simulation is reset before the first goal of a round only: each goal starts where the last one ended.
    """

    def __init__(self) -> None:
        super().__init__("goal_sequence")
        with told_together(self):
            spec = declare_spec(self)
            self._rounds = declare(self, "episodes", 1, "Rounds through all goals", low=1, high=100_000)
            self._rewards = declare(self, "rewards", [""], "One reward a goal, as for controller/set_reward")
            conditions = declare(self, "conditions", [""], "What makes each goal reached: an expression over the state")
            self._steps = declare(self, "steps", 300, "Ticks after which a goal is given up", low=1, high=100_000)
            self._hold = declare(self, "hold", 10, "Ticks in a row that a condition has to hold", low=1, high=1000)
            self._seed = declare(self, "seed", 0, "Seed of the first round; then counting up", low=0, high=2**31 - 1)
            self._record = declare(self, "record", False, "Have the recorder write one bag of the whole run")
            self._stall = declare(self, "stall_timeout", 60.0, "s without a tick, then give up", low=1.0, high=3600.0)
            self._start_timeout = declare(
                self,
                "start_timeout",
                60.0,
                "s for all other nodes to be there",
                low=1.0,
                high=600.0,
            )
            self._bar = declare(self, "success_bar", 0.8, "Share of goals below which the run fails", low=0.0, high=1.0)
            self._result = declare(self, "result", "results/demo.json", "File for the figures; empty: none")
        self._spec = load_spec(spec)
        if not self._rewards:
            raise ValueError("parameter 'rewards': expected one reward a goal, found none")
        if len(self._rewards) != len(conditions):
            raise ValueError(f"expected as many conditions as rewards ({len(self._rewards)}), found {len(conditions)}")
        self._conditions = [goal_condition(text, self._spec) for text in conditions]
        self._watch = GoalWatch(self._spec)
        self.done = Future()
        self._script = Script(self, self.done, self._run)
        self._episodes = EpisodeServices(self, self._script, recording=self._record)
        self._set_reward = self.create_client(SetReward, "controller/set_reward")
        self._controller = ControllerWatch(self)
        StateTopics(self, self._spec, self._watch.observe)
        self._script.start()

    def close(self) -> None:
        """End the script; the recorder closes the bag when it is told to end itself."""
        self._script.close()

    def _run(self) -> int:
        self._episodes.wait(self._start_timeout)
        self._controller.wait_until_active(self._script, self._start_timeout)
        path = self._episodes.start_recording("controller", "") if self._record else ""
        self._episodes.pause(False)  # whoever used the simulation before may have left it paused
        reached = [self._run_round(number) for number in range(self._rounds)]
        status = self._controller.newest()
        if path:
            messages = self._episodes.end_recording(f"{sum(map(sum, reached))} goals reached")
            self.get_logger().info(f"recorded {messages} messages in '{path}'")
        return self._sum_up(reached, status)

    def _run_round(self, number: int) -> list[bool]:
        self._episodes.reset(self._seed + number)
        return [self._pursue(number, goal) for goal in range(len(self._rewards))]

    def _pursue(self, number: int, goal: int) -> bool:
        answer = self._episodes.call(self._set_reward, SetReward.Request(expression=self._rewards[goal]))
        self._watch.begin(self._conditions[goal], self._hold, self._steps)
        before = 0
        while not self._script.wait(self._watch.finished, self._stall):
            if self._watch.steps == before:
                raise EpisodeError(
                    f"expected {self._steps} ticks, found {before} and no more for {self._stall:g} s; "
                    "the simulation's log says what it waits for"
                )
            before = self._watch.steps
        verdict = "reached" if self._watch.reached else "not reached"
        self.get_logger().info(
            f"round {number + 1}/{self._rounds} goal {goal + 1}: {verdict} after {self._watch.steps} ticks; "
            f"{answer.message}"
        )
        return self._watch.reached

    def _sum_up(self, reached: list[list[bool]], status: ControllerStatus) -> int:
        about = {
            "goals": list(self._rewards),
            "rounds": self._rounds,
            "reached_by_goal": [sum(column) / self._rounds for column in zip(*reached, strict=True)],
        }
        return sum_up(
            self,
            self._spec,
            sum(map(sum, reached)),
            self._rounds * len(self._rewards),
            status,
            about,
            noun="goals reached",
            bar=self._bar,
            result=self._result,
            seeds=range(self._seed, self._seed + self._rounds),
            record=self._record,
        )


def main() -> int:
    """Run the goals, or until told to end."""
    return run(GoalSequence)
