"""The controller as a process: a mobile base's topics in, velocity out, silent or still whenever it should be."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import Twist
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from nav_msgs.msg import Odometry
from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu
from std_msgs.msg import Bool
from std_srvs.srv import SetBool

from dvf_ros.control.gate import input_topic
from dvf_ros.core.spec import RobotSpec
from dvf_ros.data.dataset import Dataset, Episode
from dvf_ros.learning.checkpoint import read_description, save_checkpoint
from dvf_ros.learning.config import LearningConfig, TrainingConfig
from dvf_ros.learning.training import train
from dvf_ros.msg import ActionScores, ControllerStatus, FutureStates, ValueEstimate
from dvf_ros.nodes.bars import BARRED
from tests.nodes.harness import Observer, Processes, ros_domain, wait_for

pytestmark = pytest.mark.ros

CONFIG = Path(__file__).parents[2] / "config"
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An agent trained for a moment on a base that drives about; what it decides does not matter here."""
    spec = RobotSpec.load(CONFIG / "base_goto.yaml")
    rng = np.random.default_rng(0)
    episodes = []
    for _ in range(8):
        actions = rng.uniform([-0.3, -1.0], [0.6, 1.0], (40, 2)).astype(np.float32)
        states = np.tile(spec.neutral_state, (40, 1))
        states[:, 0] = np.cumsum(actions[:, 0]) / spec.rate
        states[:, 7] = actions[:, 0]
        mask = np.arange(40) < 39
        episodes.append(
            Episode(
                states, actions, mask, (states[:, 0] > 0.5).astype(np.float32), mask, np.arange(40) * spec.period_ns
            )
        )
    config = LearningConfig(
        TrainingConfig(updates=30, sampler_distillation=5, distillation=0, width=32, depth=1, chunk=4, batch=64)
    )
    agent, _ = train(Dataset.from_episodes(spec, episodes), config)
    path = tmp_path_factory.mktemp("agent") / "base.yaml"
    save_checkpoint(agent, path, "digest", "commit")
    return path


@pytest.fixture
def ros(tmp_path: Path) -> Iterator[tuple[Processes, Observer]]:
    with ros_domain(tmp_path) as pair:
        yield pair


class Base:
    """Publishes a base's odometry and IMU at 50 Hz, and can say something else."""

    def __init__(self, observer: Observer, frame: str = "", namespace: str = "") -> None:
        self.frame = frame
        self.age = 0.0  # s, of what it says
        self.by_itself = True
        self.imu_runs = self.odom_runs = True
        self.x = 0.0
        self._node = observer.node
        self._odom = observer.node.create_publisher(Odometry, f"{namespace}odom", 10)
        self._imu = observer.node.create_publisher(Imu, f"{namespace}imu", 10)
        self._timer = observer.node.create_timer(0.02, self._publish)

    def _publish(self) -> None:
        if self.by_itself:
            self.say(self._node.get_clock().now() - Duration(seconds=self.age))

    def say(self, at: Time) -> None:
        """Publish the state under this stamp."""
        stamp = at.to_msg()
        odom, imu = Odometry(), Imu()
        odom.header.stamp = imu.header.stamp = stamp
        odom.header.frame_id = self.frame
        odom.pose.pose.orientation.w = 1.0
        odom.pose.pose.position.x = self.x
        if self.odom_runs:
            self._odom.publish(odom)
        if self.imu_runs:
            self._imu.publish(imu)


def change_state(observer: Observer, transition: int, name: str = "controller") -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return observer.call(ChangeState, f"{name}/change_state", request, timeout=60.0).success


def start(ros: tuple[Processes, Observer], checkpoint: Path, **parameters: Any) -> Any:
    processes, _ = ros
    return processes.start("controller", {"spec": CONFIG / "base_goto.yaml", "checkpoint": checkpoint} | parameters)


def moves(commands: list[Twist]) -> bool:
    return bool(commands) and (commands[-1].linear.x != 0 or commands[-1].angular.z != 0)


def stands(commands: list[Twist]) -> bool:
    return bool(commands) and commands[-1].linear.x == 0 and commands[-1].angular.z == 0


def test_from_configure_to_cleanup(ros: tuple[Processes, Observer], checkpoint: Path) -> None:
    processes, observer = ros
    base = Base(observer, frame="odom")
    commands = observer.collect(Twist, "cmd_vel")
    statuses = observer.collect(ControllerStatus, "controller/status", LATCHED)
    scores, futures, values = (
        observer.collect(kind, f"controller/{name}")
        for kind, name in ((ActionScores, "scores"), (FutureStates, "futures"), (ValueEstimate, "value"))
    )
    process = start(ros, checkpoint)
    assert change_state(observer, Transition.TRANSITION_CONFIGURE)
    assert not change_state(observer, Transition.TRANSITION_CONFIGURE), "it is configured, and lives on"
    wait_for(lambda: statuses, "a status")
    assert statuses[-1].state == ControllerStatus.INACTIVE and not commands, "silent unless active"
    assert statuses[-1].checkpoint == read_description(checkpoint).sha256

    assert change_state(observer, Transition.TRANSITION_ACTIVATE)
    wait_for(lambda: moves(commands), "a command that moves the base")
    spec = RobotSpec.load(CONFIG / "base_goto.yaml")
    for command in list(commands):
        assert spec.action_lower[0] <= command.linear.x <= spec.action_upper[0]
        assert spec.action_lower[1] <= command.angular.z <= spec.action_upper[1]
    wait_for(lambda: scores and futures and values, "scores, futures and value")
    candidates = np.array(scores[-1].candidates).reshape(-1, scores[-1].horizon, scores[-1].action_size)
    assert len(candidates) == len(scores[-1].scores) == 32 and scores[-1].chosen == np.argmax(scores[-1].scores)
    assert len(futures[-1].states) == len(futures[-1].offsets_s) * spec.state_size
    assert futures[-1].names == list(spec.state_names) and np.isfinite(values[-1].value)
    frames = [list(messages)[-1].header.frame_id for messages in (statuses, scores, futures, values)]
    assert frames == ["", spec.frame, "odom", "odom"], "actions are in another frame than the state"

    base.imu_runs = False
    wait_for(lambda: stands(commands), "a stop when the IMU falls silent")
    wait_for(lambda: "imu" in statuses[-1].reason, "the reason of the stop")
    base.imu_runs = True
    wait_for(lambda: moves(commands), "motion after the IMU is back")

    base.x = float("nan")
    wait_for(lambda: stands(commands), "a stop at NaN")
    wait_for(lambda: "NaN" in statuses[-1].reason, "the reason of the stop")
    assert all(np.isfinite([command.linear.x, command.angular.z]).all() for command in commands)
    base.x = 0.0
    wait_for(lambda: moves(commands), "motion after the state is finite again")

    assert change_state(observer, Transition.TRANSITION_DEACTIVATE)
    wait_for(lambda: stands(commands), "a stop at deactivation")
    assert change_state(observer, Transition.TRANSITION_CLEANUP)
    assert change_state(observer, Transition.TRANSITION_CONFIGURE), "it can be configured again"
    assert processes.end(process) == 0


def test_a_pause_stops_until_it_is_lifted_and_outlives_the_lifecycle(
    ros: tuple[Processes, Observer], checkpoint: Path
) -> None:
    _, observer = ros
    Base(observer)
    commands = observer.collect(Twist, "cmd_vel")
    statuses = observer.collect(ControllerStatus, "controller/status", LATCHED)
    start(ros, checkpoint)

    def pause(paused: bool) -> None:
        assert observer.call(SetBool, "controller/pause", SetBool.Request(data=paused)).success

    def rests_for(ticks: int) -> None:
        begun = statuses[-1]
        wait_for(lambda: statuses[-1].ticks >= begun.ticks + ticks, f"{ticks} ticks")
        assert statuses[-1].state == ControllerStatus.PAUSED and statuses[-1].decisions == begun.decisions

    pause(True)
    assert change_state(observer, Transition.TRANSITION_CONFIGURE)
    assert change_state(observer, Transition.TRANSITION_ACTIVATE)
    wait_for(lambda: statuses and statuses[-1].state == ControllerStatus.PAUSED, "the pause from before")
    rests_for(5)
    assert statuses[-1].decisions == 0 and all(stands([command]) for command in list(commands))

    pause(False)
    wait_for(lambda: moves(commands), "motion when the pause is lifted")
    pause(True)
    wait_for(lambda: stands(commands) and statuses[-1].state == ControllerStatus.PAUSED, "a stop")
    assert statuses[-1].reason == "paused"
    paused_at = len(commands)
    rests_for(10)
    assert change_state(observer, Transition.TRANSITION_DEACTIVATE)
    assert change_state(observer, Transition.TRANSITION_ACTIVATE)
    wait_for(lambda: statuses[-1].state == ControllerStatus.PAUSED, "the pause after activation")
    rests_for(5)
    assert all(stands([command]) for command in commands[paused_at:])
    pause(False)
    wait_for(lambda: moves(commands) and statuses[-1].state == ControllerStatus.RUNNING, "motion again")


def test_an_estop_of_the_gate_is_heard_and_its_release_as_well(
    ros: tuple[Processes, Observer], checkpoint: Path
) -> None:
    _, observer = ros
    gate = observer.node.create_publisher(Bool, "command_gate/estopped", LATCHED)
    gate.publish(Bool(data=True))
    commands = observer.collect(Twist, "cmd_vel")
    statuses = observer.collect(ControllerStatus, "controller/status", LATCHED)
    Base(observer)
    start(ros, checkpoint)
    assert change_state(observer, Transition.TRANSITION_CONFIGURE)
    assert change_state(observer, Transition.TRANSITION_ACTIVATE)
    wait_for(lambda: stands(commands) and statuses[-1].reason == BARRED, "a stop for the e-stop from before")
    assert statuses[-1].state == ControllerStatus.STOPPED and statuses[-1].decisions == 0
    gate.publish(Bool(data=False))
    wait_for(lambda: moves(commands), "motion")
    gate.publish(Bool(data=True))
    wait_for(lambda: stands(commands) and statuses[-1].reason == BARRED, "a stop")


def test_a_state_that_comes_late_but_steadily_stops_also_where_it_makes_the_ticks(
    ros: tuple[Processes, Observer], checkpoint: Path
) -> None:
    _, observer = ros
    base = Base(observer)
    base.age = 10.0
    commands = observer.collect(Twist, "cmd_vel")
    statuses = observer.collect(ControllerStatus, "controller/status", LATCHED)
    start(ros, checkpoint, tick_on="state")
    assert change_state(observer, Transition.TRANSITION_CONFIGURE)
    assert change_state(observer, Transition.TRANSITION_ACTIVATE)
    wait_for(lambda: statuses and statuses[-1].ticks > 5, "ticks")
    assert "behind the clock" in statuses[-1].reason and all(stands([command]) for command in list(commands))
    base.age = 0.0
    wait_for(lambda: moves(commands), "motion")


def test_a_slow_simulation_is_given_its_time(ros: tuple[Processes, Observer], checkpoint: Path) -> None:
    _, observer = ros
    base = Base(observer)
    base.by_itself = False
    commands = observer.collect(Twist, "cmd_vel")
    statuses = observer.collect(ControllerStatus, "controller/status", LATCHED)
    clock = observer.node.create_publisher(Clock, "/clock", 10)
    start(ros, checkpoint, use_sim_time=True, tick_on="state", speed=0.2)
    assert change_state(observer, Transition.TRANSITION_CONFIGURE)
    assert change_state(observer, Transition.TRANSITION_ACTIVATE)
    began = len(statuses)
    for tick in range(12):  # at 10 Hz of the robot's seconds, of which five of ours make one
        base.say(Time(seconds=100 + tick / 10))
        clock.publish(Clock(clock=Time(seconds=100 + tick / 10).to_msg()))
        time.sleep(0.5)
    driven = [status for status in statuses[began:] if status.ticks > 2]
    assert driven and all(status.state == ControllerStatus.RUNNING for status in driven), driven[-1].reason
    assert driven[-1].decisions < driven[-1].ticks - 2 and moves(commands), "chunks are gone on with"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_robot_and_exits_cleanly(
    ros: tuple[Processes, Observer], checkpoint: Path, number: signal.Signals
) -> None:
    processes, observer = ros
    Base(observer)
    commands = observer.collect(Twist, "cmd_vel")
    process = start(ros, checkpoint)
    assert change_state(observer, Transition.TRANSITION_CONFIGURE)
    assert change_state(observer, Transition.TRANSITION_ACTIVATE)
    wait_for(lambda: moves(commands), "a command that moves the base")
    assert processes.end(process, number, timeout=5.0) == 0
    wait_for(lambda: stands(commands), "a stop as the last word")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_controller_that_dies_or_hangs_is_stopped_by_the_gate(
    ros: tuple[Processes, Observer], checkpoint: Path, number: signal.Signals
) -> None:
    processes, observer = ros
    Base(observer)
    commands: list[Twist] = []
    arrivals: list[float] = []
    observer.node.create_subscription(
        Twist, "cmd_vel", lambda message: (arrivals.append(time.monotonic()), commands.append(message)), 100
    )
    processes.start("command_gate", {"spec": CONFIG / "base_goto.yaml"})
    process = processes.start(
        "controller",
        {"spec": CONFIG / "base_goto.yaml", "checkpoint": checkpoint},
        remappings={"cmd_vel": input_topic("cmd_vel")},
    )
    assert change_state(observer, Transition.TRANSITION_CONFIGURE)
    assert change_state(observer, Transition.TRANSITION_ACTIVATE)
    wait_for(lambda: moves(commands), "a command that moves the base")
    killed = time.monotonic()
    process.send_signal(number)
    wait_for(lambda: stands(commands) and arrivals[-1] > killed, "a stop by the gate", timeout=2.0)
    before = [at for at, command in zip(arrivals, commands, strict=False) if at > killed and moves([command])]
    stopped = next(at for at in arrivals if at > max([killed, *before]))
    assert stopped - killed <= 0.2


def test_a_checkpoint_of_another_robot_is_refused_with_both_digests(
    ros: tuple[Processes, Observer], checkpoint: Path
) -> None:
    processes, observer = ros
    process = processes.start("controller", {"spec": CONFIG / "panda_lift.yaml", "checkpoint": checkpoint})
    assert not change_state(observer, Transition.TRANSITION_CONFIGURE)
    for name in ("panda_lift", "base_goto"):
        digest = RobotSpec.load(CONFIG / f"{name}.yaml").digest
        wait_for(lambda digest=digest: digest in processes.log("controller"), f"the digest of {name} in the log")
    assert processes.end(process) == 0


def test_two_controllers_of_one_robot_take_turns(ros: tuple[Processes, Observer], checkpoint: Path) -> None:
    processes, observer = ros
    Base(observer)
    commands = observer.collect(Twist, "cmd_vel")
    parameters = {"spec": CONFIG / "base_goto.yaml", "checkpoint": checkpoint}
    for name in ("careful", "bold"):
        processes.start("controller", parameters, name=name, remappings={"__node": name})
    for name in ("careful", "bold"):
        assert change_state(observer, Transition.TRANSITION_CONFIGURE, name)
    driver = Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE
    for name in ("careful", "bold", "careful"):
        assert not commands or stands(commands), "what was handed over stands, and who waits is silent"
        assert change_state(observer, driver[0], name)
        wait_for(lambda: moves(commands), f"motion by {name}")
        assert change_state(observer, driver[1], name)
        wait_for(lambda: stands(commands), f"the stop of {name}")
