"""Rewards, goals and parameters that reach a controller while it drives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Point, PointStamped, PoseStamped, Twist
from lifecycle_msgs.msg import Transition
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from rclpy.time import Time
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from dvf_ros.core.spec import RobotSpec
from dvf_ros.learning.checkpoint import load_checkpoint, save_checkpoint
from dvf_ros.msg import ActionScores, ControllerStatus
from dvf_ros.srv import SetReward
from tests.nodes.harness import Observer, Processes, ros_domain, wait_for
from tests.nodes.test_controller import CONFIG, LATCHED, Base, change_state, checkpoint, moves, start

__all__ = ["checkpoint"]  # the fixture

pytestmark = pytest.mark.ros

ALWAYS = "norm(position) < 1000000"
REPETITIONS = 7
PERIOD_NS = RobotSpec.load(CONFIG / "base_goto.yaml").period_ns


@pytest.fixture
def ros(tmp_path: Path) -> Iterator[tuple[Processes, Observer]]:
    with ros_domain(tmp_path) as pair:
        yield pair


def activate(observer: Observer) -> None:
    assert change_state(observer, Transition.TRANSITION_CONFIGURE)
    assert change_state(observer, Transition.TRANSITION_ACTIVATE)


def nanoseconds(message: Any) -> int:
    return Time.from_msg(message.header.stamp).nanoseconds


def parameter(name: str, value: Any) -> ParameterMessage:
    return Parameter(name, value=value).to_parameter_msg()


def test_a_reward_is_taken_up_at_the_next_tick_and_a_wrong_one_changes_nothing(
    ros: tuple[Processes, Observer], checkpoint: Path
) -> None:
    processes, observer = ros
    Base(observer)
    statuses = observer.collect(ControllerStatus, "controller/status", LATCHED)
    scores = observer.collect(ActionScores, "controller/scores")
    process = start(ros, checkpoint)
    activate(observer)

    def set_reward(expression: str) -> tuple[Any, int, int]:
        """The answer, and the time (ns) just before and just after."""
        clock = observer.node.get_clock()
        before = clock.now().nanoseconds
        answer = observer.call(SetReward, "controller/set_reward", SetReward.Request(expression=expression))
        return answer, before, clock.now().nanoseconds

    wait_for(lambda: len(scores) > 3, "decisions by the learned reward")
    assert statuses[-1].reward == "learned"
    answer, before, after = set_reward(f"-2 - ({ALWAYS})")
    assert answer.success, answer.message
    assert answer.message == (
        f"the number -2 - ({ALWAYS}) (reads position); from -3 to -3 on states like the recorded ones"
    )
    assert set_reward(f"-2 - ({ALWAYS})")[0] == answer, "the same again"
    wait_for(lambda: nanoseconds(scores[-1]) > after, "a decision by the new reward")
    assert all(max(item.values) < 0 for item in list(scores) if nanoseconds(item) > after)
    assert all(min(item.values) >= 0 for item in list(scores) if nanoseconds(item) < before)
    wait_for(lambda: statuses[-1].reward == f"-2 - ({ALWAYS})", "the reward's name")

    answer, _, after = set_reward("distance(positon, [1, 0, 0]) < 0.1")
    assert not answer.success
    assert answer.message == (
        "column 10: the state has no field 'positon'; did you mean 'position'?; the reward stays what it was"
    )
    answer, _, after = set_reward("sqrt(-abs(position.x) - 1)")
    assert not answer.success and "is NaN or Inf on states like the recorded ones" in answer.message
    wait_for(lambda: nanoseconds(scores[-1]) > after, "a decision after the refusal")
    assert max(scores[-1].values) < 0

    answer, _, after = set_reward("")
    assert answer.success and answer.message == "the learned reward, from 0 to 1"
    wait_for(lambda: nanoseconds(scores[-1]) > after and min(scores[-1].values) >= 0, "the learned reward again")
    assert processes.end(process) == 0


@pytest.fixture
def unrewarded(checkpoint: Path, tmp_path: Path) -> Path:
    """The agent, as one that learned no reward."""
    agent = load_checkpoint(checkpoint)
    agent.reward.fit_range(torch.zeros(0))
    return save_checkpoint(agent, tmp_path / "unrewarded.yaml", "digest", "commit")


def test_without_a_reward_it_stays_stopped_until_there_is_one(
    ros: tuple[Processes, Observer], unrewarded: Path
) -> None:
    processes, observer = ros
    Base(observer, frame="odom")
    statuses = observer.collect(ControllerStatus, "controller/status", LATCHED)
    commands = observer.collect(Twist, "cmd_vel")
    process = start(ros, unrewarded)
    activate(observer)
    wait_for(lambda: len(commands) > 5, "commands")
    assert not any(moves([command]) for command in commands)
    assert statuses[-1].reason.startswith("no reward: none was learned and none is set; call ~/set_reward")
    assert statuses[-1].reward == "none"
    assert observer.call(SetReward, "controller/set_reward", SetReward.Request(expression=ALWAYS)).success
    wait_for(lambda: moves(commands), "motion")
    assert processes.end(process) == 0


def test_a_reward_and_the_reach_of_goals_may_be_parameters(ros: tuple[Processes, Observer], unrewarded: Path) -> None:
    _, observer = ros
    Base(observer, frame="odom")
    statuses = observer.collect(ControllerStatus, "controller/status", LATCHED)
    points = observer.node.create_publisher(PointStamped, "controller/goal_point", 1)
    start(ros, unrewarded, reward=ALWAYS, goal_reach=2.5)
    activate(observer)
    wait_for(lambda: statuses[-1].state == ControllerStatus.RUNNING, "motion by the reward")
    assert statuses[-1].reward == ALWAYS
    wait_for(points.get_subscription_count, "an ear for goals")
    points.publish(PointStamped(header=Header(frame_id="odom"), point=Point(x=1.0)))
    wait_for(lambda: statuses[-1].reward == "exp(-distance(position, [1, 0, 0]) / 2.5)", "the goal as reward")


def test_a_reward_that_cannot_be_meant_is_told_at_the_start(ros: tuple[Processes, Observer], checkpoint: Path) -> None:
    processes, observer = ros
    start(ros, checkpoint, reward="positon.x > 1")
    assert not change_state(observer, Transition.TRANSITION_CONFIGURE)
    wait_for(lambda: "the state has no field 'positon'; did you mean 'position'?" in processes.log("controller"), "why")


def test_a_goal_is_a_place_in_the_frame_of_the_object(ros: tuple[Processes, Observer], checkpoint: Path) -> None:
    processes, observer = ros
    Base(observer, frame="odom")
    statuses = observer.collect(ControllerStatus, "controller/status", LATCHED)
    reports = observer.collect(DiagnosticArray, "/diagnostics")
    poses = observer.node.create_publisher(PoseStamped, "controller/goal", 1)
    points = observer.node.create_publisher(PointStamped, "controller/goal_point", 1)
    start(ros, checkpoint)
    activate(observer)
    wait_for(lambda: poses.get_subscription_count() and points.get_subscription_count(), "ears for goals")
    wait_for(lambda: statuses[-1].state == ControllerStatus.RUNNING, "a state")

    def reported() -> dict[str, str]:
        items = [status for array in reports for status in array.status if "control loop" in status.name]
        return {pair.key: pair.value for pair in items[-1].values} if items else {}

    points.publish(PointStamped(header=Header(frame_id="map"), point=Point(x=1.0)))
    expected = "expected a goal in frame 'odom', in which position is reported, found 'map'"
    wait_for(lambda: expected in reported().get("refused goal", ""), "the refusal")
    assert expected in processes.log("controller") and statuses[-1].reward == "learned"

    points.publish(PointStamped(header=Header(frame_id="odom"), point=Point(x=1.0, y=0.5)))
    wait_for(lambda: statuses[-1].reward == "exp(-distance(position, [1, 0.5, 0]) / 0.1)", "the goal as reward")
    pose = PoseStamped(header=Header(frame_id="odom"))
    pose.pose.position.x = 2.0
    poses.publish(pose)
    wait_for(lambda: statuses[-1].reward == "exp(-distance(position, [2, 0, 0]) / 0.1)", "the other goal")
    wait_for(lambda: reported().get("reward") == statuses[-1].reward and not reported()["refused goal"], "its report")


def test_decisions_serve_a_goal_from_the_next_tick_on(ros: tuple[Processes, Observer], checkpoint: Path) -> None:
    processes, observer = ros
    Base(observer, frame="odom")
    scores = observer.collect(ActionScores, "controller/scores", 1000)
    points = observer.node.create_publisher(PointStamped, "controller/goal_point", 1)
    process = start(ros, checkpoint)
    activate(observer)
    wait_for(points.get_subscription_count, "ears for goals")
    wait_for(lambda: len(scores) > 3, "decisions by the learned reward")
    waited = []
    for _ in range(REPETITIONS):
        since = observer.node.get_clock().now().nanoseconds
        # So far away that every future is worth exactly 0; no learned reward is.
        points.publish(PointStamped(header=Header(frame_id="odom"), point=Point(x=1e6)))
        served = wait_for(lambda: [item for item in list(scores) if max(item.values) == 0], "a decision for the goal")
        waited.append(nanoseconds(served[0]) - since)
        assert observer.call(SetReward, "controller/set_reward", SetReward.Request()).success
        scores.clear()
        wait_for(lambda: scores and min(scores[-1].values) > 0, "the learned reward again")
        scores.clear()
    # A chunk is executed for four ticks: without dropping it a goal would wait for two and a half, on average.
    assert sorted(waited)[REPETITIONS // 2] < 2 * PERIOD_NS, waited
    assert processes.end(process) == 0


def test_parameters_change_together_or_not_at_all(ros: tuple[Processes, Observer], checkpoint: Path) -> None:
    _, observer = ros
    Base(observer)
    scores = observer.collect(ActionScores, "controller/scores")
    pictures = observer.collect(MarkerArray, "controller/markers")
    start(ros, checkpoint)
    activate(observer)

    def set_together(**values: Any) -> Any:
        request = SetParametersAtomically.Request(parameters=[parameter(*item) for item in values.items()])
        return observer.call(SetParametersAtomically, "controller/set_parameters_atomically", request).result

    wait_for(lambda: scores and len(scores[-1].scores) == 32, "a decision among 32 candidates")
    wait_for(lambda: pictures, "pictures")
    assert {marker.ns for marker in pictures[-1].markers} == {
        f"position/{x}" for x in ("futures", "candidates", "chosen")
    }
    assert set_together(candidates=8, futures=32).successful
    wait_for(lambda: len(scores[-1].scores) == 8, "a decision among 8 candidates")
    for values, reason in (
        ({"candidates": 4, "futures": 7}, "an even number"),
        ({"candidates": 4096, "futures": 4096}, "expected at most 65536, found 16777216"),
        ({"candidates": 4, "seed": 5}, "read-only"),
        ({"candidates": -1}, "range|lower"),
        ({"candidates": "many"}, "type"),
    ):
        result = set_together(**values)
        assert not result.successful
        assert any(word in result.reason.lower() for word in reason.split("|")), result.reason
    seen = len(scores)
    wait_for(lambda: len(scores) > seen + 2, "decisions after the refusals")
    assert len(scores[-1].scores) == 8
