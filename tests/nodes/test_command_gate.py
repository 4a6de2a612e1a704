"""The gate as a process: commands over DDS in, and out only what may pass; a dead or hanging controller stops."""

from __future__ import annotations

import math
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builtin_interfaces.msg import Time as Stamp
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import TwistStamped
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from tests.nodes.harness import Observer, Processes, ros_domain, wait_for

pytestmark = pytest.mark.ros

SPEC = Path(__file__).parents[2] / "config" / "panda_lift.yaml"
FASTEST, WIDEST = 0.5, 0.08
REPETITIONS = 5
STOP_WITHIN = 0.2
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
CARELESS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class Robot:
    """What reaches the robot, with the steady time (s) at which it came."""

    def __init__(self, observer: Observer) -> None:
        self.twists: list[tuple[float, TwistStamped]] = []
        self.grips = observer.collect(JointState, "gripper_command")
        self.diagnostics = observer.collect(DiagnosticArray, "/diagnostics")
        observer.node.create_subscription(
            TwistStamped, "cmd_twist", lambda message: self.twists.append((time.monotonic(), message)), 100
        )

    def moves(self) -> bool:
        return bool(self.twists) and self.twists[-1][1].twist.linear.x != 0

    def stands(self) -> bool:
        return bool(self.twists) and not self.moves()

    def stopped_at(self, since: float) -> float | None:
        """When the robot stopped for good after `since`; None while it moves."""
        after = [(at, message.twist.linear.x) for at, message in list(self.twists) if at >= since]
        moving = [number for number, (_, speed) in enumerate(after) if speed != 0]
        rest = after[moving[-1] + 1 :] if moving else after
        return rest[0][0] if rest else None

    def status(self) -> DiagnosticStatus | None:
        found = [status for array in list(self.diagnostics) for status in array.status if "gate" in status.name]
        return found[-1] if found else None

    def says(self, text: str) -> bool:
        status = self.status()
        return status is not None and text in " ".join([status.message, *(value.value for value in status.values)])


class Hand:
    """Sends single commands to the gate."""

    def __init__(self, observer: Observer) -> None:
        self._node = observer.node
        self._twist = observer.node.create_publisher(TwistStamped, "unsafe/cmd_twist", 10)
        self._grip = observer.node.create_publisher(JointState, "unsafe/gripper_command", 10)
        wait_for(self._twist.get_subscription_count, "the gate")
        wait_for(self._grip.get_subscription_count, "the gate")

    def twist(self, x: float, frame: str = "world", second: int | None = None) -> TwistStamped:
        message = TwistStamped()
        now = self._node.get_clock().now().to_msg()
        message.header.stamp = now if second is None else Stamp(sec=second)
        message.header.frame_id = frame
        message.twist.linear.x = x
        message.twist.angular.x = math.nan  # not named by the spec
        self._twist.publish(message)
        return message

    def grip(self, names: list[str], positions: list[float]) -> JointState:
        message = JointState(name=names, position=positions)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._grip.publish(message)
        return message


@pytest.fixture
def ros(tmp_path: Path) -> Iterator[tuple[Processes, Observer]]:
    with ros_domain(tmp_path) as pair:
        yield pair


def start(processes: Processes, **parameters: Any) -> Any:
    return processes.start("command_gate", {"spec": SPEC} | parameters)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_source_that_dies_or_hangs_at_full_speed_is_stopped_in_time(
    ros: tuple[Processes, Observer], number: signal.Signals, record_property: Any
) -> None:
    processes, observer = ros
    robot = Robot(observer)
    start(processes)
    took = []
    for _ in range(REPETITIONS):
        source = processes.start_module("tests.nodes.command_source", str(SPEC))
        wait_for(robot.moves, "a robot at full speed")
        assert robot.twists[-1][1].twist.linear.x == FASTEST
        since = time.monotonic()
        source.send_signal(number)
        took.append(wait_for(lambda since=since: robot.stopped_at(since), "a stop", timeout=2.0) - since)
        assert took[-1] <= STOP_WITHIN, took
        assert robot.grips[-1].position[0] == WIDEST, "a stop keeps the grip"
        wait_for(lambda: robot.says("no fresh command on 'cmd_twist'"), "the reason", timeout=1.5)
        assert robot.stands(), "nothing moves it but a command"
        if number == signal.SIGSTOP:
            source.send_signal(signal.SIGCONT)
            wait_for(robot.moves, "motion when commands come again")
            source.kill()
            wait_for(robot.stands, "a stop")
    record_property("stopped after (s)", [round(seconds, 3) for seconds in took])
    print(f"{number.name}: stopped after {', '.join(f'{seconds:.3f}' for seconds in took)} s")


def test_a_gate_that_stood_still_stops_and_does_not_pass_what_waited_for_it(ros: tuple[Processes, Observer]) -> None:
    processes, observer = ros
    robot = Robot(observer)
    gate = start(processes)
    processes.start_module("tests.nodes.command_source", str(SPEC))
    wait_for(robot.moves, "motion")
    barred = observer.collect(Bool, "command_gate/estopped", LATCHED)
    wait_for(lambda: barred and not barred[-1].data, "what it says of what passes")
    gate.send_signal(signal.SIGSTOP)
    time.sleep(0.6)
    seen = len(robot.twists)
    gate.send_signal(signal.SIGCONT)
    wait_for(lambda: len(robot.twists) > seen, "what it says first")
    assert robot.twists[seen][1].twist.linear.x == 0
    wait_for(lambda: robot.says("the gate stood still"), "the reason")
    wait_for(robot.moves, "motion when fresh commands come")
    said = [message.data for message in barred]
    assert True in said and not said[-1], "who commands was told to begin anew"


def test_it_starts_closed_passes_stamps_unchanged_and_needs_no_torch(ros: tuple[Processes, Observer]) -> None:
    processes, observer = ros
    robot = Robot(observer)
    gate = start(processes)
    hand = Hand(observer)
    wait_for(lambda: robot.says("no command yet"), "the state of a closed gate")
    assert not robot.twists and not robot.grips
    assert "torch" not in Path(f"/proc/{gate.pid}/maps").read_text()
    for number in range(5):
        sent, held = hand.twist(0.01 * number + 0.1), hand.grip(["other", "gripper"], [9.0, 0.02])
        wait_for(lambda n=number: len(robot.twists) > n and len(robot.grips) > n, "both halves of the command")
        passed, grip = robot.twists[number][1], robot.grips[number]
        assert passed.header == sent.header and passed.twist.linear.x == sent.twist.linear.x
        assert grip.header.stamp == held.header.stamp
        assert (list(grip.name), list(grip.position)) == (["gripper"], [0.02])
        assert passed.twist.angular.x == 0, "what the spec does not name does not pass"


def test_what_must_not_pass_does_not(ros: tuple[Processes, Observer]) -> None:
    processes, observer = ros
    robot = Robot(observer)
    start(processes)
    hand = Hand(observer)
    for bad in (math.nan, math.inf, -math.inf):
        hand.twist(0.3)
        wait_for(robot.moves, "motion")
        hand.twist(bad)
        wait_for(robot.stands, "a stop at a number that is not finite")
        wait_for(lambda: robot.says("not finite: linear_velocity.x"), "the reason", timeout=1.5)
    hand.twist(7.0)
    wait_for(robot.moves, "a clamped command")
    assert robot.twists[-1][1].twist.linear.x == FASTEST
    for reason, send in (
        ("in frame 'world', found 'tool'", lambda: hand.twist(0.3, frame="tool")),
        ("joint 'gripper' is not in the message", lambda: hand.grip(["finger"], [0.01])),
        ("time jumped back", lambda: hand.twist(0.3, second=1)),
        ("expected a stamp since 1970", lambda: hand.twist(0.3, second=-1)),
    ):
        hand.twist(0.3)
        wait_for(robot.moves, "motion")
        send()
        wait_for(robot.stands, f"a stop: {reason}")
        wait_for(lambda reason=reason: robot.says(reason), reason, timeout=1.5)
    for _, message in robot.twists:
        assert math.isfinite(message.twist.linear.x) and abs(message.twist.linear.x) <= FASTEST
    assert not robot.grips


@pytest.mark.parametrize("way", ["service", "topic", "careless topic"])
def test_the_estop_is_latched(ros: tuple[Processes, Observer], way: str) -> None:
    processes, observer = ros
    robot = Robot(observer)
    start(processes)
    processes.start_module("tests.nodes.command_source", str(SPEC))
    wait_for(robot.moves, "motion")
    button = observer.node.create_publisher(Bool, "command_gate/estop", LATCHED if way == "topic" else CARELESS)
    latched = observer.collect(Bool, "command_gate/estopped", LATCHED)
    wait_for(lambda: [message.data for message in latched] == [False], "what the gate says of its e-stop")
    if way == "service":
        assert observer.call(Trigger, "command_gate/estop", Trigger.Request()).success
    else:
        wait_for(lambda: button.get_subscription_count() >= (2 if way == "topic" else 1), "the gate")
        button.publish(Bool(data=True))
    if way == "careless topic":  # one message may get lost: such a button says its state again and again
        again = observer.node.create_timer(0.05, lambda: button.publish(Bool(data=True)))
    wait_for(robot.stands, "a stop", timeout=1.0)
    if way == "careless topic":
        observer.node.destroy_timer(again)
    wait_for(lambda: robot.says("e-stop: pressed by"), "the reason", timeout=1.5)
    wait_for(lambda: latched[-1].data, "the e-stop on its topic")
    assert robot.status().level == DiagnosticStatus.ERROR
    blocked = blocked_commands(robot)
    wait_for(lambda: blocked_commands(robot) > blocked, "commands that go on coming and are blocked")
    assert robot.stands()
    if way != "service":
        answer = observer.call(Trigger, "command_gate/release", Trigger.Request())
        assert not answer.success and "publish false" in answer.message
        button.publish(Bool(data=False))
        blocked = blocked_commands(robot)
        wait_for(lambda: blocked_commands(robot) > blocked, "commands that are still blocked")
        assert robot.stands(), "letting the button go does not resume"
    assert observer.call(Trigger, "command_gate/release", Trigger.Request()).success
    wait_for(robot.moves, "motion after the release and a fresh command")
    wait_for(lambda: not latched[-1].data, "the release on the topic")


def test_one_of_two_buttons_cannot_undo_the_other(ros: tuple[Processes, Observer]) -> None:
    processes, observer = ros
    robot = Robot(observer)
    start(processes)
    pressed, other = (observer.node.create_publisher(Bool, "command_gate/estop", LATCHED) for _ in range(2))
    pressed.publish(Bool(data=True))
    wait_for(lambda: robot.says("e-stop: pressed by topic"), "the e-stop")
    other.publish(Bool(data=False))
    wait_for(lambda: robot.says("~/estop has 2 publishers"), "an error that both can be heard of")
    assert not observer.call(Trigger, "command_gate/release", Trigger.Request()).success
    observer.node.destroy_publisher(other)
    pressed.publish(Bool(data=False))

    def released() -> bool:
        return observer.call(Trigger, "command_gate/release", Trigger.Request()).success

    wait_for(released, "the release once there is one button, let go")


def test_a_button_pressed_before_the_gate_came_up_counts(ros: tuple[Processes, Observer]) -> None:
    processes, observer = ros
    robot = Robot(observer)
    observer.node.create_publisher(Bool, "command_gate/estop", LATCHED).publish(Bool(data=True))
    start(processes)
    wait_for(lambda: robot.says("e-stop: pressed by topic"), "the e-stop")
    Hand(observer).twist(0.3)
    wait_for(lambda: blocked_commands(robot) == 1, "the command to be blocked")
    assert not robot.twists, "a gate that never passed anything sends nothing"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_robot_and_exits_cleanly(ros: tuple[Processes, Observer], number: signal.Signals) -> None:
    processes, observer = ros
    robot = Robot(observer)
    gate = start(processes, deadline=10.0)  # so that it is the signal that stops
    hand = Hand(observer)
    hand.twist(0.3)
    wait_for(robot.moves, "motion")
    assert processes.end(gate, number, timeout=5.0) == 0
    wait_for(robot.stands, "a stop as the last word")


def test_a_gate_that_ends_stays_until_a_busy_robot_has_heard_the_stop(ros: tuple[Processes, Observer]) -> None:
    processes, observer = ros
    robot = processes.start_module("tests.nodes.command_listener")
    gate = start(processes, deadline=10.0)
    hand = Hand(observer)
    wait_for(lambda: observer.node.count_subscribers("cmd_twist") == 1, "the robot")

    def heard() -> list[str]:
        return processes.log("tests.nodes.command_listener").split("\n")[:-1]

    def is_moving() -> bool:
        hand.twist(0.3)
        return heard()[-1:] == ["speed 0.3"]

    wait_for(is_moving, "motion")
    robot.send_signal(signal.SIGSTOP)
    gate.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        gate.wait(0.5)
    robot.send_signal(signal.SIGCONT)
    assert gate.wait(5.0) == 0
    wait_for(lambda: heard()[-1] == "speed 0", "a stop as the last word")


def test_a_gate_that_ends_unheard_says_so_and_does_not_wait_for_ever(ros: tuple[Processes, Observer]) -> None:
    processes, observer = ros
    robot = processes.start_module("tests.nodes.command_listener")
    gate = start(processes, deadline=10.0)
    hand = Hand(observer)
    wait_for(lambda: observer.node.count_subscribers("cmd_twist") == 1, "the robot")

    def is_moving() -> bool:
        hand.twist(0.3)
        return "speed 0.3" in processes.log("tests.nodes.command_listener")

    wait_for(is_moving, "motion")
    robot.send_signal(signal.SIGSTOP)
    assert processes.end(gate, timeout=10.0) == 0
    assert "nobody is known to have heard the last command on 'cmd_twist'" in processes.log("command_gate")


def test_a_second_hand_on_the_wire_is_reported(ros: tuple[Processes, Observer]) -> None:
    processes, observer = ros
    robot = Robot(observer)
    start(processes)
    observer.node.create_publisher(TwistStamped, "cmd_twist", 10)
    wait_for(lambda: robot.says("somebody else commands the robot on cmd_twist"), "the warning")


def test_of_two_that_command_at_once_neither_is_passed_on(ros: tuple[Processes, Observer]) -> None:
    processes, observer = ros
    robot = Robot(observer)
    start(processes)
    first = processes.start_module("tests.nodes.command_source", str(SPEC))
    wait_for(robot.moves, "motion by the first")
    second = processes.start_module("tests.nodes.command_source", str(SPEC))
    wait_for(lambda: robot.says("several publishers command at once"), "the reason")
    wait_for(lambda: robot.says("several publishers on unsafe/cmd_twist"), "the warning")
    wait_for(robot.stands, "a stop")
    told = len(robot.twists)
    time.sleep(0.5)
    assert all(message.twist.linear.x == 0 for _, message in robot.twists[told:])
    processes.end(first, signal.SIGKILL, timeout=5.0)
    wait_for(robot.moves, "motion by the one that is left")
    processes.end(second, signal.SIGKILL, timeout=5.0)


def test_a_deadline_that_a_restart_may_miss_is_warned_of(ros: tuple[Processes, Observer]) -> None:
    processes, _ = ros
    start(processes, deadline=0.08)
    wait_for(lambda: "set 'deadline' to 0.085" in processes.log("command_gate"), "the warning")


def test_a_deadline_shorter_than_the_period_is_refused(ros: tuple[Processes, Observer]) -> None:
    processes, _ = ros
    assert start(processes, deadline=0.03).wait(20) == 1
    assert "expected a deadline longer than the 0.05 s between commands" in processes.log("command_gate")


def blocked_commands(robot: Robot) -> int:
    status = robot.status()
    values = {value.key: value.value for value in status.values} if status else {}
    return int(values.get("blocked by estop", 0))


def test_all_that_is_wrong_with_the_parameters_is_told_at_once(ros: tuple[Processes, Observer]) -> None:
    processes, _ = ros
    process = processes.start("command_gate", {"spec": SPEC, "deadline": 99.0, "speed": 0.0})
    assert process.wait(30) == 1
    log = processes.log("command_gate")
    assert "deadline" in log and "speed" in log, log
